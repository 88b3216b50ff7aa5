"""Batches of values, laid out as Gymnasium's vector environments do it, by functions compiled once per space.

Gymnasium's own find out anew at every call what the space is, which takes longer than a step of the bridge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

Batcher = Callable[[list[Any]], Any]
"""Values of a space -> one value of ``gymnasium.vector.utils.batch_space`` of it."""
Unbatcher = Callable[[Any], list[Any]]
"""The other way round. Raises ValueError when the parts are not equally many."""


def batcher(space: spaces.Space[Any]) -> Batcher:
    """Compile the function that batches values of ``space``."""
    if isinstance(space, spaces.Dict):
        parts = {key: batcher(part) for key, part in space.spaces.items()}
        return lambda values: {key: batch([value[key] for value in values]) for key, batch in parts.items()}
    if isinstance(space, spaces.Tuple):
        batches = [batcher(part) for part in space.spaces]
        return lambda values: tuple(
            [batch([value[i] for value in values]) for i, batch in enumerate(batches)]
        )
    dtype = space.dtype
    return lambda values: np.array(values, dtype)


def unbatcher(space: spaces.Space[Any], n: int) -> Unbatcher:
    """Compile the function that takes a batch of ``n`` values of ``space`` apart."""
    if isinstance(space, spaces.Dict):
        parts = {key: unbatcher(part, n) for key, part in space.spaces.items()}

        def split_dict(batch: Any) -> list[Any]:
            columns = [split(batch[key]) for key, split in parts.items()]
            return [dict(zip(parts, row, strict=True)) for row in zip(*columns, strict=True)]

        return split_dict if parts else lambda batch: [{} for _ in range(n)]
    if isinstance(space, spaces.Tuple):
        splits = [unbatcher(part, n) for part in space.spaces]

        def split_tuple(batch: Any) -> list[Any]:
            return list(zip(*[split(part) for split, part in zip(splits, batch, strict=True)], strict=True))

        return split_tuple if splits else lambda batch: [() for _ in range(n)]

    def split_array(batch: Any) -> list[Any]:
        if len(batch) != n:
            raise ValueError(f"actions: {len(batch)} for {n} environments")
        return (
            batch.tolist() if isinstance(space, spaces.Discrete) and hasattr(batch, "tolist") else list(batch)
        )

    return split_array
