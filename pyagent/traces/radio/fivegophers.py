"""5Gophers' throughput logs: seq_num (a second each) and throughput_mbps, the sum of parallel connections.

A. Narayanan et al.: "A First Look at Commercial 5G Performance on Smartphones", WWW 2020.
"""

from __future__ import annotations

import math
import re

from pyagent.traces.radio.samples import Request, Row, Rules, assemble
from pyagent.traces.radio.text import Table, read_table, shown
from pyagent.traces.radio.trace import RadioTrace

NAME = "5gophers"
_RULES = Rules(NAME, "throughput_mbps", measured=True)
_MISSING = ("", "-", "NA")
_COUNT = re.compile(r"[0-9]{1,9}")


def looks_like(head: list[str]) -> bool:
    """A header with both columns."""
    titles = {cell.strip().lower() for cell in head[0].split(",")} if head else set()
    return {"seq_num", "throughput_mbps"} <= titles


def read(request: Request) -> RadioTrace:
    """A step per second; a file of several runs is refused, because they don't follow each other in time."""
    request.no_rate_unit("throughput_mbps says Mbit/s")
    request.no_clock()
    table = read_table(request.path, request.text)
    step_s = request.step_or_second()
    how = "as asked for" if request.step_s is not None else "assumed"
    notes = ["throughput_mbps read as Mbit/s", f"one seq_num every {step_s:g} s ({how})"]
    rows = _rows(request, table, step_s)
    _note_connections(table, notes)
    return assemble(request, rows, _RULES, notes)


def _rows(request: Request, table: Table, step_s: float) -> list[Row]:
    sequence, rate = table.needed("seq_num"), table.needed("throughput_mbps")
    rows: list[Row] = []
    first = last = -1
    for line, cells in table.rows:
        if not _COUNT.fullmatch(cells[sequence]):
            raise request.at(line, f"seq_num is {shown(cells[sequence])}, valid: a whole number")
        count = int(cells[sequence])
        if count <= last:
            raise request.at(line, f"seq_num is {count} after {last}: another run or flow; keep one per file")
        first = count if first < 0 else first
        text = cells[rate]
        missing = text in _MISSING
        rate_mbps = math.nan if missing else request.rate_mbps(line, "throughput_mbps", text, 1.0)
        rows.append(Row(line, (count - first) * step_s, rate_mbps))
        last = count
    return rows


def _note_connections(table: Table, notes: list[str]) -> None:
    """Rates over one TCP connection and over eight don't compare."""
    place = table.column("num_tcp_conn")
    if place is not None:
        connections = " and ".join(dict.fromkeys(cells[place] for _, cells in table.rows))
        notes.append(f"each rate is the sum over num_tcp_conn connections: {connections[:40]}")
