"""Which pending decisions are worth asking the language model about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pyagent.errors import UserError
from pyagent.learning.quality import QualityModel, Record
from pyagent.reward import FloatArray
from pyagent.surrogate.types import Indices

Rule = Callable[[QualityModel, Record, FloatArray, Indices, np.random.Generator], int]
"""(model, pending [N], costs [N], evaluations bought of each action [S], rng) -> which of the pending."""


def epistemic(
    model: QualityModel, pending: Record, costs: FloatArray, bought: Indices, rng: np.random.Generator
) -> int:
    """The most that is learned about all that is pending, per cost."""
    return int(np.argmax(model.value(pending, pending) / costs))


def random_one(
    model: QualityModel, pending: Record, costs: FloatArray, bought: Indices, rng: np.random.Generator
) -> int:
    """Any, with equal probability."""
    return int(rng.integers(len(costs)))


def round_robin(
    model: QualityModel, pending: Record, costs: FloatArray, bought: Indices, rng: np.random.Generator
) -> int:
    """The newest of the action that was bought least."""
    there: NDArray[np.bool_] = np.isin(np.arange(len(bought)), pending.actions)
    action = int(np.argmin(np.where(there, bought, np.iinfo(np.int64).max)))
    return int(np.flatnonzero(pending.actions == action)[-1])


RULES: dict[str, Rule] = {"epistemic": epistemic, "random": random_one, "round-robin": round_robin}
ALL = "all"
"""Buys every evaluation at once, and so has nothing to choose."""
NAMES = (*RULES, ALL)


def check_rule(name: str) -> None:
    """Raises UserError unless there is a rule of that name."""
    if name not in NAMES:
        raise UserError(f"--buy = {name!r}: no such rule; valid: {', '.join(NAMES)}")
