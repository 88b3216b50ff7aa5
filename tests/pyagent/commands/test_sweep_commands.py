"""`splitsim sweep` and `splitsim results` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import pyagent.results
from pyagent.cli import app
from pyagent.errors import UserError
from pyagent.paths import REPOSITORY
from pyagent.plots.sweep import figure_sweep
from pyagent.sweep.campaign import run_sweep
from pyagent.sweep.file import load_sweep
from tests.pyagent.sweep.cheap import InlineEngine, cheap_file


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A sweep file and the store with all its runs."""
    folder = tmp_path_factory.mktemp("swept")
    file = cheap_file(folder)
    run_sweep(load_sweep(file), folder / "store", lambda scratch: InlineEngine())
    return file, folder / "store"


def splitsim(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_missing_is_counted_and_nothing_is_made_twice(
    swept: tuple[Path, Path], tmp_path: Path
) -> None:
    file, store = swept
    told = json.loads(splitsim("sweep", file, "--store", store, "--dry-run", "--json"))
    assert (told["runs"], told["finished"], told["missing"]) == (6, 6, 0)
    told = json.loads(splitsim("sweep", file, "--store", tmp_path / "none", "--dry-run", "--json"))
    assert told["missing"] == 6
    assert not (tmp_path / "none").exists()
    told = json.loads(splitsim("sweep", file, "--store", store, "--json"))
    assert (told["made"], told["there"]) == (0, 6)


def test_results_are_listed_filtered_and_summed_up(swept: tuple[Path, Path]) -> None:
    file, store = swept
    chosen = ("--where", "policy=threshold", "--metric", "share")
    rows = json.loads(splitsim("results", store, *chosen, "--json"))
    assert [row["seeds"] for row in rows] == [2, 2, 2]
    assert all(row["low"] <= row["mean"] <= row["high"] for row in rows)
    shown = splitsim("results", store, "--sweep", file)
    assert "threshold" in shown
    assert "all: scenario tram-replay, dataset tram-replay, agent.budget 40" in shown
    listed = json.loads(splitsim("results", store, "--runs", "--where", "seed=2", "--json"))
    assert [row["state"] for row in listed] == ["finished"] * 3


def test_results_are_exported_for_other_tools(swept: tuple[Path, Path], tmp_path: Path) -> None:
    _, store = swept
    splitsim("results", store, "--out", tmp_path / "r.csv")
    splitsim("results", store, "--out", tmp_path / "r.parquet")
    frame = pd.read_parquet(tmp_path / "r.parquet")
    assert len(frame) == 18
    assert pd.read_csv(tmp_path / "r.csv")["reward"].to_numpy() == pytest.approx(frame["reward"].to_numpy())
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    pytest.importorskip("scipy", reason="scipy is not installed")
    splitsim("results", store, "--out", tmp_path / "r.nc")
    with xarray.open_dataset(tmp_path / "r.nc", engine="scipy") as arrays:
        assert dict(arrays.sizes) == {"scenario.reward.slo_s": 3, "seed": 2, "policy": 3}
        found = float(arrays["reward"].sel({"scenario.reward.slo_s": 2.0, "seed": 2, "policy": "threshold"}))
    wanted = frame.query("`scenario.reward.slo_s` == 2 and seed == 2 and policy == 'threshold'")
    assert found == wanted["reward"].iloc[0]


def test_a_sweep_is_drawn_with_a_line_for_every_policy(swept: tuple[Path, Path], tmp_path: Path) -> None:
    _, store = swept
    splitsim("results", store, "--metric", "share", "--plot", tmp_path / "share.png")
    assert (tmp_path / "share.png").read_bytes().startswith(b"\x89PNG")
    frame = pyagent.results.load(store)
    (axes,) = figure_sweep(frame, "share").axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.5", "1.0", "2.0"]
    assert [len(line.get_xdata()) for line in axes.lines] == [3, 3, 3]
    by_seed = figure_sweep(frame, "share", "dataset").axes
    assert [panel.get_title() for panel in by_seed] == [f"reward.slo_s {slo_s}" for slo_s in (0.5, 1.0, 2.0)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["results", "STORE", "--plot", "x.svg"], "--plot = x.svg"),
        (["results", "STORE", "--plot", "x.png", "--across", "weather"], "--across = 'weather'"),
        (["results", "STORE", "--plot", "/proc/x.png"], "--plot = /proc/x.png"),
        (["sweep", "FILE", "--engine", "slurm"], "engine.kind = 'slurm'"),
        (["sweep", "FILE", "--workers", "0"], "engine.workers = 0"),
        (["sweep", "FILE", "--address", "10.0.0.1:6379"], "kind: ray"),
        (["results", "STORE", "--where", "scenario"], "NAME=VALUE"),
        (["results", "STORE", "--where", "scenario.nothing=1"], "no run has 'scenario.nothing'"),
        (["results", "STORE", "--metric", "joy"], "metric = 'joy'"),
        (["results", "STORE", "--out", "a.xlsx"], ".csv, .parquet, .nc"),
        (["results", "STORE", "--rerun", "x"], "0 runs have such a key"),
        (["results", "nowhere"], "no such store"),
    ],
)
def test_what_is_wrong_is_one_line(swept: tuple[Path, Path], arguments: list[str], said: str) -> None:
    file, store = swept
    given = [{"FILE": str(file), "STORE": str(store)}.get(argument, argument) for argument in arguments]
    with pytest.raises(UserError) as error:
        CliRunner().invoke(app, given, catch_exceptions=False)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("file", sorted((REPOSITORY / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_studies_that_ship_can_be_read(file: Path) -> None:
    sweep = load_sweep(file)
    assert sweep.file.name == file.stem
    assert sweep.file.seeds.count == 10
