"""Everything that a user names, in one folder whose name is hard on shells, ns-3, CMake, SQLite and HTML."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from llm_split.packages import default_cache_dir
from pyagent.cli import app
from pyagent.doctor.checks import check_ns3
from pyagent.envs.simulator import Episode
from pyagent.paths import REPOSITORY, simulator_executable
from pyagent.scenario.load import load_scenario
from tests.conftest import small_scenario

NAME = "a b'c\"d=ü #1 %d [x],$e\\f"
POLICY = """\
class MyPolicy:
    def split(self, features, splits):
        return splits[0]
"""
SWEEP = {
    "name": "odd",
    "base": {"scenario": "my walk #1.yaml"},
    "agent": {"budget": 2, "policies": ["min-split", "my policy.py:MyPolicy"]},
}


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that a user may name, TMPDIR and cache included."""
    folder = tmp_path / NAME
    cache = folder / "cache"
    cache.mkdir(parents=True)
    for entry in default_cache_dir().iterdir():
        (cache / entry.name).symlink_to(entry)
    (folder / "model").symlink_to(default_cache_dir() / "smollm2-135m")
    (folder / "sim").symlink_to(simulator_executable())
    (folder / "tmp").mkdir()
    monkeypatch.setenv("SPLITSIM_CACHE", str(cache))
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(folder)
    (folder / "walk [1].csv").write_text("t_s,node,x_m,y_m\n0,ue,5,0\n100,ue,9,0\n")
    (folder / "my link.up").write_text("1\n3\n4\n")
    (folder / "my policy.py").write_text(POLICY)
    scenario = small_scenario(
        requests={"count": 2}, model={"quality": str(folder / "model"), "splits": [1, 32]}
    ).model_dump(mode="json")
    scenario |= {"program": "sim", "mobility": {"model": "trace", "file": "walk [1].csv"}}
    (folder / "my walk #1.yaml").write_text(yaml.safe_dump(scenario))
    (folder / "sweep.yaml").write_text(yaml.safe_dump(SWEEP))
    return folder


@pytest.fixture
def splitsim() -> Callable[..., str]:
    """Runs a command here; what it printed."""

    def call(*arguments: str | Path) -> str:
        done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return call


@pytest.mark.ns3
@pytest.mark.model
@pytest.mark.timeout(400)
def test_a_run_in_a_folder_of_any_name(odd: Path, splitsim: Callable[..., str]) -> None:
    """Its name has all that a shell, ns-3's CommandLine, CMake, SQLite's URIs, glob, rich or HTML reads."""
    walk, run = odd / "my walk #1.yaml", odd / "run"
    assert ": ok in ns-3" in splitsim("scenario", "validate", walk, "--deep")
    written = splitsim(
        *("scenario", "preview", walk, "--duration", "1", "--out", odd / "look.png"),
        *("--netanim", odd / "look.xml", "--animate", odd / "look.gif"),
    ).splitlines()
    assert written == [str(odd / f"look{suffix}") for suffix in (".png", ".gif", ".xml")]
    assert all(Path(path).stat().st_size for path in written)
    told = splitsim("run", walk, "--budget", "2", "--policies", "min-split", "--out", run)
    assert told.splitlines()[-1] == str(run / "report.html")
    both = json.loads(splitsim("report", run, run, "--out", odd / "both.html", "--json"))
    assert both["path"] == str(odd / "both.html")
    assert not list((odd / "tmp").glob("*splitsim*"))


@pytest.mark.ns3
@pytest.mark.model
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_own_policy_a_dataset_and_a_store_in_a_folder_of_any_name(
    odd: Path, splitsim: Callable[..., str]
) -> None:
    walk, store, recorded = odd / "my walk #1.yaml", odd / "store", odd / "recorded.parquet"
    splitsim(
        *("evaluate", walk, "--policy", f"{odd / 'my policy.py'}:MyPolicy", "--trace", odd / "my link.up"),
        *("--against", "min-split", "--budget", "2", "--out", odd / "own"),
    )
    policies = json.loads((odd / "own" / "summary.json").read_text())["policies"]
    assert set(policies) == {"min-split", "my-policy"}

    splitsim("record", walk, "--train-seeds", "1", "--test-seeds", "2", "--out", recorded)
    told = splitsim("compare", recorded, "--policies", "random,min-split", "--seeds", "2", "--json")
    assert set(json.loads(told.splitlines()[-1])["policies"]) >= {"random", "min-split"}

    assert "made 1" in splitsim("sweep", odd / "sweep.yaml", "--store", store)
    assert "my-policy" in splitsim("results", store)
    splitsim("results", store, "--sweep", odd / "sweep.yaml", "--out", odd / "all.csv")
    assert set(pd.read_csv(odd / "all.csv")["policy"]) == {"oracle", "min-split", "my-policy"}
    splitsim("results", store, "--plot", odd / "all.png")
    assert (odd / "all.png").stat().st_size
    assert not list((odd / "tmp").glob("*splitsim*"))


@pytest.mark.ns3
def test_a_program_reads_a_path_from_its_command_line_to_the_end(odd: Path) -> None:
    """By hand, as docs/own-scenario-cpp.md says: ns-3's CommandLine would read up to the first blank."""
    with Episode(load_scenario(odd / "my walk #1.yaml"), 1, log_dir=odd / "logs") as episode:
        episode.begin()
    config = odd / "logs" / "scenario.json"
    done = subprocess.run(
        [odd / "sim", f"--config={config}", "--self=0", "--pace=1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["events"] > 0


@pytest.mark.ns3
def test_doctor_names_the_folder_of_ns3_to_its_end(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the loader's own program tells of it; a stand-in, since ns-3's libraries can't be moved alone."""
    line = r"\tlibns3.44-core.so => %s (0x7f)\n"
    (odd / "ldd").write_text(f"#!/bin/sh\nprintf '{line}' \"$0.libns3.44-core.so\"\n")
    (odd / "ldd").chmod(0o755)
    monkeypatch.setenv("PATH", str(odd), prepend=os.pathsep)
    monkeypatch.setenv("SPLITSIM_NS3", str(odd / "sim"))
    (odd / "ldd.libns3.44-core.so").touch()
    found = check_ns3()
    assert found.found == f"ns-3 3.44 in {odd}"


def test_make_hands_paths_on_as_they_are() -> None:
    """As the shell that a recipe is for would split it; on the command line and from the environment."""
    path = f"/x/{NAME}  ($y)"
    variables = {name: f"{path}/{name}" for name in ("SCENARIO", "OUT", "NS3_ROOT")}
    told = [f"{name}={value}" for name, value in variables.items()]
    for arguments, environment in ((told, {}), ([], variables)):
        done = subprocess.run(
            ["make", "--dry-run", "sim", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        words = shlex.split(done.stdout.replace("\\\n", " "), comments=True)
        assert set(variables.values()) <= set(words)


@pytest.mark.parametrize("sign", list('"$`\\:,'))
def test_a_checkout_where_nothing_could_work_is_refused_before_anything_is_fetched(
    tmp_path: Path, sign: str
) -> None:
    """A colon ends a path in PYTHONPATH and in the linker's, a comma there too; pip quotes by `"` alone."""
    folder = tmp_path / f"a{sign}b"
    folder.mkdir()
    done = subprocess.run(
        [REPOSITORY / "tools" / "make-venv", ".venv"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: this checkout is in {folder}: ")
    assert not list(folder.iterdir())
