"""How UEs move."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, field_validator, model_validator

from pyagent.scenario.schema.base import (
    DataFile,
    NotNegative,
    Position,
    Positive,
    Range,
    Section,
    Share,
    require_order,
)
from pyagent.traces.clock import ClockBack
from pyagent.traces.errors import TraceError
from pyagent.traces.mobility import FORMATS, Options, Track, Tracks, read_tracks

AtEnd = Literal["stay", "leave", "loop", "return"]
HEIGHT_M = 1.5


def _known_format(name: str | None) -> str | None:
    if name is not None and name not in FORMATS:
        raise ValueError(f"valid: {', '.join(FORMATS)}")
    return name


class Movement(Section):
    """Base of all kinds of mobility."""

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given."""
        return self.model_dump()


class ConstantMobility(Movement):
    """The UE stands still."""

    model: Literal["constant"]
    position_m: Position
    """where"""


class LinearMobility(Movement):
    """The UE goes straight on for ever."""

    model: Literal["linear"]
    position_m: Position
    """at time 0"""
    velocity_mps: Position
    """x, y, z"""


class RingMobility(Movement):
    """Each UE stands somewhere on a ring around a point; where, the seed says."""

    model: Literal["ring"]
    position_m: Position = (0.0, 0.0, HEIGHT_M)
    """the centre, at the UEs' height"""
    distance_m: tuple[Positive, Positive] = (3.0, 15.0)
    """from the centre, drawn from [low, high]"""

    @model_validator(mode="after")
    def _ordered(self) -> RingMobility:
        require_order(self, "distance_m")
        return self


class Area(Movement):
    """Base of what happens in a rectangle."""

    area_x_m: Range
    """west and east border"""
    area_y_m: Range
    """south and north border"""
    height_m: float = HEIGHT_M
    """of the UE"""

    @model_validator(mode="after")
    def _area_is_ordered(self) -> Area:
        require_order(self, "area_x_m", "area_y_m")
        return self


class ScatterMobility(Area):
    """Each UE stands somewhere in the area; where, the seed says."""

    model: Literal["scatter"]


class Walk(Area):
    """Base of the random walks."""

    speed_mps: tuple[Positive, Positive] = (1.0, 1.8)
    """drawn from [low, high]"""

    @model_validator(mode="after")
    def _walk_makes_sense(self) -> Walk:
        require_order(self, "speed_mps")
        if self.area_x_m[0] == self.area_x_m[1] and self.area_y_m[0] == self.area_y_m[1]:
            raise ValueError("area_x_m and area_y_m are one point; a UE that stands still is model: constant")
        return self


class RandomWaypointMobility(Walk):
    """The UE walks to a random point of the area, pauses, and walks on (ns-3's model)."""

    model: Literal["random-waypoint"]
    pause_s: tuple[NotNegative, NotNegative] = (0.0, 4.0)
    """at each point, drawn from [low, high]"""

    @model_validator(mode="after")
    def _pause_is_ordered(self) -> RandomWaypointMobility:
        require_order(self, "pause_s")
        return self


class RandomWalkMobility(Walk):
    """A new random direction and speed every step; the borders reflect (ns-3's 2D random walk)."""

    model: Literal["random-walk"]
    step_s: Positive = 2.0
    """time between changes of course"""


class GaussMarkovMobility(Walk):
    """Speed and direction remember: alpha 1 goes straight on, 0 forgets at once (ns-3's model)."""

    model: Literal["gauss-markov"]
    step_s: Positive = 1.0
    """time between changes of course"""
    alpha: Share = 0.85
    """memory of speed and direction"""


class WaypointMobility(Movement):
    """The UE passes points at given times, in straight lines; rows are [t_s, x_m, y_m, z_m]."""

    model: Literal["waypoints"]
    waypoints: Annotated[list[tuple[NotNegative, float, float, float]], Field(min_length=1)]
    """rows of [t_s, x_m, y_m, z_m]; times increase"""
    at_end: AtEnd = "stay"
    """stay at the last point, leave the scene, loop to the first point at once, or return the same way"""
    offset_s: tuple[NotNegative, NotNegative] = (0.0, 0.0)
    """time of the path at simulated time 0; the seed draws it from this range"""

    @field_validator("waypoints")
    @classmethod
    def _times_increase(
        cls, rows: list[tuple[float, float, float, float]]
    ) -> list[tuple[float, float, float, float]]:
        if any(later[0] <= earlier[0] for earlier, later in itertools.pairwise(rows)):
            raise ValueError("times must increase from row to row")
        return rows

    @model_validator(mode="after")
    def _offset_is_ordered(self) -> WaypointMobility:
        require_order(self, "offset_s")
        return self

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given: one track."""
        return {
            "model": "track",
            "tracks": [{"rows": self.waypoints, "stays": True}],
            "choose": False,
            "offset_s": self.offset_s,
            "at_end": self.at_end,
        }


class TraceMobility(Movement):
    """The UE goes where a recorded node went (docs/mobility-traces.md)."""

    model: Literal["trace"]
    file: DataFile
    """the trace; gzipped or not"""
    format: Annotated[str | None, AfterValidator(_known_format)] = None
    """of the file, see docs/mobility-traces.md; None: told from the content"""
    node: str | None = None
    """the node to follow; None: the nodes of the file in its order, or, with choose: seed, one of them"""
    choose: Literal["in-order", "seed"] = "in-order"
    """which node of the file a UE follows where none is named; the seed chooses anew in each episode"""
    start_s: NotNegative = 0.0
    """time of the file that becomes time 0"""
    end_s: Positive | None = None
    """what comes after this time of the file is left out"""
    from_entry: bool = False
    """time 0 is when the node enters, whenever that is in the file"""
    origin: Literal["lower", "centre"] | tuple[float, float] | None = None
    """what becomes (0, 0): the lower corner or the centre of all places, or a place of the file in metres"""
    height_m: float = HEIGHT_M
    """is added to the file's heights, which are 0 on the ground"""
    offset_s: tuple[NotNegative, NotNegative] = (0.0, 0.0)
    """the seed draws from this range how far the UE has already come at time 0"""
    at_end: AtEnd | None = None
    """where the trace ends: stay, leave, loop or return; None: as the file says, but the agent's UE stays"""
    max_speed_mps: Positive = 150.0
    """a faster move is refused"""
    activity: DataFile | None = None
    """ns2: SUMO's activity file, which says when nodes enter and leave"""
    geo: bool | None = None
    """fcd: whether places are longitude and latitude; None: told from the file"""
    gaps: Literal["refuse", "join"] = "refuse"
    """fcd, gpx: whether a node may be missing in between, a straight line there"""
    dimensions: Literal[2, 3] | None = None
    """bonnmotion: numbers of a place"""
    elevation: bool = False
    """gpx: heights from the file"""
    speed_mps: Positive | None = None
    """gpx: the constant speed; times of the file are not used then"""
    clock_back: ClockBack = "refuse"
    """gpx, csv: where a time is before the one above it: refuse, drop such points, or shift all later ones"""

    @model_validator(mode="after")
    def _readable(self) -> TraceMobility:
        require_order(self, "offset_s")
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(f"end_s ({self.end_s:g}) must be greater than start_s ({self.start_s:g})")
        self.tracks()
        return self

    def tracks(self) -> list[Track]:
        """The tracks that UEs may follow; time 0 is the scenario's.

        Raises:
            TraceError: the file can't be used, or holds no such node.
        """
        tracks = self.recorded()
        if self.origin is not None:
            tracks = tracks.recentred(self.origin)
        if self.start_s > 0 or self.end_s is not None:
            end_s = tracks.end_s if self.end_s is None else self.end_s
            tracks = tracks.cut(self.start_s, max(end_s, self.start_s + 1e-9)).shifted(time_s=-self.start_s)
        return [tracks.select(self.node)] if self.node is not None else list(tracks.tracks.values())

    def recorded(self) -> Tracks:
        """The file's tracks as it has them. A fault of another node than the one named is no error.

        Raises:
            TraceError: the file can't be used.
        """
        try:
            return _read(self.file, self.format, self._options())
        except TraceError:
            if self.node is None:
                raise
            return _read(self.file, self.format, replace(self._options(), node=self.node))

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given: the tracks."""
        tracks = self.tracks()
        return {
            "model": "track",
            "tracks": [self._track(track) for track in tracks],
            "choose": self.choose == "seed",
            "offset_s": self.offset_s,
            "at_end": self.at_end or ("stay" if all(track.stays for track in tracks) else "leave"),
        }

    def staying(self) -> TraceMobility:
        """The same, but a UE whose trace is over stays unless `at_end` says otherwise."""
        return self.model_copy(update={"at_end": self.at_end or "stay"})

    def _track(self, track: Track) -> dict[str, Any]:
        times_s = track.times_s - (track.enter_s if self.from_entry else 0.0)
        places_m = track.positions_m + np.array([0.0, 0.0, self.height_m])
        return {
            "rows": np.column_stack([times_s, places_m]).tolist(),
            "stays": bool(times_s[0] <= 0),
        }

    def _options(self) -> Options:
        return Options(
            max_speed_mps=self.max_speed_mps,
            activity=self.activity,
            geo=self.geo,
            gaps=self.gaps,
            dimensions=self.dimensions,
            elevation=self.elevation,
            speed_mps=self.speed_mps,
            clock_back=self.clock_back,
        )


@lru_cache(maxsize=8)
def _read(file: Path, format: str | None, options: Options) -> Tracks:
    return read_tracks(file, format, options=options)


Mobility = Annotated[
    ConstantMobility
    | LinearMobility
    | RingMobility
    | ScatterMobility
    | RandomWaypointMobility
    | RandomWalkMobility
    | GaussMarkovMobility
    | WaypointMobility
    | TraceMobility,
    Field(discriminator="model"),
]
