"""Any CSV with a column of rates, and one of times or a fixed step; the caller names the columns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pyagent.traces.errors import TraceError
from pyagent.traces.radio.samples import Request, Row, Rules, assemble
from pyagent.traces.radio.text import (
    cells_problem,
    counted,
    decimal,
    is_number,
    records,
    shortened,
    shown,
    title_unit,
)
from pyagent.traces.radio.times import read_times
from pyagent.traces.radio.trace import RadioTrace
from pyagent.traces.radio.units import VALID_UNITS, units_per_mbps

NAME = "csv"
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_MISSING = ("", "-", "na", "n/a", "nan", "null", "none")
_HEADER_RECORDS = 50
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
_LISTED = 40
# In a file whose cells are apart by commas; semicolons stand where the comma is for decimals.
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+")
HINT = "--time-column and --rate-column name two, --rate-unit the unit of the rates"


@dataclass(frozen=True)
class _Layout:
    """Where the columns of a file are; `first` is the line of the first record that isn't header."""

    separator: str
    titles: list[str]
    header_line: int
    time: int | None
    rate: int


def looks_like(head: list[str]) -> bool:
    """Never: a column is named, not guessed."""
    return False


def titles(text: str) -> list[str]:
    """The columns of what may be the header of a CSV, for errors; empty where there is one column only."""
    lines = (line for line in text.splitlines()[:_HEADER_RECORDS] if line.strip().strip("#"))
    first = next(lines, "")
    separator = max(_SEPARATORS, key=first.count)
    cells = [cell.strip().strip("\"'") for cell in first.lstrip("# ").split(separator)]
    return cells if len(cells) > 1 and not any(map(is_number, map(decimal, cells))) else []


def listed(columns: list[str]) -> str:
    """Column names for an error, not too many and each not too long."""
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    return ", ".join(shown(title) for title in columns[:_LISTED]) + more


def read(request: Request) -> RadioTrace:
    """A step per row; empty cells, dashes and NaN in the column of rates are missing values."""
    if request.rate_column is None:
        names = titles(request.text)
        raise request.refuse(
            f"the columns are {listed(names)}; {HINT}" if names else f"no column named; {HINT}"
        )
    if (request.time_column is None) == (request.step_s is None):
        raise request.refuse("valid: either --time-column, or --step where rows have no time")
    layout = _layout(request)
    notes = [f"columns are separated by {_SEPARATORS[layout.separator]}"]
    per_mbps = _per_mbps(request, layout.titles[layout.rate], notes)
    cells = list(_cells(request, layout))
    times_s = _times_s(request, layout, cells, notes)
    rates = _rates_mbps(request, layout, cells, per_mbps, notes)
    rows = [Row(line, time_s, rate) for (line, *_), time_s, rate in zip(cells, times_s, rates, strict=True)]
    return assemble(request, rows, Rules(NAME, layout.titles[layout.rate], measured=True), notes)


def _layout(request: Request) -> _Layout:
    """The first record that has all named columns is the header; what is before it is a preamble."""
    names = [name for name in (request.rate_column, request.time_column) if name is not None]
    if all(map(_NUMBER.fullmatch, names)):
        return _numbered(request, [int(name) - 1 for name in names])
    for separator in _SEPARATORS:
        for line, cells in _head(request, separator):
            header = [cells[0].lstrip("# "), *cells[1:]]
            places = [_place(request, header, line, name) for name in names]
            if len(header) > 1 and None not in places:
                return _Layout(separator, header, line, *_rate_and_time(places))
    raise _no_column(request, names)


def _head(request: Request, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The first records; none where the file can't be cut by this separator."""
    try:
        for _, record in zip(
            range(_HEADER_RECORDS), records(request.path, request.text, separator), strict=False
        ):
            yield record
    except TraceError:
        return


def _place(request: Request, header: list[str], line: int, name: str) -> int | None:
    """Where a column is: by its number, its exact name, or its name in upper or lower case."""
    if _NUMBER.fullmatch(name):
        return int(name) - 1 if int(name) <= len(header) else None
    for columns, sought in ((header, name), ([title.lower() for title in header], name.lower())):
        places = [place for place, title in enumerate(columns) if title == sought]
        if len(places) > 1:
            raise request.at(line, f"column {shown(name)} is there {len(places)} times; valid: its number")
        if places:
            return places[0]
    return None


def _rate_and_time(places: list[int | None]) -> tuple[int | None, int]:
    rate, *time = places
    assert rate is not None
    return (time[0] if time else None), rate


def _numbered(request: Request, places: list[int]) -> _Layout:
    """Columns named by their numbers, from 1: the first record is a header unless its rate is a number."""
    for separator in _SEPARATORS:
        for line, cells in _head(request, separator):
            if cells[0].startswith("#") or max(places) >= len(cells) or len(cells) == 1:
                continue
            headless = is_number(decimal(cells[places[0]]))
            names = [f"column {place + 1}" for place in range(len(cells))] if headless else cells
            time, rate = _rate_and_time([*places])
            return _Layout(separator, names, line - 1 if headless else line, time, rate)
    raise _no_column(request, [str(place + 1) for place in places])


def _no_column(request: Request, names: list[str]) -> TraceError:
    columns = titles(request.text)
    missing = next((name for name in names if name.lower() not in map(str.lower, columns)), names[0])
    valid = f"valid: {listed(columns)}, or a number from 1" if columns else "valid: a number from 1"
    return request.refuse(f"no column {shown(missing)}; {valid}")


def _per_mbps(request: Request, title: str, notes: list[str]) -> float:
    """How many of the unit that was asked for, else of the one in the column's name, are 1 Mbit/s."""
    unit, how = request.rate_unit, "as asked for"
    if unit is None:
        unit, how = title_unit(title), "as its name says"
        if units_per_mbps(unit) is None:
            raise request.refuse(
                f"column {shown(title)} doesn't say its unit; valid: --rate-unit {VALID_UNITS}"
            )
    per_mbps = units_per_mbps(unit)
    if per_mbps is None:
        raise request.refuse(f"unknown rate unit {shown(unit)}, valid: {VALID_UNITS}")
    notes.append(f"{shortened(title)} read as {unit} ({how})")
    return per_mbps


def _cells(request: Request, layout: _Layout) -> Iterator[tuple[int, str, str]]:
    """Line, time and rate of every row; cells beyond the header's may only be empty."""
    columns = len(layout.titles)
    for line, cells in records(request.path, request.text, layout.separator):
        if line <= layout.header_line or cells[0].startswith("#"):
            continue
        while len(cells) > columns and not cells[-1]:
            cells.pop()
        if len(cells) != columns:
            raise request.at(line, cells_problem(len(cells), columns))
        yield line, "" if layout.time is None else cells[layout.time], cells[layout.rate]


def _times_s(
    request: Request, layout: _Layout, cells: list[tuple[int, str, str]], notes: list[str]
) -> list[float]:
    if not cells:
        raise request.refuse(f"no row below the header in line {layout.header_line}")
    if layout.time is None:
        step_s = request.step_or_second()
        notes.append(f"a row every {step_s:g} s (as asked for)")
        return [place * step_s for place in range(len(cells))]
    title = shortened(layout.titles[layout.time])
    return read_times(request, title, [(line, time) for line, time, _ in cells], notes)


def _rates_mbps(
    request: Request, layout: _Layout, cells: list[tuple[int, str, str]], per_mbps: float, notes: list[str]
) -> list[float]:
    """NaN where missing. A comma is a decimal comma in all numbers of the column, or in none."""
    title = shortened(layout.titles[layout.rate])
    rates, commas, points = [], 0, 0
    for line, _, text in cells:
        if text.lower() in _MISSING:
            rates.append(math.nan)
            continue
        commas, points = commas + ("," in text), points + ("." in text)
        if commas and points:
            raise request.at(
                line, f"{title} is {shown(text)}: the column has decimal commas and points; valid: one"
            )
        if layout.separator == "," and _THOUSANDS.fullmatch(text):
            raise request.at(line, f"{title} is {shown(text)}: thousands or decimals; valid: no comma")
        rates.append(request.rate_mbps(line, title, decimal(text), per_mbps))
    if commas:
        notes.append(f"commas in {counted(commas, 'number')} of {title} read as decimal commas")
    return rates
