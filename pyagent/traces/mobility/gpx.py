"""GPX 1.0 and 1.1: recorded tracks, or planned routes in a file without tracks.

Each track (or route) is a node. Times count from the earliest in the file; places are metres about
the middle of the file's box (`projection.LocalProjection`). Waypoints are ignored.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, count

import numpy as np

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility.formats import Format
from pyagent.traces.mobility.projection import project
from pyagent.traces.mobility.samples import Nodes, Samples
from pyagent.traces.mobility.source import Source
from pyagent.traces.mobility.tracks import FloatArray, Track
from pyagent.traces.mobility.xmlscan import Handler, scan

_POINTS = (("gpx", "trk", "trkseg", "trkpt"), ("gpx", "rte", "rtept"))
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|([+-])([01]\d):([0-5]\d))?", re.ASCII
)


@dataclass
class _Path:
    """A track or a route; its points are samples of longitude, latitude and elevation, NaN if missing."""

    kind: str
    node: str
    name: str = ""
    segments: list[int] = field(default_factory=list)  # index of each one's first point


class _Reader(Handler):
    def __init__(self, source: Source) -> None:
        self._source = source
        self._samples = Nodes(source)
        self._paths: list[_Path] = []
        self._first: datetime | None = None
        self._point = [math.nan] * 4
        self._line = 0
        self._count = 0

    def start(self, line: int, path: tuple[str, ...], attributes: dict[str, str]) -> None:
        if path in (("gpx", "trk"), ("gpx", "rte")):
            self._paths.append(_Path(path[1], f"{path[1]} {len(self._paths) + 1}"))
            self._count = 0
        elif path == ("gpx", "trk", "trkseg"):
            self._paths[-1].segments.append(self._count)
        elif path in _POINTS:
            places = [self._source.number(line, name, attributes.get(name, "")) for name in ("lon", "lat")]
            self._point = [math.nan, *places, math.nan]
            self._line = line

    def end(self, line: int, path: tuple[str, ...], text: str) -> None:
        if path in _POINTS:
            self._samples.add(self._paths[-1].node, self._line, *self._point)
            self._count += 1
        elif path[:-1] in _POINTS and path[-1] == "time":
            self._point[0] = self._since_first(line, text)
        elif path[:-1] in _POINTS and path[-1] == "ele":
            self._point[3] = self._source.coordinate(line, "ele", text)
        elif path in (("gpx", "trk", "name"), ("gpx", "rte", "name")):
            self._paths[-1].name = text

    def chosen(self) -> list[tuple[_Path, Samples]]:
        """The tracks that have points, else such routes, each under a name of its own."""
        samples = {each.node: each for each in self._samples}
        filled = [path for path in self._paths if path.node in samples]
        tracks = [path for path in filled if path.kind == "trk"]
        result: dict[str, tuple[_Path, Samples]] = {}
        for path in tracks or filled:
            each = samples[path.node]
            name = path.name or path.node
            names = chain([name], (f"{name} ({again})" for again in count(2)))
            each.node = next(free for free in names if free not in result)
            result[each.node] = path, each
        return list(result.values())

    def _since_first(self, line: int, text: str) -> float:
        time = _instant(text)
        if time is None:
            raise self._source.bad(line, "time", text, "not a time; valid: YYYY-MM-DDThh:mm:ss[.s][Z|+hh:mm]")
        self._first = self._first or time
        return (time - self._first).total_seconds()


def _instant(text: str) -> datetime | None:
    """A time as XML Schema writes it, in UTC, to the microsecond; without a zone it is UTC."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(number) for number in found.groups()[:6])
    fraction, sign, hours, minutes = found.groups()[6:]
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return whole + timedelta(seconds=float(fraction or 0)) - offset
    except (ValueError, OverflowError):
        return None


def _read(source: Source) -> list[Track]:
    reader = _Reader(source)
    scan(source, "gpx", reader)
    chosen = reader.chosen()
    if not chosen:
        return []
    all_samples = [samples for _, samples in chosen]
    _refuse_gaps(source, chosen)
    tables = project(source, all_samples)
    _set_heights(source, all_samples, tables)
    _set_times(source, all_samples, tables)
    return [samples.track(source, table=table) for samples, table in zip(all_samples, tables, strict=True)]


def _refuse_gaps(source: Source, chosen: list[tuple[_Path, Samples]]) -> None:
    for path, samples in chosen:
        starts = [start for start in path.segments if 0 < start < len(samples)]
        if starts and source.options.gaps == "refuse":
            raise source.error(
                samples.lines[starts[0]],
                f"track {samples.node!r} has a new segment here, and where it was in between is not known; "
                "valid: one segment, or gaps = 'join' for a straight line",
            )


def _set_heights(source: Source, all_samples: list[Samples], tables: list[FloatArray]) -> None:
    if not source.options.elevation:
        for table in tables:
            table[:, 3] = 0.0
        return
    _refuse_missing(
        source, all_samples, tables, 3, "ele, which elevation = true needs; valid: in every point"
    )
    ground_m = tables[0][0, 3]
    for table in tables:
        table[:, 3] -= ground_m


def _set_times(source: Source, all_samples: list[Samples], tables: list[FloatArray]) -> None:
    speed = source.options.speed_mps
    missing = [bool(np.isnan(table[:, 0]).all()) for table in tables]
    if speed is None or not all(missing):
        _refuse_missing(
            source,
            all_samples,
            tables,
            0,
            "time; valid: in every point, or in none and speed_mps for a constant speed",
        )
        if speed is not None:
            raise TraceError(
                f"{source.path}: speed_mps = {speed!r}: the points have times; valid: leave it out"
            )
        first_s = min(float(table[:, 0].min()) for table in tables)
        for table in tables:
            table[:, 0] -= first_s
        return
    for table in tables:
        ways_m = np.linalg.norm(np.diff(table[:, 1:], axis=0), axis=1)
        table[:, 0] = np.concatenate([[0.0], np.cumsum(ways_m)]) / speed


def _refuse_missing(
    source: Source, all_samples: list[Samples], tables: list[FloatArray], column: int, what: str
) -> None:
    for samples, table in zip(all_samples, tables, strict=True):
        missing = np.isnan(table[:, column])
        if missing.any():
            raise source.error(samples.lines[int(np.argmax(missing))], f"point has no {what}")


FORMAT = Format(
    name="gpx",
    title="GPX 1.0 or 1.1: tracks, else routes, with points",
    suffixes=(".gpx",),
    recognises=lambda head: re.search(r"<([\w.-]+:)?gpx[\s>]", head) is not None,
    read=_read,
    options=frozenset({"gaps", "elevation", "speed_mps"}),
)
