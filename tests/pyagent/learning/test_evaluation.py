"""Oracle, intervals and summaries, each against an independent calculation."""

import json

import numpy as np
import pandas as pd
import pytest

from pyagent.evaluation import (
    bootstrap_interval,
    compare,
    interquartile_mean,
    oracle,
    oracle_frame,
    paired_difference,
    summarise,
)
from pyagent.evaluation.cost import Cost
from pyagent.evaluation.share import Yardstick
from pyagent.evaluation.statistics import block_indices, plug_in_block_length
from pyagent.evaluation.summary import below_static, shares_text, split_shares


def test_oracle_finds_nothing_in_pure_noise_where_the_naive_maximum_does():
    gaps, naive = [], []
    for seed in range(20):
        result = oracle(np.random.default_rng(seed).normal(size=(200, 10, 4)))
        gaps.append(result.gap)
        naive.append(result.naive_gap)
    standard_error = np.std(gaps, ddof=1) / 20**0.5
    assert abs(np.mean(gaps)) < 4 * standard_error
    assert standard_error < 0.02
    # Maximum of 10 means of 4: 1.539 / 2 standard deviations of a cell.
    assert np.mean(naive) == pytest.approx(1.539 / 2, abs=0.03)


def test_oracle_recovers_structure():
    rng = np.random.default_rng(0)
    best = rng.integers(0, 5, 400)
    truth = -np.abs(np.arange(5)[None] - best[:, None]).astype(float)
    result = oracle(truth[:, :, None] + 0.2 * rng.normal(size=(400, 5, 6)))
    assert (result.action == best).mean() > 0.98
    assert result.value.mean() == pytest.approx(0.0, abs=0.02)
    assert result.static_action == truth.mean(0).argmax()
    assert result.gap == pytest.approx(-truth.mean(0).max(), abs=0.03)


def test_oracle_by_hand_for_four_replicates():
    table = np.array([[[1.0, 0.0, 0.0, 0.0], [0.3, 0.3, 0.3, 0.3]]])
    # Halves with replicate 0 choose action 0 (mean 0.5), which scores 0; the others choose action 1: 0.3.
    result = oracle(table)
    assert result.value[0] == pytest.approx((3 * 0.0 + 3 * 0.3) / 6)
    assert result.naive_value[0] == pytest.approx(0.3)
    assert result.action[0] == 1


@pytest.mark.parametrize("replicates", [1, 2, 3, 5])
def test_oracle_needs_an_even_number_of_at_least_four(replicates):
    with pytest.raises(ValueError, match=f"R={replicates}"):
        oracle(np.zeros((3, 2, replicates)))


def test_oracle_refuses_holes():
    table = np.zeros((3, 2, 4))
    table[1, 0, 2] = np.nan
    with pytest.raises(ValueError, match="finite"):
        oracle(table)


def test_interquartile_mean():
    assert interquartile_mean(np.array([100.0, 1, 2, 3, 4, 5, 6, -50])) == pytest.approx(
        np.mean([2, 3, 4, 5])
    )
    assert interquartile_mean(np.array([7.0, 9.0])) == pytest.approx(8.0)
    rows = np.random.default_rng(0).normal(size=(3, 11))
    np.testing.assert_allclose(interquartile_mean(rows), [np.sort(r)[2:9].mean() for r in rows])


def test_blocks_stay_in_their_stratum_and_are_circular():
    strata = np.array([5] * 7 + [2] * 4 + [5] * 3)
    rows = block_indices(strata, block_length=3, resamples=500, seed=0)
    assert rows.shape == (500, 14)
    assert ((strata[rows] == 5).sum(1) == 10).all()
    own = np.flatnonzero(strata == 5)
    position = {row: p for p, row in enumerate(own)}
    places = np.vectorize(position.get)(rows[:, :10])
    inside = np.diff(places[:, :9].reshape(500, 3, 3), axis=2) % 10
    assert (inside == 1).all()
    frequency = np.bincount(rows.ravel(), minlength=14) / 500
    np.testing.assert_allclose(frequency, 1.0, atol=0.2)  # every row equally often


def _ar1(rng, n, rho):
    noise = rng.normal(size=n) * (1 - rho**2) ** 0.5
    series = np.empty(n)
    series[0] = rng.normal()
    for k in range(1, n):
        series[k] = rho * series[k - 1] + noise[k]
    return series


def test_block_intervals_cover_where_single_rows_do_not():
    """On AR(1) series of mean 0, 95 % intervals should hold 0 about 95 % of the time (a bit less)."""
    trials, hits = 200, {None: 0, 1: 0}
    strata = np.repeat(np.arange(4), 150)
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        values = np.concatenate([_ar1(rng, 150, 0.6) for _ in range(4)])
        for length in hits:
            interval = bootstrap_interval(values, strata, block_length=length, resamples=300, seed=trial)
            hits[length] += interval.low <= 0 <= interval.high
    assert hits[None] / trials > 0.86
    assert hits[1] / trials < 0.78


def test_block_length_follows_the_correlation():
    rng = np.random.default_rng(0)
    strata = np.repeat([1, 2], 500)
    lengths = [
        plug_in_block_length(np.concatenate([_ar1(rng, 500, rho) for _ in range(2)]), strata)
        for rho in (0.0, 0.5, 0.9)
    ]
    # (3/2 500 (2 r / (1 - r^2))^2)^(1/3) is 11.0 at r = 0.5 and 40.6 at 0.9
    assert lengths[0] <= 5
    assert lengths[1] == pytest.approx(11, abs=3)
    assert lengths[2] == pytest.approx(41, abs=12)
    assert plug_in_block_length(np.ones(1000), strata) == 1
    assert plug_in_block_length(np.arange(1000.0), strata) <= 500 // 3


def test_paired_difference_cancels_what_is_shared():
    rng = np.random.default_rng(0)
    strata, shared = np.repeat([1, 2], 100), rng.normal(0, 5, 200)
    a, b = shared + rng.normal(0.3, 0.1, 200), shared + rng.normal(0.0, 0.1, 200)
    interval = paired_difference(a, b, strata)
    assert interval.estimate == pytest.approx((a - b).mean())
    assert 0.2 < interval.low < 0.3 < interval.high < 0.4
    loose = bootstrap_interval(a, strata)
    assert loose.high - loose.low > 5 * (interval.high - interval.low)
    assert paired_difference(a, b, strata) == interval  # seeded
    with pytest.raises(ValueError, match="one shape"):
        paired_difference(a, b[:-1], strata)


def decisions_table():
    rng = np.random.default_rng(0)
    rows = [
        {
            "policy": policy,
            "seed": seed,
            "replicate": replicate,
            "decision": k,
            "split": 8 if policy == "a" else 16,
            "reward": offset - (k % 3) + rng.normal(0, 0.01),
            "ttft_s": 0.5,
            "tpot_s": 0.1,
            "latency_s": 1.0 + k,
            "delta_nll": 0.2,
            "ue_energy_j": 3.0,
            "failed": 0,
        }
        for policy, offset in (("b", -2.0), ("a", -1.0))
        for seed in (1, 2)
        for replicate in (0, 1)
        for k in range(20)
    ]
    table = pd.DataFrame(rows)
    failed = (table["policy"] == "a") & (table["decision"] < 5)
    table.loc[failed, "failed"] = 1
    table.loc[failed, ["ttft_s", "tpot_s"]] = np.nan
    table.loc[failed, "latency_s"] = 100.0
    table.loc[(table["policy"] == "a") & (table["decision"] == 5), "tpot_s"] = np.nan
    return table


def oracle_table():
    pairs = [(s, k) for s in (1, 2) for k in range(20)]
    return oracle_frame(
        np.array([s for s, _ in pairs]),
        np.array([k for _, k in pairs]),
        np.array([-(k % 3) for _, k in pairs]),
    )


def test_summary_by_hand():
    table, measure = decisions_table(), Yardstick(-3.0, -1.0)
    summary = summarise(table, oracle=oracle_table(), costs={"a": Cost(100, 12, 20)}, measure=measure)
    assert list(summary) == ["b", "a"]
    a = summary["a"]
    own = table[table["policy"] == "a"]
    assert a["reward"] == pytest.approx(own["reward"].mean())
    assert a["reward_ci"][0] < a["reward"] < a["reward_ci"][1]
    assert a["regret"] == pytest.approx(1.0, abs=0.01)
    assert summary["b"]["regret"] == pytest.approx(2.0, abs=0.01)
    assert a["failure_rate"] == pytest.approx(0.25)
    assert a["latency_p95_s"] == pytest.approx(100.0)
    assert (a["mean_split"], a["delta_nll"], a["ue_energy_j"]) == pytest.approx((8, 0.2, 3.0))
    spent = ("simulated_decisions", "real_evaluations", "tuning_contexts")
    assert [a[name] for name in spent] == [100, 12, 20]
    assert [summary["b"][name] for name in spent] == [None, None, None]
    assert a["share"] == pytest.approx((a["reward"] + 3) / 2)
    assert summarise(table, measure=Yardstick(-1.0, -3.0))["a"]["share"] is None
    json.dumps(summary, allow_nan=False)


def test_shares_of_splits_are_told_where_a_mean_means_nothing():
    """A policy that plays 1 in 11 of 20 decisions and 32 in the others has a mean split of 14.95."""
    shares = split_shares([1] * 11 + [32] * 9)
    assert shares == {"1": 0.55, "32": 0.45}
    assert list(split_shares([8, 1])) == ["1", "8"]  # of equally frequent ones the smaller first
    assert shares_text(shares) == "1: 55 %, 32: 45 %"
    assert shares_text(split_shares([4] * 9), 2) == "4: 100 %"
    # 0 % and 100 % are kept for what never and what always happened.
    assert shares_text(split_shares([1] * 998 + [8, 16])) == "1: 99 %, 8: <1 %, 16: <1 %"
    assert shares_text(split_shares([1, 1, 1, 8, 8, 16]), 2) == "1: 50 %, 8: 33 %, ..."
    table = decisions_table()
    assert summarise(table)["a"]["split_shares"] == split_shares(table[table["policy"] == "a"]["split"])


def test_a_policy_below_the_best_static_split_is_warned_of():
    policies = {"a": {"reward": -1.2}, "b": {"reward": -1.0004}, "c": {"reward": -9.0}}
    (warning,) = below_static(policies, ["a", "b", "unknown"], -1.0, 32)
    assert warning == ("a lies below the best static split: its reward is -1.200, that of always 32 -1.000")
    paired = {"a - best-static": {"difference": -0.2, "difference_ci": [-0.3, 0.05]}}
    (warning,) = below_static(policies, ["a"], -1.0, 32, paired)
    assert warning.endswith("that of always 32 -1.000, difference -0.200 [-0.300, +0.050]")


def test_failed_requests_have_no_first_token_but_count_everywhere_else():
    summary = summarise(decisions_table())
    a = summary["a"]
    assert (a["ttft_s"], a["tpot_s"]) == pytest.approx((0.5, 0.1))
    assert (a["ttft_requests"], a["tpot_requests"], a["decisions"]) == (60, 56, 80)
    assert a["regret"] is None
    everything_failed = decisions_table().assign(ttft_s=np.nan, tpot_s=np.nan, failed=1)
    lost = summarise(everything_failed)["a"]
    assert (lost["ttft_s"], lost["ttft_requests"], lost["failure_rate"]) == (None, 0, 1.0)
    json.dumps(lost, allow_nan=False)


def test_summary_refuses_what_would_mislead():
    table = decisions_table()
    with pytest.raises(ValueError, match="latency_s"):
        summarise(table.assign(latency_s=np.nan))
    with pytest.raises(ValueError, match="lacks the columns"):
        summarise(table.drop(columns="split"))
    with pytest.raises(ValueError, match="repeats"):
        summarise(pd.concat([table, table.head(1)]))
    with pytest.raises(ValueError, match="no value"):
        summarise(table, oracle=oracle_table().iloc[1:])


def test_compare_pairs_by_decision():
    result = compare(decisions_table(), "a", "b")
    assert result["difference"] == pytest.approx(1.0, abs=0.01)
    assert result["difference_ci"][0] > 0.98
    assert result["decisions"] == 40
    with pytest.raises(ValueError, match="share no"):
        compare(decisions_table(), "a", "nobody")
