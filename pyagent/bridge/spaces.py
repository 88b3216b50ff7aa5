"""Spaces and data of the wire <-> Gymnasium spaces and numpy values.

| wire | Gymnasium | value |
|---|---|---|
| Discrete(n) | ``Discrete(n)`` | ``numpy.int64`` in [0, n) |
| Box INT / UINT / FLOAT / DOUBLE | ``Box`` of int32 / uint32 / float32 / float64 | array of that dtype |
| Tuple | ``Tuple`` | tuple |
| Dict | ``Dict``, in the simulator's order | dict; the keys are the elements' names |

Observations are checked for type and size, not against the bounds: stock scenarios declare bounds loosely.
Actions are checked against the bounds too, because a simulator would use them unseen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from pyagent.bridge import wire
from pyagent.bridge.codec import NUMPY_DTYPES, decode_data, encode_data, repeated_names
from pyagent.bridge.errors import ProtocolError
from pyagent.bridge.wire import SpaceType
from pyagent.bridge.zmtp import MAX_MESSAGE_BYTES

__all__ = ["MAX_BOX_BYTES", "MAX_DEPTH", "decode_data", "decode_space", "encode_data"]

MAX_BOX_BYTES = MAX_MESSAGE_BYTES
"""Of the values of all Boxes of a space: a longer message isn't taken."""
MAX_DIMENSIONS = 32
"""Of one Box."""
MAX_DEPTH = 32
"""Deepest nesting of Tuple and Dict."""
MAX_PARTS = 10_000
"""Most spaces in a Tuple or Dict, those inside them included."""


@dataclass
class _Room:
    """What a space may still hold."""

    box_bytes: int = MAX_BOX_BYTES
    parts: int = MAX_PARTS


def decode_space(description: Any, where: str = "space") -> spaces.Space[Any]:
    """Turn a SpaceDescription into a Gymnasium space.

    A Box whose bounds are both 0 is taken as unbounded: so arrives a stock ns3-gym Box that was declared
    with bounds per element.

    Args:
        description: ``wire.SpaceDescription``.
        where: what to call the space in an error.

    Raises:
        ProtocolError: unknown type or dtype, impossible bounds, sizes or names.
    """
    return _decode_space(description, where, 0, _Room())


def _decode_space(description: Any, where: str, depth: int, room: _Room) -> spaces.Space[Any]:
    if depth > MAX_DEPTH:
        raise ProtocolError(f"{where}: nested deeper than {MAX_DEPTH}")
    room.parts -= 1
    if room.parts < 0:
        raise ProtocolError(f"{where}: more than {MAX_PARTS} spaces in one")
    kind = _space_type(description.type, where)
    if kind is SpaceType.Discrete:
        return _decode_discrete_space(wire.unpack(description.space, wire.DiscreteSpace), where)
    if kind is SpaceType.Box:
        return _decode_box_space(wire.unpack(description.space, wire.BoxSpace), where, room)
    if kind is SpaceType.Tuple:
        elements = wire.unpack(description.space, wire.TupleSpace).element
        return spaces.Tuple(
            [_decode_space(e, f"{where}[{i}]", depth + 1, room) for i, e in enumerate(elements)]
        )
    elements = wire.unpack(description.space, wire.DictSpace).element
    _check_names([e.name for e in elements], where)
    # Pairs, not a dict: Gymnasium sorts the keys of a plain dict.
    return spaces.Dict(
        [(e.name, _decode_space(e, f"{where}[{e.name!r}]", depth + 1, room)) for e in elements]
    )


def _space_type(number: int, where: str) -> SpaceType:
    try:
        kind = SpaceType(number)
    except ValueError:
        kind = SpaceType.NoSpaceType
    if kind is SpaceType.NoSpaceType:
        raise ProtocolError(f"{where}: type {number} is none of Discrete 1, Box 2, Tuple 3, Dict 4")
    return kind


def _numpy_dtype(number: int, where: str) -> np.dtype[Any]:
    dtype = NUMPY_DTYPES.get(number)
    if dtype is None:
        raise ProtocolError(f"{where}: dtype {number} is none of INT 1, UINT 2, FLOAT 3, DOUBLE 4")
    return dtype


def _check_names(names: list[str], where: str) -> None:
    if repeated := repeated_names(names):
        raise ProtocolError(f"{where}: names {repeated} appear more than once")


def _decode_discrete_space(space: Any, where: str) -> spaces.Space[Any]:
    if space.n < 1:
        raise ProtocolError(f"{where}: Discrete of {space.n} values, needs at least 1")
    return spaces.Discrete(space.n)


def _decode_box_space(space: Any, where: str, room: _Room) -> spaces.Space[Any]:
    dtype = _numpy_dtype(space.dtype, where)
    shape = tuple(int(size) for size in space.shape)
    if len(shape) > MAX_DIMENSIONS:
        raise ProtocolError(f"{where}: Box of {len(shape)} dimensions, at most {MAX_DIMENSIONS} are taken")
    room.box_bytes -= math.prod(max(size, 1) for size in shape) * dtype.itemsize
    if room.box_bytes < 0:
        raise ProtocolError(
            f"{where}: values of more than {MAX_BOX_BYTES} bytes in all Boxes, this one's shape is {shape}"
        )
    low, high = _box_bounds(space.low, space.high, dtype, where)
    return spaces.Box(np.full(shape, low, dtype), np.full(shape, high, dtype), shape, dtype.type)


def _box_bounds(low: float, high: float, dtype: np.dtype[Any], where: str) -> tuple[float, float]:
    if not low <= high:  # also refuses NaN
        raise ProtocolError(f"{where}: Box bounds [{low}, {high}] are no interval")
    if low == high == 0.0:
        low, high = -math.inf, math.inf
    if dtype.kind == "f":
        return low, high
    # Bounds travel as 32-bit floats: the largest integers come back rounded up, out of their own range.
    limits = np.iinfo(dtype)
    first = limits.min if low <= limits.min else math.ceil(low)
    last = limits.max if high >= limits.max else math.floor(high)
    if first > last:
        raise ProtocolError(f"{where}: no {dtype.name} lies in the Box bounds [{low}, {high}]")
    return first, last
