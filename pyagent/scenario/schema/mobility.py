"""How UEs move."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pyagent.scenario.schema.base import (
    NotNegative,
    Position,
    Positive,
    Range,
    Section,
    Share,
    require_order,
)

AtEnd = Literal["stay", "leave", "loop", "return"]
HEIGHT_M = 1.5


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


Mobility = Annotated[
    ConstantMobility
    | LinearMobility
    | RingMobility
    | ScatterMobility
    | RandomWaypointMobility
    | RandomWalkMobility
    | GaussMarkovMobility
    | WaypointMobility,
    Field(discriminator="model"),
]
