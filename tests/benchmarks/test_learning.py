"""`benchmarks.learning`: what a speed-up compares, and what is said where there is none."""

import numpy as np
import pytest

from benchmarks.learning import LiveCost, markdown, ratios, seconds_to
from pyagent.evaluation.learning_curves import evaluations_to
from pyagent.evaluation.share import Yardstick
from pyagent.evaluation.statistics import Interval
from pyagent.learning.comparison import curve
from pyagent.learning.on_table import Checkpoint
from pyagent.learning.ranking import HINDSIGHT, TARGET, TARGETS, Ranking, Standing

MEASURE = Yardstick(static=-1.0, oracle=0.0)
COST = LiveCost(network_s=0.5, evaluation_s=2.0)
NAMES = ("ppo", "dqn", "threshold", "surrogate-argmax", "causal-ceiling", "best-static")


def run(arrives: bool, decisions: int, evaluations: int, wall_s: float = 0.0, contexts: int = 0):
    """Five checkpoints; the second of them arrives, after so many decisions and evaluations."""
    rewards = [-0.9, *([-0.01] * 4 if arrives else [-0.5] * 4)]
    return [
        Checkpoint(
            decisions * i, evaluations * i, wall_s * i, reward, np.full(2, reward), {"1": 1.0}, None, contexts
        )
        for i, reward in zip((0.5, 1, 2, 3, 4), rewards, strict=True)
    ]


def whole(checkpoints):
    return [
        Checkpoint(int(c.decisions), int(c.evaluations), c.wall_s, c.reward, c.per_seed, c.split_shares)
        for c in checkpoints
    ]


def standing(name: str, runs) -> Standing:
    known = [whole(found) for found in runs]
    arrivals = {t: evaluations_to(t, [curve(found) for found in known], MEASURE) for t in TARGETS}
    reward = float(np.mean([found[-1].reward for found in known]))
    interval, end = Interval(reward, reward, reward), known[0][-1]
    return Standing(
        *(name, known, interval, interval, Interval(-reward, -reward, -reward), MEASURE.share(reward)),
        *((reward + 1, reward + 1), arrivals, end.decisions, end.evaluations, 0, end.wall_s, {"1": 1.0}, ""),
    )


def ranking(**runs) -> Ranking:
    standings = [standing(name.replace("_", "-"), found) for name, found in runs.items()]
    nothing = [[*run(False, 2, 2)]] * 2
    standings += [standing(name, nothing) for name in NAMES if name not in {s.name for s in standings}]
    standings += [standing(name, nothing) for name in HINDSIGHT]
    return Ranking("made-up", MEASURE, 32, (1, 32), 0.0, standings, {}, "")


OURS = [run(True, 100, 10, wall_s=4.0)] * 3


def test_each_is_charged_for_what_it_needs_until_it_arrives():
    found = ranking(surrogate_argmax=OURS, ppo=[run(True, 4000, 300, wall_s=20.0)] * 3)
    assert seconds_to(found.found["surrogate-argmax"], TARGET, MEASURE, COST) == 100 * 0.5 + 10 * 2 + 4
    assert seconds_to(found.found["ppo"], TARGET, MEASURE, COST) == 4000 * 0.5 + 300 * 2 + 20
    at = ratios(found, TARGET, COST)
    assert at["training_speedup"] == pytest.approx(2620 / 74)
    assert at["ratio_ppo_over_mbrl"] == 30
    assert (at["cheapest"], at["best_nonmbrl"]) == ("ppo", "ppo")


def test_the_cheapest_competitor_that_arrives_stands_beside_ppo():
    found = ranking(
        surrogate_argmax=OURS,
        ppo=[run(False, 4000, 300)] * 3,
        dqn=[run(True, 1000, 20)] * 3,
        threshold=[run(True, 200, 30)] * 3,
        causal_ceiling=[run(True, 2, 2)] * 3,
    )
    at = ratios(found, TARGET, COST)
    assert at["training_speedup"] is None
    assert at["training_speedup_note"] == "ppo: not reached within 1,200 evaluations (16,000 decisions)"
    # In wall-clock the rule, in evaluations DQN; the ceiling is a yardstick and competes with nobody.
    assert (at["cheapest"], at["training_speedup_cheapest"]) == ("threshold", pytest.approx(160 / 74))
    assert (at["best_nonmbrl"], at["ratio_best_nonmbrl_over_mbrl"]) == ("dqn", 2)


def test_runs_that_do_not_arrive_count_as_infinite():
    two_of_three = [run(True, 100, 10), run(True, 300, 10), run(False, 100, 10)]
    found = ranking(surrogate_argmax=two_of_three).found["surrogate-argmax"]
    assert seconds_to(found, TARGET, MEASURE, COST) == 300 * 0.5 + 10 * 2
    one_of_three = [run(True, 100, 10), run(False, 300, 10), run(False, 100, 10)]
    lost = ranking(surrogate_argmax=one_of_three)
    assert seconds_to(lost.found["surrogate-argmax"], TARGET, MEASURE, COST) is None
    at = ratios(lost, TARGET, COST)
    assert at["training_speedup_cheapest"] is None
    assert at["training_speedup_cheapest_note"].startswith(
        "surrogate-argmax: not reached within 40 evaluations"
    )


def test_arrival_is_charged_at_the_checkpoint_that_arrived_not_at_the_first_with_its_evaluations():
    """Decisions that need no evaluation cost simulation all the same."""
    made = run(True, 100, 10)
    stalled = [*made[:1], Checkpoint(40, 5, 0.0, -0.9, np.full(2, -0.9), {"1": 1.0}), *made[1:]]
    found = ranking(surrogate_argmax=[stalled] * 2).found["surrogate-argmax"]
    assert [at.decisions for at in found.at(TARGET, MEASURE)] == [100, 100]
    flat = [Checkpoint(50 * i, 7, 0.0, r, np.full(2, r), {"1": 1.0}) for i, r in ((1, -0.9), (2, -0.01))]
    flat += [Checkpoint(50 * i, 7 + i, 0.0, -0.01, np.full(2, -0.01), {"1": 1.0}) for i in (3, 4, 5)]
    found = ranking(surrogate_argmax=[flat] * 2).found["surrogate-argmax"]
    assert [at.decisions for at in found.at(TARGET, MEASURE)] == [100, 100]


def test_the_page_never_says_never():
    found = ranking(surrogate_argmax=OURS, dqn=[run(True, 1000, 20)] * 3)
    line = {
        "seeds": 3,
        "decisions": 100,
        "coverage_90": {"latency_s": 0.9},
        **ratios(found, TARGET, COST),
        "at_80": ratios(found, 0.8, COST),
        **found.to_json(),
        "gap": 1.0,
        "gap_ci": [0.9, 1.1],
    }
    page = markdown([line])
    assert "never" not in page
    assert "`dqn` 2 times" in page
    assert "ppo: not reached within 8 evaluations (8 decisions)" in page
    header, _, *rows = [text for text in page.splitlines() if text.startswith("|")]
    assert all(row.count("|") == header.count("|") for row in rows)
    nothing = markdown([line | {"nothing_to_gain": True, "pair_share": None, "causal_ceiling_share": None}])
    assert "[0.900, 1.100] per decision over best static (32): nothing to gain" in nothing
