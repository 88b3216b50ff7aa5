"""SUMO's floating car data (`--fcd-output`), in metres or in degrees."""

from __future__ import annotations

import re
from array import array

import numpy as np

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility.formats import Format
from pyagent.traces.mobility.projection import DEGREES_FACTOR, project, within_degrees
from pyagent.traces.mobility.samples import Nodes, Samples
from pyagent.traces.mobility.source import Source
from pyagent.traces.mobility.tracks import FloatArray, Track
from pyagent.traces.mobility.xmlscan import Handler, scan

_MOVERS = ("vehicle", "person", "container")
_GEO_SETTING = re.compile(r'<fcd-output\.geo\s+value="(?:true|1|yes|on|x|t)"', re.IGNORECASE)
# The ways by speeds and by places agree within this factor; km/h, mph and feet are off by more.
_SPEED_FACTOR = 2.0
# A shorter way, of all nodes together, is no evidence.
_EVIDENCE_M = 10.0


class _Extra:
    """What a sample has beside its time and place."""

    def __init__(self, kind: str, has_z: bool) -> None:
        self.kind = kind
        self.has_z = has_z
        self.steps = array("q")
        self.speeds_mps = array("d")  # NaN where the file gives none


class _Reader(Handler):
    def __init__(self, source: Source) -> None:
        self._source = source
        self.nodes = Nodes(source)
        self.extras: dict[str, _Extra] = {}
        self.geo_setting = False
        self._step = -1
        self._time_s = -1.0

    def comment(self, text: str) -> None:
        self.geo_setting = self.geo_setting or _GEO_SETTING.search(text) is not None

    def start(self, line: int, path: tuple[str, ...], attributes: dict[str, str]) -> None:
        if path == ("fcd-export", "timestep"):
            self._timestep(line, attributes)
        elif len(path) == 3 and path[1] == "timestep":
            if path[2] not in _MOVERS:
                raise self._source.error(
                    line, f"element {path[2]!r} in a timestep; valid: {', '.join(_MOVERS)}"
                )
            with self._source.sparing(attributes.get("id", "")):
                self._sample(line, path[2], attributes)

    def _timestep(self, line: int, attributes: dict[str, str]) -> None:
        time_s = self._source.time(line, "time", attributes.get("time", ""))
        if time_s < self._time_s:
            raise self._source.bad(
                line, "time", time_s, f"timestep goes back in time; valid: not before {self._time_s:.10g} s"
            )
        self._step += time_s > self._time_s
        self._time_s = time_s

    def _sample(self, line: int, kind: str, attributes: dict[str, str]) -> None:
        source = self._source
        node = attributes.get("id", "")
        x, y = (source.coordinate(line, axis, attributes.get(axis, "")) for axis in ("x", "y"))
        has_z = "z" in attributes
        z = source.coordinate(line, "z", attributes["z"]) if has_z else 0.0
        speed = source.speed(line, "speed", attributes["speed"]) if "speed" in attributes else np.nan
        if node not in self.extras:
            self.extras[node] = _Extra(kind, has_z)
        extra = self.extras[node]
        if extra.kind != kind:
            raise source.bad(line, "id", node, f"both a {extra.kind} and a {kind}; valid: one id each")
        if extra.has_z != has_z:
            raise source.error(line, f"node {node!r} has z in some samples only; valid: in all or none")
        extra.steps.append(self._step)
        extra.speeds_mps.append(speed)
        self.nodes.add(node, line, self._time_s, x, y, z)


def _read(source: Source) -> list[Track]:
    reader = _Reader(source)
    scan(source, "fcd-export", reader)
    if not reader.extras:
        return []
    for samples in reader.nodes:
        with source.sparing(samples.node):
            _refuse_absence(source, samples, reader.extras[samples.node])
    if not list(reader.nodes):
        return []
    in_degrees = _in_degrees(source, reader)
    tables = (
        project(source, list(reader.nodes)) if in_degrees else [samples.table for samples in reader.nodes]
    )
    tracks, moved = [], []
    for samples, table in zip(reader.nodes, tables, strict=True):
        with source.sparing(samples.node):
            tracks.append(samples.track(source, table=table))
            moved.append(table[:, 1:])
    _refuse_other_unit(source, reader, moved)
    return tracks


def _refuse_absence(source: Source, samples: Samples, extra: _Extra) -> None:
    """A node that the timesteps in between leave out has left, and where it was is not known."""
    absent = np.diff(np.array(extra.steps)) > 1
    if source.options.gaps == "refuse" and absent.any():
        at = int(np.argmax(absent))
        times = samples.table[:, 0]
        raise source.error(
            samples.lines[at + 1],
            f"node {samples.node!r} is absent between {times[at]:g} s and {times[at + 1]:g} s; "
            "valid: no absence, or gaps = 'join' for a straight line",
        )


def _ways(reader: _Reader, places: list[FloatArray]) -> tuple[float, float]:
    """How far all nodes go by their speeds, in metres, and by their places, in the places' unit.

    Counted are samples that follow each other and have speeds.
    """
    claimed = moved = 0.0
    for samples, place in zip(reader.nodes, places, strict=True):
        extra = reader.extras[samples.node]
        speeds = np.array(extra.speeds_mps)
        means = (speeds[1:] + speeds[:-1]) / 2
        counted = (np.diff(np.array(extra.steps)) == 1) & ~np.isnan(means)
        claimed += float((means * np.diff(samples.table[:, 0]))[counted].sum())
        moved += float(np.linalg.norm(np.diff(place, axis=0), axis=1)[counted].sum())
    return claimed, moved


def _in_degrees(source: Source, reader: _Reader) -> bool:
    """Whether x and y are longitude and latitude: as told, or as ranges and speeds show.

    Raises:
        TraceError: it can't be told.
    """
    if source.options.geo is not None:
        return source.options.geo
    if reader.geo_setting:
        return True
    places = [samples.table[:, 1:3] for samples in reader.nodes]
    every = np.concatenate(places)
    if not within_degrees(every):
        return False
    claimed, moved = _ways(reader, places)
    if claimed > _EVIDENCE_M and (moved * _SPEED_FACTOR >= claimed or claimed > DEGREES_FACTOR * moved > 0):
        return moved < claimed / DEGREES_FACTOR
    low, high = every.min(axis=0), every.max(axis=0)
    raise TraceError(
        f"{source.path}: x from {low[0]:g} to {high[0]:g} and y from {low[1]:g} to {high[1]:g} may be "
        "metres or degrees; valid: say geo = true or false"
    )


def _refuse_other_unit(source: Source, reader: _Reader, places: list[FloatArray]) -> None:
    claimed, moved = _ways(reader, places)
    low, high = sorted((claimed, moved))
    if high > _EVIDENCE_M and high > _SPEED_FACTOR * low:
        raise TraceError(
            f"{source.path}: by their speeds nodes go {claimed:.6g} m, by their places {moved:.6g} m; valid: "
            f"metres and m/s, which agree within a factor of {_SPEED_FACTOR:g}"
        )


FORMAT = Format(
    name="fcd",
    title="SUMO FCD XML: fcd-export with timesteps of vehicles, persons or containers",
    suffixes=(".fcd", ".xml"),
    recognises=lambda head: "<fcd-export" in head,
    read=_read,
    options=frozenset({"geo", "gaps"}),
)
