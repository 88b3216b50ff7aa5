"""Drive tests in the CSV layout of the 4G and 5G data sets of University College Cork (G-NetTrack Pro).

D. Raca, D. Leahy, C. J. Sreenan, J. J. Quinlan: "Beyond Throughput, The Next Generation: a 5G Dataset with
Channel and Context Metrics", ACM MMSys 2020. One row a second; bit rates in kbit/s, speed in km/h.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import datetime

from pyagent.traces.radio.limits import SIGNAL_RANGES
from pyagent.traces.radio.samples import Direction, DirectionError, Request, Row, Rules, assemble
from pyagent.traces.radio.text import Table, counted, number, read_table, shown
from pyagent.traces.radio.trace import RadioTrace

NAME = "drive-test"
_RATE_COLUMNS: dict[Direction, str] = {"uplink": "UL_bitrate", "downlink": "DL_bitrate"}
# Column, signal, and how many of the column's unit are one of the signal's.
_SIGNAL_COLUMNS = (
    ("RSRP", "rsrp_dbm", 1.0),
    ("RSRQ", "rsrq_db", 1.0),
    ("SNR", "snr_db", 1.0),
    ("CQI", "cqi", 1.0),
    ("Speed", "speed_mps", 3.6),
)
_STAMP = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)_(\d\d)\.(\d\d)\.(\d\d)(?:\.(\d{3}))?", re.ASCII)
_MISSING = ("", "-")
_TINY_MBPS = 0.05


def looks_like(head: list[str]) -> bool:
    """A header with Timestamp and a bit rate."""
    titles = {cell.strip().lower() for cell in head[0].split(",")} if head else set()
    return "timestamp" in titles and bool({"dl_bitrate", "ul_bitrate"} & titles)


def read(request: Request) -> RadioTrace:
    """A row per second; dashes and empty cells are missing values."""
    request.no_step()
    table = read_table(request.path, request.text)
    column = _rate_column(request, table)
    unit, per_mbps = request.unit_or("kbit/s")
    how = "as asked for" if request.rate_unit else "the unit of this layout"
    notes = [f"{column} read as {unit} ({how})"]
    rows = _rows(request, table, column, per_mbps, notes)
    _note_idle(rows, column, notes)
    return assemble(request, rows, Rules(NAME, column, assumes_unit=True, measured=True), notes)


def _rate_column(request: Request, table: Table) -> str:
    there = [column for column in _RATE_COLUMNS.values() if table.column(column) is not None]
    if request.direction is None or not there:
        return there[0] if there else _RATE_COLUMNS[request.direction or "uplink"]
    column = _RATE_COLUMNS[request.direction]
    if column not in there:
        raise DirectionError(f"{request.path}:{table.header_line}: no column {column}")
    return column


def _rows(request: Request, table: Table, column: str, per_mbps: float, notes: list[str]) -> list[Row]:
    stamp, rate = table.needed("Timestamp"), table.needed(column)
    signals = [
        (title, name, per, place)
        for title, name, per in _SIGNAL_COLUMNS
        if (place := table.column(title)) is not None
    ]
    if any(name == "speed_mps" for _, name, _, _ in signals):
        notes.append("Speed read as km/h")
    rows: list[Row] = []
    unbelieved: Counter[str] = Counter()
    begin: datetime | None = None
    for line, cells in table.rows:
        when = _when(request, line, cells[stamp])
        begin = begin or when
        others = {name: math.nan for _, name, _, _ in signals}
        for title, name, per, place in signals:
            if cells[place] in _MISSING:
                continue
            value = number(request.path, line, title, cells[place]) / per
            low, high = SIGNAL_RANGES[name]
            if low <= value <= high:
                others[name] = value
            else:
                unbelieved[title] += 1
        text = cells[rate]
        rate_mbps = math.nan if text in _MISSING else request.rate_mbps(line, column, text, per_mbps)
        rows.append(Row(line, (when - begin).total_seconds(), rate_mbps, others))
    if begin is not None:
        notes.append(f"begins at {begin.isoformat(sep=' ')} by its own clock")
    notes += [
        f"{counted(count, 'value')} of {title} out of range, taken as missing"
        for title, count in unbelieved.items()
    ]
    return rows


def _when(request: Request, line: int, text: str) -> datetime:
    match = _STAMP.fullmatch(text)
    try:
        if match:
            year, month, day, hour, minute, second = map(int, match.groups()[:6])
            return datetime(year, month, day, hour, minute, second, int(match[7] or 0) * 1000)
    except ValueError:
        pass
    raise request.at(line, f"Timestamp is {shown(text)}, valid: like 2019.12.16_13.40.04")


def _note_idle(rows: list[Row], column: str, notes: list[str]) -> None:
    """A phone that sends nothing measures no rate, however good its link is."""
    rates = [row.rate_mbps for row in rows if not math.isnan(row.rate_mbps)]
    tiny = sum(rate <= _TINY_MBPS for rate in rates)
    if 2 * tiny > len(rates):
        notes.append(
            f"{100 * tiny / len(rates):.0f} % of {column} is at most {_TINY_MBPS:g} Mbit/s: what was sent, "
            "not what the link could carry (a measured rate is a lower bound of capacity)"
        )
