"""Reading observations whose bytes lie as those of one before them.

A simulator's observations differ from each other in their numbers only, as long as these stay as many and, if
they are integers, below 128. A layout remembers where the numbers are and what all the other bytes were. An
observation that agrees with it in the latter has its numbers read straight from their places; every other one
goes to the general decoder of ``pyagent.bridge.codec``, with all its checks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from pyagent.bridge import wire
from pyagent.bridge.codec import SMALL_BOX, WIRE_DTYPES, decoder

_TRIES = 16
"""Observations that a layout is looked for in, at most; one that never repeats shall not cost for ever."""

Reader = Callable[[bytes], Any]


class _NoLayoutError(Exception):
    """These bytes are sound but laid out in a way that is not worth remembering."""


class _Field(NamedTuple):
    number: int
    start: int
    stop: int


class Layout:
    """Where the numbers of an observation are.

    Args:
        space: the observation's space.
        data: a DataContainer that the general decoder has read as a value of ``space``.

    Raises:
        _NoLayoutError: no layout is possible.
    """

    def __init__(self, space: spaces.Space[Any], data: bytes) -> None:
        self._integers: list[tuple[int, int]] = []
        self._numbers: list[tuple[int, int]] = []
        self._reader = self._container(space, data, 0, len(data))
        edges = [0, *(edge for hole in sorted(self._numbers) for edge in hole), len(data)]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        self._constants = [(start, stop, data[start:stop]) for start, stop in pairs]

    def read(self, data: bytes) -> Any:
        """The observation; None if ``data``, of the same length, is laid out in another way."""
        for start, stop, constant in self._constants:
            if data[start:stop] != constant:
                return None
        for start, stop in self._integers:
            if not data[start:stop].isascii():  # a byte from 128 on goes on in the next one
                return None
        return self._reader(data)

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
                raise _NoLayoutError
            named[key] = self._container(part, data, *element[1:])
        return lambda raw: {key: part(raw) for key, part in named.items()}

    def _discrete(self, data: bytes, packed: _Field) -> Reader:
        if all(field.number != 2 for field in _fields(data, packed.start, packed.stop)):
            return lambda raw: np.int64(0)  # a zero is not sent
        value = _only(data, packed.start, packed.stop, 2)
        at = _only(data, value.start, value.stop, 1)
        if at.stop - at.start != 1:
            raise _NoLayoutError
        self._integers.append(at[1:])
        self._numbers.append(at[1:])
        start = at.start
        return lambda raw: np.int64(raw[start])

    def _box(self, space: spaces.Box, data: bytes, value: _Field) -> Reader:
        dtype, shape, size = np.dtype(space.dtype), space.shape, math.prod(space.shape)
        wire_dtype = WIRE_DTYPES[dtype]
        if data[_only(data, value.start, value.stop, 1).start] != wire_dtype:
            raise _NoLayoutError  # the general decoder has converted it
        numbers = _only(data, value.start, value.stop, wire_dtype + 2)
        start, stop = numbers[1:]
        as_sent = np.dtype(np.uint8) if dtype.kind in "iu" else dtype.newbyteorder("<")
        if stop - start != size * as_sent.itemsize:
            raise _NoLayoutError
        self._numbers.append((start, stop))
        if dtype.kind in "iu":
            self._integers.append((start, stop))
            if len(shape) == 1 and size <= SMALL_BOX:
                return lambda raw: np.fromiter(raw[start:stop], dtype, size)
        return lambda raw: np.frombuffer(raw, as_sent, size, start).astype(dtype).reshape(shape)


def _only(data: bytes, start: int, stop: int, number: int) -> _Field:
    """The one field of this number in a message."""
    found = [field for field in _fields(data, start, stop) if field.number == number]
    if len(found) != 1:
        raise _NoLayoutError
    return found[0]


def _fields(data: bytes, start: int, stop: int) -> Iterator[_Field]:
    """The fields of a message and where their contents are; varints and length-delimited ones only."""
    while start < stop:
        key, start = _varint(data, start)
        if key & 7 == 0:
            end = _varint(data, start)[1]
        elif key & 7 == 2:
            size, start = _varint(data, start)
            end = start + size
        else:
            raise _NoLayoutError
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
    raise _NoLayoutError


def observation_decoder(space: spaces.Space[Any]) -> Callable[[bytes], Any]:
    """A function that reads the bytes of a DataContainer. It raises ProtocolError, as ``codec.decoder``."""
    general = decoder(space)
    layouts: dict[int, Layout] = {}
    tries = 0

    def decode(data: bytes) -> Any:
        nonlocal tries
        layout = layouts.get(len(data))
        value = None if layout is None else layout.read(data)
        if value is None:
            value = general(wire.parse(wire.DataContainer, data))
            if tries < _TRIES:
                tries += 1
                try:
                    layouts[len(data)] = Layout(space, data)
                except _NoLayoutError:
                    layouts.pop(len(data), None)
        return value

    return decode
