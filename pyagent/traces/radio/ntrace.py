"""JSON traces (.ntrace): samples with dateTime and dlBw (kbit/s), some seconds apart."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from pyagent.traces.errors import TraceError
from pyagent.traces.radio.jsonfile import At, json_rate_mbps, parse_json, quoted
from pyagent.traces.radio.samples import Direction, DirectionError, Request, Row, Rules, assemble
from pyagent.traces.radio.trace import RadioTrace

NAME = "ntrace"
_KEYS = ('"entries"', '"dateTime"')
_RATE_KEYS: dict[Direction, str] = {"uplink": "ulBw", "downlink": "dlBw"}


def looks_like(head: list[str]) -> bool:
    """A JSON object with entries or times."""
    return bool(head) and head[0].startswith("{") and any(key in line for line in head for key in _KEYS)


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
        value = entry.get(key)
        rate_mbps = math.nan if value is None else json_rate_mbps(value, key, per_mbps, i, at)
        rows.append(Row(i, (when - times[0]).total_seconds(), rate_mbps))
    how = "as asked for" if request.rate_unit else "the unit of this layout"
    notes = [f"{key} read as {unit} ({how})", f"begins at {times[0].isoformat(sep=' ')}"]
    return assemble(
        request, rows, Rules(NAME, key, place="entry", assumes_unit=True, measured=True), notes, at
    )


def _entries(request: Request) -> list[dict[str, Any]]:
    content = parse_json(request, request.text)
    entries = content.get("entries") if isinstance(content, dict) else None
    if not (isinstance(entries, list) and entries and all(isinstance(entry, dict) for entry in entries)):
        raise request.refuse("no list of objects `entries`")
    return entries


def _rate_key(request: Request, entries: list[dict[str, Any]]) -> str:
    there = [key for key in _RATE_KEYS.values() if any(key in entry for entry in entries)]
    wanted = None if request.direction is None else _RATE_KEYS[request.direction]
    if not there:
        raise request.refuse(f"no entry has {wanted or ' or '.join(_RATE_KEYS.values())}")
    if wanted not in (None, *there):
        raise DirectionError(f"{request.path}: no entry has {wanted}")
    return wanted or there[0]


def _when(value: Any, entry: int, at: At) -> datetime:
    try:
        # Python 3.10 reads no Z.
        return datetime.fromisoformat(value.removesuffix("Z") + ("+00:00" if value.endswith("Z") else ""))
    except (AttributeError, ValueError):
        raise at(entry, f"dateTime is {quoted(value)}, valid: like 2020-11-10T12:50:03.550+01:00") from None
