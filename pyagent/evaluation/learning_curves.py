"""Learners compared over independent training runs: what they gain, and after how many evaluations.

A *run* is one training with its own seed; its *curve* holds the mean test reward of the policy at several
checkpoints. Everything here is about the same test table, whose best static and oracle rewards are the
yardstick (`pyagent.evaluation.share`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyagent.evaluation.share import Yardstick, score
from pyagent.evaluation.statistics import (
    Interval,
    Statistic,
    block_indices,
    bootstrap_interval,
    centring_correction,
    interquartile_mean,
    percentile_interval,
)
from pyagent.reward import FloatArray

CONFIRMING = 2
"""Checkpoints after the first good one that must bear it out, at least."""
WALL_GRID = 64
"""Places of a wall-clock grid."""

Axis = Literal["evaluations", "wall_s"]
"""What a learner is charged: real evaluations bought, or seconds of wall-clock."""


@dataclass(frozen=True)
class Curve:
    """One training run, N >= 1 checkpoints.

    Args:
        evaluations: real evaluations bought by then, int64 [N], strictly increasing, >= 0.
        wall_s: seconds since training began, float64 [N], never decreasing, >= 0.
        rewards: mean test reward of the policy, float64 [N], finite.
    """

    evaluations: NDArray[np.int64]
    wall_s: FloatArray
    rewards: FloatArray

    def __post_init__(self) -> None:
        shapes = {len(x.shape) == 1 and len(x) for x in (self.evaluations, self.wall_s, self.rewards)}
        if len(shapes) != 1 or not shapes.pop():
            raise ValueError(
                f"want three series of one length N >= 1, got {self.evaluations.shape}, "
                f"{self.wall_s.shape}, {self.rewards.shape}"
            )
        if self.evaluations[0] < 0 or (np.diff(self.evaluations) <= 0).any():
            raise ValueError("evaluations of a curve must be >= 0 and strictly increasing")
        if not (np.isfinite(self.wall_s).all() and np.isfinite(self.rewards).all()):
            raise ValueError("wall_s and rewards of a curve must be finite")
        if self.wall_s[0] < 0 or (np.diff(self.wall_s) < 0).any():
            raise ValueError("wall_s of a curve must be >= 0 and never decrease")

    @classmethod
    def of(cls, checkpoints: Sequence[tuple[int, float, float]]) -> Curve:
        """The curve of checkpoints (evaluations, wall_s, reward) in order of time."""
        bought, wall_s, rewards = zip(*checkpoints, strict=True) if checkpoints else ((), (), ())
        return cls(
            np.array(bought, dtype=np.int64),
            np.array(wall_s, dtype=np.float64),
            np.array(rewards, dtype=np.float64),
        )

    def along(self, axis: Axis) -> FloatArray:
        """What each checkpoint had cost, [N]."""
        return np.asarray(self.evaluations if axis == "evaluations" else self.wall_s, dtype=np.float64)


def arrival(curve: Curve, fraction: float, yardstick: Yardstick) -> int | None:
    """Index of the checkpoint at which a run *reaches* a share of the oracle's gain; None: it never does.

    That is the first checkpoint whose share is >= ``fraction`` and after which the running mean of the
    shares, taken over the next h checkpoints, is >= ``fraction`` for every h >= `CONFIRMING` up to the end
    of the run. At least `CONFIRMING` checkpoints must follow. So neither a lucky checkpoint amid worse ones
    counts, nor one at the very end, nor a success that is lost again; a single unlucky one later does no
    harm. A lower fraction is never reached later. Where there is nothing to gain no run arrives.
    """
    scores = score(curve.rewards, yardstick)
    for i in range(len(scores) - CONFIRMING):
        following = scores[i + 1 :]
        running = np.cumsum(following) / np.arange(1, len(following) + 1)
        # Rounding of a sum must not fail a score that is exactly on the mark.
        if scores[i] >= fraction and running[CONFIRMING - 1 :].min() >= fraction - 1e-12:
            return i
    return None


@dataclass(frozen=True)
class Arrivals:
    """What it takes to reach a share, over runs. None stands for beyond the budget.

    Args:
        per_run: of each run.
        median: over the runs, those that never arrive counted as infinite; None as soon as half never do.
        low, high: 95 % bootstrap percentile interval of the median over runs.
        share: of the runs that arrive.
    """

    per_run: tuple[float | None, ...]
    median: float | None
    low: float | None
    high: float | None
    share: float


def evaluations_to(
    fraction: float,
    curves: Sequence[Curve],
    yardstick: Yardstick,
    *,
    axis: Axis = "evaluations",
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Arrivals:
    """Real evaluations (or seconds) until the runs reach the share ``fraction``; see `arrival`.

    The answer is as coarse as the checkpoints are, and never early.

    Args:
        curves: one for each run, two or more.
        axis: what is counted.

    Raises:
        ValueError: fewer than two runs, which have no interval.
    """
    if len(curves) < 2:
        raise ValueError(f"want two runs or more for an interval over runs, got {len(curves)}")
    cost = np.full(len(curves), np.inf)
    for run, curve in enumerate(curves):
        at = arrival(curve, fraction, yardstick)
        if at is not None:
            cost[run] = curve.along(axis)[at]
    rows = _draw(len(cost), resamples, seed)
    medians = np.median(cost[rows], axis=1)
    # Infinite ones can't be interpolated, so each end is the next resample outwards.
    low = np.quantile(medians, (1 - level) / 2, method="lower")
    high = np.quantile(medians, (1 + level) / 2, method="higher")
    return Arrivals(
        per_run=tuple(_within_budget(value) for value in cost),
        median=_within_budget(np.median(cost)),
        low=_within_budget(low),
        high=_within_budget(high),
        share=float(np.isfinite(cost).mean()),
    )


def _within_budget(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _draw(count: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """Resampled numbers [resamples, count] of independent things."""
    return block_indices(np.zeros(count), block_length=1, resamples=resamples, seed=seed)


def _seeds(seed: int, count: int) -> list[int]:
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(count)]


def _matrix(values: ArrayLike) -> FloatArray:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"want one value for each run and test seed [runs, seeds], got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("every run needs a finite value on every test seed")
    return matrix


def _correction(resampled_lengths: Sequence[int]) -> float:
    """Of what was resampled; raises ValueError where nothing of it can vary."""
    if max(resampled_lengths) < 2:
        raise ValueError("one run has no interval over runs; resample the test seeds (resample_seeds=True)")
    return max(centring_correction(length) for length in resampled_lengths)


def stratified_interval(
    values: ArrayLike,
    *,
    statistic: Statistic = interquartile_mean,
    resample_seeds: bool = False,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of a statistic of all (run, test seed) cells: the IQM with its stratified bootstrap.

    As Agarwal et al. (2021, section 4.1 and appendix A) but for one thing: there every (run, task) is a
    training of its own and runs are drawn for each task apart. Here one trained policy meets every test seed,
    so its row is drawn as a whole; otherwise what a bad training does to all seeds at once would average out
    in the resamples and the interval would be too narrow.

    Args:
        values: [runs, seeds], rewards or scores.
        statistic: reduces the last axis, to which the cells are laid out.
        resample_seeds: False: the test seeds are strata, the interval is about new runs on these seeds. True:
            seeds (columns) are drawn as well, it is about new runs on new seeds; somewhat too wide where
            cells are noisy (the crossed bootstrap of Owen 2007). The only choice for a single run, such as
            that of a policy that doesn't learn.

    Raises:
        ValueError: a shape or value doesn't fit; or one run and seeds that aren't resampled.
    """
    matrix = _matrix(values)
    runs, seeds = matrix.shape
    correction = _correction((runs, seeds) if resample_seeds else (runs,))
    run_seed, column_seed = _seeds(seed, 2)
    rows = _draw(runs, resamples, run_seed)
    columns = _draw(seeds, resamples, column_seed) if resample_seeds else np.arange(seeds)[None]
    cells = matrix[rows[:, :, None], columns[:, None, :]].reshape(resamples, -1)
    return percentile_interval(
        float(statistic(matrix.ravel())), statistic(cells), correction=correction, level=level
    )


def paired_seeds_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    statistic: Statistic = interquartile_mean,
    resample_seeds: bool = False,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of ``first - second``, cell by cell; what both share (a hard test seed) cancels.

    Args:
        first, second: [runs, seeds]; column s of both is the same test seed. As many runs, paired in order
            (best: trained with the same seeds), or one run of either, which is paired with each of the other.

    Raises:
        ValueError: as in `stratified_interval`; or the shapes can't be paired.
    """
    a, b = _paired(first, second)
    if len(a) != len(b) and 1 not in (len(a), len(b)):
        raise ValueError(f"want as many runs in both, or one run in either; got {len(a)} and {len(b)}")
    return stratified_interval(
        a - b,
        statistic=statistic,
        resample_seeds=resample_seeds,
        resamples=resamples,
        level=level,
        seed=seed,
    )


def _paired(first: ArrayLike, second: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = _matrix(first), _matrix(second)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"want the same test seeds in both, got {a.shape[1]} and {b.shape[1]}")
    return a, b


def probability_of_improvement(
    first: ArrayLike,
    second: ArrayLike,
    *,
    resample_seeds: bool = False,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """P(X > Y) + P(X = Y) / 2 of one run each on a test seed, averaged over seeds (Agarwal et al. 2021, 4.3).

    On each seed it is the Mann-Whitney U statistic over (runs of first x runs of second). Runs of both are
    drawn independently, as whole rows. It says how often, not by how much; where every run wins the interval
    has no width.

    Args:
        first, second: [runs, seeds]; the numbers of runs may differ.
        resample_seeds: as in `stratified_interval`.

    Raises:
        ValueError: as in `stratified_interval`; or the numbers of seeds differ.
    """
    x, y = _paired(first, second)
    seeds = x.shape[1]
    correction = _correction((len(x), len(y), *((seeds,) if resample_seeds else ())))
    wins = 0.5 * ((x[:, None] > y).astype(np.float64) + (x[:, None] >= y))  # (X, Y, seeds)
    x_seed, y_seed, column_seed = _seeds(seed, 3)
    x_weights, y_weights = _weights(len(x), resamples, x_seed), _weights(len(y), resamples, y_seed)
    if resample_seeds:
        column_weights = _weights(seeds, resamples, column_seed)
        shares = np.einsum("xys,bx,by,bs->b", wins, x_weights, y_weights, column_weights, optimize=True)
    else:
        shares = np.einsum("xy,bx,by->b", wins.mean(2), x_weights, y_weights, optimize=True)
    interval = percentile_interval(float(wins.mean()), shares, correction=correction, level=level)
    return Interval(interval.estimate, max(interval.low, 0.0), min(interval.high, 1.0))


def _weights(count: int, resamples: int, seed: int) -> FloatArray:
    """Share of each of ``count`` things in each resample, [resamples, count]."""
    drawn = _draw(count, resamples, seed)
    return np.asarray((drawn[:, :, None] == np.arange(count)).mean(1), dtype=np.float64)


@dataclass(frozen=True)
class RegretCurve:
    """Mean regret to the oracle over what was spent, G places.

    Args:
        axis: what was spent.
        spent: [G], increasing.
        regret, low, high: mean over the runs and its 95 % interval, float64 [G].
    """

    axis: Axis
    spent: FloatArray
    regret: FloatArray
    low: FloatArray
    high: FloatArray


def common_grid(curves: Sequence[Curve], axis: Axis) -> FloatArray:
    """Places [G] from where every run has a checkpoint to the last checkpoint of all.

    Evaluations: wherever a run has a checkpoint. Seconds: `WALL_GRID` places, in equal ratios.
    """
    costs = [curve.along(axis) for curve in curves]
    first, last = max(cost[0] for cost in costs), max(cost[-1] for cost in costs)
    if axis == "evaluations":
        places = np.unique(np.concatenate(costs))
        return np.asarray(places[places >= first])
    if first == last:
        return np.array([first])
    # Zero has no ratio to what comes after it.
    places = np.geomspace(max(first, 1e-3 * last), last, WALL_GRID)
    places[-1] = last
    return places if first > 0 else np.append(0.0, places)


def rewards_along(curve: Curve, axis: Axis, spent: FloatArray) -> FloatArray:
    """Reward [G] of the policy that a run has after spending ``spent`` [G]: that of its last checkpoint.

    After its end a run keeps its final policy.

    Raises:
        ValueError: ``spent`` begins before the run's first checkpoint.
    """
    cost = curve.along(axis)
    if spent.min() < cost[0]:
        raise ValueError(
            f"at {axis} = {spent.min():g} the run has no checkpoint yet, its first is {cost[0]:g}"
        )
    return np.asarray(curve.rewards[np.searchsorted(cost, spent, side="right") - 1])


def regret_curve(
    curves: Sequence[Curve],
    yardstick: Yardstick,
    *,
    axis: Axis = "evaluations",
    spent: FloatArray | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> RegretCurve:
    """Mean regret ``oracle - reward`` over runs, with pointwise intervals over runs.

    Args:
        curves: one for each run, two or more.
        axis: what is charged.
        spent: places [G], increasing; default: `common_grid`.

    Raises:
        ValueError: fewer than two runs; or a run has no checkpoint yet at the first place.
    """
    if len(curves) < 2:
        raise ValueError(f"want two runs or more for an interval over runs, got {len(curves)}")
    places = common_grid(curves, axis) if spent is None else np.asarray(spent, dtype=np.float64)
    regrets = yardstick.oracle - np.stack([rewards_along(curve, axis, places) for curve in curves])
    same = np.zeros(len(curves))
    intervals = [
        bootstrap_interval(at, same, block_length=1, resamples=resamples, level=level, seed=seed)
        for at in regrets.T
    ]
    regret, low, high = np.array([(i.estimate, i.low, i.high) for i in intervals]).T
    return RegretCurve(axis, places, regret, low, high)
