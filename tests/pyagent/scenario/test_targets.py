"""Targets: what is refused because nobody can meet it, and how a policy's decisions are judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyagent.evaluation.targets import judge
from pyagent.report.table import target_rows
from pyagent.scenario.compile import Deployment, deploy
from pyagent.scenario.feasibility import LeastCost, contradiction, least_cost
from pyagent.scenario.load import ScenarioError, parse_scenario
from pyagent.scenario.schema import Scenario, Targets
from tests.conftest import SMALL


def with_targets(**targets: float) -> Scenario:
    return parse_scenario({**SMALL, "targets": targets})


def cost(split: int, seconds: float, joules: float) -> LeastCost:
    """A split whose three times are the same."""
    return LeastCost(split, seconds, seconds, seconds, joules, joules / 2)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ({"ttft_s": -1}, "targets.ttft_s = -1"),
        ({"latency_s": 1}, "targets.latency_s"),
        ({"ttft_s": 2, "completion_s": 1}, "targets: ttft_s (2) must be at most completion_s (1)"),
        ({"completion_s": 5}, "targets.completion_s (5) must be at most requests.deadline_s (4)"),
        ({"ttft_s": 4.5}, "targets.ttft_s (4.5) must be at most requests.deadline_s (4)"),
    ],
)
def test_targets_that_can_not_be_stated(targets: dict[str, float], expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        with_targets(**targets)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_none_are_stated_by_default_and_each_may_stand_alone() -> None:
    assert parse_scenario(SMALL).targets.stated == {}
    assert with_targets(delta_nll=0.5, ttft_s=1).targets.stated == {"ttft_s": 1, "delta_nll": 0.5}
    assert deploy(with_targets(delta_nll=0.0)).splits


@pytest.mark.parametrize("split", [1, 16, 32])
def test_bounds_are_the_simulators_own_compute_times(split: int) -> None:
    """By hand from the roofline's tables: 8 prompt tokens, 3 output tokens, the smallest request."""
    deployment = deploy(parse_scenario(SMALL))
    bounds = bounds_of(deployment, split)
    ue, edge, rest = deployment.ue, deployment.edge, 32 - split
    head_s = ue.decode_head_s if rest == 0 else edge.decode_head_s
    first_s = split * ue.prefill_block_s[8] + rest * edge.prefill_block_s[8] + head_s
    later_s = sum(split * ue.decode_block_s[c] + rest * edge.decode_block_s[c] + head_s for c in (9, 10))
    assert bounds.ttft_s == pytest.approx(first_s)
    assert bounds.completion_s == pytest.approx(first_s + later_s)
    assert bounds.tpot_s == pytest.approx(later_s / 2)
    if rest == 0:
        assert bounds.ue_energy_j == pytest.approx(deployment.all_local_energy_j(8, 3))


def bounds_of(deployment: Deployment, split: int) -> LeastCost:
    power_w = deployment.ue_device.compute_power_w
    requests = parse_scenario(SMALL).requests
    return least_cost(split, deployment.num_layers, deployment.ue, deployment.edge, power_w, requests)


def test_impossible_targets_are_refused_and_possible_ones_are_not() -> None:
    best_s = min(bounds_of(deploy(parse_scenario(SMALL)), split).ttft_s for split in (1, 16, 32))
    deploy(with_targets(ttft_s=best_s * 1.001))
    with pytest.raises(ScenarioError) as caught:
        deploy(with_targets(ttft_s=best_s * 0.999))
    message = str(caught.value)
    assert message.startswith("targets: ttft_s = ")
    assert "no split can meet this; the closest is split 1, whose computing alone takes ttft_s " in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("targets", "refused"),
    [
        ({"ttft_s": 1.0}, False),  # split 1 or 2
        ({"ttft_s": 0.5, "ue_energy_j": 4.0}, True),  # the quick one takes 10 J: 0.95 of it at least
        ({"ttft_s": 0.5, "ue_energy_j": 9.5}, True),
        ({"ttft_s": 0.5, "ue_energy_j": 9.6}, False),  # 0.95 x 10 + 0.05 x a failed one's 1 J is 9.55
        ({"ttft_s": 1.0, "ue_energy_j": 2.0}, False),
        ({"ue_energy_j": 1.0}, False),  # a policy that always fails takes no more
        ({"ue_energy_j": 0.9}, True),
        ({"ttft_s": 0.4, "tpot_s": 0.4}, False),
        ({"ttft_s": 0.3}, True),
    ],
)
def test_targets_are_refused_only_together(targets: dict[str, float], refused: bool) -> None:
    slow_and_frugal, quick_and_hungry = cost(1, 1.0, 2.0), cost(2, 0.4, 10.0)
    found = contradiction(Targets(**targets), [slow_and_frugal, quick_and_hungry])
    assert (found is not None) == refused
    if found:
        assert all(name in found for name in targets)


def rows(**columns: Any) -> pd.DataFrame:
    """Twenty requests that took 1 s, 0.1 s to the first token, 0.05 s for each more."""
    base = {
        "ttft_s": 0.1,
        "tpot_s": 0.05,
        "latency_s": 1.0,
        "delta_nll": 0.2,
        "ue_energy_j": 3.0,
        "failed": False,
    }
    return pd.DataFrame({name: np.full(20, value) for name, value in base.items()}).assign(**columns)


def first(count: int, value: Any, otherwise: Any) -> list[Any]:
    return [value] * count + [otherwise] * (20 - count)


def test_each_target_is_judged_on_its_statistic() -> None:
    targets = {"ttft_s": 0.1, "tpot_s": 0.04, "completion_s": 1.0, "delta_nll": 0.1, "ue_energy_j": 3.5}
    verdicts = judge(rows(), targets)
    assert {name: verdict["passed"] for name, verdict in verdicts.items()} == {
        "ttft_s": True,
        "tpot_s": False,
        "completion_s": True,
        "delta_nll": False,
        "ue_energy_j": True,
    }
    assert verdicts["tpot_s"] == {"target": 0.04, "value": 0.05, "passed": False}


@pytest.mark.parametrize(("failed", "passed"), [(1, True), (2, False)])
def test_one_request_in_twenty_may_be_late_or_fail(failed: int, passed: bool) -> None:
    late = rows(ttft_s=first(failed, 9.0, 0.1))
    assert judge(late, {"ttft_s": 0.1})["ttft_s"]["passed"] == passed
    # A failed request had its first token in time and is judged as if it had none.
    lost = rows(failed=first(failed, True, False))
    for name in ("ttft_s", "tpot_s", "completion_s"):
        verdict = judge(lost, {name: 4.0})[name]
        assert verdict["passed"] == passed
        assert (verdict["value"] is None) == (not passed)


def test_requests_for_one_token_have_no_time_per_token() -> None:
    some = rows(tpot_s=first(19, np.nan, 0.05))
    assert judge(some, {"tpot_s": 0.05})["tpot_s"] == {"target": 0.05, "value": 0.05, "passed": True}
    assert judge(some, {"tpot_s": 0.04})["tpot_s"]["passed"] is False
    none = judge(rows(tpot_s=np.nan), {"tpot_s": 0.05})["tpot_s"]
    assert none == {"target": 0.05, "value": None, "passed": True}


def test_the_report_says_pass_or_fail_for_each_policy_best_first() -> None:
    targets = {"ttft_s": 0.1, "ue_energy_j": 2.0}
    summary = {
        "policies": {
            "hungry": {"reward": -2.0, "targets": judge(rows(), targets)},
            "frugal": {"reward": -1.0, "targets": judge(rows(ue_energy_j=1.0), targets)},
            "dead": {"reward": -3.0, "targets": judge(rows(failed=True), {"ttft_s": 0.1})},
        }
    }
    assert target_rows(summary) == [
        ["frugal", "pass", "ttft_s 0.1 <= 0.1", "ue_energy_j 1 <= 2"],
        ["hungry", "FAIL", "ttft_s 0.1 <= 0.1", "ue_energy_j 3 > 2"],
        ["dead", "FAIL", "ttft_s failed > 0.1"],
    ]
    assert target_rows({"policies": {"any": {"reward": 0.0, "targets": {}}}}) == []
