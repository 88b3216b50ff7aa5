"""A trace file under reading: its bytes and lines within limits, and errors that name the line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyagent.traces.errors import TraceError, at_line
from pyagent.traces.files import opened
from pyagent.traces.mobility.options import Options

CHUNK_BYTES = 2**16
HEAD_BYTES = 2**16  # SUMO writes its whole configuration before the root element
MAX_LINE_BYTES = 2**24
MAX_TIME_S = 1e10  # above it a float64 no longer holds microseconds
# Farther than any projected place on Earth; SUMO writes -2^30 for "nowhere".
MAX_COORDINATE_M = 1e8

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MISSING = frozenset({"", "-", "nan", "na", "n/a", "null", "none"})


class Source:
    """One file, plain or gzip.

    Attributes:
        path: as the caller named it; errors begin with it.
        options: the caller's.
        notes: what was changed in reading.
        faults: of nodes that are left out, the first fault of each.
    """

    def __init__(self, path: Path, options: Options) -> None:
        self.path = path
        self.options = options
        self.notes: list[str] = []
        self.faults: dict[str, str] = {}

    @contextmanager
    def sparing(self, node: str) -> Iterator[None]:
        """Leave a node out, instead of raising its fault, where another node is the only one needed."""
        try:
            yield
        except TraceError as error:
            if self.options.node in (None, node):
                raise
            self.faults.setdefault(node, str(error))

    def error(self, line: int, problem: str) -> TraceError:
        """The error for a line."""
        return at_line(self.path, line, problem)

    def bad(self, line: int, what: str, value: object, problem: str) -> TraceError:
        """The error for a value in a line; `problem` says what is wrong and what is valid."""
        shown = repr(value)
        return self.error(line, f"{what} = {shown if len(shown) <= 60 else shown[:57] + '...'}: {problem}")

    def head(self) -> str:
        """The first characters, to tell the format from."""
        with opened(self.path) as stream:
            return stream.read(HEAD_BYTES).decode("utf-8-sig", errors="replace")

    def chunks(self) -> Iterator[bytes]:
        """All bytes, unpacked, piece by piece."""
        with opened(self.path) as stream:
            size = 0
            while chunk := stream.read(CHUNK_BYTES):
                size += len(chunk)
                if size > self.options.max_bytes:
                    raise self._too_large()
                yield chunk

    def lines(self) -> Iterator[tuple[int, str]]:
        """Line numbers, from 1, and lines without their ends and outer blanks."""
        with opened(self.path) as stream:
            size = 0
            number = 0
            while raw := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                size += len(raw)
                if len(raw) > MAX_LINE_BYTES:
                    raise self.error(number, f"line longer than {MAX_LINE_BYTES} bytes")
                if size > self.options.max_bytes:
                    raise self._too_large()
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError:
                    raise self.error(number, "not text; valid: UTF-8") from None
                yield number, text.strip()

    def number(self, line: int, what: str, text: str) -> float:
        """A finite number.

        Raises:
            TraceError: the value is missing, is no number, or is not finite.
        """
        if _NUMBER.fullmatch(text):
            value = float(text)
            if math.isfinite(value):
                return value
        missing = text.strip().lower() in _MISSING
        problem = "missing value" if missing else "not a number"
        raise self.bad(line, what, text, f"{problem}; valid: a finite decimal number")

    def time(self, line: int, what: str, text: str) -> float:
        """Seconds since the trace's own start."""
        value = self.number(line, what, text)
        if not 0 <= value <= MAX_TIME_S:
            raise self.bad(line, what, text, f"out of range; valid: seconds from 0 to {MAX_TIME_S:g}")
        return value

    def coordinate(self, line: int, what: str, text: str) -> float:
        """Metres, from any origin."""
        value = self.number(line, what, text)
        if abs(value) > MAX_COORDINATE_M:
            raise self.bad(
                line, what, text, f"farther than a place on Earth can be; valid: up to {MAX_COORDINATE_M:g} m"
            )
        return value

    def speed(self, line: int, what: str, text: str) -> float:
        """Metres per second."""
        value = self.number(line, what, text)
        if not 0 <= value <= self.options.max_speed_mps:
            raise self.bad(
                line,
                what,
                text,
                f"not plausible; valid: 0 to {self.options.max_speed_mps:g} m/s (max_speed_mps)",
            )
        return value

    def _too_large(self) -> TraceError:
        return TraceError(f"{self.path}: larger than {self.options.max_bytes} bytes (max_bytes)")
