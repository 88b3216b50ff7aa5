"""Trace files as text: bounded, decoded, cut into lines and cells."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyagent.traces.errors import TraceError, at_line
from pyagent.traces.files import opened

MAX_BYTES = 64 * 1024 * 1024
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"([+-]?[0-9]*),([0-9]+(?:[eE][+-]?[0-9]+)?)")
_TITLE_UNIT = re.compile(r"(?:.*[^A-Za-z/])?([A-Za-z]+(?:/[A-Za-z]+)?)[)\]\s]*")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_SHOWN_CHARACTERS = 40


def read_text(path: Path) -> str:
    """A whole file, unpacked where it is gzip, in UTF-8 or in UTF-16 with a byte order mark.

    Raises:
        TraceError: no regular file, unreadable, empty, larger than `MAX_BYTES`, or not text.
    """
    with opened(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise TraceError(f"{path}: more than {MAX_BYTES // 2**20} MiB, which is the most that is read")
    text = _decoded(path, content)
    if not text.strip():
        raise TraceError(f"{path}: empty")
    return text


def _decoded(path: Path, content: bytes) -> str:
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not wide and b"\0" in content:
        line = _line_of(content, content.index(0))
        raise TraceError(
            f"{path}:{line}: a zero byte; valid: text in UTF-8, or in UTF-16 with a byte order mark"
        )
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 if wide else _line_of(content, error.start)
        raise TraceError(
            f"{path}:{line}: not UTF-{16 if wide else 8} text; valid: UTF-8, or UTF-16 with a byte order mark"
        ) from error
    if "\0" in text:
        raise TraceError(f"{path}:{text.count(chr(10), 0, text.index(chr(0))) + 1}: a zero character")
    return text


def _line_of(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def shortened(text: str) -> str:
    """Text from a file for an error, not too long."""
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def shown(text: str) -> str:
    """Text from a file for an error: quoted, so that it stays on one line, and not too long."""
    return repr(shortened(text))


def counted(count: int, what: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def data_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and stripped content of every line that is neither blank nor a # comment."""
    # Line by line: a list of the ten million lines that a file may have takes a gigabyte.
    for number, line in enumerate(_LINE.finditer(text), start=1):
        content = line[0].strip()
        if content and not content.startswith("#"):
            yield number, content


def number(path: Path, line: int, name: str, text: str) -> float:
    """A finite number in plain notation.

    Raises:
        TraceError: it is not.
    """
    if not _NUMBER.fullmatch(text):
        raise at_line(path, line, f"{name} is {shown(text)}, valid: a number")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise at_line(path, line, f"{name} is {shown(text)}, valid: a finite number")
    return value


def is_number(text: str) -> bool:
    """Whether `number` would read it."""
    return _NUMBER.fullmatch(text) is not None


def decimal(text: str) -> str:
    """A number with a decimal comma as one with a decimal point; anything else as it is."""
    match = _DECIMAL_COMMA.fullmatch(text)
    return f"{match[1]}.{match[2]}" if match else text


def title_unit(title: str) -> str:
    """The last word of a column's name, which may be a unit: `Mbit/s` of `DL (Mbit/s)`, `ms` of `t_ms`."""
    match = _TITLE_UNIT.fullmatch(title)
    return match[1] if match else ""


@dataclass(frozen=True)
class Table:
    """A CSV with header: column names as written, and per row its line and cells, stripped."""

    path: Path
    header_line: int
    header: list[str]
    rows: list[tuple[int, list[str]]]

    def column(self, name: str) -> int | None:
        """Where a column is; capitals don't matter. None where it isn't.

        Raises:
            TraceError: it is there twice.
        """
        places = [i for i, title in enumerate(self.header) if title.lower() == name.lower()]
        if len(places) > 1:
            raise at_line(self.path, self.header_line, f"column {name} is there {len(places)} times")
        return places[0] if places else None

    def needed(self, name: str) -> int:
        """Where a column is.

        Raises:
            TraceError: it isn't there, or twice.
        """
        place = self.column(name)
        if place is None:
            raise at_line(self.path, self.header_line, f"no column {name}")
        return place


def cells_problem(count: int, columns: int) -> str:
    """The problem of a row with another number of cells than the header."""
    return f"{count} cells, and the header has {columns} columns"


def records(path: Path, text: str, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Line number and stripped cells of every record of a CSV that isn't blank, comments included.

    Raises:
        TraceError: not readable as CSV, for instance quotes that don't close.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise at_line(path, reader.line_num, f"not readable as CSV: {error}") from error


def read_table(path: Path, text: str) -> Table:
    """A CSV with commas whose first line that is neither blank nor a # comment is the header.

    Raises:
        TraceError: quotes that don't close, or a row with more or fewer cells than the header.
    """
    header: list[str] = []
    header_line = 0
    rows: list[tuple[int, list[str]]] = []
    for line, cells in records(path, text):
        if cells[0].startswith("#"):
            continue
        if not header:
            header, header_line = cells, line
        elif len(cells) != len(header):
            raise at_line(path, line, cells_problem(len(cells), len(header)))
        else:
            rows.append((line, cells))
    if not header:
        raise TraceError(f"{path}: no header")
    return Table(path, header_line, header, rows)
