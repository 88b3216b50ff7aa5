"""Damage to bytes: of any kind of input, and of text by lines, numbers and words that readers trip over."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

MAX_BYTES = 128 * 1024
"""No input grows beyond."""

Way = Callable[[bytearray, random.Random], None]

_WORDS = """
- -1 0 1 1e-320 1e999 -0.0 nan .nan inf -.inf 1_0 0x10 0o9 99999999999999999999 2147483648 4294967295
null true ~ [] {} [[[[ ]]] {"a": <a> &a *a !!int !!python/name:os.system <!DOCTYPE &amp; % $ # , ; : | >
Z 2019.13.45_99.99.99 0001-01-01T00:00:00+23:59 9999-12-31T23:59:59-23:59 2024-13-45 12:30:45
Mbits/sec ../../etc/passwd
"""
WORDS = tuple(_WORDS.split())
TOKENS = (
    *(word.encode() for word in WORDS),
    *(b"", b" ", b"\n", b"\r", b"\t", b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b"'", b"\n\n", b"  "),
    *("١٢".encode(), "−5".encode(), "\u2028".encode(), "\x85".encode()),
    *(b"\x00" * 8, b"\xff" * 8, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"A" * 300, b"[" * 3000),
)
"""What a reader of text or of binary numbers may not expect."""


def flip(data: bytearray, rng: random.Random) -> None:
    """Another byte somewhere."""
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def flip_bit(data: bytearray, rng: random.Random) -> None:
    """One bit somewhere."""
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def cut_off(data: bytearray, rng: random.Random) -> None:
    """The end is missing."""
    del data[rng.randrange(len(data) + 1) :]


def drop(data: bytearray, rng: random.Random) -> None:
    """Some bytes are missing."""
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randrange(1, 8)]


def repeat(data: bytearray, rng: random.Random) -> None:
    """Some bytes are there again somewhere else."""
    start = rng.randrange(len(data) + 1)
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[start : start + rng.randrange(1, 64)]


def insert(data: bytearray, rng: random.Random) -> None:
    """A token somewhere."""
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice(TOKENS)


def replace_number(data: bytearray, rng: random.Random) -> None:
    """A token in the place of some digits."""
    starts = [place for place, byte in enumerate(data) if 48 <= byte <= 57]
    if starts:
        at = rng.choice(starts)
        data[at : at + rng.randrange(1, 4)] = rng.choice(TOKENS)


def swap_lines(data: bytearray, rng: random.Random) -> None:
    """Two lines in each other's place."""
    lines = bytes(data).split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    data[:] = b"\n".join(lines)


def repeat_line(data: bytearray, rng: random.Random) -> None:
    """A line twice."""
    lines = bytes(data).split(b"\n")
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    data[:] = b"\n".join(lines)


def drop_line(data: bytearray, rng: random.Random) -> None:
    """A line is missing."""
    lines = bytes(data).split(b"\n")
    del lines[rng.randrange(len(lines))]
    data[:] = b"\n".join(lines)


BINARY_WAYS: tuple[Way, ...] = (flip, flip, flip_bit, cut_off, drop, repeat, insert)
TEXT_WAYS: tuple[Way, ...] = (
    *(flip, drop, insert, replace_number, replace_number),
    *(swap_lines, repeat_line, drop_line, cut_off),
)


def damaged(data: bytes, rng: random.Random, ways: Sequence[Way] = BINARY_WAYS) -> bytes:
    """One to four damages, one after another."""
    result = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        rng.choice(ways)(result, rng)
    return bytes(result[:MAX_BYTES])


def damaged_text(data: bytes, rng: random.Random) -> bytes:
    """`damaged`, in the ways of text."""
    return damaged(data, rng, TEXT_WAYS)
