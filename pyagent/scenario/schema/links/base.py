"""What the links share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pyagent.scenario.schema.base import NotNegative, Position, Positive, Section

SPEED_OF_LIGHT_MPS = 299_792_458.0
SLOWEST_MPS = 1e-6
"""For fading: a block of hours. No fading at all is a model of its own."""


class Fading(Section):
    """Nakagami-m block fading, the gain a pure function of (seed, link, coherence block).

    The coherence time is 0.423 c / (speed_mps f) (Rappaport, Wireless Communications, 2nd ed., eq.
    5.40.c, with the maximum Doppler shift f_d = v f / c).
    """

    model: Literal["none", "nakagami-block", "rayleigh-block"] = "nakagami-block"
    """none, or Nakagami-m with a constant gain in each coherence time; rayleigh-block is that with m = 1"""
    m: Annotated[float, Field(ge=0.5)] = 1.0
    """shape of nakagami-block; 1 is Rayleigh"""
    speed_mps: Annotated[float, Field(ge=SLOWEST_MPS, le=1000)] = 1.4
    """of the UE, for the coherence time"""

    @model_validator(mode="after")
    def _rayleigh_has_no_shape(self) -> Fading:
        if self.model == "rayleigh-block" and self.m != 1:
            raise ValueError(f"m is {self.m}; rayleigh-block has m = 1, another m is model: nakagami-block")
        return self

    def coherence_time_s(self, frequency_hz: float) -> float:
        """Length of a fading block in seconds at a carrier frequency."""
        return 0.423 * SPEED_OF_LIGHT_MPS / (self.speed_mps * frequency_hz)

    def simulator(self, frequency_hz: float) -> dict[str, Any]:
        """What ns-3 is given."""
        return {
            "model": "none" if self.model == "none" else "nakagami-block",
            "nakagami_m": self.m,
            "coherence_time_s": self.coherence_time_s(frequency_hz),
        }


class Backhaul(Section):
    """The wire between radio site and edge server."""

    rate_mbps: Positive = 1000.0
    """of the wire, each way"""
    delay_ms: NotNegative = 1.0
    """of the wire, one way"""

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given."""
        return {"rate_mbps": self.rate_mbps, "delay_s": self.delay_ms / 1e3}


class RadioEnergy(Section):
    """Power of a UE's radio above its sleep (RRC idle of LTE, power save of Wi-Fi).

    Active while data flows, in the tail after it, asleep then; each Mbit/s adds to the power. Defaults of
    both technologies are of the one study that measured both on phones: Huang et al., A Close Examination of
    Performance and Power Characteristics of 4G LTE Networks, MobiSys 2012 (tables 3 and 4). The inactivity
    time is that of its LTE network; Wi-Fi has it too, whose active and tail power are nearly the same.
    """

    uplink_mw_per_mbps: NotNegative
    """on top, by what is sent"""
    downlink_mw_per_mbps: NotNegative
    """on top, by what is received"""
    active_mw: NotNegative
    """while data flows"""
    tail_mw: NotNegative
    """after it, until the radio sleeps"""
    inactivity_s: Positive = 0.1
    """without data until the tail begins"""
    tail_s: Positive
    """without data until the radio sleeps"""

    @model_validator(mode="after")
    def _tail_follows_inactivity(self) -> Self:
        if self.tail_s < self.inactivity_s:
            raise ValueError("tail_s counts from the last data, as inactivity_s does, and can't be shorter")
        return self

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given: W and s."""
        return {
            "uplink_w_per_mbps": self.uplink_mw_per_mbps / 1e3,
            "downlink_w_per_mbps": self.downlink_mw_per_mbps / 1e3,
            "active_w": self.active_mw / 1e3,
            "tail_w": self.tail_mw / 1e3,
            "inactivity_s": self.inactivity_s,
            "tail_s": self.tail_s,
        }


class RadioLink(Section):
    """Base of all links."""

    technology: str

    @abstractmethod
    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given: `technology` and what the C++ link of this name reads."""

    @property
    @abstractmethod
    def sites_m(self) -> list[Position]:
        """Where access points or base stations stand."""

    @property
    def reassembly_timeout_ms(self) -> float:
        """Silence after which the edge has reason to think that nothing more of a step comes."""
        return 100.0

    @property
    @abstractmethod
    def device_queue_packets(self) -> int:
        """Room of the UE's device queue, packets of a fragment's size."""

    @property
    def max_ues(self) -> int | None:
        """How many UEs it can hold at most; None: any number."""
        return None
