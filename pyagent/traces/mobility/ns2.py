"""ns-2 movement files: SUMO's traceExporter, BonnMotion's NSFile, CMU's setdest.

`$node_(0) set X_ 5` gives the place at 0 s. `$ns_ at 2.0 "$node_(0) setdest X Y V"` sends the node
towards X, Y at V m/s; there it waits for its next command, and a command before that turns it where
it is. With V = 0 it stops. Lines of `$god_` (hop counts) and comments say nothing about movement.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility.formats import Format
from pyagent.traces.mobility.projection import DEGREES_FACTOR, within_degrees
from pyagent.traces.mobility.samples import Nodes
from pyagent.traces.mobility.source import MAX_TIME_S, Source
from pyagent.traces.mobility.tracks import Track

_NODE = r"\$node_\((?P<node>[^()\s\"$]+)\)"
_SET = rf"{_NODE}\s+set\s+(?P<axis>[XYZ])_\s+(?P<value>[^\s\";]+)"
_END = r"\s*;?\s*(?:#.*)?"
_AT = r"\$ns_\s+at\s+(?P<time>\S+)\s+"
_PLACE = re.compile(_SET + _END)
_LATE_PLACE = re.compile(rf'{_AT}"\s*{_SET}\s*"{_END}')
_SETDEST = re.compile(rf'{_AT}"\s*{_NODE}\s+setdest\s+(?P<x>\S+)\s+(?P<y>\S+)\s+(?P<speed>[^\s"]+)\s*"{_END}')
_FORMS = (_SETDEST, _PLACE, _LATE_PLACE)
_GOD = re.compile(r'(?:\$ns_\s+at\s+\S+\s+")?\$god_\s.*')
_ACTIVITY = re.compile(rf'{_AT}"\s*\$g\((?P<node>[^()\s"$]+)\)\s+(?P<what>start|stop)\s*"{_END}')

_VALID = '$node_(ID) set X_|Y_|Z_ M, or $ns_ at S "$node_(ID) setdest X Y SPEED"'
# Arrivals closer than this to a command are one event; far below what any tool writes.
_INSTANT_S = 1e-9


@dataclass
class _Node:
    """One node while its commands are read."""

    start: dict[str, float] = field(default_factory=dict)
    start_s: float = 0.0
    place: tuple[float, float, float] | None = None  # at the last command
    command: tuple[float, float, float, float] | None = None  # the last: time, x, y, speed
    command_line: int = 0
    claimed_m: float = 0.0  # by speeds and times between commands
    moved_m: float = 0.0


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._nodes: dict[str, _Node] = {}
        self._samples = Nodes(source)

    def read(self) -> list[Track]:
        for line, text in self._source.lines():
            if not text or text.startswith("#") or _GOD.fullmatch(text):
                continue
            found = next(filter(None, (form.fullmatch(text) for form in _FORMS)), None)
            if found is None:
                raise self._source.bad(line, "line", text, f"not a movement; valid: {_VALID}")
            if found["node"] in self._source.faults:
                continue
            with self._source.sparing(found["node"]):
                if found.re is _SETDEST:
                    self._setdest(line, found)
                else:
                    late = found.re is _LATE_PLACE
                    self._set(line, found, self._source.time(line, "time", found["time"]) if late else 0.0)
        for name, node in self._nodes.items():
            if name not in self._source.faults:
                with self._source.sparing(name):
                    self._finish(name, node)
        tracks = {track.node: track for track in self._samples.tracks(stays=True)}
        self._refuse_degrees(list(tracks.values()))
        return [tracks[name] for name in self._nodes if name in tracks]

    def _set(self, line: int, found: re.Match[str], time_s: float) -> None:
        node = self._nodes.setdefault(found["node"], _Node())
        axis, text = found["axis"], found["value"]
        value = self._source.coordinate(line, f"{axis}_", text)
        if node.place is not None:
            raise self._source.bad(
                line,
                f"{axis}_",
                text,
                f"node {found['node']!r} has moved already; valid: before its first setdest",
            )
        if node.start.get(axis, value) != value or (node.start and node.start_s != time_s):
            raise self._source.bad(
                line,
                f"{axis}_",
                text,
                f"node {found['node']!r} starts in two places; valid: one place at one time",
            )
        node.start[axis] = value
        node.start_s = time_s
        node.command_line = line

    def _setdest(self, line: int, found: re.Match[str]) -> None:
        source = self._source
        name = found["node"]
        time_s = source.time(line, "time", found["time"])
        x, y = (source.coordinate(line, axis, found[axis]) for axis in ("x", "y"))
        speed = source.speed(line, "speed", found["speed"])
        node = self._nodes.setdefault(name, _Node())
        if node.place is None:
            self._begin(line, name, node)
        if node.command is not None and time_s == node.command[0]:
            if (time_s, x, y, speed) == node.command:
                return
            raise source.bad(
                line, "time", time_s, f"node {name!r} gets two commands at once; valid: one command a time"
            )
        since_s = node.start_s if node.command is None else node.command[0]
        if time_s < since_s:
            raise source.bad(
                line, "time", time_s, f"node {name!r} goes back in time; valid: not before {since_s:.10g} s"
            )
        self._advance(line, name, node, time_s)
        node.command = (time_s, x, y, speed)
        node.command_line = line

    def _begin(self, line: int, name: str, node: _Node) -> None:
        missing = [axis for axis in ("X", "Y") if axis not in node.start]
        if missing:
            raise self._source.error(
                line,
                f"node {name!r} has no {missing[0]}_ before its first setdest; "
                f"valid: $node_({name}) set {missing[0]}_ M",
            )
        node.place = (node.start["X"], node.start["Y"], node.start.get("Z", 0.0))
        self._samples.add(name, node.command_line, node.start_s, *node.place)

    def _advance(self, line: int, name: str, node: _Node, until_s: float) -> None:
        """Samples up to a time: the arrival if it is earlier, and the place at that time."""
        assert node.place is not None
        if node.command is None:
            if until_s > node.start_s:
                self._samples.add(name, line, until_s, *node.place)
            return
        since_s, x, y, speed = node.command
        x0, y0, z = node.place
        way_m = math.hypot(x - x0, y - y0)
        needed_s = way_m / speed if speed > 0 else math.inf
        elapsed_s = until_s - since_s
        if needed_s > elapsed_s + _INSTANT_S:
            share = 0.0 if math.isinf(needed_s) else elapsed_s / needed_s
            node.place = (x0 + share * (x - x0), y0 + share * (y - y0), z)
        else:
            if _INSTANT_S < needed_s < elapsed_s - _INSTANT_S:
                self._samples.add(name, node.command_line, since_s + needed_s, x, y, z)
            node.place = (x, y, z)
        node.claimed_m += speed * elapsed_s
        node.moved_m += min(way_m, speed * elapsed_s)
        self._samples.add(name, line, until_s, *node.place)

    def _finish(self, name: str, node: _Node) -> None:
        """The arrival of the last command; the node stays there."""
        if node.place is None:
            self._begin(node.command_line, name, node)
        if node.command is None:
            return
        assert node.place is not None
        since_s, x, y, speed = node.command
        needed_s = math.hypot(x - node.place[0], y - node.place[1]) / speed if speed > 0 else 0.0
        if since_s + needed_s > MAX_TIME_S:
            raise self._source.bad(
                node.command_line,
                "speed",
                speed,
                f"node {name!r} never arrives; valid: 0, or by {MAX_TIME_S:g} s",
            )
        if needed_s > _INSTANT_S:
            self._samples.add(name, node.command_line, since_s + needed_s, x, y, node.place[2])

    def _refuse_degrees(self, tracks: list[Track]) -> None:
        claimed_m = sum(node.claimed_m for node in self._nodes.values())
        moved_m = sum(node.moved_m for node in self._nodes.values())
        if not tracks or not claimed_m > DEGREES_FACTOR * moved_m > 0:
            return
        if within_degrees(np.concatenate([track.positions_m[:, :2] for track in tracks])):
            line = next(node.command_line for node in self._nodes.values() if node.moved_m > 0)
            raise self._source.error(
                line,
                f"places look like degrees: by their speeds nodes would go {claimed_m:.6g}, by their places "
                f"{moved_m:.6g}; valid: metres",
            )


def _read_activity(source: Source) -> dict[str, tuple[float, float]]:
    """Node -> when it starts and stops, in seconds; it stops at infinity where the file doesn't say."""
    times: dict[str, dict[str, float]] = {}
    for line, text in source.lines():
        if not text or text.startswith("#"):
            continue
        found = _ACTIVITY.fullmatch(text)
        if found is None:
            raise source.bad(line, "line", text, 'not an activity; valid: $ns_ at S "$g(ID) start|stop"')
        node, what = found["node"], found["what"]
        known = times.setdefault(node, {})
        time_s = source.time(line, "time", found["time"])
        if what in known or (what == "stop" and not known.get("start", math.inf) < time_s):
            raise source.bad(
                line,
                what,
                time_s,
                f"node {node!r}: out of turn; valid: one start and, later, one stop a node",
            )
        known[what] = time_s
    return {node: (known["start"], known.get("stop", math.inf)) for node, known in times.items()}


def _while_active(tracks: list[Track], activity: Source) -> list[Track]:
    """The tracks from each node's start to its stop."""
    active = _read_activity(activity)
    names = {track.node for track in tracks}
    for wanted, given, problem in (
        (names, active, "has no start; valid: every node of the movements"),
        (active, names, "starts but has no movement; valid: the nodes of the movements"),
    ):
        for node in wanted:
            if node not in given and activity.options.node in (None, node):
                raise TraceError(f"{activity.path}: node {node!r} {problem}")
    parts = []
    for track in tracks:
        with activity.sparing(track.node):
            if track.node in active:
                parts.append(_part(track, *active[track.node], activity))
    return parts


def _part(track: Track, start_s: float, stop_s: float, activity: Source) -> Track:
    part = track.between(start_s, max(start_s, track.leave_s) if math.isinf(stop_s) else stop_s)
    if part is None:
        raise TraceError(
            f"{activity.path}: node {track.node!r} stops at {stop_s:g} s, before its first place at "
            f"{track.enter_s:g} s; valid: a later stop"
        )
    return replace(part, stays=math.isinf(stop_s))


def _read(source: Source) -> list[Track]:
    tracks = _Reader(source).read()
    activity = source.options.activity
    return tracks if activity is None else _while_active(tracks, Source(Path(activity), source.options))


FORMAT = Format(
    name="ns2",
    title="ns-2 movements: set X_/Y_/Z_ and setdest lines, metres and seconds",
    suffixes=(".tcl", ".ns_movements", ".ns2"),
    recognises=lambda head: re.search(r"^\s*\$(node_\(|ns_\s+at\s)", head, re.MULTILINE) is not None,
    read=_read,
    options=frozenset({"activity"}),
)
