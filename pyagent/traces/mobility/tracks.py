"""Where nodes are, and when: what every mobility format is read into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyagent.traces.errors import TraceError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Track:
    """The path of one node; between two samples it moves in a straight line at constant speed.

    Attributes:
        node: its name in the file.
        times_s: float64 [n], n >= 1, strictly increasing.
        positions_m: float64 [n, 3]; a pause is two samples with one position.
        stays: after its last sample the node waits there; otherwise it is gone.
    """

    node: str
    times_s: FloatArray
    positions_m: FloatArray
    stays: bool = False

    def __post_init__(self) -> None:
        times, positions = _frozen(self.times_s), _frozen(self.positions_m)
        if times.ndim != 1 or len(times) == 0 or positions.shape != (len(times), 3):
            raise ValueError(
                f"times_s {times.shape} and positions_m {positions.shape} must be [n] and [n, 3]"
            )
        if not (np.isfinite(times).all() and np.isfinite(positions).all() and (np.diff(times) > 0).all()):
            raise ValueError(f"node {self.node!r}: times must increase, and all values be finite")
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "positions_m", positions)

    @property
    def enter_s(self) -> float:
        """When the node is there for the first time."""
        return float(self.times_s[0])

    @property
    def leave_s(self) -> float:
        """Its last sample; the node is gone after it, unless it `stays`."""
        return float(self.times_s[-1])

    @property
    def duration_s(self) -> float:
        """From the first sample to the last."""
        return self.leave_s - self.enter_s

    @cached_property
    def _steps_m(self) -> FloatArray:
        return np.asarray(np.linalg.norm(np.diff(self.positions_m, axis=0), axis=1), dtype=np.float64)

    @property
    def length_m(self) -> float:
        """The way gone, in three dimensions."""
        return float(self._steps_m.sum())

    @property
    def max_speed_mps(self) -> float:
        """The fastest move; 0 with one sample."""
        return float((self._steps_m / np.diff(self.times_s)).max(initial=0.0))

    def present_at(self, t_s: float) -> bool:
        """Whether the node is there at a time."""
        return self.enter_s <= t_s and (self.stays or t_s <= self.leave_s)

    def position_at(self, t_s: float) -> FloatArray:
        """The place at a time, [3], in metres.

        Raises:
            TraceError: the node is not there then.
        """
        if not self.present_at(t_s):
            until = "on" if self.stays else f"to {self.leave_s:g} s"
            raise TraceError(
                f"node {self.node!r}: not there at {t_s:g} s; valid: from {self.enter_s:g} s {until}"
            )
        return np.array([np.interp(t_s, self.times_s, self.positions_m[:, axis]) for axis in range(3)])

    def between(self, start_s: float, end_s: float) -> Track | None:
        """The part from `start_s` to `end_s`, or None where the node isn't there in between.

        A node that stays is there up to `end_s`, and gone after it.
        """
        first = max(start_s, self.enter_s)
        last = end_s if self.stays else min(end_s, self.leave_s)
        if first > last:
            return None
        inside = (self.times_s > first) & (self.times_s < last)
        ends = [first, last] if last > first else [first]
        times = np.concatenate([ends[:1], self.times_s[inside], ends[1:]])
        middle = self.positions_m[inside]
        places = [self.position_at(t_s)[np.newaxis] for t_s in ends]
        return Track(self.node, times, np.concatenate([*places[:1], middle, *places[1:]]))


@dataclass(frozen=True, eq=False)
class Tracks:
    """What a mobility file holds.

    Attributes:
        source: the file.
        format: its format's name.
        tracks: node name -> track, in the file's order; at least one.
        notes: what was changed or left out in reading.
    """

    source: Path
    format: str
    tracks: Mapping[str, Track] = field(repr=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.tracks:
            raise ValueError("tracks must hold at least one node")
        object.__setattr__(self, "tracks", MappingProxyType(dict(self.tracks)))

    @property
    def start_s(self) -> float:
        """The first sample of all."""
        return min(track.enter_s for track in self.tracks.values())

    @property
    def end_s(self) -> float:
        """The last sample of all."""
        return max(track.leave_s for track in self.tracks.values())

    @cached_property
    def bounds_m(self) -> tuple[FloatArray, FloatArray]:
        """The lower and the upper corner of the box around all samples, [3] each."""
        lower = [track.positions_m.min(axis=0) for track in self.tracks.values()]
        upper = [track.positions_m.max(axis=0) for track in self.tracks.values()]
        return np.min(lower, axis=0), np.max(upper, axis=0)

    def select(self, node: str) -> Track:
        """One node's track.

        Raises:
            TraceError: there is no such node; the message lists some that exist.
        """
        if node in self.tracks:
            return self.tracks[node]
        names = list(self.tracks)
        more = f" and {len(names) - 12} more" if len(names) > 12 else ""
        raise TraceError(
            f"{self.source}: node {node!r}: not in the file; valid: {', '.join(names[:12])}{more}"
        )

    def shifted(self, time_s: float = 0.0, offset_m: Sequence[float] = (0.0, 0.0, 0.0)) -> Tracks:
        """All samples later by `time_s` and moved by `offset_m`, [2] or [3]."""
        offset = _vector(offset_m, "offset_m")
        return self._each(
            lambda track: replace(
                track, times_s=track.times_s + time_s, positions_m=track.positions_m + offset
            )
        )

    def recentred(self, origin: Literal["lower", "centre"] | Sequence[float]) -> Tracks:
        """Moved so that `origin` becomes 0.

        Args:
            origin: a place, [2] or [3], or the lower corner or the centre of the box around all
                samples; these two leave the heights alone.
        """
        if isinstance(origin, str):
            if origin not in ("lower", "centre"):
                raise TraceError(f"origin = {origin!r}: not known; valid: lower, centre, or [x, y] in metres")
            lower, upper = self.bounds_m
            corner = lower if origin == "lower" else (lower + upper) / 2
            return self.shifted(offset_m=(-corner[:2]).tolist())
        return self.shifted(offset_m=(-_vector(origin, "origin")).tolist())

    def cut(self, start_s: float, end_s: float) -> Tracks:
        """What happens from `start_s` to `end_s`; times stay as they are.

        Raises:
            TraceError: nothing does, or the two are not in order.
        """
        if not start_s < end_s < np.inf:
            raise TraceError(f"cut = [{start_s!r}, {end_s!r}]: not two times in order")
        parts = {name: track.between(start_s, end_s) for name, track in self.tracks.items()}
        left = {name: track for name, track in parts.items() if track is not None}
        if not left:
            raise TraceError(
                f"{self.source}: cut = [{start_s:g}, {end_s:g}]: no node is there then; "
                f"valid: within [{self.start_s:g}, {self.end_s:g}]"
            )
        return replace(self, tracks=left)

    def _each(self, change: Callable[[Track], Track]) -> Tracks:
        return replace(self, tracks={name: change(track) for name, track in self.tracks.items()})


def _vector(values: Sequence[float], name: str) -> FloatArray:
    vector = np.asarray(values, dtype=np.float64)
    if vector.shape not in ((2,), (3,)) or not np.isfinite(vector).all():
        raise TraceError(f"{name} = {values!r}: not a place; valid: [x, y] or [x, y, z] in metres")
    return np.concatenate([vector, np.zeros(3 - len(vector))])


def _frozen(values: ArrayLike) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array
