"""splitsim's own CSV: t_s,rate_mbps[,delay_ms][,loss] and what the radio measured."""

from __future__ import annotations

import math

from pyagent.traces.radio.limits import SIGNAL_RANGES
from pyagent.traces.radio.samples import MAX_DELAY_MS, Request, Row, Rules, assemble
from pyagent.traces.radio.text import number, read_table, shortened, shown
from pyagent.traces.radio.trace import SIGNALS, RadioTrace

NAME = "splitsim"
_RULES = Rules(NAME, "rate_mbps", merges=False)
_RANGES = {"delay_ms": (0.0, MAX_DELAY_MS), "loss": (0.0, 1.0), **SIGNAL_RANGES}
_COLUMNS = ("t_s", "rate_mbps", "delay_ms", "loss", *SIGNALS)
_MISSING = ("", "-")


def looks_like(head: list[str]) -> bool:
    """A header with rate_mbps."""
    return bool(head) and "rate_mbps" in (cell.strip().lower() for cell in head[0].split(","))


def read(request: Request) -> RadioTrace:
    """A step per row; only signals may be missing, as an empty cell or a dash."""
    request.no_rate_unit("rate_mbps says Mbit/s")
    request.no_step()
    table = read_table(request.path, request.text)
    for title in table.header:
        if title.lower() not in _COLUMNS:
            raise request.at(
                table.header_line, f"unknown column {shown(title)}, valid: {', '.join(_COLUMNS)}"
            )
    time, rate = table.needed("t_s"), table.needed("rate_mbps")
    others = {name: place for name in _COLUMNS[2:] if (place := table.column(name)) is not None}
    rows = [_row(request, line, cells, time, rate, others) for line, cells in table.rows]
    return assemble(request, rows, _RULES, ["units as the header says; a row holds until the next"])


def _row(request: Request, line: int, cells: list[str], time: int, rate: int, others: dict[str, int]) -> Row:
    values = {name: _value(request, line, name, cells[place]) for name, place in others.items()}
    time_s = request.time_s(line, "t_s", cells[time])
    return Row(line, time_s, request.rate_mbps(line, "rate_mbps", cells[rate], 1.0), values)


def _value(request: Request, line: int, name: str, text: str) -> float:
    if name in SIGNALS and text in _MISSING:
        return math.nan
    value = number(request.path, line, name, text)
    low, high = _RANGES[name]
    if not low <= value <= high:
        raise request.at(line, f"{name} is {shortened(text)}, valid: {low:g} to {high:g}")
    return value
