"""`splitsim evaluate`: policies from files, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pyagent.campaign.contenders import BASELINES, USUAL, Contenders, parse_baselines
from pyagent.cli import app
from pyagent.envs.observation import FEATURES, NAMES, normalise, physical
from pyagent.errors import UserError
from pyagent.learning.options import Learning
from pyagent.policies.base import Policy
from pyagent.policies.user import PolicyError, UserPolicy, load_policy
from pyagent.scenario.load import ScenarioError
from pyagent.scenario.on_trace import on_trace
from pyagent.scenario.schema import ReplayLink
from tests.conftest import small_scenario

SPLITS, LAYERS = (1, 16, 32), 32

POLICIES = """\
from dataclasses import dataclass, field

class ByRate:
    def split(self, features, splits):
        return splits[0] if features["phy_rate_mbps"] > 10 else splits[-1]

@dataclass
class Counts:
    name: str = "it-counts"
    calls: list = field(default_factory=list)
    def reset(self, seed): self.calls = [seed]
    def split(self, features, splits):
        self.calls.append(features)
        return splits[len(self.calls) % len(splits)]

class Tuned:
    best = 0
    def tune(self, features, splits, rewards):
        assert set(features[0]) == set(features[-1]) and len(features) == len(rewards)
        self.best = splits[rewards.mean(0).argmax()]
    def split(self, features, splits):
        return self.best if self.best in splits else splits[0]

class ByIndex:
    def act(self, context, mask):
        return int(mask.nonzero()[0][-1])

class Raises:
    def split(self, features, splits):
        return splits[int(features["snr"])]

class NoFeatures:
    def split(self, splits): return 1

class NoSplit:
    def split(self, features, splits): return 17

class Half:
    def split(self, features, splits): return 16.0

class Nothing:
    def split(self, features, splits): pass

class NoIndex:
    def act(self, context, mask): return 3

class Flag:
    def act(self, context, mask): return True

class NoPolicy: pass

class Needs:
    def __init__(self, what): pass

class Shouts:
    name = "LOUD"
    def split(self, features, splits): return 1

class Oracle:
    def split(self, features, splits): return 1

def function(): pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(POLICIES)
    return tmp_path


def context_of(**values: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return normalise([values.get(name, 0.0) for name in NAMES], LAYERS)


def prepared(name: str) -> UserPolicy:
    policy = load_policy(f"my.py:{name}")
    policy.prepare(SPLITS, LAYERS)
    return policy


def test_features_come_by_name_in_physical_units() -> None:
    values = {feature.name: feature.low + 0.3 * (feature.high - feature.low) for feature in FEATURES}
    values["previous_split"] = 16.0
    named = physical(context_of(**values), LAYERS)
    assert named == pytest.approx(values, rel=1e-4, abs=1e-4)


@pytest.mark.usefixtures("folder")
def test_a_class_with_split_is_a_policy() -> None:
    policy = prepared("ByRate")
    assert isinstance(policy, Policy)
    assert policy.name == "by-rate"
    assert policy.act(context_of(phy_rate_mbps=30)) == 0
    assert policy.act(context_of(phy_rate_mbps=3)) == 2
    assert policy.act(context_of(phy_rate_mbps=3), np.array([True, True, False])) == 1


@pytest.mark.usefixtures("folder")
def test_a_class_with_act_is_a_policy() -> None:
    policy = prepared("ByIndex")
    assert policy.act(context_of()) == 2
    assert policy.act(context_of(), np.array([True, True, False])) == 1


@pytest.mark.usefixtures("folder")
def test_episodes_have_copies_of_their_own_and_trying_out_leaves_no_trace() -> None:
    policy = prepared("Counts")
    assert policy.name == "it-counts"
    one, other = policy.copy(), policy.copy()
    for each in (one, other):
        each.reset(1)
    assert [one.act(context_of()) for _ in range(3)] == [2, 0, 1]
    assert other.act(context_of()) == 2


@pytest.mark.usefixtures("folder")
def test_tuning_sees_the_rewards_of_every_split() -> None:
    policy = load_policy("my.py:Tuned")
    assert policy.tunes
    assert not load_policy("my.py:ByRate").tunes
    policy.prepare(SPLITS, LAYERS)
    policy.tune(np.stack([context_of()] * 5), np.tile([0.0, 2.0, 1.0], (5, 1)))
    assert policy.copy().act(context_of()) == 1


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("my.py", "--policy = 'my.py': valid: FILE.py:Class"),
        ("my.py:", "--policy = 'my.py:': valid: FILE.py:Class"),
        ("no.py:X", "--policy = 'no.py:X': no such file: no.py"),
        ("my.py:Missing", "my.py:Missing: no such class in my.py"),
        ("my.py:function", "my.py:function: no such class in my.py"),
        ("my.py:NoPolicy", "my.py:NoPolicy: has neither split(features, splits) nor act(context, mask)"),
        (
            "my.py:Needs",
            "my.py:Needs: can't be made without arguments: TypeError: Needs.__init__() missing 1 ",
        ),
        ("my.py:Shouts", "my.py:Shouts: name = 'LOUD' is not valid; valid: up to 32 lower-case letters, "),
        (
            "my.py:Raises",
            "my.py:Raises: split raised UnknownFeatureError: no feature is called 'snr'; did you mean "
            "snr_db? valid: snr_db, snr_trend_db_per_s, snr_age_s, rsrp_dbm, phy_rate_mbps, mcs, "
            "retry_share, handover_age_s, recent_loss, recent_delay_s, link_age_s, queue_packets, speed_mps, "
            "distance_m, prompt_tokens, output_tokens, previous_split, edge_backlog_s, serving_cell "
            "(line 30)",
        ),
        ("my.py:NoFeatures", "my.py:NoFeatures: split raised TypeError: NoFeatures.split() takes 2 "),
        ("my.py:NoSplit", "my.py:NoSplit: split returned 17; valid: one of 1, 16, 32"),
        ("my.py:Half", "my.py:Half: split returned 16.0; valid: one of 1, 16, 32"),
        ("my.py:Nothing", "my.py:Nothing: split returned None; valid: one of 1, 16, 32"),
        ("my.py:NoIndex", "my.py:NoIndex: act returned 3; valid: one of 0, 1, 2"),
        ("my.py:Flag", "my.py:Flag: act returned True; valid: one of 0, 1, 2"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_class(source: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(source).prepare(SPLITS, LAYERS)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (", "SyntaxError: invalid syntax"),
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found' (line 1)"),
        ("x = 1\nraise SystemExit('done')", "SystemExit: done (line 2)"),
    ],
)
def test_a_file_that_does_not_run_is_one_line(folder: Path, text: str, message: str) -> None:
    (folder / "broken.py").write_text(text)
    with pytest.raises(PolicyError) as caught:
        load_policy("broken.py:X")
    assert str(caught.value).startswith(f"broken.py: can't be run: {message}")


def test_a_policy_may_use_a_module_beside_it(folder: Path) -> None:
    (folder / "beside_the_policy.py").write_text("LIMIT = 10\n")
    (folder / "uses.py").write_text(
        "from beside_the_policy import LIMIT\n\n"
        "class Uses:\n    def split(self, features, splits):\n        return splits[LIMIT > 5]\n"
    )
    policy = load_policy("uses.py:Uses")
    policy.prepare(SPLITS, LAYERS)
    assert policy.act(context_of()) == 1


def test_baselines_are_chosen_by_name() -> None:
    assert parse_baselines("--against", "all") == BASELINES
    assert parse_baselines("--against", "usual") == USUAL
    assert parse_baselines("--against", "none") == ()
    assert parse_baselines("--against", "threshold, random") == ("random", "threshold")
    expected = r"^--policies = 'best': no such policy; valid: all, usual, none, random, "
    with pytest.raises(UserError, match=expected):
        parse_baselines("--policies", "random,best")


@pytest.mark.parametrize(
    ("baselines", "learns", "bandits"),
    [
        ("all", True, ("linucb", "linear-thompson", "gp-ucb")),
        ("usual", True, ()),
        ("random,threshold,neurosurgeon", False, ()),
        ("planner", True, ()),
        ("gp-ucb", False, ("gp-ucb",)),
    ],
)
def test_only_learning_policies_are_trained(baselines: str, learns: bool, bandits: tuple[str, ...]) -> None:
    contenders = Contenders(parse_baselines("--against", baselines))
    assert (contenders.learns, contenders.bandits) == (learns, bandits)


@pytest.mark.usefixtures("folder")
def test_names_are_taken_once() -> None:
    mine = load_policy("my.py:ByRate")
    with pytest.raises(PolicyError, match=r"^my\.py:ByRate: name = 'by-rate' is there twice"):
        Contenders((), (mine, mine))
    with pytest.raises(PolicyError, match=r"^my\.py:Oracle: name = 'oracle' is a baseline's"):
        Contenders((), (load_policy("my.py:Oracle"),))
    with pytest.raises(UserError, match=r"^nobody to evaluate"):
        Contenders(())


@pytest.mark.usefixtures("folder")
def test_the_command_that_reproduces_the_run() -> None:
    assert Contenders().command == ("run", [])
    assert Contenders(("random", "planner")).command == ("run", ["--policies", "random,planner"])
    assert Learning().options == []
    assert Learning(surrogate="gp", buy="all").options == ["--surrogate", "gp", "--buy", "all"]
    mine = load_policy("my.py:ByRate")
    assert Contenders(("random",), (mine,)).command == (
        "evaluate",
        ["--policy", "my.py:ByRate", "--against", "random"],
    )
    assert Contenders((), (mine,)).command[1][-1] == "none"


def test_a_trace_takes_the_place_of_any_link(folder: Path) -> None:
    (folder / "My Trace.up").write_text("1\n3\n4\n")
    wifi = small_scenario(mobility={"model": "linear", "velocity_mps": [1, 0, 0]})
    scenario = on_trace(wifi, Path("My Trace.up"))
    assert isinstance(scenario.link, ReplayLink)
    assert scenario.link.uplink == folder / "My Trace.up"
    assert scenario.name == "small-my-trace"
    assert scenario.mobility.model == "constant"
    assert scenario.requests == wifi.requests


def test_a_trace_keeps_what_is_not_the_traces(folder: Path) -> None:
    (folder / "a.up").write_text("1\n3\n4\n")
    (folder / "b.csv").write_text("t_s,rate_mbps\n0,8\n1,4\n")
    link = {"technology": "replay", "uplink": "a.up", "delay_ms": 7, "downlink_rate_mbps": 5, "rate_scale": 3}
    replay = small_scenario(link=link)
    changed = on_trace(replay, Path("b.csv")).link
    assert isinstance(changed, ReplayLink)
    assert (changed.delay_ms, changed.downlink_rate_mbps, changed.rate_scale) == (7, 5, 1)
    both = on_trace(replay, Path("b.csv"), downlink=Path("a.up")).link
    assert isinstance(both, ReplayLink)
    assert (both.downlink, both.downlink_rate_mbps) == (folder / "a.up", None)
    with pytest.raises(ScenarioError, match=r"^--trace b\.csv: link: .*unknown format 'pcap'"):
        on_trace(replay, Path("b.csv"), format="pcap")


def test_the_template_is_a_policy_of_fifteen_lines_or_so(folder: Path) -> None:
    done = CliRunner().invoke(app, ["evaluate", "--template"])
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) <= 16
    (folder / "mine.py").write_text(done.stdout)
    policy = load_policy("mine.py:MyPolicy")
    policy.prepare(SPLITS, LAYERS)
    assert policy.act(context_of(phy_rate_mbps=50)) == 0
    assert policy.act(context_of(phy_rate_mbps=1)) == 2
    assert policy.act(context_of(phy_rate_mbps=50, recent_loss=0.5, link_age_s=1)) == 2


def test_a_part_of_a_trace_and_columns_by_name(folder: Path) -> None:
    (folder / "any.csv").write_text("at;down\n0;2,5\n1;3,5\n2;4,5\n3;5,5\n")
    reading = {"time_column": "at", "rate_column": "down", "rate_unit": "Mbit/s"}
    part = on_trace(
        small_scenario(), Path("any.csv"), **reading, start_s=1.0, end_s=3.0, offset_s=(1.0, 1.0)
    ).link
    assert isinstance(part, ReplayLink)
    assert part.uplink_trace().rate_mbps.tolist() == [3.5, 4.5]
    assert part.simulator()["offset_s"] == (1.0, 1.0)


def test_how_a_trace_is_read_needs_a_trace() -> None:
    done = CliRunner().invoke(app, ["evaluate", "--format", "mahimahi"])
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == "--format says how --trace is read, and --trace is not given"
