"""Which format a file is in, and reading it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from pyagent.traces.clock import CLOCK_BACK, ClockBack
from pyagent.traces.errors import TraceError
from pyagent.traces.radio import (
    columns,
    drive_test,
    fivegophers,
    iperf3,
    mahimahi,
    ntrace,
    own,
    rate_per_line,
    time_rate,
)
from pyagent.traces.radio.samples import MAX_DURATION_S, Direction, Request
from pyagent.traces.radio.text import data_lines, read_text, shown
from pyagent.traces.radio.times import TIME_UNITS, TimeUnit
from pyagent.traces.radio.trace import RadioTrace

_HEAD_LINES = 20
_DIRECTIONS = ("uplink", "downlink")
_MOVEMENT = re.compile(r"<\?xml|<gpx|<fcd-export|<kml|\$node_|\$ns_|\$god_|t_s,node,x_m,y_m(,z_m)?$", re.I)


@dataclass(frozen=True)
class Format:
    """A format of files: what it holds, whether the first lines look like it, and its reader."""

    title: str
    looks_like: Callable[[list[str]], bool]
    read: Callable[[Request], RadioTrace]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        own.NAME: Format("CSV with header t_s,rate_mbps[,delay_ms][,loss]", own.looks_like, own.read),
        mahimahi.NAME: Format("a time in ms per line, 1500 bytes each", mahimahi.looks_like, mahimahi.read),
        time_rate.NAME: Format("two columns, s and Mbit/s", time_rate.looks_like, time_rate.read),
        drive_test.NAME: Format("G-NetTrack CSV, kbit/s", drive_test.looks_like, drive_test.read),
        rate_per_line.NAME: Format(
            "a rate per line, unit beside it", rate_per_line.looks_like, rate_per_line.read
        ),
        ntrace.NAME: Format("JSON with entries of dateTime and dlBw, kbit/s", ntrace.looks_like, ntrace.read),
        fivegophers.NAME: Format(
            "CSV with seq_num and throughput_mbps", fivegophers.looks_like, fivegophers.read
        ),
        iperf3.NAME: Format("JSON of iperf3 -J", iperf3.looks_like, iperf3.read),
        columns.NAME: Format(
            "any CSV, columns named by --time-column and --rate-column", columns.looks_like, columns.read
        ),
    }
)
"""Every format by name; the order is that of texts that list them."""


def read_radio_trace(
    path: str | Path,
    format: str | None = None,
    *,
    direction: Direction | None = None,
    rate_unit: str | None = None,
    step_s: float | None = None,
    max_hold_s: float | None = None,
    time_column: str | None = None,
    rate_column: str | None = None,
    time_unit: TimeUnit | None = None,
    clock_back: ClockBack = "refuse",
) -> RadioTrace:
    """Read a recorded link.

    Args:
        path: the file; text in UTF-8, or UTF-16 with a byte order mark, gzipped or not.
        format: of `FORMATS`; None: `csv` where columns are named, else what its first lines look like.
        direction: which rates, in formats that may hold both; None: the uplink's if there, else the
            downlink's. Formats that don't tell directions don't look at it.
        rate_unit: of the rates, in formats that don't say; None: what is usual there. In `csv` None is the
            unit at the end of the column's name.
        step_s: between lines, in formats without times; None: 1 s.
        max_hold_s: how long at most a rate may stand in for missing ones; None: 5 s or three usual steps in
            measured formats, and no limit in `splitsim` and `time-rate`.
        time_column, rate_column: `csv`: names of columns, or their numbers from 1.
        time_unit: `csv`: of times that are numbers; None: the one at the end of the column's name, else as
            their size says: s, or ms, us or ns of UNIX times.
        clock_back: what is done with rows whose time is before that of the row above; see
            `pyagent.traces.clock.repaired`.

    Returns:
        The trace; its `notes` tell everything that was assumed, merged, held or left out.

    Raises:
        DirectionError: the file has rates, but none of this direction.
        TraceError: the file can't be read, is of no known format, or holds what can't be used.
    """
    path = Path(path)
    named = any(option is not None for option in (time_column, rate_column, time_unit))
    if format is None and named:
        format = columns.NAME
    _check_options(path, format, direction, step_s, max_hold_s)
    _check_choices(path, time_unit, clock_back)
    if named and format != columns.NAME:
        raise TraceError(f"{path}: columns and a time unit are options of --format csv, not of {format}")
    request = Request(
        path,
        read_text(path),
        direction,
        rate_unit,
        step_s,
        max_hold_s,
        time_column,
        rate_column,
        time_unit,
        clock_back,
    )
    return FORMATS[format or _detect(request)].read(request)


def _check_options(
    path: Path,
    format: str | None,
    direction: str | None,
    step_s: float | None,
    max_hold_s: float | None,
) -> None:
    if format is not None and format not in FORMATS:
        raise TraceError(f"{path}: unknown format {shown(format)}, valid: {', '.join(FORMATS)}")
    if direction not in (None, *_DIRECTIONS):
        raise TraceError(f"{path}: direction is {shown(str(direction))}, valid: {' or '.join(_DIRECTIONS)}")
    for name, value in (("step", step_s), ("longest hold", max_hold_s)):
        if value is not None and not (math.isfinite(value) and 0.001 <= value <= MAX_DURATION_S):
            raise TraceError(f"{path}: {name} is {value:g} s, valid: 0.001 to {MAX_DURATION_S:g}")


def _check_choices(path: Path, time_unit: str | None, clock_back: str) -> None:
    for name, value, valid in (
        ("time unit", time_unit, (None, *TIME_UNITS)),
        ("clock back", clock_back, CLOCK_BACK),
    ):
        if value not in valid:
            names = ", ".join(each for each in valid if each is not None)
            raise TraceError(f"{path}: {name} is {shown(str(value))}, valid: {names}")


def _detect(request: Request) -> str:
    head = [text for _, text in islice(data_lines(request.text), _HEAD_LINES)]
    candidates = [name for name, each in FORMATS.items() if each.looks_like(head)]
    if len(candidates) == 1:
        return candidates[0]
    if head and _MOVEMENT.match(head[0]):
        raise request.refuse("holds movements, not rates; `splitsim scenario preview` draws them")
    known = "; ".join(f"{name} ({each.title})" for name, each in FORMATS.items())
    if candidates:
        raise request.refuse(f"looks like {' and '.join(candidates)}; --format says which of: {known}")
    if (names := columns.titles(request.text)) and not head[0].startswith(("{", "[")):
        raise request.refuse(
            f"a CSV of no known format, with the columns {columns.listed(names)}; {columns.HINT}"
        )
    raise request.refuse(f"no known format; --format says which of: {known}")
