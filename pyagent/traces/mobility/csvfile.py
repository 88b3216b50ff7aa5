"""splitsim's own CSV: a header t_s,node,x_m,y_m[,z_m] and one sample a line."""

from __future__ import annotations

import csv

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility.formats import Format
from pyagent.traces.mobility.samples import Nodes
from pyagent.traces.mobility.source import Source
from pyagent.traces.mobility.tracks import Track

_NEEDED = ("t_s", "node", "x_m", "y_m")
_COLUMNS = (*_NEEDED, "z_m")
_DEGREES = ("lat", "lon", "lng")


def _read(source: Source) -> list[Track]:
    nodes = Nodes(source)
    header: list[str] = []
    for line, text in source.lines():
        if text.startswith("#") or not text:
            continue
        cells = _cells(source, line, text)
        if not header:
            _check_header(source, line, cells)
            header = cells
            continue
        if len(cells) != len(header):
            raise source.error(line, f"{len(cells)} values; valid: {len(header)}, {','.join(header)}")
        row = dict(zip(header, cells, strict=True))
        with source.sparing(row["node"]):
            time_s = source.time(line, "t_s", row["t_s"])
            x, y, z = (source.coordinate(line, axis, row.get(axis, "0")) for axis in ("x_m", "y_m", "z_m"))
            nodes.add(row["node"], line, time_s, x, y, z)
    if not header:
        raise TraceError(f"{source.path}: no header; valid: t_s,node,x_m,y_m[,z_m]")
    return nodes.tracks(recorded=True)


def _cells(source: Source, line: int, text: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([text], strict=True))]
    except csv.Error as error:
        raise source.error(line, f"not CSV: {error}") from error


def _check_header(source: Source, line: int, columns: list[str]) -> None:
    valid = "valid: t_s,node,x_m,y_m[,z_m]"
    for column in columns:
        if column not in _COLUMNS:
            degrees = column.lower().startswith(_DEGREES)
            hint = " (degrees: make metres of them, or use GPX)" if degrees else ""
            raise source.bad(line, "column", column, f"not known{hint}; {valid}")
    for column in _COLUMNS:
        if columns.count(column) > 1 or (column in _NEEDED and column not in columns):
            problem = "twice" if column in columns else "missing"
            raise source.error(line, f"column {column} is {problem}; {valid}")


def _recognises(head: str) -> bool:
    rows = (text for text in head.splitlines() if text.strip() and not text.lstrip().startswith("#"))
    first = next(rows, "")
    return "t_s" in first and "node" in first


FORMAT = Format(
    name="csv",
    title="CSV with the columns t_s,node,x_m,y_m[,z_m]",
    suffixes=(".csv",),
    recognises=_recognises,
    read=_read,
    options=frozenset({"clock_back"}),
)
