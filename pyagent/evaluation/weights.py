"""Test decisions re-read at other weights of the reward: does the ranking of the policies hold?

The reward is minus a sum of weight times measure, and every term is logged with its decision. Another weight
therefore scales a term, and the reward of the same decision at other weights is exact. The decisions stay
those of the run: policies were trained and tuned at its weights and are not trained again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyagent.errors import UserError
from pyagent.evaluation.oracle import oracle
from pyagent.evaluation.share import Yardstick
from pyagent.evaluation.statistics import bootstrap_interval, paired_difference
from pyagent.evaluation.summary import KEYS
from pyagent.reward import TERMS, FloatArray, RewardWeights

FACTORS = (0.5, 2.0)
AS_RUN = "as run"
FAILURE_ONCE = "failure once"
WAIVED = ("quality", "latency")
"""Terms that a failed request does not pay in the reading `FAILURE_ONCE`."""
CHARGED = ("latency", "quality", "failure")
"""Terms that charge a failure: the deadline over the SLO, missing tokens at the clip, 1."""
REST = tuple(term for term in TERMS if term not in CHARGED)
TOP = 3
"""The best policies whose order the verdict speaks of."""
TERM_COLUMNS = tuple(f"term_{term}" for term in TERMS)
REQUIRED = (*KEYS, "replicate", "split", "failed", "reward", *TERM_COLUMNS)
"""Columns of decisions.parquet that a re-reading needs."""
_DIGITS = 9
"""Rewards that agree in so many decimals are equal: sums of floats in another order are not."""
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Reading:
    """One way to weigh the logged terms.

    Attributes:
        name: heading of its column.
        factors: term -> factor on the run's weight, >= 0; 1 where a term is not named.
        failure_once: a failed request pays its failure, energy, load and switching terms, but no
            `WAIVED` one.
    """

    name: str
    factors: Mapping[str, float] = field(default_factory=dict)
    failure_once: bool = False

    def rewards(self, rows: pd.DataFrame) -> FloatArray:
        """Rewards float64 [N] of rows of decisions.parquet."""
        terms = rows[list(TERM_COLUMNS)].to_numpy(dtype=np.float64)
        scaled: FloatArray = terms * [self.factors.get(term, 1.0) for term in TERMS]
        if self.failure_once:
            failed = rows["failed"].to_numpy(dtype=bool)
            waived = np.isin(TERMS, WAIVED)
            scaled[failed[:, None] & waived] = 0.0
        return np.asarray(scaled.sum(axis=1))

    def weights(self, of_run: RewardWeights) -> dict[str, float]:
        """The weights of this reading, by term."""
        return {term: getattr(of_run, term) * self.factors.get(term, 1.0) for term in TERMS}


def usual_readings(weights: RewardWeights) -> tuple[Reading, ...]:
    """As run, half and twice each weight above 0, and a failure that is charged once."""
    scaled = [
        Reading(f"{term} x{factor:g}", {term: factor})
        for term in TERMS
        if getattr(weights, term) > 0
        for factor in FACTORS
    ]
    return (Reading(AS_RUN), *scaled, Reading(FAILURE_ONCE, failure_once=True))


def own_readings(text: str, weights: RewardWeights, option: str = "--weights") -> tuple[Reading, ...]:
    """As run, and at the factors that a user names.

    Args:
        text: `NAME=FACTOR` with commas between, as `latency=2,energy=0.5`.
        weights: of the run.
        option: that the text was given to, for the message.

    Raises:
        UserError: an unknown or repeated name, a factor that is no finite number >= 0, or one of a weight
            that is 0 in the run.
    """
    factors: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in TERMS:
            raise UserError(
                f"{option} = {part.strip()!r}: no such weight; valid: NAME=FACTOR with commas between, "
                f"NAME one of {', '.join(TERMS)}"
            )
        if name in factors:
            raise UserError(f"{option}: {name} is named twice; valid: each weight once")
        factors[name] = _factor(option, name, value)
        if getattr(weights, name) == 0:
            raise UserError(
                f"{option}: {name} has the weight 0 in this run, and no factor changes it; valid: "
                f"{', '.join(term for term in TERMS if getattr(weights, term) > 0)}"
            )
    title = ", ".join(f"{name} x{factor:g}" for name, factor in factors.items())
    return Reading(AS_RUN), Reading(title, factors)


def _factor(option: str, name: str, text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor >= 0):
        raise UserError(
            f"{option}: {name} = {text!r}; valid: a finite number >= 0, a factor on the run's weight"
        )
    return factor


def kendall_tau(first: FloatArray, second: FloatArray) -> float | None:
    """Kendall's tau-b of two sets of values [n]; 1 for the same order, -1 for the opposite one.

    Tau-b counts ties (Kendall 1945, "The treatment of ties in ranking problems"). None where one of the two
    is all ties or n < 2: then there is no order to compare.
    """
    upper = np.triu_indices(len(first), 1)
    signs = [np.sign(np.subtract.outer(values, values))[upper] for values in (first, second)]
    scale = math.sqrt(float((signs[0] ** 2).sum()) * float((signs[1] ** 2).sum()))
    return float((signs[0] * signs[1]).sum()) / scale if scale else None


@dataclass(frozen=True)
class Swap:
    """Two policies whose order is another one in a reading than in the run.

    Attributes:
        above, below: policies, in their order as run.
        as_run, there: `above` minus `below` on the same decisions, as [difference, low, high] (95 %).
    """

    above: str
    below: str
    as_run: tuple[float, float, float]
    there: tuple[float, float, float]

    @property
    def clear(self) -> bool:
        """True if neither interval contains 0: the order is known in both readings, and it differs."""
        return self.as_run[1] > 0 > self.there[2]

    def to_json(self) -> dict[str, Any]:
        """The numbers; intervals at 95 %."""
        return {
            "above": self.above,
            "below": self.below,
            "difference_as_run": self.as_run[0],
            "difference_as_run_ci": list(self.as_run[1:]),
            "difference": self.there[0],
            "difference_ci": list(self.there[1:]),
            "clear": self.clear,
        }


@dataclass(frozen=True, eq=False)
class Statics:
    """What every split alone, the best of them and the oracle are worth in one reading.

    Attributes:
        splits: mean reward of each split on the test decisions.
        best: the best split on the tuning episodes, at the weights of the reading.
        best_series, oracle_series: rewards [K] of the K test decisions.
        seeds: of these decisions [K].
    """

    splits: dict[int, float]
    best: int
    best_series: FloatArray
    oracle_series: FloatArray
    seeds: NDArray[np.int64]

    @cached_property
    def measure(self) -> Yardstick:
        """The scale of a share at these weights."""
        return Yardstick.of(self.oracle_series, self.best_series, self.seeds)

    def to_json(self) -> dict[str, Any]:
        """The numbers; intervals at 95 %."""
        best, top = (bootstrap_interval(s, self.seeds) for s in (self.best_series, self.oracle_series))
        return {
            "static_splits": {str(split): reward for split, reward in self.splits.items()},
            "best_static": {"split": self.best, "reward": best.estimate, "reward_ci": [best.low, best.high]},
            "oracle": {"reward": top.estimate, "reward_ci": [top.low, top.high]},
        }


@dataclass(frozen=True, eq=False)
class Rereading:
    """Rewards of every policy in every reading; the first reading is the run's own.

    Attributes:
        weights: of the run.
        readings: M of them.
        series: policy -> rewards of its decisions, replicates averaged: index (seed, decision), columns M.
        statics: of each reading; empty where the run did not keep every split's outcomes.
        failures: policy -> what its failed requests cost at the run's weights.
    """

    weights: RewardWeights
    readings: tuple[Reading, ...]
    series: Mapping[str, pd.DataFrame]
    statics: tuple[Statics, ...]
    failures: Mapping[str, FailureCost]

    @cached_property
    def policies(self) -> tuple[str, ...]:
        """Names, the best as run first."""
        return tuple(sorted(self.series, key=lambda name: -self._means[name][0]))

    @cached_property
    def _means(self) -> dict[str, FloatArray]:
        means = {name: table.to_numpy(dtype=np.float64).mean(axis=0) for name, table in self.series.items()}
        return {name: np.round(values, _DIGITS) for name, values in means.items()}

    @cached_property
    def rewards(self) -> FloatArray:
        """Mean rewards [P, M] of the policies in the readings."""
        return np.stack([self._means[name] for name in self.policies])

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """Ranks [P, M] of `rewards`, 1 for the best; equal rewards share the better rank."""
        better = self.rewards[None, :, :] > self.rewards[:, None, :]
        return 1 + np.asarray(better.sum(axis=1), dtype=np.int64)

    @property
    def unweighed(self) -> list[str]:
        """Terms whose weight is 0 in the run."""
        return [term for term in TERMS if getattr(self.weights, term) == 0]

    def tau(self, reading: int) -> float | None:
        """Kendall's tau-b between the policies' rewards in a reading and as run."""
        return kendall_tau(self.rewards[:, 0], self.rewards[:, reading])

    def first_holds(self, reading: int) -> bool:
        """True if the policies in the first place of the run are in the first place here."""
        return self._same_ranks(reading, 1)

    def top_holds(self, reading: int) -> bool:
        """True if the `TOP` best policies of the run have their ranks here."""
        return self._same_ranks(reading, TOP)

    def _same_ranks(self, reading: int, lowest: int) -> bool:
        top = self.ranks[:, 0] <= lowest
        return bool((self.ranks[top, 0] == self.ranks[top, reading]).all())

    @cached_property
    def swaps(self) -> tuple[tuple[Swap, ...], ...]:
        """Pairs of policies in another order than as run, of each reading."""
        return tuple(self._swaps(reading) for reading in range(len(self.readings)))

    def _swaps(self, reading: int) -> tuple[Swap, ...]:
        as_run, there = self.rewards[:, 0], self.rewards[:, reading]
        pairs = [
            (self.policies[i], self.policies[j])
            for i, j in combinations(range(len(self.policies)), 2)
            if as_run[i] > as_run[j] and there[i] < there[j]
        ]
        return tuple(
            Swap(above, below, self._difference(above, below, 0), self._difference(above, below, reading))
            for above, below in pairs
        )

    def _difference(self, first: str, second: str, reading: int) -> tuple[float, float, float]:
        pairs = self.series[first][[reading]].join(
            self.series[second][[reading]], how="inner", lsuffix="_a", rsuffix="_b"
        )
        if pairs.empty:
            raise ValueError(f"policies {first!r} and {second!r} share no (seed, decision)")
        found = paired_difference(pairs.iloc[:, 0], pairs.iloc[:, 1], pairs.index.get_level_values("seed"))
        return found.estimate, found.low, found.high

    def interval(self, policy: str, reading: int) -> tuple[float, float]:
        """95 % interval of a policy's mean reward, by the bootstrap of `summarise`."""
        table = self.series[policy]
        found = bootstrap_interval(table[reading].to_numpy(), table.index.get_level_values("seed"))
        return found.low, found.high

    def verdict(self) -> str:
        """Whether the ranking holds, in a few sentences."""
        others = range(1, len(self.readings))
        first = ", ".join(np.asarray(self.policies)[self.ranks[:, 0] == 1])
        moved = [self.readings[i].name for i in others if not self.first_holds(i)]
        lost = f" (not in {'; '.join(moved)})" if moved else ""
        taus = [tau for tau in map(self.tau, others) if tau is not None]
        lowest = f" Kendall's tau is at least {min(taus):.2f}." if taus else ""
        return (
            f"The first place ({first}) holds in {_of(len(others) - len(moved), others)}{lost}, "
            f"the ranks of the best {min(TOP, len(self.policies))} "
            f"in {_of(sum(map(self.top_holds, others)), others)}.{lowest} {self._swapped()}"
        )

    def _swapped(self) -> str:
        swaps = [swap for found in self.swaps for swap in found]
        pairs = {(swap.above, swap.below) for swap in swaps}
        clear = {(swap.above, swap.below) for swap in swaps if swap.clear}
        if not pairs:
            return "No two policies swap."
        verb = "pair of policies swaps" if len(pairs) == 1 else "pairs of policies swap"
        return (
            f"{len(pairs)} {verb} in some reading, {len(clear)} of them clearly (beyond both 95 % intervals)."
        )

    def to_json(self) -> dict[str, Any]:
        """Every number: rewards, intervals, ranks, shares, tau, swaps, failures."""
        return {
            "weights": Reading(AS_RUN).weights(self.weights),
            "weights_of_0": self.unweighed,
            "policies": list(self.policies),
            "readings": [self._reading_json(i) for i in range(len(self.readings))],
            "verdict": self.verdict(),
            "failures": {name: self.failures[name].to_json() for name in self.policies},
        }

    def _reading_json(self, index: int) -> dict[str, Any]:
        reading = self.readings[index]
        statics = self.statics[index] if self.statics else None
        return {
            "name": reading.name,
            "factors": dict(reading.factors),
            "failure_once": reading.failure_once,
            "weights": reading.weights(self.weights),
            "policies": {name: self._policy_json(name, index, statics) for name in self.policies},
            **(
                statics.to_json() if statics else {"static_splits": None, "best_static": None, "oracle": None}
            ),
            "tau": self.tau(index),
            "first_holds": self.first_holds(index),
            "top_holds": self.top_holds(index),
            "swaps": [swap.to_json() for swap in self.swaps[index]],
        }

    def _policy_json(self, name: str, index: int, statics: Statics | None) -> dict[str, Any]:
        reward = float(self.series[name][index].mean())
        return {
            "reward": reward,
            "reward_ci": list(self.interval(name, index)),
            "rank": int(self.ranks[self.policies.index(name), index]),
            "share": statics.measure.share(reward) if statics else None,
        }


def _of(held: int, readings: range) -> str:
    return f"{held} of {len(readings)} reading{'' if len(readings) == 1 else 's'}"


def reread(
    judged: pd.DataFrame,
    static: pd.DataFrame,
    tuning: pd.DataFrame,
    weights: RewardWeights,
    readings: Sequence[Reading],
) -> Rereading:
    """Re-read the decisions of a run.

    Args:
        judged: test decisions of every policy: column `policy` and `REQUIRED`.
        static: every split's runs of the test seeds, `REQUIRED`; may be empty.
        tuning: every split's runs of the tuning seeds, `REQUIRED`; may be empty.
        weights: of the run.
        readings: the first one is `AS_RUN`.

    Raises:
        ValueError: a term is not finite, the terms do not sum to the reward, or the static runs are no table.
    """
    for rows in (judged, static, tuning):
        _check_terms(rows)
    series = {str(name): _series(rows, readings) for name, rows in judged.groupby("policy", sort=False)}
    known = not (static.empty or tuning.empty)
    statics = tuple(_statics(static, tuning, reading) for reading in readings) if known else ()
    return Rereading(weights, tuple(readings), series, statics, failure_costs(judged))


def _check_terms(rows: pd.DataFrame) -> None:
    logged = rows["reward"].to_numpy(dtype=np.float64)
    if not np.allclose(Reading(AS_RUN).rewards(rows), logged, rtol=0.0, atol=_SUM_TOLERANCE):
        raise ValueError("the logged terms do not sum to the logged reward")


def _series(rows: pd.DataFrame, readings: Sequence[Reading]) -> pd.DataFrame:
    columns = {index: reading.rewards(rows) for index, reading in enumerate(readings)}
    table = pd.DataFrame(columns, index=pd.MultiIndex.from_frame(rows[KEYS]))
    means: pd.DataFrame = table.groupby(level=KEYS, sort=True).mean()
    return means


def _statics(static: pd.DataFrame, tuning: pd.DataFrame, reading: Reading) -> Statics:
    ordered = static.sort_values([*KEYS, "split", "replicate"])
    keys = ordered[KEYS].drop_duplicates()
    splits = sorted(ordered["split"].unique().tolist())
    shape = (len(keys), len(splits), int(ordered["replicate"].nunique()))
    if math.prod(shape) != len(ordered):
        raise ValueError(f"the static runs have {len(ordered)} cells; expected {shape}")
    table = reading.rewards(ordered).reshape(shape)
    tuned, played = reading.rewards(tuning), tuning["split"].to_numpy()
    best = int(np.argmax([tuned[played == split].mean() for split in splits]))
    means = table.mean(2)
    return Statics(
        splits={int(split): float(means[:, place].mean()) for place, split in enumerate(splits)},
        best=int(splits[best]),
        best_series=means[:, best],
        oracle_series=oracle(table).value,
        seeds=keys["seed"].to_numpy(dtype=np.int64),
    )


@dataclass(frozen=True)
class FailureCost:
    """What a policy's failed requests cost.

    Attributes:
        decisions, failed: test decisions, and those of them that failed.
        penalty: mean over all decisions, minus the mean reward.
        terms: mean penalty of each term over the failed decisions, >= 0; 0 where none failed.
        served: mean penalty of a decision that did not fail; None where all failed.
        part: share of the policy's whole penalty that its failed decisions pay, in [0, 1]; None where it pays
            nothing at all.
    """

    decisions: int
    failed: int
    penalty: float
    terms: dict[str, float]
    served: float | None
    part: float | None

    @property
    def total(self) -> float:
        """Mean penalty of a failed decision."""
        return sum(self.terms.values())

    def to_json(self) -> dict[str, Any]:
        """The numbers."""
        return {
            "decisions": self.decisions,
            "failed": self.failed,
            "terms": self.terms,
            "penalty": self.penalty,
            "penalty_of_failed": self.total if self.failed else None,
            "penalty_of_served": self.served,
            "part_of_penalty": self.part,
        }


def failure_costs(judged: pd.DataFrame) -> dict[str, FailureCost]:
    """What failed requests cost each policy at the run's weights, in the order of the rows.

    A failed request is charged by three terms: latency at the deadline, missing tokens at the quality clip,
    and the failure itself.

    Args:
        judged: as for :func:`reread`.

    Raises:
        ValueError: a term is not finite, or the terms do not sum to the reward.
    """
    _check_terms(judged)
    return {str(name): _failure_cost(rows) for name, rows in judged.groupby("policy", sort=False)}


def _failure_cost(rows: pd.DataFrame) -> FailureCost:
    penalties = 0.0 - rows[list(TERM_COLUMNS)].to_numpy(dtype=np.float64)
    failed = rows["failed"].to_numpy(dtype=bool)
    lost, whole = penalties[failed], float(penalties.sum())
    means = lost.mean(axis=0) if failed.any() else np.zeros(len(TERMS))
    return FailureCost(
        decisions=len(rows),
        failed=int(failed.sum()),
        penalty=whole / len(rows),
        terms=dict(zip(TERMS, means.tolist(), strict=True)),
        served=float(penalties[~failed].sum(axis=1).mean()) if not failed.all() else None,
        part=float(lost.sum()) / whole if whole > 0 else None,
    )
