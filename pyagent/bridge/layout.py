"""Reading states whose bytes lie as those of one before them.

A simulator's states differ from each other in their numbers only, as long as these stay as many and, if they
are integers, below 128. A layout remembers where the numbers are and what all the other bytes were. A state
that agrees with it in the latter has its numbers read straight from their places; every other one goes the
general way, with all its checks.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from pyagent.bridge.codec import SMALL_BOX, WIRE_DTYPES

_TRIES = 16
"""States that a layout is looked for in, at most: one that never comes again shall not cost for ever."""
_WIDTHS = {1: 8, 5: 4}
"""Bytes of protobuf's fixed-width wire types."""
_OBSERVATION, _REWARD, _TIME_S = 1, 2, 15
"""Fields of EnvStateMsg."""
_read_float = struct.Struct("<f").unpack_from
_read_double = struct.Struct("<d").unpack_from

Reader = Callable[[bytes], Any]
Found = tuple[Any, float, dict[str, Any]]
"""Observation, reward, info."""


class NoLayoutError(Exception):
    """These bytes are sound but laid out in a way that is not worth remembering."""


class _Field(NamedTuple):
    number: int
    start: int
    stop: int


class Layout:
    """Where the numbers of a state are.

    Args:
        space: the observation's space.
        state: an EnvStateMsg, not of an episode's end, whose observation is a value of ``space``.
        info: what its text means; no value in it may be mutable.

    Raises:
        NoLayoutError: no layout is possible.
    """

    def __init__(self, space: spaces.Space[Any], state: bytes, info: dict[str, Any]) -> None:
        self._info = info
        self._integers: list[tuple[int, int]] = []
        self._numbers: list[tuple[int, int]] = []
        fields = list(_fields(state, 0, len(state)))
        self._reward_at = self._place(fields, _REWARD, 4)
        self._time_at = self._place(fields, _TIME_S, 8)
        self._observation = self._container(space, state, *_only(state, 0, len(state), _OBSERVATION)[1:])
        edges = [0, *(edge for hole in sorted(self._numbers) for edge in hole), len(state)]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        self._constants = [(start, stop, state[start:stop]) for start, stop in pairs]

    def read(self, state: bytes) -> Found | None:
        """The state; None if ``state``, of the same length, is laid out in another way."""
        for start, stop, constant in self._constants:
            if state[start:stop] != constant:
                return None
        for start, stop in self._integers:
            if not state[start:stop].isascii():  # a byte from 128 on goes on in the next one
                return None
        info = self._info.copy()
        if self._time_at is not None:
            info["sim_time_s"] = _read_double(state, self._time_at)[0]
        reward = 0.0 if self._reward_at is None else _read_float(state, self._reward_at)[0]
        return self._observation(state), reward, info

    def _place(self, fields: list[_Field], number: int, width: int) -> int | None:
        """Where a floating-point number is; None where the state has none."""
        found = [field for field in fields if field.number == number]
        if not found:
            return None
        if len(found) > 1 or found[0].stop - found[0].start != width:
            raise NoLayoutError
        self._numbers.append(found[0][1:])
        return found[0].start

    def _container(self, space: spaces.Space[Any], data: bytes, start: int, stop: int) -> Reader:
        """Find the numbers of one DataContainer; returns what reads them."""
        packed = _only(data, start, stop, 2)
        if isinstance(space, spaces.Discrete):
            return self._discrete(data, packed)
        value = _only(data, packed.start, packed.stop, 2)
        if isinstance(space, spaces.Box):
            return self._box(space, data, value)
        elements = [field for field in _fields(data, value.start, value.stop) if field.number == 1]
        if isinstance(space, spaces.Tuple):
            parts = [self._container(s, data, *e[1:]) for s, e in zip(space.spaces, elements, strict=True)]
            return lambda raw: tuple([part(raw) for part in parts])
        assert isinstance(space, spaces.Dict)
        named = {}
        for (key, part), element in zip(space.spaces.items(), elements, strict=True):
            name = _only(data, *element[1:], 3)
            if data[name.start : name.stop] != key.encode():
                raise NoLayoutError
            named[key] = self._container(part, data, *element[1:])
        return lambda raw: {key: part(raw) for key, part in named.items()}

    def _discrete(self, data: bytes, packed: _Field) -> Reader:
        if all(field.number != 2 for field in _fields(data, packed.start, packed.stop)):
            return lambda raw: np.int64(0)  # a zero is not sent
        value = _only(data, packed.start, packed.stop, 2)
        at = _only(data, value.start, value.stop, 1)
        if at.stop - at.start != 1:
            raise NoLayoutError
        self._integers.append(at[1:])
        self._numbers.append(at[1:])
        start = at.start
        return lambda raw: np.int64(raw[start])

    def _box(self, space: spaces.Box, data: bytes, value: _Field) -> Reader:
        dtype, shape, size = np.dtype(space.dtype), space.shape, math.prod(space.shape)
        wire_dtype = WIRE_DTYPES[dtype]
        if data[_only(data, value.start, value.stop, 1).start] != wire_dtype:
            raise NoLayoutError  # the general decoder has converted it
        _, start, stop = _only(data, value.start, value.stop, wire_dtype + 2)
        as_sent = np.dtype(np.uint8) if dtype.kind in "iu" else dtype.newbyteorder("<")
        if stop - start != size * as_sent.itemsize:
            raise NoLayoutError
        self._numbers.append((start, stop))
        if dtype.kind in "iu":
            self._integers.append((start, stop))
            if len(shape) == 1 and size <= SMALL_BOX:
                return lambda raw: np.fromiter(raw[start:stop], dtype, size)
        return lambda raw: np.frombuffer(raw, as_sent, size, start).astype(dtype).reshape(shape)


class Layouts:
    """The layouts of one simulator's states.

    Args:
        space: the observation's space.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        self._space = space
        self._layouts: dict[int, Layout] = {}
        self._tries = 0

    def read(self, state: bytes) -> Found | None:
        """The state, if it is laid out as one before it."""
        layout = self._layouts.get(len(state))
        return None if layout is None else layout.read(state)

    def learn(self, state: bytes, info: dict[str, Any]) -> None:
        """Remember the layout of a state that was not read; see ``Layout`` for which will do."""
        if self._tries < _TRIES:
            self._tries += 1
            try:
                self._layouts[len(state)] = Layout(self._space, state, info)
            except NoLayoutError:
                self._layouts.pop(len(state), None)


def _only(data: bytes, start: int, stop: int, number: int) -> _Field:
    """The one field of this number in a message."""
    found = [field for field in _fields(data, start, stop) if field.number == number]
    if len(found) != 1:
        raise NoLayoutError
    return found[0]


def _fields(data: bytes, start: int, stop: int) -> Iterator[_Field]:
    """The fields of a message, and where their contents are."""
    while start < stop:
        key, start = _varint(data, start)
        if key & 7 == 0:
            end = _varint(data, start)[1]
        elif key & 7 == 2:
            size, start = _varint(data, start)
            end = start + size
        elif key & 7 in _WIDTHS:
            end = start + _WIDTHS[key & 7]
        else:
            raise NoLayoutError
        yield _Field(key >> 3, start, end)
        start = end


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """A variable-length integer and where it ends."""
    value = shift = 0
    for at in range(start, min(start + 10, len(data))):
        value |= (data[at] & 127) << shift
        shift += 7
        if data[at] < 128:
            return value, at + 1
    raise NoLayoutError
