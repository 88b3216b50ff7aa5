"""Two columns without header, time and rate, as Pensieve's traces have them."""

from __future__ import annotations

import re

from pyagent.traces.radio.samples import Request, Row, Rules, assemble
from pyagent.traces.radio.text import data_lines, is_number
from pyagent.traces.radio.trace import RadioTrace

NAME = "time-rate"
_RULES = Rules(NAME, "rate", assumes_unit=True)
_BETWEEN = re.compile(r"\s*,\s*|\s+")


def looks_like(head: list[str]) -> bool:
    """Two numbers on the first line."""
    cells = _BETWEEN.split(head[0]) if head else []
    return len(cells) == 2 and all(map(is_number, cells))


def read(request: Request) -> RadioTrace:
    """A step per row; the columns are apart by a comma or by white space."""
    request.no_step()
    unit, per_mbps = request.unit_or("Mbit/s")
    rows = []
    for line, text in data_lines(request.text):
        cells = _BETWEEN.split(text)
        if len(cells) != 2:
            raise request.at(line, f"number of columns is {len(cells)}, valid: 2, time (s) and rate ({unit})")
        time_s = request.time_s(line, "time", cells[0])
        rows.append(Row(line, time_s, request.rate_mbps(line, "rate", cells[1], per_mbps)))
    how = "as asked for" if request.rate_unit else "assumed"
    notes = [f"first column taken as seconds, second as {unit} ({how})", "a rate holds until the next row"]
    return assemble(request, rows, _RULES, notes)
