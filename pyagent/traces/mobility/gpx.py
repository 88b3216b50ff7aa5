"""GPX 1.0 and 1.1: recorded tracks, or planned routes in a file without tracks.

Each track (or route) is a node. Times count from the earliest in the file; places are metres about
the middle of the file's box (`projection.LocalProjection`). Waypoints are ignored. A fault in one track
is raised when the tracks have their names, unless every track is needed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
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
_SAME_TIME = timedelta(milliseconds=1)
_GPS_START = datetime(1980, 1, 6, tzinfo=UTC)


@dataclass
class _Path:
    """A track or a route; its points are samples of longitude, latitude and elevation, NaN if missing."""

    kind: str
    node: str
    name: str = ""
    segments: list[int] = field(default_factory=list)  # index of each one's first point
    points: int = 0
    fault: TraceError | None = None


class _Reader(Handler):
    def __init__(self, source: Source) -> None:
        self._source = source
        self._samples = Nodes(source)
        self._paths: list[_Path] = []
        self._point = [math.nan] * 4
        self._line = 0
        self.first: datetime | None = None
        self.latest_s = 0.0
        self.times = 0

    def start(self, line: int, path: tuple[str, ...], attributes: dict[str, str]) -> None:
        if path in (("gpx", "trk"), ("gpx", "rte")):
            self._paths.append(_Path(path[1], f"{path[1]} {len(self._paths) + 1}"))
        elif path == ("gpx", "trk", "trkseg"):
            self._paths[-1].segments.append(self._paths[-1].points)
        elif path in _POINTS:
            self._line = line
            with self._later():
                places = [
                    self._source.number(line, name, attributes.get(name, "")) for name in ("lon", "lat")
                ]
                self._point = [math.nan, *places, math.nan]

    def end(self, line: int, path: tuple[str, ...], text: str) -> None:
        if path in (("gpx", "trk", "name"), ("gpx", "rte", "name")):
            self._paths[-1].name = text
        elif path in _POINTS or path[:-1] in _POINTS:
            with self._later():
                self._end_in_point(line, path, text)

    def _end_in_point(self, line: int, path: tuple[str, ...], text: str) -> None:
        if path in _POINTS:
            self._paths[-1].points += 1
            if self._paths[-1].fault is None:
                self._samples.add(self._paths[-1].node, self._line, *self._point)
        elif path[-1] == "time":
            self.times += 1
            if self._source.options.speed_mps is None:
                self._point[0] = self._since_first(line, text)
        elif path[-1] == "ele":
            self._point[3] = self._source.coordinate(line, "ele", text)

    @contextmanager
    def _later(self) -> Iterator[None]:
        """Keep the first fault of a track until it is clear whether the track is needed."""
        try:
            yield
        except TraceError as error:
            if self._source.options.node is None:
                raise
            self._paths[-1].fault = self._paths[-1].fault or error

    def chosen(self) -> list[tuple[_Path, Samples]]:
        """The sound tracks that have points, else such routes, each under a name of its own."""
        samples = {each.node: each for each in self._samples}
        filled = [path for path in self._paths if path.points]
        tracks = [path for path in filled if path.kind == "trk"]
        names: set[str] = set()
        result = []
        for path in tracks or filled:
            name = _free_name(path.name or path.node, names)
            names.add(name)
            with self._source.sparing(name):
                if path.fault is not None:
                    raise path.fault
                each = samples[path.node]
                each.node = name
                result.append((path, each))
        return result

    def _since_first(self, line: int, text: str) -> float:
        time = _instant(text)
        if time is None:
            raise self._source.bad(line, "time", text, "not a time; valid: YYYY-MM-DDThh:mm:ss[.s][Z|+hh:mm]")
        self.first = self.first or time
        since_s = (time - self.first).total_seconds()
        self.latest_s = max(self.latest_s, since_s)
        return since_s


def _free_name(name: str, taken: set[str]) -> str:
    names = chain([name], (f"{name} ({again})" for again in count(2)))
    return next(free for free in names if free not in taken)


class _TimeTexts(Handler):
    """The texts of the times of the points that begin in one line."""

    def __init__(self, line: int) -> None:
        self._sought = line
        self._line = 0
        self.texts: list[str] = []

    def start(self, line: int, path: tuple[str, ...], attributes: dict[str, str]) -> None:
        if path in _POINTS:
            self._line = line

    def end(self, line: int, path: tuple[str, ...], text: str) -> None:
        if path[:-1] in _POINTS and path[-1] == "time" and self._line == self._sought:
            self.texts.append(text)


def _time_text(source: Source, line: int, time: datetime) -> str:
    """The time of a point that begins in a line, as the file writes it; the file is read again."""
    handler = _TimeTexts(line)
    scan(source, "gpx", handler)
    instants = ((_instant(text), text) for text in handler.texts)
    same = (text for instant, text in instants if instant is not None and abs(instant - time) < _SAME_TIME)
    return next(same, time.isoformat())


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
    sound = []
    for path, samples in reader.chosen():
        with source.sparing(samples.node):
            _refuse_gap(source, path, samples)
            _refuse_missing_fields(source, samples)
            _refuse_placeholders(source, reader, samples)
            sound.append(samples)
    if not sound:
        return []
    sound, tables = _projected(source, sound)
    _set_heights(source, tables)
    begin = _set_times(source, reader, tables)

    def quote(line: int, time_s: float) -> str:
        return _time_text(source, line, begin + timedelta(seconds=time_s))

    tracks = []
    for samples, table in zip(sound, tables, strict=True):
        with source.sparing(samples.node):
            tracks.append(samples.track(source, table=table, recorded=True, quote=quote))
    return tracks


def _projected(source: Source, sound: list[Samples]) -> tuple[list[Samples], list[FloatArray]]:
    """Nodes with their places in metres; only the node that is needed where others are too far away."""
    try:
        return sound, project(source, sound)
    except TraceError as error:
        needed = [samples for samples in sound if samples.node == source.options.node]
        if not needed or len(sound) == 1:
            raise
        for samples in sound:
            if samples not in needed:
                source.faults.setdefault(samples.node, str(error))
        return needed, project(source, needed)


def _refuse_gap(source: Source, path: _Path, samples: Samples) -> None:
    starts = [start for start in path.segments if 0 < start < len(samples)]
    if starts and source.options.gaps == "refuse":
        raise source.error(
            samples.lines[starts[0]],
            f"track {samples.node!r} has a new segment here, and where it was in between is not known; "
            "valid: one segment, or gaps = 'join' for a straight line",
        )


def _refuse_missing_fields(source: Source, samples: Samples) -> None:
    if source.options.elevation:
        _refuse_missing(source, samples, 3, "ele, which elevation = true needs; valid: in every point")
    if source.options.speed_mps is None:
        _refuse_missing(source, samples, 0, "time; valid: in every point, or speed_mps for a constant speed")


def _refuse_placeholders(source: Source, reader: _Reader, samples: Samples) -> None:
    """Times that no clock has shown: all the same, or before GPS while others of the file are after."""
    if source.options.speed_mps is not None or reader.first is None:
        return
    table = samples.table
    times_s = table[:, 0]
    moves = len(table) > 1 and bool(np.ptp(table[:, 1:3], axis=0).any())
    if moves and not np.ptp(times_s):
        problem = f"the same in all {len(table)} points of track {samples.node!r}"
    elif (times_s < _gps_start_s(reader)).any() and reader.latest_s >= _gps_start_s(reader):
        problem = f"before GPS (1980), and others are after: a placeholder in track {samples.node!r}"
    else:
        return
    at = int(np.argmin(times_s))
    line, text = (
        samples.lines[at],
        _time_text(source, samples.lines[at], reader.first + timedelta(seconds=float(times_s[at]))),
    )
    valid = "valid: times of a clock, or speed_mps for a constant speed"
    raise source.bad(line, "time", text, f"{problem}; {valid}")


def _gps_start_s(reader: _Reader) -> float:
    """The begin of GPS time, in seconds after the file's first time."""
    assert reader.first is not None
    return (_GPS_START - reader.first).total_seconds()


def _set_heights(source: Source, tables: list[FloatArray]) -> None:
    ground_m = tables[0][0, 3]
    for table in tables:
        table[:, 3] = table[:, 3] - ground_m if source.options.elevation else 0.0


def _set_times(source: Source, reader: _Reader, tables: list[FloatArray]) -> datetime:
    """Times after the earliest of the file, which is returned; or by speed_mps, whatever the file says."""
    speed_mps = source.options.speed_mps
    begin = reader.first or _GPS_START
    if speed_mps is None:
        first_s = min(float(table[:, 0].min()) for table in tables)
        for table in tables:
            table[:, 0] -= first_s
        return begin + timedelta(seconds=first_s)
    if reader.times:
        source.notes.append(f"the times of the file are not used: speed_mps = {speed_mps:g}")
    for table in tables:
        ways_m = np.linalg.norm(np.diff(table[:, 1:], axis=0), axis=1)
        table[:, 0] = np.concatenate([[0.0], np.cumsum(ways_m)]) / speed_mps
    return begin


def _refuse_missing(source: Source, samples: Samples, column: int, what: str) -> None:
    missing = np.isnan(samples.table[:, column])
    if missing.any():
        raise source.error(samples.lines[int(np.argmax(missing))], f"point has no {what}")


FORMAT = Format(
    name="gpx",
    title="GPX 1.0 or 1.1: tracks, else routes, with points",
    suffixes=(".gpx",),
    recognises=lambda head: re.search(r"<([\w.-]+:)?gpx[\s>]", head) is not None,
    read=_read,
    options=frozenset({"gaps", "elevation", "speed_mps", "clock_back"}),
)
