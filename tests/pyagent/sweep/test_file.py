"""The sweep file: what it stands for, what it refuses, and what makes two runs the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from pyagent.dataset import shipped_dataset
from pyagent.errors import UserError
from pyagent.learning.acquisition import NAMES
from pyagent.learning.options import Purchase
from pyagent.paths import REPOSITORY
from pyagent.surrogate.registry import SURROGATES
from pyagent.surrogate_names import surrogate_names
from pyagent.sweep import identity
from pyagent.sweep.file import load_sweep
from pyagent.sweep.identity import Keys
from pyagent.sweep.spec import look_up, settings
from tests.conftest import SMALL, small_scenario
from tests.pyagent.sweep.cheap import cheap_file, cheap_sweep

LIVE: dict[str, Any] = {
    "name": "live",
    "base": {"scenario": "default"},
    "agent": {"budget": 40, "policies": ["random"]},
}


def live_file(folder: Path, **sections: Any) -> Path:
    path = folder / "live.yaml"
    path.write_text(yaml.safe_dump(LIVE | sections))
    return path


def test_every_combination_of_grid_and_list_is_there_once(tmp_path: Path) -> None:
    sweep = load_sweep(
        live_file(
            tmp_path,
            seeds={"first": 5, "count": 3},
            grid={"scenario": ["default", "tunnel"], "scenario.requests.deadline_s": [2, 3]},
            list=[
                {"agent.budget": 40, "scenario.model.codec": "int8"},
                {"agent.budget": 80, "scenario.model.codec": "fp16"},
            ],
        )
    )
    found = {
        (
            run.scenario.name,
            run.scenario.requests.deadline_s,
            run.budget,
            run.scenario.model.codec,
            run.seed,
        )
        for run in sweep.runs()
    }
    wanted = {
        (name, deadline_s, budget, codec, seed)
        for name in ("default", "tunnel")
        for deadline_s in (2, 3)
        for budget, codec in ((40, "int8"), (80, "fp16"))
        for seed in (5, 6, 7)
    }
    assert found == wanted
    assert len(sweep.runs()) == len(wanted)


def test_a_section_can_be_swapped_whole_and_a_list_entered(tmp_path: Path) -> None:
    sweep = load_sweep(
        live_file(
            tmp_path,
            grid={"scenario.others.0.count": [1, 2]},
            list=[{"scenario.link": {"technology": "lte"}}, {"scenario.link.tx_power_dbm": 12}],
        )
    )
    assert [(run.scenario.link.technology, run.scenario.others[0].count) for run in sweep.runs()] == [
        ("lte", 1),
        ("wifi", 1),
        ("lte", 2),
        ("wifi", 2),
    ]


def test_a_relative_path_starts_at_the_sweep_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(SMALL))
    sweep = load_sweep(live_file(tmp_path, base={"scenario": "mine.yaml"}, agent={"budget": 4}))
    assert sweep.points[0].scenario == small_scenario()


MANY = {f"scenario.others.{place}.count": list(range(1000)) for place in range(4)}


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"nam": 1}, ["nam"]),
        ({"base": {}}, ["base", "one of scenario and dataset"]),
        ({"base": {"scenario": "nowhere"}}, ["'nowhere'", "default"]),
        ({"seeds": {"count": 0}}, ["seeds.count = 0", "at least 1"]),
        ({"seeds": {"first": 1431650, "count": 9}}, ["seeds", "at most"]),
        ({"grid": {"radio.power": [1]}}, ["'radio.power'", "scenario.<field>"]),
        (
            {"grid": {"scenario.requests.deadlin_s": [1]}},
            ["scenario.requests.deadlin_s = 1", "requests.deadlin_s"],
        ),
        ({"grid": {"scenario.requests.deadline_s": [-1]}}, ["requests.deadline_s = -1", "more than 0"]),
        ({"grid": {"scenario.others.7.count": [1]}}, ["'scenario.others.7.count'", "nothing at '7'"]),
        ({"grid": {"scenario.model.splits": [[99]]}}, ["splits", "99"]),
        ({"grid": {"dataset": ["default"]}}, ["'dataset'", "other kind"]),
        ({"grid": {"agent.budget": ["many"]}}, ["agent.budget = 'many'", "integer"]),
        ({"grid": {"agent.budget": []}}, ["grid.agent.budget = []", "1 or more entries"]),
        (
            {"grid": {"agent.budget": [1]}, "list": [{"agent.budget": 2}]},
            ["'agent.budget'", "grid and in list"],
        ),
        ({"agent": {"budget": 40, "policies": ["dqn"]}}, ["'dqn'", "live", "surrogate-argmax"]),
        ({"agent": {"policies": ["my.py:Mine"]}}, ["agent.policies", "no such file", "my.py"]),
        ({"agent": {"surrogate": "forest"}}, ["agent.surrogate = 'forest'", "ensemble"]),
        ({"grid": {"agent.surrogate": ["linear"]}}, ["agent", "'linear'", "--buy all"]),
        ({"grid": {"agent.per_decision": [2]}}, ["agent.per_decision = 2", "at most 1"]),
        ({"agent": {"budget": 500_000}}, ["agent.budget = 500000", "at most 20000"]),
        ({"grid": MANY}, ["more than 100000 combinations"]),
        (
            {"seeds": {"count": 100_000}, "list": [{}] * 11},
            ["11 combinations with 100000 seeds", "1000000 runs"],
        ),
        ({"engine": {"kind": "slurm"}}, ["engine.kind = 'slurm'", "ray"]),
        ({"engine": {"address": "10.0.0.1:6379"}}, ["engine", "kind: ray"]),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, sections: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(UserError) as error:
        load_sweep(live_file(tmp_path, **sections))
    assert "\n" not in str(error.value)
    for words in said:
        assert words in str(error.value)


def test_a_policy_of_ones_own_is_tested_beside_the_others_and_counts_by_its_contents(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("class Mine:\n    def split(self, features, splits):\n        return splits[0]\n")
    policies = ["mine.py:Mine", "threshold"]
    run = load_sweep(live_file(tmp_path, agent={"budget": 40, "policies": policies})).points[0]
    assert run.policies == ("threshold",)
    assert [own.source for own in run.own] == [f"{mine}:Mine"]
    assert look_up(settings(run.model_dump(mode="json")), "agent.policies") == "threshold+mine.py:Mine"
    before = identity.configuration(run)["own"]
    mine.write_text(mine.read_text().replace("[0]", "[-1]"))
    assert identity.configuration(run)["own"] != before


def test_a_policy_of_ones_own_must_not_take_the_name_of_another(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Random:\n    def split(self, features, splits): ...\n")
    with pytest.raises(UserError, match=r"agent\.policies.*'random' is a baseline's"):
        load_sweep(live_file(tmp_path, agent={"budget": 40, "policies": ["mine.py:Random"]}))


def test_how_the_agent_learns_can_be_varied(tmp_path: Path) -> None:
    rows = [{"agent.surrogate": "linear", "agent.buy": "all"}, {"agent.per_decision": 0.5}]
    runs = load_sweep(live_file(tmp_path, list=rows)).runs()
    assert [run.learning.model for run in runs] == [
        {"surrogate": "linear", "rule": "all", "per_decision": 0.25},
        {"surrogate": "ensemble", "rule": "epistemic", "per_decision": 0.5},
    ]


def test_what_may_be_written_in_a_sweep_file_is_what_there_is() -> None:
    assert surrogate_names() == tuple(SURROGATES)
    assert set(get_args(Purchase)) == set(NAMES)


def test_a_surrogate_that_is_not_known_is_said_with_its_field(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"agent\.surrogate = 'liner': .*did you mean linear\? valid: ens"):
        load_sweep(live_file(tmp_path, agent={"surrogate": "liner", "buy": "all"}))


def test_of_a_dataset_only_the_reward_varies(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"scenario\.requests\.deadline_s.*scenario\.reward"):
        cheap_sweep(tmp_path, grid={"scenario.requests.deadline_s": [1]})
    with pytest.raises(UserError, match=r"'ppo-imaginatio'.*recorded policy"):
        cheap_sweep(tmp_path, agent={"policies": ["ppo-imaginatio"]})


def test_settings_are_looked_up_by_the_paths_of_the_file(tmp_path: Path) -> None:
    run = cheap_sweep(tmp_path).points[0]
    told = settings(run.model_dump(mode="json"))
    assert look_up(told, "scenario") == "tram-replay"
    assert look_up(told, "scenario.reward.slo_s") == 0.5
    assert look_up(told, "dataset") == "tram-replay"
    assert look_up(told, "agent.policies") == "best-static+threshold"
    assert look_up(told, "scenario.model.splits.0") == run.scenario.model.splits[0]
    assert look_up(told, "scenario.nothing.0") is None


def test_runs_of_an_older_store_had_what_is_the_default_today(tmp_path: Path) -> None:
    run = cheap_sweep(tmp_path).points[0].model_dump(mode="json")
    new = {"own", "surrogate", "buy", "per_decision"}
    older = {name: value for name, value in run.items() if name not in new}
    assert settings(older) == settings(run)


def test_a_run_is_the_same_wherever_its_files_lie_and_another_when_they_change(tmp_path: Path) -> None:
    mine = tmp_path / "mine.parquet"
    shutil.copy(shipped_dataset("tram-replay"), mine)
    shipped = cheap_sweep(tmp_path).points[0]
    moved = cheap_sweep(tmp_path, base={"dataset": "mine.parquet"}).points[0]
    assert Keys().key(moved) == Keys().key(shipped)
    shutil.copy(shipped_dataset("default"), mine)
    assert Keys().key(moved) != Keys().key(shipped)


def test_a_key_covers_seed_budget_policies_reward_and_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cheap_sweep(tmp_path).points[0]
    reward = run.scenario.reward.model_copy(update={"slo_s": 9.0})
    others = [
        run.model_copy(update={"seed": 2}),
        run.model_copy(update={"budget": 41}),
        run.model_copy(update={"policies": ("random",)}),
        run.model_copy(update={"per_decision": 0.5}),
        run.model_copy(update={"scenario": run.scenario.model_copy(update={"reward": reward})}),
    ]
    keys = Keys()
    found = {keys.key(other) for other in [run, *others]}
    monkeypatch.setattr(identity, "code_version", lambda: "another")
    found.add(Keys().key(run))
    assert len(found) == 7


@pytest.mark.ns3
@pytest.mark.model
def test_a_live_key_covers_the_trace_and_not_its_place(tmp_path: Path) -> None:
    source = REPOSITORY / "ns3_scenarios" / "scenarios"
    shutil.copy(source / "tram-replay.yaml", tmp_path / "a.yaml")
    shutil.copytree(source / "traces", tmp_path / "traces")
    shipped = load_sweep(live_file(tmp_path, base={"scenario": "tram-replay"})).points[0]
    mine = load_sweep(live_file(tmp_path, base={"scenario": "a.yaml"})).points[0]
    assert mine.scenario.link != shipped.scenario.link
    assert Keys().key(mine) == Keys().key(shipped)
    with open(tmp_path / "traces" / "tram-lte.csv", "a") as trace:
        trace.write("\n")
    assert Keys().key(mine) != Keys().key(shipped)


def test_the_release_of_ns3_is_read_from_the_simulator(tmp_path: Path) -> None:
    program = tmp_path / "simulator"
    program.write_bytes(b"\x7fELF\0libc.so.6\0libns3.44-core.so\0libns3.44-wifi.so\0")
    assert identity.ns3_version(program) == "3.44"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_sweep(tmp_path / "none.yaml")
    cheap_file(tmp_path).write_text("- 1\n")
    with pytest.raises(UserError, match="expected a mapping"):
        load_sweep(tmp_path / "sweep.yaml")
