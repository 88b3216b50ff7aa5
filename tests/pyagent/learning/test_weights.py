"""Test decisions at other weights of the reward: the arithmetic, the order of the policies, failures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from pyagent.errors import UserError
from pyagent.evaluation.oracle import oracle
from pyagent.evaluation.summary import summarise
from pyagent.evaluation.weights import (
    AS_RUN,
    REQUIRED,
    Reading,
    Rereading,
    failure_costs,
    kendall_tau,
    own_readings,
    reread,
    usual_readings,
)
from pyagent.reward import TERMS, RewardContext, RewardWeights, compose

WEIGHTS = RewardWeights(latency=0.7, energy=0.4)
CONTEXT = RewardContext(slo_s=1.5, delta_nll_clip=3.0, num_layers=32)
DEADLINE_S = 4.0
SPLITS = (1, 16, 32)


def played(policy: str, splits: Any, *, seed: int, replicate: int = 0, **given: Any) -> pd.DataFrame:
    """Decisions with random outcomes, scored as the tool scores them; `given` replaces components."""
    rng = np.random.default_rng([seed, replicate, *map(ord, policy)])
    splits = np.asarray(splits)
    n = len(splits)
    failed = rng.random(n) < 0.3
    parts: dict[str, Any] = {
        "latency_s": np.where(failed, DEADLINE_S, rng.uniform(0.1, 3.9, n)),
        "delta_nll": np.where(failed, 2.5, rng.normal(0.4, 0.6, n)),
        "ue_energy_j": rng.uniform(0, 6, n),
        "failed": failed,
        "split": splits,
        "previous_split": np.concatenate([[-1], splits[:-1]]),
        "ue_energy_all_local_j": rng.uniform(3, 5, n),
    } | given
    reward, terms = compose(WEIGHTS, CONTEXT, **parts)
    columns = {f"term_{name}": value for name, value in terms.items()}
    keys = {"policy": policy, "seed": seed, "replicate": replicate, "decision": range(n)}
    return pd.DataFrame(keys | parts | columns | {"reward": reward})


def at(rows: pd.DataFrame, weights: RewardWeights) -> np.ndarray:
    """The reward composed anew from the components."""
    parts = ("latency_s", "delta_nll", "ue_energy_j", "failed", "split", "previous_split")
    return compose(
        weights,
        CONTEXT,
        **{name: rows[name] for name in parts},
        ue_energy_all_local_j=rows["ue_energy_all_local_j"],
    )[0]


def rows_of(name: str, choose: Any, seeds: tuple[int, ...] = (5, 6), n: int = 40) -> pd.DataFrame:
    return pd.concat([played(name, choose(n), seed=seed, replicate=r) for seed in seeds for r in range(2)])


def static_runs(seeds: tuple[int, ...], replicates: int, n: int = 12) -> pd.DataFrame:
    """Every split alone; split 1 is fast at every third decision, the others are at the rest."""
    third = np.arange(n) % 3 == 0
    return pd.concat(
        [
            played(
                f"static-{split}",
                [split] * n,
                seed=seed,
                replicate=r,
                latency_s=np.where(third == (split == 1), 0.5, 3.0),
                ue_energy_j=2.0,
                delta_nll=0.2,
                failed=False,
            )
            for split in SPLITS
            for seed in seeds
            for r in range(replicates)
        ]
    )


EMPTY = pd.DataFrame(columns=list(REQUIRED))


def found(rows: pd.DataFrame, *readings: Reading) -> Rereading:
    return reread(rows, EMPTY, EMPTY, WEIGHTS, (Reading(AS_RUN), *readings))


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0, 3.7])
@pytest.mark.parametrize("term", TERMS)
def test_a_scaled_term_is_the_reward_composed_at_that_weight(term: str, factor: float) -> None:
    rows = played("any", np.random.default_rng(1).choice(SPLITS, 60), seed=1)
    other = replace(WEIGHTS, **{term: factor * getattr(WEIGHTS, term)})
    reading = Reading("other", {term: factor})
    np.testing.assert_allclose(reading.rewards(rows), at(rows, other), rtol=0, atol=1e-12)
    assert reading.weights(WEIGHTS) == pytest.approx(vars(other))
    assert factor == 1 or not np.allclose(reading.rewards(rows), rows["reward"])


def test_failure_once_takes_latency_and_quality_off_failed_requests_alone() -> None:
    rows = played("any", np.random.default_rng(1).choice(SPLITS, 60), seed=1)
    assert 0 < rows["failed"].sum() < len(rows)
    waived = at(rows, replace(WEIGHTS, latency=0.0, quality=0.0))
    expected = np.where(rows["failed"], waived, rows["reward"])
    np.testing.assert_allclose(Reading("once", failure_once=True).rewards(rows), expected, atol=1e-12)


def test_usual_readings_are_half_and_twice_of_each_weight_that_is_not_0() -> None:
    readings = usual_readings(replace(WEIGHTS, load=0.0))
    names = [f"{term} x{factor}" for term in TERMS if term != "load" for factor in ("0.5", "2")]
    assert [reading.name for reading in readings] == ["as run", *names, "failure once"]
    assert readings[0].factors == {}
    assert [reading.failure_once for reading in readings] == [False] * (len(readings) - 1) + [True]


def test_own_factors_are_one_reading() -> None:
    as_run, own = own_readings("latency=2, energy=0.5", WEIGHTS)
    assert as_run.name == AS_RUN
    assert own.factors == {"latency": 2.0, "energy": 0.5}
    assert own.name == "latency x2, energy x0.5"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speed=2", "'speed=2': no such weight; valid: NAME=FACTOR"),
        ("latency", "'latency': no such weight"),
        ("", "'': no such weight"),
        ("latency=2,", "'': no such weight"),
        ("latency=fast", "latency = 'fast'; valid: a finite number >= 0"),
        ("latency=", "latency = ''; valid: a finite number >= 0"),
        ("latency=-1", "latency = '-1'; valid"),
        ("latency=nan", "latency = 'nan'; valid"),
        ("latency=inf", "latency = 'inf'; valid"),
        ("latency=2,latency=3", "latency is named twice"),
        ("load=2", "load has the weight 0 in this run"),
    ],
)
def test_a_wrong_factor_is_named(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        own_readings(text, replace(WEIGHTS, load=0.0))
    assert words in str(caught.value)
    assert str(caught.value).startswith("--weights")
    assert "\n" not in str(caught.value)


def test_kendalls_tau_is_that_of_scipy_also_with_ties() -> None:
    rng = np.random.default_rng(3)
    for size in (2, 3, 7, 13):
        for _ in range(20):
            first, second = rng.integers(0, 5, size).astype(float), rng.integers(0, 5, size).astype(float)
            expected = kendalltau(first, second).statistic
            tau = kendall_tau(first, second)
            assert tau == pytest.approx(expected) if np.isfinite(expected) else tau is None
    assert kendall_tau(np.array([1.0, 2, 3]), np.array([9.0, 8, 7])) == -1
    assert kendall_tau(np.array([1.0]), np.array([2.0])) is None


def test_as_run_has_the_rewards_and_intervals_of_the_summary() -> None:
    rng = np.random.default_rng(2)
    rows = pd.concat([rows_of(name, lambda n: rng.choice(SPLITS, n)) for name in ("a", "b", "c")])
    rows = rows.assign(ttft_s=0.1, tpot_s=0.1)
    summary = summarise(rows)
    told = found(rows, Reading("latency x2", {"latency": 2.0})).to_json()["readings"][0]
    for name, metrics in summary.items():
        assert told["policies"][name]["reward"] == pytest.approx(metrics["reward"], abs=1e-12)
        assert told["policies"][name]["reward_ci"] == pytest.approx(metrics["reward_ci"], abs=1e-12)
    ordered = sorted(summary, key=lambda name: -summary[name]["reward"])
    assert sorted(told["policies"], key=lambda name: told["policies"][name]["rank"]) == ordered
    assert told["swaps"] == []
    assert told["tau"] == 1


def two_policies(energy_j: float, noise: float) -> pd.DataFrame:
    """`fast` answers 1 s earlier than `thrifty`, and spends more energy."""
    rng = np.random.default_rng(4)
    n = 60
    none = {"delta_nll": 0.0, "failed": False, "ue_energy_all_local_j": 1.0}
    fast = played(
        "fast", [1] * n, seed=1, **none, latency_s=1.0 + noise * rng.random(n), ue_energy_j=energy_j
    )
    slow = played("thrifty", [1] * n, seed=1, **none, latency_s=2.0 + noise * rng.random(n), ue_energy_j=0.1)
    return pd.concat([slow, fast])


def test_a_swap_beyond_both_intervals_is_clear() -> None:
    # 1 s is worth 0.7 / 1.5 = 0.467; 1 J is worth 0.4 as run, 0.8 at twice the price.
    told = found(
        two_policies(1.0, 0.01), Reading("energy x2", {"energy": 2.0}), Reading("load x2", {"load": 2})
    )
    assert told.policies == ("fast", "thrifty")
    (swap,) = told.swaps[1]
    assert (swap.above, swap.below, swap.clear) == ("fast", "thrifty", True)
    assert swap.as_run[0] == pytest.approx(0.7 / 1.5 - 0.9 * 0.4, abs=0.01)
    assert swap.there[0] == pytest.approx(0.7 / 1.5 - 0.9 * 0.8, abs=0.01)
    assert told.tau(1) == -1
    assert told.ranks.tolist() == [[1, 2, 1], [2, 1, 2]]
    assert [told.first_holds(i) for i in range(3)] == [True, False, True]
    assert told.verdict() == (
        "The first place (fast) holds in 1 of 2 readings (not in energy x2), the ranks of the best 2 "
        "in 1 of 2 readings. Kendall's tau is at least -1.00. 1 pair of policies swaps in some reading, "
        "1 of them clearly (beyond both 95 % intervals)."
    )


def test_a_swap_within_the_noise_is_not_clear() -> None:
    rows = two_policies(1.0, 0.01)
    noise = np.random.default_rng(5).normal(0, 3, len(rows))
    rows = rows.assign(term_load=rows["term_load"] + noise, reward=rows["reward"] + noise)
    told = found(rows, *usual_readings(WEIGHTS)[1:])
    swaps = [swap for of_reading in told.swaps for swap in of_reading]
    assert swaps
    assert not any(swap.clear for swap in swaps)


def test_policies_with_the_same_decisions_share_a_rank_in_every_reading() -> None:
    rows = rows_of("one", lambda n: [16] * n)
    told = found(pd.concat([rows, rows.assign(policy="two")]), *usual_readings(WEIGHTS)[1:])
    assert (told.ranks == 1).all()
    assert all(told.first_holds(i) and told.tau(i) is None for i in range(len(told.readings)))
    assert told.verdict().startswith("The first place (one, two) holds in 13 of 13 readings")


def test_best_static_is_tuned_and_the_oracle_made_at_the_weights_of_the_reading() -> None:
    static, tuning = static_runs((7, 8), 4), static_runs((1, 2, 3), 1)
    judged = static[static["split"] == 16].assign(policy="sixteen")
    readings = (Reading(AS_RUN), Reading("load x8", {"load": 8.0}), Reading("latency x9", {"latency": 9.0}))
    told = reread(judged, static, tuning, WEIGHTS, readings)
    ordered = static.sort_values(["seed", "decision", "split", "replicate"])
    for index, reading in enumerate(readings):
        prices = RewardWeights(**reading.weights(WEIGHTS))
        tuned = tuning.assign(there=at(tuning, prices)).groupby("split")["there"].mean()
        table = at(ordered, prices).reshape(24, 3, 4)
        best = SPLITS.index(int(tuned.idxmax()))
        entry = told.to_json()["readings"][index]
        assert entry["best_static"]["split"] == tuned.idxmax()
        assert entry["best_static"]["reward"] == pytest.approx(table[:, best].mean())
        assert entry["oracle"]["reward"] == pytest.approx(oracle(table).value.mean())
        assert entry["static_splits"] == {
            str(split): pytest.approx(table[:, i].mean()) for i, split in enumerate(SPLITS)
        }
        gap = entry["oracle"]["reward"] - entry["best_static"]["reward"]
        mine = entry["policies"]["sixteen"]["reward"]
        assert mine == pytest.approx(table[:, 1].mean())
        assert entry["policies"]["sixteen"]["share"] == pytest.approx(
            (mine - entry["best_static"]["reward"]) / gap
        )
    assert told.statics[1].best == SPLITS[0]  # blocks on the UE are dear
    assert len({statics.best for statics in told.statics}) > 1


def test_without_static_runs_there_is_no_share() -> None:
    told = found(rows_of("one", lambda n: [16] * n)).to_json()["readings"][0]
    assert told["policies"]["one"]["share"] is None
    assert (told["best_static"], told["oracle"], told["static_splits"]) == (None, None, None)


def test_terms_that_are_not_the_reward_are_refused() -> None:
    rows = rows_of("one", lambda n: [16] * n)
    for wrong in (rows.assign(reward=rows["reward"] + 1e-3), rows.assign(term_energy=np.nan)):
        with pytest.raises(ValueError, match="do not sum to the logged reward"):
            found(wrong)
    static = static_runs((7,), 4)
    with pytest.raises(ValueError, match="static runs have 143 cells"):
        reread(rows, static.iloc[1:], static_runs((1,), 1), WEIGHTS, usual_readings(WEIGHTS))


def test_what_failures_cost_adds_up_to_the_reward() -> None:
    rows = rows_of("one", lambda n: [16] * n)
    kept = rows[~rows["failed"]].assign(policy="kept")
    costs = failure_costs(pd.concat([rows, kept]))
    cost, lost = costs["one"], rows[rows["failed"]]
    assert (cost.decisions, cost.failed) == (len(rows), len(lost))
    assert cost.terms["latency"] == pytest.approx(0.7 * DEADLINE_S / 1.5)
    assert cost.terms["quality"] == pytest.approx(2.5)
    assert cost.terms["failure"] == 1
    assert cost.total == pytest.approx(-lost["reward"].mean())
    assert cost.part == pytest.approx(lost["reward"].sum() / rows["reward"].sum())
    assert cost.served is not None
    whole = cost.failed * cost.total + (cost.decisions - cost.failed) * cost.served
    assert whole / cost.decisions == pytest.approx(cost.penalty) == pytest.approx(-rows["reward"].mean())
    assert (costs["kept"].failed, costs["kept"].part, costs["kept"].total) == (0, 0, 0)
    assert failure_costs(lost)["one"].served is None
