"""`link.technology: wifi`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pyagent.scenario.schema.base import NotNegative, Position, Positive, Section
from pyagent.scenario.schema.links.base import Backhaul, Fading, RadioLink

FREQUENCY_HZ = 5.18e9
"""Channel 36, the lowest that the builder uses."""


class PathLoss(Section):
    """Log-distance path loss: reference_loss_db + 10 exponent log10(d / reference_distance_m)."""

    reference_loss_db: float = 46.7
    """loss at the reference distance"""
    reference_distance_m: Positive = 1.0
    """nearer than this nothing more is gained"""
    exponent: Positive = 3.0
    """2 in free space, 3 to 4 between walls"""


class WifiEnergy(Section):
    """Currents of the UE's Wi-Fi radio by state; the defaults are ns-3's own (WifiRadioEnergyModel,
    after Halperin et al., Demystifying 802.11n power consumption, HotPower 2010) at 3 V."""

    voltage_v: Positive = 3.0
    """supply"""
    idle_a: NotNegative = 0.273
    """listening"""
    cca_busy_a: NotNegative = 0.273
    """hearing others' frames"""
    tx_a: NotNegative = 0.380
    """sending"""
    rx_a: NotNegative = 0.313
    """receiving"""
    switching_a: NotNegative = 0.273
    """changing the channel"""
    sleep_a: NotNegative = 0.033
    """asleep"""


class WifiLink(RadioLink):
    """An 802.11 network in the 5 GHz band."""

    technology: Literal["wifi"] = "wifi"
    standard: Literal["80211n", "80211ac", "80211ax"] = "80211ax"
    """Wi-Fi 4, 5 or 6"""
    channel_width_mhz: Literal[20, 40, 80] = 20
    """80211n: 20 or 40"""
    tx_power_dbm: Annotated[float, Field(ge=-10, le=36)] = 16.0
    """of access points and stations"""
    rate_manager: Literal["minstrel-ht", "ideal"] = "ideal"
    """ideal picks by the SNR; minstrel-ht tries rates, and loses lone packets in fades"""
    access_points_m: Annotated[list[Position], Field(min_length=1, max_length=1)] = [(0.0, 0.0, 3.0)]
    """where they stand"""
    path_loss: PathLoss = PathLoss()
    fading: Fading = Fading()
    mac_queue_packets: Annotated[int, Field(ge=1)] = 500
    """room of the device queue"""
    mac_queue_lifetime_ms: Positive = 500.0
    """older packets are dropped from the device queue"""
    backhaul: Backhaul = Backhaul()
    radio_energy: WifiEnergy = WifiEnergy()

    @model_validator(mode="after")
    def _width_fits_standard(self) -> WifiLink:
        if self.standard == "80211n" and self.channel_width_mhz > 40:
            raise ValueError("channel_width_mhz of 80211n is 20 or 40")
        return self

    @property
    def coherence_time_s(self) -> float:
        """Length of a fading block in seconds."""
        return self.fading.coherence_time_s(FREQUENCY_HZ)

    @property
    def sites_m(self) -> list[Position]:
        """The access points."""
        return self.access_points_m

    @property
    def device_queue_packets(self) -> int:
        """The MAC queue."""
        return self.mac_queue_packets

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given; times in seconds."""
        return {
            "technology": self.technology,
            "standard": self.standard,
            "channel_width_mhz": self.channel_width_mhz,
            "tx_power_dbm": self.tx_power_dbm,
            "rate_manager": self.rate_manager,
            "access_points_m": self.access_points_m,
            "reference_loss_db": self.path_loss.reference_loss_db,
            "reference_distance_m": self.path_loss.reference_distance_m,
            "path_loss_exponent": self.path_loss.exponent,
            "fading": self.fading.simulator(FREQUENCY_HZ),
            "mac_queue_packets": self.mac_queue_packets,
            "mac_queue_lifetime_s": self.mac_queue_lifetime_ms / 1e3,
            "backhaul": self.backhaul.simulator(),
            "radio_energy": self.radio_energy.model_dump(),
        }
