"""Values of Gymnasium spaces <-> the wire's DataContainer; see ``pyagent.bridge.spaces`` for which is which.

A space is compiled once into a function that reads or writes its values, because a step is mostly this work.
What is written is bytes: everything but the numbers is constant, so it is laid out when compiling.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping
from operator import le
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from pyagent.bridge import wire
from pyagent.bridge.errors import ProtocolError
from pyagent.bridge.wire import Dtype, SpaceType

NUMPY_DTYPES: dict[int, np.dtype[Any]] = {
    Dtype.INT: np.dtype(np.int32),
    Dtype.UINT: np.dtype(np.uint32),
    Dtype.FLOAT: np.dtype(np.float32),
    Dtype.DOUBLE: np.dtype(np.float64),
}
WIRE_DTYPES = {numpy_dtype: Dtype(dtype) for dtype, numpy_dtype in NUMPY_DTYPES.items()}
_DATA_FIELDS = {
    Dtype.INT: "intData",
    Dtype.UINT: "uintData",
    Dtype.FLOAT: "floatData",
    Dtype.DOUBLE: "doubleData",
}
SMALL_BOX = 64  # elements; below, plain Python numbers are faster than numpy
_VARINTS_AT_ONCE = 2**16
_ONE_BYTE = [bytes([number]) for number in range(128)]

Decoder = Callable[[Any], Any]
"""Reads a ``wire.DataContainer``. Raises ProtocolError when it does not fit the space."""
Encoder = Callable[[Any], bytes]
"""Writes the bytes of a DataContainer. Raises ValueError when the value is not in the space."""


def decode_data(container: Any, space: spaces.Space[Any], where: str = "observation") -> Any:
    """Turn a DataContainer into a value of ``space``.

    Box data come flat from stock ns3-gym whatever their ``shape`` says, so they are reshaped to the
    space's. Another dtype than the space's is converted if no integer changes its value.

    Args:
        container: ``wire.DataContainer``.
        space: one that ``decode_space`` made.
        where: what to call the value in an error.

    Raises:
        ProtocolError: the data do not fit the space in type, dtype, size or names.
    """
    return decoder(space, where)(container)


def encode_data(space: spaces.Space[Any], value: Any, where: str = "action") -> Any:
    """Turn a value of ``space`` into a ``wire.DataContainer``; Box data go flat, in C order.

    Args:
        space: one that ``decode_space`` made.
        value: the value; a list will do for an array, a list for a tuple.
        where: what to call the value in an error.

    Raises:
        ValueError: ``value`` is not in ``space``.
    """
    return wire.parse(wire.DataContainer, encoder(space, where)(value))


def act_encoder(space: spaces.Space[Any]) -> Encoder:
    """A function that writes a whole EnvActMsg, for actions of ``space``."""
    return encoder(space, "action", name="")


def is_empty_box(container: Any) -> bool:
    """Whether a DataContainer is a Box without elements."""
    if container.type != SpaceType.Box:
        return False
    try:
        box = wire.unpack(container.data, wire.BoxDataContainer)
    except ProtocolError:
        return False
    return not any(len(getattr(box, field)) for field in _DATA_FIELDS.values())


def repeated_names(names: list[str]) -> list[str]:
    """Those that are there more than once, in order."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def neutral_value(space: spaces.Space[Any]) -> Any:
    """Zeros; for a Box whose bounds exclude 0, the bound nearest to it."""
    if isinstance(space, spaces.Box):
        return np.clip(np.zeros(space.shape, space.dtype), space.low, space.high)
    if isinstance(space, spaces.Tuple):
        return tuple(neutral_value(part) for part in space.spaces)
    if isinstance(space, spaces.Dict):
        return {key: neutral_value(part) for key, part in space.spaces.items()}
    return np.int64(0)


# Reading --------------------------------------------------------------------------------------------------


def decoder(space: spaces.Space[Any], where: str = "observation") -> Decoder:
    """Compile a function that reads values of ``space``; ``where`` names them in errors."""
    if isinstance(space, spaces.Discrete):
        return _reader(SpaceType.Discrete, wire.DiscreteDataContainer, where, lambda m: np.int64(m.data))
    if isinstance(space, spaces.Box):
        return _reader(SpaceType.Box, wire.BoxDataContainer, where, _box_decoder(space, where))
    if isinstance(space, spaces.Tuple):
        return _reader(SpaceType.Tuple, wire.TupleDataContainer, where, _tuple_decoder(space, where))
    if isinstance(space, spaces.Dict):
        return _dict_reader(space, where)
    raise TypeError(f"{where}: the wire has no {type(space).__name__} space")


def _reader(kind: SpaceType, message_class: Any, where: str, read: Decoder) -> Decoder:
    number = int(kind)
    unpack = wire.unpacker(message_class)

    def decode(container: Any) -> Any:
        if container.type != number:
            raise ProtocolError(
                f"{where}: expected {kind.name} data, got {_type_name(container.type, where)}"
            )
        return read(unpack(container.data))

    return decode


def _dict_reader(space: spaces.Dict, where: str) -> Decoder:
    """Some of ns3-gym's own scenarios announce a Dict and send its parts as a Tuple, in the same order."""
    read = _reader(SpaceType.Dict, wire.DictDataContainer, where, _dict_decoder(space, where))
    read_tuple = decoder(spaces.Tuple(list(space.spaces.values())), where)
    keys, tuple_type = list(space.spaces), int(SpaceType.Tuple)

    def decode(container: Any) -> Any:
        if container.type == tuple_type:
            return dict(zip(keys, read_tuple(container), strict=True))
        return read(container)

    return decode


def _type_name(number: int, where: str) -> str:
    if number not in range(1, 5):
        raise ProtocolError(f"{where}: type {number} is none of Discrete 1, Box 2, Tuple 3, Dict 4")
    return SpaceType(number).name


def _box_decoder(space: spaces.Box, where: str) -> Decoder:
    dtype, shape, size = np.dtype(space.dtype), space.shape, math.prod(space.shape)
    wire_dtype = int(WIRE_DTYPES[dtype])
    field = _DATA_FIELDS[WIRE_DTYPES[dtype]]
    flat = len(shape) == 1

    def decode(message: Any) -> NDArray[Any]:
        if message.dtype != wire_dtype:
            return _converted(message, space, where)
        data = getattr(message, field)
        if len(data) != size:
            raise _wrong_size(len(data), dtype, shape, where)
        values = np.fromiter(data, dtype, size)
        return values if flat else values.reshape(shape)

    return decode


def _wrong_size(size: int, dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> ProtocolError:
    return ProtocolError(f"{where}: {size} values of {dtype.name} for a Box of shape {shape}")


def _converted(message: Any, space: spaces.Box, where: str) -> NDArray[Any]:
    """Data of another dtype than the space's."""
    dtype = NUMPY_DTYPES.get(message.dtype)
    if dtype is None:
        raise ProtocolError(f"{where}: dtype {message.dtype} is none of INT 1, UINT 2, FLOAT 3, DOUBLE 4")
    values = np.array(getattr(message, _DATA_FIELDS[WIRE_DTYPES[dtype]]), dtype=dtype)
    if values.size != math.prod(space.shape):
        raise _wrong_size(values.size, dtype, space.shape, where)
    return _to_dtype(values, np.dtype(space.dtype), where).reshape(space.shape)


def _to_dtype(values: NDArray[Any], dtype: np.dtype[Any], where: str) -> NDArray[Any]:
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(dtype, copy=False)
    if values.dtype.kind == "f":
        raise ProtocolError(f"{where}: {values.dtype.name} values for a Box of {dtype.name}")
    converted = values.astype(dtype)
    if not np.array_equal(converted.astype(np.int64), values.astype(np.int64)):
        raise ProtocolError(f"{where}: {values.dtype.name} values out of the range of {dtype.name}")
    return converted


def _tuple_decoder(space: spaces.Tuple[Any], where: str) -> Decoder:
    parts = [decoder(part, f"{where}[{i}]") for i, part in enumerate(space.spaces)]

    def decode(message: Any) -> tuple[Any, ...]:
        elements = message.element
        if len(elements) != len(parts):
            raise ProtocolError(f"{where}: {len(elements)} elements for a Tuple of {len(parts)}")
        return tuple([part(element) for part, element in zip(parts, elements, strict=True)])

    return decode


def _dict_decoder(space: spaces.Dict, where: str) -> Decoder:
    parts = {key: decoder(part, f"{where}[{key!r}]") for key, part in space.spaces.items()}
    keys, decoders = list(parts), list(parts.values())

    def decode(message: Any) -> dict[str, Any]:
        elements = list(message.element)
        names = [element.name for element in elements]
        if names != keys:
            if sorted(names) != sorted(keys):
                raise _wrong_names(names, keys, where)
            by_name = dict(zip(names, elements, strict=True))
            elements = [by_name[key] for key in keys]
        return {key: part(element) for key, part, element in zip(keys, decoders, elements, strict=True)}

    return decode


def _wrong_names(names: list[str], expected: list[str], where: str) -> ProtocolError:
    if repeated := repeated_names(names):
        return ProtocolError(f"{where}: names {repeated} appear more than once")
    return ProtocolError(f"{where}: keys {sorted(names)}, the space has {sorted(expected)}")


# Writing --------------------------------------------------------------------------------------------------


def encoder(space: spaces.Space[Any], where: str = "action", name: str | None = None) -> Encoder:
    """Compile a function that writes values of ``space``.

    Args:
        space: one that ``decode_space`` made.
        where: what to call the value in an error.
        name: None for a DataContainer as it is; else one of this name ("" for none) as the first field of
            another message, which it is in a Tuple, a Dict and an EnvActMsg.
    """
    if isinstance(space, spaces.Discrete):
        return _writer(SpaceType.Discrete, "DiscreteDataContainer", _discrete_encoder(space, where), name)
    if isinstance(space, spaces.Box):
        return _writer(SpaceType.Box, "BoxDataContainer", _box_encoder(space, where), name)
    if isinstance(space, spaces.Tuple):
        return _writer(SpaceType.Tuple, "TupleDataContainer", _tuple_encoder(space, where), name)
    if isinstance(space, spaces.Dict):
        return _writer(SpaceType.Dict, "DictDataContainer", _dict_encoder(space, where), name)
    raise TypeError(f"{where}: the wire has no {type(space).__name__} space")


def varint(number: int) -> bytes:
    """Protobuf's variable-length integer; a negative one takes 64 bits."""
    if 0 <= number < 128:
        return _ONE_BYTE[number]
    number &= 2**64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _writer(kind: SpaceType, message_name: str, write: Encoder, name: str | None) -> Encoder:
    """DataContainer {type, Any {type_url, value}, name} around what ``write`` makes; see ``encoder``."""
    url_field = _text(1, wire.TYPE_URL_PREFIX + message_name)
    head = b"\x08" + varint(kind) + b"\x12"
    tail = _text(3, name) if name else b""

    @functools.lru_cache(maxsize=64)
    def in_front_of(size: int) -> bytes:
        """All in front of the data, which differs from one action to another in their length at most."""
        packed = url_field + (b"\x12" + varint(size) if size else b"")
        front = head + varint(len(packed) + size) + packed
        return front if name is None else b"\x0a" + varint(len(front) + size + len(tail)) + front

    def encode(value: Any) -> bytes:
        data = write(value)
        return in_front_of(len(data)) + data + tail

    return encode


def _text(number: int, text: str) -> bytes:
    """A field of protobuf, up to number 15, that holds a string."""
    data = text.encode()
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def _discrete_encoder(space: spaces.Discrete, where: str) -> Encoder:
    n = int(space.n)

    def encode(value: Any) -> bytes:
        if type(value) is not int and type(value) is not np.int64:
            value = _integer(value, n, where)
        if not 0 <= value < n:
            raise ValueError(f"{where}: {value} is out of range, valid are 0 to {n - 1}")
        return b"\x08" + varint(int(value)) if value else b""

    return encode


def _integer(value: Any, n: int, where: str) -> int:
    array = np.asarray(value)
    # Libraries return a Discrete action as int, numpy scalar or array of one element.
    if array.size != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{where}: {value!r} is no integer, valid are 0 to {n - 1}")
    return int(array.reshape(()))


def _box_encoder(space: spaces.Box, where: str) -> Encoder:
    dtype, shape, size = np.dtype(space.dtype), space.shape, math.prod(space.shape)
    floats, little_endian = dtype.kind == "f", dtype.newbyteorder("<")
    kinds = "iuf" if floats else "iu"
    wire_dtype = WIRE_DTYPES[dtype]
    sizes = b"".join(map(varint, shape))
    head = b"\x08" + varint(wire_dtype) + (b"\x12" + varint(len(sizes)) + sizes if sizes else b"")
    head += bytes([(wire_dtype + 2) << 3 | 2])  # intData is field 3, and so on in the order of Dtype
    small = size <= SMALL_BOX
    # Of a long one no list is made: Python's numbers take eight times as much memory.
    lows, highs = (space.low.ravel().tolist(), space.high.ravel().tolist()) if small else ([], [])
    # As the protocol has it; and no integer is NaN, which would slip through a comparison of extremes.
    one_range = not floats and len(set(lows)) == len(set(highs)) == 1

    def encode(value: Any) -> bytes:
        array = np.asarray(value)
        if array.shape != shape:
            raise ValueError(f"{where}: shape {array.shape}, the Box has {shape}")
        if array.dtype.kind not in kinds and size:
            raise ValueError(f"{where}: {array.dtype.name} values for a Box of {dtype.name}")
        if floats and array.dtype != dtype:
            array = array.astype(dtype)
        flat = array.ravel().tolist() if small else []
        if one_range:
            inside = lows[0] <= min(flat) and max(flat) <= highs[0]
        elif small:
            inside = all(map(le, lows, flat)) and all(map(le, flat, highs))
        else:
            inside = bool(np.all((array >= space.low) & (array <= space.high)))
        if not inside:
            raise _out_of_bounds(array, space, where)
        if floats:
            data = array.astype(little_endian, copy=False).tobytes()
        else:
            data = _varints(flat) if small else _many_varints(array.ravel())
        return head + varint(len(data)) + data if data else head[:-1]

    return encode


def _varints(numbers: list[int]) -> bytes:
    if numbers and min(numbers) >= 0 and max(numbers) < 128:
        return bytes(numbers)  # each is its own varint
    return b"".join(map(varint, numbers))


def _many_varints(numbers: NDArray[Any]) -> bytes:
    parts = range(0, len(numbers), _VARINTS_AT_ONCE)
    return b"".join(_varints(numbers[at : at + _VARINTS_AT_ONCE].tolist()) for at in parts)


def _out_of_bounds(array: NDArray[Any], space: spaces.Box, where: str) -> ValueError:
    inside = (array >= space.low) & (array <= space.high)
    index = tuple(int(i) for i in np.argwhere(~inside)[0])
    return ValueError(
        f"{where}{list(index)}: {array[index]} is out of [{space.low[index]}, {space.high[index]}]"
    )


def _tuple_encoder(space: spaces.Tuple[Any], where: str) -> Encoder:
    parts = [encoder(part, f"{where}[{i}]", name="") for i, part in enumerate(space.spaces)]

    def encode(value: Any) -> bytes:
        if not isinstance(value, tuple | list) or len(value) != len(parts):
            raise ValueError(f"{where}: needs a tuple of {len(parts)}, got {value!r}")
        return b"".join([part(element) for part, element in zip(parts, value, strict=True)])

    return encode


def _dict_encoder(space: spaces.Dict, where: str) -> Encoder:
    parts = [(key, encoder(part, f"{where}[{key!r}]", key)) for key, part in space.spaces.items()]
    keys = set(space.spaces)

    def encode(value: Any) -> bytes:
        # Most are plain dicts, and to ask an abstract class takes longer.
        if not (type(value) is dict or isinstance(value, Mapping)) or value.keys() != keys:
            raise ValueError(f"{where}: needs a dict with the keys {sorted(keys)}, got {value!r}")
        return b"".join([part(value[key]) for key, part in parts])

    return encode
