"""A rate per line, with or without its unit, as iperf's reports become when only the rates are kept."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from pyagent.traces.radio.samples import MAX_DURATION_S, Request, rate_problem
from pyagent.traces.radio.text import counted, data_lines, is_number, number, shown
from pyagent.traces.radio.trace import RadioTrace
from pyagent.traces.radio.units import VALID_UNITS, units_per_mbps

NAME = "rate-per-line"
_BETWEEN = re.compile(r"\s*,\s*|\s+")


def looks_like(head: list[str]) -> bool:
    """A number and a unit on the first line, or numbers alone of which some aren't whole."""
    if not head:
        return False
    first, *unit = _BETWEEN.split(head[0])
    if unit:
        return is_number(first) and len(unit) == 1 and not is_number(unit[0])
    return all(map(is_number, head)) and not all(line.isdecimal() for line in head)


def read(request: Request) -> RadioTrace:
    """Steps of step_s, 1 s unless it says otherwise; a line's own unit counts for that line."""
    request.no_clock()
    request.no_hold()
    step_s = request.step_or_second()
    found = [_rate(request, line, text) for line, text in data_lines(request.text)]
    if not found:
        raise request.refuse("no rate")
    if len(found) * step_s > MAX_DURATION_S:
        raise request.refuse(f"{len(found)} steps of {step_s:g} s, valid: up to {MAX_DURATION_S:g} s in all")
    units = Counter(unit for _, unit in found)
    told = ", ".join(f"{unit} ({counted(count, 'line')})" for unit, count in units.items())
    how = "as asked for" if request.step_s is not None else "assumed"
    return RadioTrace(
        times_s=np.arange(len(found), dtype=np.float64) * step_s,
        duration_s=len(found) * step_s,
        rate_mbps=np.array([rate for rate, _ in found]),
        delay_ms=None,
        loss=None,
        signals={},
        source=str(request.path),
        format=NAME,
        notes=(f"rates in {told}", f"one line every {step_s:g} s ({how})"),
    )


def _rate(request: Request, line: int, text: str) -> tuple[float, str]:
    """Mbit/s, and the unit it was in."""
    first, *rest = _BETWEEN.split(text, maxsplit=1)
    rate = number(request.path, line, "rate", first)
    unit = rest[0] if rest else request.rate_unit
    if unit is None:
        raise request.at(line, f"{shown(text)} has no unit; --rate-unit says which")
    if rest and request.rate_unit is not None:
        raise request.at(
            line, f"{shown(text)} has its own unit, but rate unit {request.rate_unit} was asked for"
        )
    per_mbps = units_per_mbps(unit)
    if per_mbps is None:
        raise request.at(line, f"unknown rate unit {shown(unit)}, valid: {VALID_UNITS}")
    if problem := rate_problem(rate / per_mbps, "rate", f"{first} {unit}"):
        raise request.at(line, problem)
    return rate / per_mbps, unit
