"""Which format a file is in, and reading it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from pyagent.traces.errors import TraceError
from pyagent.traces.radio import (
    drive_test,
    fivegophers,
    mahimahi,
    ntrace,
    own,
    rate_per_line,
    time_rate,
)
from pyagent.traces.radio.samples import MAX_DURATION_S, Direction, Request
from pyagent.traces.radio.text import data_lines, read_text, shown
from pyagent.traces.radio.trace import RadioTrace

_HEAD_LINES = 20
_DIRECTIONS = ("uplink", "downlink")
_MOVEMENT = re.compile(
    r"<\?xml|<gpx|<fcd-export|<kml|\$node_|\$ns_|\$god_|(?:.*,)?\s*(?:x_m|x|lat|latitude)\s*(?:,.*)?$", re.I
)


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
) -> RadioTrace:
    """Read a recorded link.

    Args:
        path: the file.
        format: of `FORMATS`; None: what its first lines look like.
        direction: which rates, in formats that may hold both; None: the uplink's if there, else the
            downlink's. Formats that don't tell directions don't look at it.
        rate_unit: of the rates, in formats that don't say; None: what is usual there.
        step_s: between lines, in formats without times; None: 1 s.
        max_hold_s: how long at most a rate may stand in for missing ones; None: 5 s or three usual steps in
            measured formats, and no limit in `splitsim` and `time-rate`.

    Returns:
        The trace; its `notes` tell everything that was assumed, merged, held or left out.

    Raises:
        TraceError: the file can't be read, is of no known format, or holds what can't be used.
    """
    path = Path(path)
    _check_options(path, format, direction, step_s, max_hold_s)
    request = Request(path, read_text(path), direction, rate_unit, step_s, max_hold_s)
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


def _detect(request: Request) -> str:
    head = [text for _, text in islice(data_lines(request.text), _HEAD_LINES)]
    found = [name for name, each in FORMATS.items() if each.looks_like(head)]
    if len(found) == 1:
        return found[0]
    if head and _MOVEMENT.match(head[0]):
        raise request.refuse("holds movements, not rates; `splitsim scenario preview` draws them")
    known = "; ".join(f"{name} ({each.title})" for name, each in FORMATS.items())
    seen = f"looks like {' and '.join(found)}" if found else "no known format"
    raise request.refuse(f"{seen}; --format says which of: {known}")
