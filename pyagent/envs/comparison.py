"""Equality of data classes that hold arrays: element by element, NaN equal to NaN."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


class ComparedByValue:
    """Base of data classes (declared with eq=False) that Gymnasium's checkers compare."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _same(self, other)

    __hash__ = None  # type: ignore[assignment]  # equal by content, so not hashable


def _same(a: Any, b: Any) -> bool:
    if is_dataclass(a) and type(a) is type(b):
        return all(
            _same(getattr(a, field.name), getattr(b, field.name)) for field in fields(a) if field.compare
        )
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, float | np.ndarray) and isinstance(b, float | np.ndarray):
        return np.array_equal(a, b, equal_nan=True)
    return bool(a == b)
