"""The other UEs of the cell: where they are and what they load the radio and the edge with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pyagent.scenario.schema.base import Positive, Section
from pyagent.scenario.schema.mobility import Mobility, RingMobility


class Traffic(Section):
    """A stream of packets to or from the edge."""

    kind: Literal["cbr", "on-off"] = "on-off"
    """cbr: at a constant rate; on-off: in bursts"""
    direction: Literal["uplink", "downlink"] = "uplink"
    """from the UE to the edge, or back"""
    rate_kbps: Positive
    """while on"""
    packet_bytes: Annotated[int, Field(ge=32, le=1472)] = 1000
    """UDP payload"""
    on_s: Positive = 1.0
    """on-off: mean of the exponential time for which it sends"""
    off_s: Positive = 1.0
    """on-off: mean of the exponential time for which it is silent"""
    frames_per_s: Positive = 30.0
    """frames of a video"""


class Others(Section):
    """A group of UEs that are alike."""

    count: Annotated[int, Field(ge=1, le=100)] = 1
    """how many UEs"""
    mobility: Mobility = RingMobility(model="ring")
    """how they move"""
    traffic: Traffic | None = None
    """what they send or receive; null for nothing"""
    split: Annotated[int, Field(ge=1)] | None = None
    """runs split inference itself, always at this split, with packets and jobs at the edge of its own"""

    @model_validator(mode="after")
    def _does_something(self) -> Others:
        if self.traffic is None and self.split is None:
            raise ValueError("a group needs traffic, a split, or both; else it changes nothing")
        return self

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given."""
        return {
            "count": self.count,
            "mobility": self.mobility.simulator(),
            "traffic": self.traffic.model_dump() if self.traffic else None,
            "split": self.split,
        }
