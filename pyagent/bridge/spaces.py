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
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from pyagent.bridge import wire
from pyagent.bridge.errors import ProtocolError
from pyagent.bridge.wire import Dtype, SpaceType

MAX_BOX_ELEMENTS = 2**24
"""Most elements of one Box: 64 MiB of 32-bit values, the largest message that the bridge takes."""
MAX_DEPTH = 32
"""Deepest nesting of Tuple and Dict."""

_NUMPY_DTYPES: dict[Dtype, np.dtype[Any]] = {
    Dtype.INT: np.dtype(np.int32),
    Dtype.UINT: np.dtype(np.uint32),
    Dtype.FLOAT: np.dtype(np.float32),
    Dtype.DOUBLE: np.dtype(np.float64),
}
_WIRE_DTYPES = {numpy_dtype: dtype for dtype, numpy_dtype in _NUMPY_DTYPES.items()}
_DATA_FIELDS = {
    Dtype.INT: "intData",
    Dtype.UINT: "uintData",
    Dtype.FLOAT: "floatData",
    Dtype.DOUBLE: "doubleData",
}


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
    return _decode_space(description, where, 0)


def _decode_space(description: Any, where: str, depth: int) -> spaces.Space[Any]:
    if depth > MAX_DEPTH:
        raise ProtocolError(f"{where}: nested deeper than {MAX_DEPTH}")
    kind = _space_type(description.type, where)
    if kind is SpaceType.Discrete:
        return _decode_discrete_space(wire.unpack(description.space, wire.DiscreteSpace), where)
    if kind is SpaceType.Box:
        return _decode_box_space(wire.unpack(description.space, wire.BoxSpace), where)
    if kind is SpaceType.Tuple:
        elements = wire.unpack(description.space, wire.TupleSpace).element
        return spaces.Tuple([_decode_space(e, f"{where}[{i}]", depth + 1) for i, e in enumerate(elements)])
    elements = wire.unpack(description.space, wire.DictSpace).element
    _check_names([e.name for e in elements], where)
    # Pairs, not a dict: Gymnasium sorts the keys of a plain dict.
    return spaces.Dict([(e.name, _decode_space(e, f"{where}[{e.name!r}]", depth + 1)) for e in elements])


def _space_type(number: int, where: str) -> SpaceType:
    try:
        kind = SpaceType(number)
    except ValueError:
        kind = SpaceType.NoSpaceType
    if kind is SpaceType.NoSpaceType:
        raise ProtocolError(f"{where}: type {number} is none of Discrete 1, Box 2, Tuple 3, Dict 4")
    return kind


def _numpy_dtype(number: int, where: str) -> np.dtype[Any]:
    dtype = _NUMPY_DTYPES.get(number)  # type: ignore[call-overload]
    if dtype is None:
        raise ProtocolError(f"{where}: dtype {number} is none of INT 1, UINT 2, FLOAT 3, DOUBLE 4")
    assert isinstance(dtype, np.dtype)
    return dtype


def _check_names(names: list[str], where: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ProtocolError(f"{where}: names {repeated} appear more than once")


def _decode_discrete_space(space: Any, where: str) -> spaces.Space[Any]:
    if space.n < 1:
        raise ProtocolError(f"{where}: Discrete of {space.n} values, needs at least 1")
    return spaces.Discrete(space.n)


def _decode_box_space(space: Any, where: str) -> spaces.Space[Any]:
    dtype = _numpy_dtype(space.dtype, where)
    shape = tuple(int(size) for size in space.shape)
    if math.prod(max(size, 1) for size in shape) > MAX_BOX_ELEMENTS:
        raise ProtocolError(f"{where}: Box of shape {shape} has more than {MAX_BOX_ELEMENTS} elements")
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


def decode_data(container: Any, space: spaces.Space[Any], where: str = "observation") -> Any:
    """Turn a DataContainer into a value of ``space``.

    Box data come flat from stock ns3-gym whatever their ``shape`` says, so they are reshaped to the
    space's. Another dtype than the space's is converted if no integer changes its value.

    Args:
        container: ``wire.DataContainer``.
        space: one that ``decode_space`` made.
        where: what to call the value in an error.

    Returns:
        The value, see the table at the top of this module.

    Raises:
        ProtocolError: the data do not fit the space in type, dtype, size or names.
    """
    kind = _space_type(container.type, where)
    if isinstance(space, spaces.Discrete):
        _expect(SpaceType.Discrete, kind, where)
        return np.int64(wire.unpack(container.data, wire.DiscreteDataContainer).data)
    if isinstance(space, spaces.Box):
        _expect(SpaceType.Box, kind, where)
        return _decode_box(wire.unpack(container.data, wire.BoxDataContainer), space, where)
    if isinstance(space, spaces.Tuple):
        _expect(SpaceType.Tuple, kind, where)
        return _decode_tuple(wire.unpack(container.data, wire.TupleDataContainer).element, space, where)
    if isinstance(space, spaces.Dict):
        _expect(SpaceType.Dict, kind, where)
        return _decode_dict(wire.unpack(container.data, wire.DictDataContainer).element, space, where)
    raise TypeError(f"{where}: the wire has no {type(space).__name__} space")


def _expect(expected: SpaceType, kind: SpaceType, where: str) -> None:
    if kind is not expected:
        raise ProtocolError(f"{where}: expected {expected.name} data, got {kind.name}")


def _decode_box(data: Any, space: spaces.Box, where: str) -> NDArray[Any]:
    dtype = _numpy_dtype(data.dtype, where)
    values = np.array(getattr(data, _DATA_FIELDS[_WIRE_DTYPES[dtype]]), dtype=dtype)
    if values.size != math.prod(space.shape):
        raise ProtocolError(f"{where}: {values.size} values of {dtype.name} for a Box of shape {space.shape}")
    return _to_dtype(values, space.dtype, where).reshape(space.shape)


def _to_dtype(values: NDArray[Any], dtype: np.dtype[Any], where: str) -> NDArray[Any]:
    if values.dtype == dtype or dtype.kind == "f":
        return values.astype(dtype, copy=False)
    if values.dtype.kind == "f":
        raise ProtocolError(f"{where}: {values.dtype.name} values for a Box of {dtype.name}")
    converted = values.astype(dtype)
    if not np.array_equal(converted.astype(np.int64), values.astype(np.int64)):
        raise ProtocolError(f"{where}: {values.dtype.name} values out of the range of {dtype.name}")
    return converted


def _decode_tuple(elements: Any, space: spaces.Tuple[Any], where: str) -> tuple[Any, ...]:
    if len(elements) != len(space.spaces):
        raise ProtocolError(f"{where}: {len(elements)} elements for a Tuple of {len(space.spaces)}")
    pairs = enumerate(zip(elements, space.spaces, strict=True))
    return tuple(decode_data(element, part, f"{where}[{i}]") for i, (element, part) in pairs)


def _decode_dict(elements: Any, space: spaces.Dict, where: str) -> dict[str, Any]:
    names = [element.name for element in elements]
    _check_names(names, where)
    if set(names) != set(space.spaces):
        raise ProtocolError(f"{where}: keys {sorted(names)}, the space has {sorted(space.spaces)}")
    by_name = dict(zip(names, elements, strict=True))
    return {key: decode_data(by_name[key], part, f"{where}[{key!r}]") for key, part in space.spaces.items()}


def encode_data(space: spaces.Space[Any], value: Any, where: str = "action") -> Any:
    """Turn a value of ``space`` into a DataContainer; Box data go flat, in C order.

    Args:
        space: one that ``decode_space`` made.
        value: the value; a list will do for an array, a list for a tuple.
        where: what to call the value in an error.

    Returns:
        ``wire.DataContainer``.

    Raises:
        ValueError: ``value`` is not in ``space``.
    """
    container = wire.DataContainer()
    if isinstance(space, spaces.Discrete):
        container.type = SpaceType.Discrete
        wire.pack(container.data, wire.DiscreteDataContainer(data=_discrete(space, value, where)))
    elif isinstance(space, spaces.Box):
        container.type = SpaceType.Box
        wire.pack(container.data, _encode_box(space, value, where))
    elif isinstance(space, spaces.Tuple):
        container.type = SpaceType.Tuple
        wire.pack(container.data, _encode_tuple(space, value, where))
    elif isinstance(space, spaces.Dict):
        container.type = SpaceType.Dict
        wire.pack(container.data, _encode_dict(space, value, where))
    else:
        raise TypeError(f"{where}: the wire has no {type(space).__name__} space")
    return container


def _discrete(space: spaces.Discrete, value: Any, where: str) -> int:
    array = np.asarray(value)
    # Libraries return a Discrete action as int, numpy scalar or array of one element.
    if array.size != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{where}: {value!r} is no integer, valid are 0 to {space.n - 1}")
    number = int(array.reshape(()))
    if not 0 <= number < space.n:
        raise ValueError(f"{where}: {number} is out of range, valid are 0 to {space.n - 1}")
    return number


def _encode_box(space: spaces.Box, value: Any, where: str) -> Any:
    array = np.asarray(value)
    if array.shape != space.shape:
        raise ValueError(f"{where}: shape {array.shape}, the Box has {space.shape}")
    if array.size and array.dtype.kind not in ("iu" if space.dtype.kind in "iu" else "iuf"):
        raise ValueError(f"{where}: {array.dtype.name} values for a Box of {space.dtype.name}")
    # Bounds first: a conversion would wrap an integer that is too large.
    inside = (array >= space.low) & (array <= space.high)
    if space.dtype.kind == "f":
        array = array.astype(space.dtype)
        inside = (array >= space.low) & (array <= space.high)
    if not np.all(inside):
        index = tuple(int(i) for i in np.argwhere(~inside)[0])
        raise ValueError(
            f"{where}{list(index)}: {array[index]} is out of [{space.low[index]}, {space.high[index]}]"
        )
    dtype = _WIRE_DTYPES[np.dtype(space.dtype)]
    flat = array.astype(space.dtype).ravel().tolist()
    return wire.BoxDataContainer(dtype=dtype, shape=space.shape, **{_DATA_FIELDS[dtype]: flat})


def _encode_tuple(space: spaces.Tuple[Any], value: Any, where: str) -> Any:
    if not isinstance(value, tuple | list) or len(value) != len(space.spaces):
        raise ValueError(f"{where}: needs a tuple of {len(space.spaces)}, got {value!r}")
    data = wire.TupleDataContainer()
    for i, (part, element) in enumerate(zip(space.spaces, value, strict=True)):
        data.element.append(encode_data(part, element, f"{where}[{i}]"))
    return data


def _encode_dict(space: spaces.Dict, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping) or set(value) != set(space.spaces):
        raise ValueError(f"{where}: needs a dict with the keys {sorted(space.spaces)}, got {value!r}")
    data = wire.DictDataContainer()
    for key, part in space.spaces.items():
        element = encode_data(part, value[key], f"{where}[{key!r}]")
        element.name = key
        data.element.append(element)
    return data
