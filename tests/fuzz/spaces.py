"""Spaces and values of the wire, made at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyagent.bridge import wire
from pyagent.bridge.wire import SpaceType


def describe(kind: SpaceType, space: Any, name: str = "") -> Any:
    """A SpaceDescription."""
    description = wire.SpaceDescription(type=kind, name=name)
    wire.pack(description.space, space)
    return description


def random_description(rng: np.random.Generator, depth: int, name: str = "") -> Any:
    """A SpaceDescription, no deeper than `depth`."""
    kind = SpaceType(int(rng.integers(1, 5 if depth else 3)))
    if kind is SpaceType.Discrete:
        return describe(kind, wire.DiscreteSpace(n=int(rng.integers(1, 50))), name)
    if kind is SpaceType.Box:
        shape = rng.integers(1, 4, size=rng.integers(0, 4))
        low, high = sorted(rng.integers(0, 9, size=2) / 2)
        high += low == high
        dtype = int(rng.integers(1, 5))
        return describe(kind, wire.BoxSpace(low=low, high=high, dtype=dtype, shape=shape), name)
    parts = [random_description(rng, depth - 1, f"key{-i}") for i in range(rng.integers(0, 4))]
    message = wire.TupleSpace if kind is SpaceType.Tuple else wire.DictSpace
    return describe(kind, message(element=parts), name)
