"""Material for the trial of a user's policy before a run: made-up decisions, and classes left as they were.

A policy with `tune` may be unable to choose before it is tuned, so its trial tunes a copy on made-up rewards.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pyagent.envs.observation import NAMES
from pyagent.reward import FloatArray
from pyagent.surrogate.types import Contexts

DECISIONS = 40
"""K of the made-up tuning data, as of a run's defaults: two episodes of twenty requests."""
_SEED = 0
_LOWEST_REWARD = -3.0


def made_up_rewards(actions: int) -> tuple[Contexts, FloatArray]:
    """Tuning data with the shapes and ranges of a run's, drawn uniformly from a fixed seed.

    Args:
        actions: S, feasible splits.

    Returns:
        contexts: float32 [K, D] in [0, 1], with K = `DECISIONS`.
        rewards: float64 [K, S], nats per token, at most 0.
    """
    rng = np.random.default_rng(_SEED)
    contexts = rng.random((DECISIONS, len(NAMES)), dtype=np.float32)
    return contexts, rng.uniform(_LOWEST_REWARD, 0.0, (DECISIONS, actions))


@contextmanager
def class_attributes_kept(kind: type) -> Iterator[None]:
    """Undo all changes to the attributes of a class and its bases when the context ends.

    Copies of an object share them, so a trial would leave its data in `table = []` of a class body.
    """
    owners = [owner for owner in kind.__mro__ if _has_own_data(owner)]
    before = [(owner, _data(owner)) for owner in owners]
    for owner, data in before:
        for name, value in data.items():
            setattr(owner, name, _copied(value))
    try:
        yield
    finally:
        for owner, data in before:
            for name in _data(owner).keys() - data.keys():
                delattr(owner, name)
            for name, value in data.items():
                setattr(owner, name, value)


def _has_own_data(owner: type) -> bool:
    """False for types written in C, which take no attributes, and for the tool's own classes."""
    heap_type = 1 << 9  # Py_TPFLAGS_HEAPTYPE
    ours = owner.__module__.partition(".")[0] in ("pyagent", "llm_split")
    return bool(owner.__flags__ & heap_type) and not ours


def _data(owner: type) -> dict[str, Any]:
    """Attributes that are neither methods nor descriptors nor Python's own."""
    return {
        name: value
        for name, value in vars(owner).items()
        if not (name.startswith("__") or callable(value) or hasattr(value, "__get__"))
    }


def _copied(value: Any) -> Any:
    """A deep copy, or the value itself where it can't be copied (modules, locks)."""
    try:
        return copy.deepcopy(value)
    except Exception:
        return value
