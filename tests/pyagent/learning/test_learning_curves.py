"""Statistics over training runs, each against an enumeration, scipy, or a simulation with a known answer."""

from itertools import product

import numpy as np
import pytest

from pyagent.evaluation import bootstrap_interval
from pyagent.evaluation.learning_curves import (
    Curve,
    arrival,
    common_grid,
    evaluations_to,
    paired_seeds_difference,
    probability_of_improvement,
    regret_curve,
    rewards_along,
    stratified_interval,
)
from pyagent.evaluation.share import Yardstick, score
from pyagent.evaluation.statistics import Interval, mean

UNIT = Yardstick(static=0.0, oracle=1.0)


def curve(*rewards, every=10, pace_s=1.0):
    return Curve.of([(every * (i + 1), pace_s * (i + 1), reward) for i, reward in enumerate(rewards)])


def test_share_is_0_for_the_best_static_action_and_1_for_the_oracle():
    yardstick = Yardstick(static=-3.0, oracle=-1.0)
    np.testing.assert_allclose(score([-3.0, -1.0, -1.1, -4.0], yardstick), [0, 1, 0.95, -0.5])
    assert yardstick.share(-2.0) == 0.5
    for oracle in (np.nan, np.inf):
        with pytest.raises(ValueError, match="must be finite"):
            Yardstick(static=-3.0, oracle=oracle)


@pytest.mark.parametrize(
    "yardstick",
    [
        Yardstick(static=-3.0, oracle=-3.0),
        Yardstick(static=-3.0, oracle=-4.0),
        Yardstick(static=-3.0, oracle=-2.9, gap=Interval(0.1, -0.01, 0.2)),
        Yardstick(static=-3.0, oracle=-2.9, gap=Interval(0.1, 0.0, 0.2)),
    ],
)
def test_where_there_is_nothing_to_gain_nobody_has_a_share_or_arrives(yardstick):
    assert yardstick.share(-1.0) is None
    assert np.isnan(score([-1.0, -3.0], yardstick)).all()
    found = evaluations_to(0.5, [curve(0, 0, 0, 0), curve(0, 0, 0, 0)], yardstick)
    assert (found.median, found.share) == (None, 0.0)


def test_yardstick_of_decisions_has_the_interval_of_the_paired_gap():
    rng = np.random.default_rng(0)
    static, seeds = rng.normal(-2, 1, 200), np.repeat([1, 2], 100)
    found = Yardstick.of(static + 0.5 + 0.01 * rng.normal(size=200), static, seeds)
    assert found.static == pytest.approx(static.mean())
    assert found.gap.estimate == pytest.approx(0.5, abs=0.01)
    assert 0.48 < found.gap.low < found.gap.high < 0.52  # what both share cancels
    assert found.defined
    assert not Yardstick.of(static + rng.normal(0, 0.5, 200), static, seeds).defined


@pytest.mark.parametrize(
    ("rewards", "index"),
    [
        ((0.2, 0.96, 0.97, 0.96), 1),
        ((0.2, 0.94, 0.96, 0.97, 0.96), 2),
        ((0.2, 0.95, 0.95, 0.95), 1),  # exactly on the mark
        ((0.99, 0.5, 0.6, 0.96, 0.97, 0.98), 3),  # a lucky one amid worse ones
        ((0.99, 0.2, 0.2, *[0.99] * 60), 3),  # ... that a long good end must not make up for
        ((0.2, 0.5, 0.96), None),  # luck at the very end
        ((0.2, 0.5, 0.96, 0.97), None),  # too few to bear it out
        ((0.2, 0.96, 0.97, 0.97, 0.5, 0.4), None),  # reached and lost
        ((0.2, 0.97, 0.94, 0.98, 0.96, 0.97), 1),  # one unlucky one later
        ((0.2, 0.3), None),
    ],
)
def test_arrival(rewards, index):
    assert arrival(curve(*rewards), 0.95, UNIT) == index


def test_a_noisy_run_below_the_mark_hardly_ever_arrives_where_single_checkpoints_would():
    rng = np.random.default_rng(0)
    runs = [curve(*(0.90 + 0.03 * rng.normal(size=30))) for _ in range(300)]
    single = np.mean([(run.rewards >= 0.95).any() for run in runs])
    ours = np.mean([arrival(run, 0.95, UNIT) is not None for run in runs])
    assert single > 0.7
    assert ours < 0.03


def test_a_lower_fraction_is_never_reached_later():
    rng = np.random.default_rng(1)
    for _ in range(100):
        run = curve(*np.clip(np.linspace(0, 1, 20) + 0.1 * rng.normal(size=20), None, 1))
        places = [arrival(run, f, UNIT) for f in (0.3, 0.5, 0.7, 0.9)]
        ranks = [np.inf if place is None else place for place in places]
        assert ranks == sorted(ranks)


def test_runs_that_never_arrive_count_as_infinite():
    good = [curve(*[0.2] * k, *[0.96] * 5) for k in (1, 2, 3)]
    bad = [curve(0.1, 0.2, 0.3)] * 3
    some = evaluations_to(0.95, [*good, *bad[:2]], UNIT)
    assert some.per_run == (20.0, 30.0, 40.0, None, None)
    assert (some.median, some.share) == (40.0, 0.6)
    assert some.low == 20.0
    assert some.high is None
    half = evaluations_to(0.95, good + bad, UNIT)
    assert (half.median, half.share) == (None, 0.5)
    never = evaluations_to(0.95, bad, UNIT)
    assert (never.median, never.low, never.high, never.share) == (None, None, None, 0.0)


def test_seconds_instead_of_evaluations():
    runs = [curve(0.1, *[0.96] * 4, pace_s=pace) for pace in (1.0, 2.0, 3.0)]
    found = evaluations_to(0.95, runs, UNIT, axis="wall_s")
    assert (found.per_run, found.median) == ((2.0, 4.0, 6.0), 4.0)


def test_interval_of_the_median_by_enumeration():
    """All 4^4 resamples of four runs; the bootstrap's quantiles are theirs."""
    cost = np.array([20.0, 30.0, 50.0, np.inf])
    runs = [curve(*[0.2] * k, *[0.96] * 9) for k in (1, 2, 4)] + [curve(0.1, 0.1, 0.1)]
    medians = np.sort([np.median(cost[list(rows)]) for rows in product(range(4), repeat=4)])
    found = evaluations_to(0.95, runs, UNIT, resamples=20_000)
    assert found.low == np.quantile(medians, 0.025, method="lower")
    assert found.high is None
    assert np.quantile(medians, 0.975, method="higher") == np.inf
    assert found == evaluations_to(0.95, runs, UNIT, resamples=20_000)


def test_interval_of_the_median_covers_it():
    """Arrivals with a median of 100, in ten runs each; few of them arrive after the budget of 200."""
    hits, trials = 0, 150
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        cost = np.ceil(np.exp(np.log(100) + 0.5 * rng.normal(size=10)))
        runs = [
            Curve.of([(n, float(n), 1.0 if n >= c else 0.0) for n in range(200)]) for c in cost.astype(int)
        ]
        found = evaluations_to(0.95, runs, UNIT, resamples=300, seed=trial)
        assert found.median is None or found.median == pytest.approx(np.median(cost))
        hits += (found.low or np.inf) <= 100 <= (found.high or np.inf)
    assert 0.9 <= hits / trials <= 0.995


def test_one_run_has_no_interval_over_runs():
    one = np.array([[1.0, 2.0, 3.0, 4.0]])
    with pytest.raises(ValueError, match="two runs"):
        evaluations_to(0.95, [curve(1.0)], UNIT)
    with pytest.raises(ValueError, match="two runs"):
        regret_curve([curve(1.0)], UNIT)
    with pytest.raises(ValueError, match="resample_seeds"):
        stratified_interval(one)
    with pytest.raises(ValueError, match="resample_seeds"):
        probability_of_improvement(one, one + 1)
    over_seeds = stratified_interval(one, resample_seeds=True, statistic=mean)
    # One run over seeds is the ordinary bootstrap over seeds.
    plain = bootstrap_interval(one[0], np.zeros(4), block_length=1, resamples=2000)
    assert (over_seeds.low, over_seeds.high) == pytest.approx((plain.low, plain.high), abs=0.15)


def test_stratified_interval_by_enumeration():
    """All 3^3 draws of three whole runs, seeds fixed, widened by (3 / 2)^(1/2)."""
    values = np.array([[0.1, 0.9, 0.4, 0.3], [0.2, 0.7, 0.5, 0.1], [0.0, 1.0, 0.3, 0.8]])

    def iqm(cells):
        ordered = np.sort(np.ravel(cells))
        return ordered[3:9].mean()

    spread = np.array([iqm(values[list(rows)]) for rows in product(range(3), repeat=3)]) - iqm(values)
    low, high = np.quantile(np.repeat(spread, 1000), [0.025, 0.975]) * 1.5**0.5 + iqm(values)
    found = stratified_interval(values, resamples=30_000)
    assert found.estimate == pytest.approx(iqm(values))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.006)


@pytest.mark.parametrize("resample_seeds", [False, True])
def test_stratified_intervals_cover_where_cells_drawn_apart_do_not(resample_seeds):
    """Rewards = run + seed + noise, all symmetric, so the IQM's true value is known.

    With fixed seeds it is that of these seeds' means, else 0.
    """
    trials, hits, apart_hits = 150, 0, 0
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        seeds = np.tile([-0.5, 0.5], 6) if not resample_seeds else 0.5 * rng.normal(size=12)
        values = 0.3 * rng.normal(size=(12, 1)) + seeds + 0.2 * rng.normal(size=(12, 12))
        found = stratified_interval(values, resample_seeds=resample_seeds, resamples=300, seed=trial)
        hits += found.low <= 0 <= found.high
        if not resample_seeds:
            rows = rng.integers(0, 12, (300, 12, 12))
            cells = np.sort(values[rows, np.arange(12)].reshape(300, -1))[:, 36:-36].mean(1)
            low, high = np.quantile(cells, [0.025, 0.975])
            apart_hits += low <= 0 <= high
    assert 0.88 <= hits / trials <= 0.995
    if not resample_seeds:
        assert apart_hits / trials < 0.65


def test_paired_difference_cancels_hard_seeds():
    rng = np.random.default_rng(0)
    hard = 3 * rng.normal(size=20)
    a, b = (shift + hard + 0.1 * rng.normal(size=(10, 20)) for shift in (0.2, 0.0))
    paired = paired_seeds_difference(a, b, resample_seeds=True)
    alone = stratified_interval(a, resample_seeds=True)
    assert 0.1 < paired.low < 0.2 < paired.high < 0.3
    assert alone.high - alone.low > 10 * (paired.high - paired.low)
    # A policy that doesn't learn has one run.
    against_one = paired_seeds_difference(a, b[:1])
    assert against_one.estimate == pytest.approx(stratified_interval(a - b[0]).estimate)
    with pytest.raises(ValueError, match="as many runs"):
        paired_seeds_difference(a, b[:4])
    with pytest.raises(ValueError, match="same test seeds"):
        paired_seeds_difference(a, b[:, :5])


def test_probability_of_improvement_is_the_mann_whitney_statistic():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, (7, 6)), rng.integers(0, 5, (9, 6)) - 0.0  # many ties
    expected = np.mean([stats.mannwhitneyu(x[:, s], y[:, s]).statistic / 63 for s in range(6)])
    found = probability_of_improvement(x, y)
    assert found.estimate == pytest.approx(expected)
    assert found.low < found.estimate < found.high
    other_way = probability_of_improvement(y, x)
    assert found.estimate + other_way.estimate == pytest.approx(1.0)
    assert probability_of_improvement(x, x).estimate == 0.5


def test_interval_of_the_probability_of_improvement_by_enumeration():
    x, y = np.array([[1.0, 4.0], [2.0, 2.0], [3.0, 1.0]]), np.array([[2.0, 2.0], [0.0, 3.0], [2.5, 2.0]])
    draws = [list(rows) for rows in product(range(3), repeat=3)]
    shares = np.array(
        [
            np.mean((a[:, None] > b) + 0.5 * (a[:, None] == b))
            for r in draws
            for q in draws
            for a, b in [(x[r], y[q])]
        ]
    )
    truth = np.mean((x[:, None] > y) + 0.5 * (x[:, None] == y))
    low, high = truth + (np.quantile(np.repeat(shares, 50), [0.025, 0.975]) - truth) * 1.5**0.5
    found = probability_of_improvement(x, y, resamples=30_000)
    assert found.estimate == pytest.approx(truth)
    assert (found.low, found.high) == pytest.approx((max(low, 0), min(high, 1)), abs=0.02)


def test_interval_of_the_probability_of_improvement_covers_it():
    """X = Y + 0.5 with normal noise: P(X > Y) = Phi(0.5 / sqrt(2)) = 0.638 on every seed."""
    hits, trials = 0, 150
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        x, y = rng.normal(0.5, 1, (12, 8)), rng.normal(0, 1, (12, 8))
        found = probability_of_improvement(x, y, resamples=300, seed=trial)
        hits += found.low <= 0.638163 <= found.high
    assert 0.88 <= hits / trials <= 0.995


def test_a_sure_win_is_1_and_intervals_stay_probabilities():
    x = np.arange(12.0).reshape(4, 3)
    sure = probability_of_improvement(x + 100, x, resample_seeds=True)
    assert (sure.estimate, sure.low, sure.high) == pytest.approx((1, 1, 1), abs=1e-12)
    near = probability_of_improvement(x + 8, x)
    assert near.high <= 1.0


def test_regret_holds_the_last_checkpoint():
    run = Curve.of([(5, 1.0, -3.0), (10, 4.0, -2.0), (40, 9.0, -1.5)])
    np.testing.assert_array_equal(
        rewards_along(run, "evaluations", np.array([5.0, 9.0, 10.0, 39.0, 40.0, 1000.0])),
        [-3, -3, -2, -2, -1.5, -1.5],
    )
    np.testing.assert_array_equal(rewards_along(run, "wall_s", np.array([1.0, 8.9, 9.0])), [-3, -2, -1.5])
    with pytest.raises(ValueError, match="first is 5"):
        rewards_along(run, "evaluations", np.array([4.0]))


def test_regret_curve_by_hand():
    runs = [
        Curve.of([(5, 1.0, -3.0), (10, 2.0, -2.0)]),
        Curve.of([(8, 2.0, -4.0), (20, 7.0, -1.0)]),
    ]
    found = regret_curve(runs, Yardstick(static=-5.0, oracle=-1.0))
    np.testing.assert_array_equal(found.spent, [8, 10, 20])
    np.testing.assert_allclose(found.regret, [2.5, 2.0, 0.5])
    # Two runs: the mean of two draws is either of them a quarter of the time, times 2^(1/2).
    np.testing.assert_allclose(found.low, found.regret - np.array([0.5, 1.0, 0.5]) * 2**0.5)
    np.testing.assert_allclose(found.high, found.regret + np.array([0.5, 1.0, 0.5]) * 2**0.5)
    by_time = regret_curve(runs, Yardstick(static=-5.0, oracle=-1.0), axis="wall_s")
    assert (by_time.spent[0], by_time.spent[-1]) == (2.0, 7.0)
    assert by_time.regret[[0, -1]] == pytest.approx([2.0, 0.5])


def test_the_grid_of_seconds_begins_at_zero_where_all_runs_do():
    runs = [Curve.of([(0, 0.0, 0.1), (10, end, 0.9)]) for end in (10.0, 100.0)]
    grid = common_grid(runs, "wall_s")
    assert grid[0] == 0.0
    assert (np.diff(grid) > 0).all()
    assert grid[-1] == 100.0
    assert common_grid([curve(0.5)] * 2, "wall_s").tolist() == [1.0]


@pytest.mark.parametrize(
    ("checkpoints", "message"),
    [
        ([], "N >= 1"),
        ([(1, 0.0, 0.1), (1, 1.0, 0.2)], "strictly increasing"),
        ([(-1, 0.0, 0.1)], "strictly increasing"),
        ([(1, 1.0, 0.1), (2, 0.5, 0.2)], "never decrease"),
        ([(1, 1.0, np.nan)], "finite"),
    ],
)
def test_curves_that_cannot_be_are_refused(checkpoints, message):
    with pytest.raises(ValueError, match=message):
        Curve.of(checkpoints)


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((0, 3)), [[1.0, np.nan], [1.0, 2.0]]])
def test_matrices_that_cannot_be_are_refused(values):
    with pytest.raises(ValueError, match="run"):
        stratified_interval(values)
