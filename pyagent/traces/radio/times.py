"""Times of a column: numbers in a unit, or dates and times of day, as seconds after the first one."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args

from pyagent.traces.radio.samples import LAST_TIME_S, Request
from pyagent.traces.radio.text import decimal, is_number, number, shown, title_unit

TimeUnit = Literal["s", "ms", "us", "ns"]
TIME_UNITS: tuple[str, ...] = get_args(TimeUnit)
_PER_S = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_LEAST_UNIX_TIME = {"ns": 1e17, "us": 1e14, "ms": 1e11}
"""A number at least this large is a UNIX time in this unit: from 1973 on, and far beyond the year 2100 in
the next larger unit."""
_DATE = r"(?P<date>\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})"
_STAMP = re.compile(
    rf"(?:{_DATE}(?:[T_]|,?\s+))?"
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d\d)(?:[:.](?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|[+-]\d\d(?::?\d\d)?|[A-Z]{2,5})?",
    re.ASCII,
)
_VALID = "valid: a number, or a time like 2023-04-20 13:57:01"


def read_times(request: Request, title: str, cells: list[tuple[int, str]], notes: list[str]) -> list[float]:
    """Seconds after the first time.

    Args:
        title: of the column.
        cells: line and text of each time, at least one.
        notes: what was assumed is added.

    Raises:
        TraceError: a text is no time, or the unit, the date or the zone can't be told.
    """
    if is_number(decimal(cells[0][1])):
        return _numbers(request, title, cells, notes)
    if request.time_unit is not None:
        raise request.at(
            cells[0][0], f"time unit {request.time_unit} was asked for, but {title} is {shown(cells[0][1])}"
        )
    return _dates(request, title, cells, notes)


def _numbers(request: Request, title: str, cells: list[tuple[int, str]], notes: list[str]) -> list[float]:
    values = [number(request.path, line, title, decimal(text)) for line, text in cells]
    unit, how = _time_unit(request, title, values[0])
    per_s = _PER_S[unit]
    for (line, text), value in zip(cells, values, strict=True):
        if value < 0:
            raise request.at(line, f"{title} is {text}, valid: >= 0")
        if value / per_s > LAST_TIME_S:
            raise request.at(
                line, f"{title} is {text}: after the year 2100 in {unit}; --time-unit sets another unit"
            )
    notes.append(f"{title} read as {unit} ({how})")
    if values[0] / per_s >= _LEAST_UNIX_TIME["ms"] / 1e3:
        begin = datetime.fromtimestamp(values[0] / per_s, UTC).replace(tzinfo=None)
        notes.append(f"begins at {begin.isoformat(sep=' ', timespec='seconds')} UTC by its own clock")
    return [(value - values[0]) / per_s for value in values]


def _time_unit(request: Request, title: str, first: float) -> tuple[str, str]:
    if request.time_unit is not None:
        return request.time_unit, "as asked for"
    unit = title_unit(title)
    if unit in _PER_S:
        return unit, "as its name says"
    for unit, least in _LEAST_UNIX_TIME.items():
        if first >= least:
            return unit, "as its size says, a UNIX time"
    return "s", "assumed"


@dataclass(frozen=True)
class _Stamp:
    """A date as three numbers in the order of the text, None for a time of day; and its zone's text."""

    line: int
    text: str
    day: tuple[int, int, int] | None
    separator: str
    of_day: timedelta
    zone: str


def _dates(request: Request, title: str, cells: list[tuple[int, str]], notes: list[str]) -> list[float]:
    stamps = [_stamp(request, title, line, text) for line, text in cells]
    _refuse_mixtures(request, title, stamps)
    order = _day_order(request, title, stamps, notes)
    times = [_instant(request, title, stamp, order) for stamp in stamps]
    zone = stamps[0].zone
    if zone and _offset(zone) is None:
        notes.append(f"zone {zone} is taken for one fixed zone; only differences of times count")
    notes.append(f"begins at {stamps[0].text} by its own clock")
    return [(time - times[0]).total_seconds() for time in times]


def _stamp(request: Request, title: str, line: int, text: str) -> _Stamp:
    match = _STAMP.fullmatch(text)
    if match is None:
        raise request.at(line, f"{title} is {shown(text)}, {_VALID}")
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    twelve = match["half"] is not None
    if not (minute < 60 and second < 60 and (1 <= hour <= 12 if twelve else hour < 24)):
        raise request.at(line, f"{title} is {shown(text)}: no time of day; {_VALID}")
    if twelve:
        hour = hour % 12 + (12 if match["half"].lower() == "pm" else 0)
    microseconds = round(float(f"0.{match['fraction'] or 0}") * 1e6)
    numbers = re.split(r"[-/.]", match["date"]) if match["date"] else []
    separator = "" if match["date"] is None else re.sub(r"\d", "", match["date"])[0]
    day = (int(numbers[0]), int(numbers[1]), int(numbers[2])) if numbers else None
    of_day = timedelta(hours=hour, minutes=minute, seconds=second, microseconds=microseconds)
    return _Stamp(line, text, day, separator, of_day, match["zone"] or "")


def _refuse_mixtures(request: Request, title: str, stamps: list[_Stamp]) -> None:
    """All times are of one kind: with or without date, with or without zone, and in one named zone."""
    first = stamps[0]
    for stamp in stamps:
        if (stamp.day is None) != (first.day is None):
            raise request.at(
                stamp.line, f"{title} is {shown(stamp.text)}: some times have a date, others none"
            )
        known = [bool(each.zone) and _offset(each.zone) is not None for each in (first, stamp)]
        if first.zone != stamp.zone and not all(known):
            zones = " after ".join(each.zone or "no zone" for each in (stamp, first))
            raise request.at(
                stamp.line,
                f"{title} is {shown(stamp.text)}: {zones}; how far they are apart isn't known",
            )


def _offset(zone: str) -> timedelta | None:
    """East of UTC; None: an abbreviation, which several zones share."""
    if zone in ("Z", "UTC", "GMT"):
        return timedelta(0)
    if zone[:1] not in ("+", "-"):
        return None
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -offset if zone[0] == "-" else offset


def _day_order(request: Request, title: str, stamps: list[_Stamp], notes: list[str]) -> str:
    """`YMD`, `DMY` or `MDY`, one for the file; any of them where all times are of one day or have no date."""
    days = Counter(stamp.day for stamp in stamps if stamp.day is not None)
    if not days or all(day[0] > 31 for day in days):
        return "YMD"
    first, second = (max(day[place] for day in days) for place in (0, 1))
    if first > 12 or stamps[0].separator == ".":
        order = "DMY"
    elif second > 12:
        order = "MDY"
    elif len(days) == 1:
        return "DMY"
    else:
        raise request.at(
            stamps[0].line,
            f"{title} is {shown(stamps[0].text)}: day and month can't be told apart; valid: like 2023-04-20",
        )
    notes.append(f"dates of {title} read as {'day, month' if order == 'DMY' else 'month, day'}, year")
    return order


def _instant(request: Request, title: str, stamp: _Stamp, order: str) -> datetime:
    offset = _offset(stamp.zone) or timedelta(0)
    numbers = dict(zip(order, stamp.day or (2000, 1, 1), strict=True))
    try:
        day = date(numbers["Y"], numbers["M"], numbers["D"])
        return datetime(day.year, day.month, day.day) + stamp.of_day - offset
    except (ValueError, OverflowError):
        raise request.at(stamp.line, f"{title} is {shown(stamp.text)}: no such date; {_VALID}") from None
