"""What is made from a scenario can be used where the scenario's files are not."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pyagent import results
from pyagent.campaign.folder import CONFIG, Plan, open_run_folder
from pyagent.dataset import DatasetError, open_dataset, shipped_dataset
from pyagent.dataset.dataset import KEY
from pyagent.paths import shipped
from pyagent.scenario.carried import CarriedFileError, carry, unpack
from pyagent.scenario.load import ScenarioError, load_scenario, parse_scenario
from pyagent.scenario.schema import Scenario
from pyagent.sweep.execute import Failure
from pyagent.sweep.spec import RunSpec
from pyagent.sweep.store import Store

UPLINK, MOVES = "up.csv", "walk.csv"
RATES = "t_s,rate_mbps\n0,8\n1,6\n2,9\n"


@pytest.fixture
def makers(tmp_path: Path) -> Path:
    """The folder of who made it all; the tests take it away."""
    folder = tmp_path / "makers"
    folder.mkdir()
    (folder / UPLINK).write_text(RATES)
    (folder / MOVES).write_text("t_s,node,x_m,y_m\n0,a,0,0\n9,a,9,0\n")
    return folder


def scenario_of(folder: Path) -> Scenario:
    walk = {"model": "trace", "file": MOVES}
    others = [{"count": 1, "mobility": walk, "traffic": {"rate_kbps": 1}}]
    link = {"technology": "replay", "uplink": UPLINK, "offset_s": [0, 0]}
    data = {"name": "away", "mobility": {"model": "constant", "position_m": [0, 0, 1.5]}, "link": link}
    return parse_scenario({**data, "others": others}, folder=folder)


def take_away(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def rates(scenario: Scenario) -> list[float]:
    return scenario.link.uplink_trace().rate_mbps.tolist()  # type: ignore[union-attr]


def test_a_shipped_dataset_brings_its_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path))
    link = open_dataset(shipped_dataset("tram-replay")).scenario.link
    assert link.uplink.is_relative_to(tmp_path)  # type: ignore[union-attr]
    original = shipped() / "scenarios" / "traces" / "tram-lte.csv"
    assert link.uplink.read_bytes() == original.read_bytes()  # type: ignore[union-attr]


def test_a_run_folder_is_read_where_the_traces_are_not(makers: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with open_run_folder(run, Plan(scenario_of(makers), "splitsim run")):
        pass
    take_away(makers)
    moved = run.rename(tmp_path / "moved")
    again = load_scenario(moved / CONFIG)
    assert rates(again) == [8, 6, 9]
    assert len(again.others[0].mobility.tracks()) == 1  # type: ignore[union-attr]
    # The run may be made again in its own folder, from its own copies.
    with open_run_folder(moved, Plan(again, "splitsim run")):
        assert rates(load_scenario(moved / CONFIG)) == [8, 6, 9]


def test_copies_that_a_run_does_not_use_are_removed(makers: Path, tmp_path: Path) -> None:
    for content in (RATES, RATES.replace("8", "7")):
        (makers / UPLINK).write_text(content)
        with open_run_folder(tmp_path / "run", Plan(scenario_of(makers), "splitsim run")):
            pass
    copies = list((tmp_path / "run" / "data").glob(f"*/{UPLINK}"))
    assert [copy.read_text() for copy in copies] == [RATES.replace("8", "7")]


def test_a_run_of_a_store_is_made_again_where_the_traces_are_not(
    makers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = RunSpec(scenario=scenario_of(makers), policies=("random",), budget=4, seed=1)
    with Store(tmp_path / "store") as store:
        store.claim("ab", spec, "s")
        store.fail("ab", Failure("it broke", "here"))
    take_away(makers)
    store_path = (tmp_path / "store").rename(tmp_path / "moved")
    made: list[RunSpec] = []

    def execute(spec: RunSpec) -> Any:
        made.append(spec)
        raise RuntimeError("far enough")

    monkeypatch.setattr("pyagent.sweep.execute.execute", execute)
    with pytest.raises(RuntimeError, match="far enough"):
        results.rerun(store_path, "ab")
    assert rates(made[0].scenario) == [8, 6, 9]
    next(store_path.glob(f"data/*/{UPLINK}")).unlink()
    with pytest.raises(results.ResultsError, match=rf"uplink.*{UPLINK}.*no such file"):
        results.rerun(store_path, "ab")


def edited(path: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """A shipped dataset, its description changed."""
    table = pq.read_table(shipped_dataset("tram-replay"))
    about = json.loads(table.schema.metadata[KEY])
    edit(about)
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(about).encode()}), path)
    return path


def rename_uplink(about: dict[str, Any]) -> None:
    about["scenario"]["link"]["uplink"] = "/nowhere/tram.csv"


def forge(about: dict[str, Any]) -> None:
    name = next(iter(about["files"]))
    about["files"][name] = base64.b64encode(zlib.compress(b"t_s,rate_mbps\n0,1\n")).decode()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (rename_uplink, r"link\.uplink.*/nowhere/tram\.csv.*no such file"),
        (lambda about: about.pop("files"), r"link\.uplink.*tram-lte\.csv.*no such file"),
        (forge, "tram-lte.*its content is not what was recorded with"),
        (lambda about: about.update(files=[1]), "no mapping"),
    ],
)
def test_what_a_dataset_lacks_is_named(
    edit: Callable[[dict[str, Any]], None], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset(edited(tmp_path / "edited.parquet", edit))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("../../evil.csv", ""),
        ("data/0123456789abcdef/..", ""),
        ("data/0123456789abcdef/a/b", ""),
        ("data/e3b0c44298fc1c14/a", "no base64"),
        ("data/e3b0c44298fc1c14/a", base64.b64encode(b"not packed").decode()),
        ("data/e3b0c44298fc1c14/a", base64.b64encode(zlib.compress(b"x" * 1000)[:-5]).decode()),
        ("data/e3b0c44298fc1c14/a", 3),
    ],
)
def test_hostile_files_are_refused_and_nothing_is_written(name: str, content: Any, tmp_path: Path) -> None:
    with pytest.raises(CarriedFileError):
        unpack({name: content}, tmp_path / "in")
    assert list(tmp_path.iterdir()) == []


def test_what_is_carried_is_unpacked_as_it_was(makers: Path, tmp_path: Path) -> None:
    carried = carry(scenario_of(makers))
    unpack(carried.packed(), tmp_path / "there")
    assert {name: (tmp_path / "there" / name).read_text() for name in carried.files} == {
        name: source.read_text() for name, source in carried.files.items()
    }
    with pytest.raises(ScenarioError, match="no such file"):
        parse_scenario(carried.scenario, folder=tmp_path)
    assert parse_scenario(carried.scenario, folder=tmp_path / "there").name == "away"
