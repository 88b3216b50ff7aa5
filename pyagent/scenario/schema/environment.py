"""What stands in the way of the radio, beside distance and fading."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pyagent.scenario.schema.base import Positive, Range, Section
from pyagent.scenario.schema.mobility import Mobility

LossDb = Annotated[float, Field(ge=0, le=200)]


class Shadowing(Section):
    """Log-normal shadowing, correlated over the ground: each site has a field of its own, read at the UE.

    The autocorrelation is exp(-distance / decorrelation_m), as in 3GPP TR 38.901, clause 7.4.4. Typical
    there: 3 to 8 dB, and 6 m (indoors) to 50 m (streets).
    """

    std_db: Annotated[float, Field(ge=0, le=30)]
    """standard deviation of the loss in dB"""
    decorrelation_m: Positive
    """distance over which the correlation falls to 1/e, in m"""


class Cuboid(Section):
    """Base of what fills a cuboid of space."""

    x_m: Range
    """[low, high] in m"""
    y_m: Range
    """[low, high] in m"""

    @model_validator(mode="after")
    def _has_a_floor_area(self) -> Cuboid:
        _require_extent(self, "x_m", "y_m")
        return self


class Building(Cuboid):
    """Walls and floors, each with its loss where the straight line between site and UE goes through it.

    The figures are those of ns-3's building models (`links/building-loss-model.h` gives them). Rooms and
    floors are of equal size.
    """

    z_m: Range
    """[low, high] in m"""
    type: Literal["residential", "office", "commercial"] = "office"
    """says what a floor costs: n floors 4n, 15 + 4 (n - 1) or 6 + 3 (n - 1) dB"""
    walls: Literal["wood", "concrete-with-windows", "concrete-without-windows", "stone-blocks"] = (
        "concrete-with-windows"
    )
    """the outer walls: 4, 7, 15 or 12 dB each"""
    rooms_x: Annotated[int, Field(ge=1, le=1000)] = 1
    """rooms along x; a wall between rooms costs 5 dB"""
    rooms_y: Annotated[int, Field(ge=1, le=1000)] = 1
    """rooms along y"""
    floors: Annotated[int, Field(ge=1, le=1000)] = 1
    """storeys; a floor between site and UE costs what `type` says"""

    @model_validator(mode="after")
    def _has_a_height(self) -> Building:
        _require_extent(self, "z_m")
        return self

    def overlaps(self, other: Building) -> bool:
        """Whether the two share more than a wall."""
        return all(
            max(mine[0], theirs[0]) < min(mine[1], theirs[1])
            for mine, theirs in ((self.x_m, other.x_m), (self.y_m, other.y_m), (self.z_m, other.z_m))
        )


class Zone(Cuboid):
    """A part of space that radio gets into badly, as a tunnel or a lift.

    A site in the same zone as the UE is not affected; losses of nested zones add up.
    """

    name: str = ""
    """for the map"""
    z_m: Range | None = None
    """[low, high] in m; all heights when not given"""
    loss_db: LossDb
    """between inside and outside, in dB"""

    @model_validator(mode="after")
    def _has_a_height(self) -> Zone:
        if self.z_m is not None:
            _require_extent(self, "z_m")
        return self


class Obstacles(Section):
    """Things that move and block, as forklifts or buses: upright cylinders on the ground (z = 0)."""

    count: Annotated[int, Field(ge=1, le=100)] = 1
    """how many"""
    mobility: Mobility
    """how each moves; heights there don't count"""
    radius_m: Positive
    """in m"""
    height_m: Positive
    """of the top above the ground, in m"""
    loss_db: LossDb
    """of each that the straight line between site and UE goes through, in dB"""

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given."""
        return {**self.model_dump(exclude={"mobility"}), "mobility": self.mobility.simulator()}


class Environment(Section):
    """Everything between sites and UEs; all of it depends on seed, place and time alone."""

    shadowing: Shadowing | None = None
    """slow changes of the loss over the ground; null for none"""
    buildings: Annotated[list[Building], Field(max_length=1000)] = []
    """may touch, not overlap"""
    zones: Annotated[list[Zone], Field(max_length=1000)] = []
    """parts of space that radio gets into badly"""
    obstacles: Annotated[list[Obstacles], Field(max_length=100)] = []
    """groups of things that move and block"""

    @model_validator(mode="after")
    def _buildings_stand_apart(self) -> Environment:
        for (i, one), (j, other) in itertools.combinations(enumerate(self.buildings), 2):
            if one.overlaps(other):
                raise ValueError(f"buildings {i} and {j} overlap; they may touch, no more")
        return self

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given."""
        return {
            "shadowing": self.shadowing.model_dump() if self.shadowing else None,
            "buildings": [building.model_dump() for building in self.buildings],
            "zones": [zone.model_dump(exclude={"name"}) for zone in self.zones],
            "obstacles": [group.simulator() for group in self.obstacles],
        }


def _require_extent(section: Section, *names: str) -> None:
    for name in names:
        low, high = getattr(section, name)
        if low >= high:
            raise ValueError(f"{name} is [low, high] and needs low < high")
