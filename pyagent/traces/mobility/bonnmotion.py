"""BonnMotion's native movements: one node a line, waypoints `t x y` or, in 3D, `t x y z`."""

from __future__ import annotations

import re
from itertools import pairwise

from pyagent.traces.mobility.formats import Format
from pyagent.traces.mobility.samples import Nodes
from pyagent.traces.mobility.source import Source
from pyagent.traces.mobility.tracks import Track

_RECOGNISED = re.compile(r"\s*[-+.\d][-+.\deE]*([ \t]+[-+.\d][-+.\deE]*){2,}[ \t]*(\r?\n|$)")


def _read(source: Source) -> list[Track]:
    width = 1 + (source.options.dimensions or 2)
    nodes = Nodes(source)
    could_be_3d = source.options.dimensions is None
    count = 0
    for count, (line, text) in enumerate(source.lines(), start=1):
        values = text.split()
        with source.sparing(str(count - 1)):
            _read_node(source, nodes, str(count - 1), line, values, width)
            could_be_3d = could_be_3d and _increases([float(value) for value in values[::4]], len(values))
    tracks = nodes.tracks(stays=True)
    if could_be_3d and tracks:
        raise source.error(count, "all lines fit t x y and t x y z; valid: say dimensions = 2 or 3")
    return tracks


def _read_node(source: Source, nodes: Nodes, node: str, line: int, values: list[str], width: int) -> None:
    fields = ("t", "x", "y", "z")[:width]
    if not values or len(values) % width:
        hint = "; for t x y z say dimensions = 3" if width == 3 and values and len(values) % 4 == 0 else ""
        raise source.error(
            line,
            f"{len(values)} values; valid: one or more times the {width} of {' '.join(fields)}{hint}",
        )
    for at in range(0, len(values), width):
        waypoint = values[at : at + width]
        time_s = source.time(line, "t", waypoint[0])
        place = [
            source.coordinate(line, field, text) for field, text in zip(fields[1:], waypoint[1:], strict=True)
        ]
        nodes.add(node, line, time_s, place[0], place[1], place[2] if width == 4 else 0.0)


def _increases(times_s: list[float], count: int) -> bool:
    """Whether a line of so many values can be t x y z with these times."""
    return count % 4 == 0 and all(a < b for a, b in pairwise(times_s))


FORMAT = Format(
    name="bonnmotion",
    title="BonnMotion movements: one node a line, t x y ... in seconds and metres",
    suffixes=(".movements", ".bm"),
    recognises=lambda head: _RECOGNISED.match(head) is not None,
    read=_read,
    options=frozenset({"dimensions"}),
)
