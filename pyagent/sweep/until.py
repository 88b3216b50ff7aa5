"""How many seeds it takes until a metric is known well enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pyagent.evaluation.statistics import mean_interval
from pyagent.reward import FloatArray
from pyagent.sweep.file import SweepError

FEWEST = 5
"""Seeds before an interval is believed: the spread of fewer may be small by chance."""


@dataclass(frozen=True)
class Until:
    """When a combination has enough seeds.

    Attributes:
        width: of the 95 % interval over seeds, from its low to its high end, at most.
        metric: a column of `pyagent.results.load`.
        policies: that must be known so well; none named: all.
        most: seeds of a combination at most.
    """

    width: float
    metric: str = "reward"
    policies: tuple[str, ...] = ()
    most: int = 100


def more_seeds(results: pd.DataFrame, made: int, until: Until) -> int:
    """How many seeds a combination should have.

    Args:
        results: its rows of `pyagent.results.load`.
        made: how many it has been given.
        until: when they are enough.

    Returns:
        `made` where they are enough.

    Raises:
        SweepError: no such metric or policy.
    """
    if results.empty:  # every run has failed
        return made
    if until.metric not in results.columns:
        raise SweepError(f"--metric = {until.metric!r}: no such metric; see splitsim results")
    there = list(dict.fromkeys(results["policy"]))
    for policy in until.policies:
        if policy not in there:
            raise SweepError(f"--policy = {policy!r}: is not tested; valid: {', '.join(there)}")
    chosen = until.policies or there
    needed = [
        _needed(results.loc[results["policy"] == policy, until.metric].dropna().to_numpy(float), made, until)
        for policy in chosen
    ]
    return min(max([made, *needed]), max(made, until.most))


def needed_seeds(values: Sequence[float] | FloatArray, width: float) -> int:
    """How many values would give an interval of this width if they scatter as these do; at least one more."""
    found = mean_interval(values)
    now = found.high - found.low
    return len(values) if now <= width else max(len(values) + 1, math.ceil(len(values) * (now / width) ** 2))


def _needed(values: FloatArray, made: int, until: Until) -> int:
    if len(values) == 0:  # this policy has no such metric
        return made
    if len(values) < FEWEST:
        return made + FEWEST - len(values)
    # A spread of few values is itself uncertain: no more than twice as many at a time.
    missing = needed_seeds(np.asarray(values), until.width) - len(values)
    return made + min(missing, made)
