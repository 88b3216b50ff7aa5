"""JSON traces (.ntrace): samples with dateTime and dlBw (kbit/s), some seconds apart."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pyagent.traces.errors import TraceError
from pyagent.traces.radio.samples import Direction, Request, Row, Rules, assemble, rate_problem
from pyagent.traces.radio.text import shortened
from pyagent.traces.radio.trace import RadioTrace

NAME = "ntrace"
_At = Callable[[int, str], TraceError]
_RATE_KEYS: dict[Direction, str] = {"uplink": "ulBw", "downlink": "dlBw"}


def looks_like(head: list[str]) -> bool:
    """A JSON object."""
    return bool(head) and head[0].startswith("{")


def read(request: Request) -> RadioTrace:
    """A step per entry."""
    request.no_step()
    entries = _entries(request)
    key = _rate_key(request, entries)
    unit, per_mbps = request.unit_or("kbit/s")

    def at(entry: int, problem: str) -> TraceError:
        return request.refuse(f"entries[{entry}]: {problem}")

    times = [_when(entry.get("dateTime"), i, at) for i, entry in enumerate(entries)]
    rows = []
    for i, (entry, when) in enumerate(zip(entries, times, strict=True)):
        if (when.tzinfo is None) != (times[0].tzinfo is None):
            raise at(i, "dateTime is with a time zone in some entries only")
        rows.append(Row(i, (when - times[0]).total_seconds(), _rate(entry.get(key), key, per_mbps, i, at)))
    how = "as asked for" if request.rate_unit else "the unit of this layout"
    notes = [f"{key} read as {unit} ({how})", f"begins at {times[0].isoformat(sep=' ')}"]
    return assemble(
        request, rows, Rules(NAME, key, place="entry", assumes_unit=True, measured=True), notes, at
    )


def _entries(request: Request) -> list[dict[str, Any]]:
    try:
        content = json.loads(request.text)
    except json.JSONDecodeError as error:
        raise request.at(error.lineno, f"not readable as JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        raise request.refuse("not readable as JSON: a number too long or nested too deeply") from error
    entries = content.get("entries") if isinstance(content, dict) else None
    if not (isinstance(entries, list) and entries and all(isinstance(entry, dict) for entry in entries)):
        raise request.refuse("no list of objects `entries`")
    return entries


def _rate_key(request: Request, entries: list[dict[str, Any]]) -> str:
    there = [key for key in _RATE_KEYS.values() if any(key in entry for entry in entries)]
    wanted = None if request.direction is None else _RATE_KEYS[request.direction]
    if not there or wanted not in (None, *there):
        raise request.refuse(f"no entry has {wanted or ' or '.join(_RATE_KEYS.values())}")
    return wanted or there[0]


def _when(value: Any, entry: int, at: _At) -> datetime:
    try:
        # Python 3.10 reads no Z.
        return datetime.fromisoformat(value.removesuffix("Z") + ("+00:00" if value.endswith("Z") else ""))
    except (AttributeError, ValueError):
        raise at(entry, f"dateTime is {_told(value)}, valid: like 2020-11-10T12:50:03.550+01:00") from None


def _rate(value: Any, key: str, per_mbps: float, entry: int, at: _At) -> float:
    """Mbit/s; NaN where it is missing."""
    if value is None:
        return math.nan
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Python's JSON knows NaN and Infinity.
    if not number or value != value or abs(value) == math.inf:
        raise at(entry, f"{key} is {_told(value)}, valid: a number")
    # Whole numbers of JSON have no limit, those of floats do.
    rate_mbps = float(min(max(value, -1e300), 1e300)) / per_mbps
    if problem := rate_problem(rate_mbps, key, _told(value)):
        raise at(entry, problem)
    return rate_mbps


def _told(value: Any) -> str:
    """A value as the file writes it, more or less."""
    return shortened(json.dumps(value))
