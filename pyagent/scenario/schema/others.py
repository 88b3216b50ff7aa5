"""The other UEs of the cell: where they are and what they load the radio and the edge with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pyagent.scenario.schema.base import NotNegative, Positive, Section
from pyagent.scenario.schema.mobility import Mobility, RingMobility


class Traffic(Section):
    """A stream of packets to or from the edge, while the UE is there.

    cbr, on-off and video are UDP and offer what the seed says, whatever the network does with it. cbr sends
    evenly; on-off is cbr that comes and goes; video sends each frame as a burst, its size Gamma of shape 3
    around rate_kbps / frames_per_s. tcp adapts to the network, and so to what the agent does.
    """

    kind: Literal["cbr", "on-off", "video", "tcp"] = "on-off"
    """cbr: at a constant rate; on-off: in bursts; video: in frames; tcp: as fast as the network lets it"""
    direction: Literal["uplink", "downlink"] = "uplink"
    """from the UE to the edge, or back"""
    rate_kbps: NotNegative
    """mean while on, without headers; tcp: the application's limit, 0 for a source that always has more"""
    packet_bytes: Annotated[int, Field(ge=32, le=1472)] = 1000
    """UDP payload; tcp: what the application hands over at a time (segments have 1448 bytes)"""
    on_s: Positive = 1.0
    """on-off: mean of the exponential time for which it sends"""
    off_s: Positive = 1.0
    """on-off: mean of the exponential time for which it is silent"""
    frames_per_s: Positive = 30.0
    """frames of a video"""

    @field_validator("rate_kbps")
    @classmethod
    def _only_tcp_is_greedy(cls, rate_kbps: float, info: ValidationInfo) -> float:
        kind = info.data.get("kind")
        if rate_kbps == 0 and kind != "tcp":
            raise ValueError(f"must be greater than 0 where kind is {kind}; 0 is a greedy tcp source")
        return rate_kbps

    @model_validator(mode="after")
    def _fields_fit_kind(self) -> Traffic:
        for name, kind in {"on_s": "on-off", "off_s": "on-off", "frames_per_s": "video"}.items():
            if self.kind != kind and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} belongs to kind: {kind}, and kind is {self.kind}")
        return self


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
