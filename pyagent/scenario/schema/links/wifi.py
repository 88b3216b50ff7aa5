"""`link.technology: wifi`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from pyagent.scenario.schema.base import NotNegative, Position, Positive, Section
from pyagent.scenario.schema.links.base import Backhaul, Fading, RadioEnergy, RadioLink


class Band(NamedTuple):
    """A frequency band: its name, the frequency of channel number 0, and the channel numbers of each width.

    The first number of each width is the default. A number names the middle of a channel, which lies
    5 MHz times the number above the start (IEEE 802.11-2020, annex E; 802.11ax-2021 for 6 GHz).
    """

    name: str
    start_hz: float
    channels: dict[int, tuple[int, ...]]

    def frequency_hz(self, channel: int) -> float:
        """The middle of a channel."""
        return self.start_hz + channel * 5e6


BANDS = {
    2.4: Band("2.4GHz", 2.407e9, {20: tuple(range(1, 14)), 40: tuple(range(3, 12))}),
    5.0: Band(
        "5GHz",
        5.0e9,
        {
            20: (*range(36, 65, 4), *range(100, 145, 4), *range(149, 166, 4)),
            40: (38, 46, 54, 62, *range(102, 143, 8), 151, 159),
            80: (42, 58, *range(106, 139, 16), 155),
            160: (50, 114),
        },
    ),
    6.0: Band(
        "6GHz",
        5.95e9,
        {
            20: tuple(range(1, 234, 4)),
            40: tuple(range(3, 228, 8)),
            80: tuple(range(7, 216, 16)),
            160: tuple(range(15, 208, 32)),
        },
    ),
}

STANDARD_BANDS: dict[str, tuple[float, ...]] = {
    "80211n": (2.4, 5.0),
    "80211ac": (5.0,),
    "80211ax": (2.4, 5.0, 6.0),
}


def _known_band(band_ghz: float) -> float:
    _require_one_of("band_ghz", band_ghz, BANDS)
    return band_ghz


class PathLoss(Section):
    """Log-distance path loss: reference_loss_db + 10 exponent log10(d / reference_distance_m).

    The reference loss is the band's: in free space at 1 m it is 40.2 dB at 2.437 GHz, 46.7 dB at 5.18 GHz
    and 48.0 dB at 6.0 GHz. It is not changed by `band_ghz`.
    """

    reference_loss_db: float = 46.7
    """loss at the reference distance"""
    reference_distance_m: Positive = 1.0
    """nearer than this nothing more is gained"""
    exponent: Positive = 3.0
    """2 is free space"""


class WifiEnergy(RadioEnergy):
    """Power of the UE's Wi-Fi radio above power save (Huang et al., MobiSys 2012, tables 3 and 4)."""

    uplink_mw_per_mbps: NotNegative = 283.17
    """on top, by what is sent, repetitions included"""
    downlink_mw_per_mbps: NotNegative = 137.01
    """on top, by what is received"""
    active_mw: NotNegative = 132.86
    """while data flows"""
    tail_mw: NotNegative = 119.3
    """after it, until power save"""
    tail_s: Positive = 0.2381
    """without data until power save"""


class Roaming(Section):
    """When a UE leaves its access point for another; with one access point it makes no difference.

    `sticky` is what ns-3's stations do: they stay until ten beacons in a row are missed, and then take the
    strongest access point. `strongest` moves as soon as another one's beacons were better for long enough.
    """

    policy: Literal["strongest", "sticky"] = "strongest"
    """strongest: when another has been better for long enough; sticky: when the own one is lost"""
    hysteresis_db: Annotated[float, Field(ge=0, le=40)] = 6.0
    """strongest: by how much the mean SNR of the last second's beacons must be better, in dB"""
    time_to_trigger_s: Annotated[float, Field(ge=0, le=60)] = 0.5
    """strongest: for how long, in s"""


class WifiLink(RadioLink):
    """An 802.11 network: one or more access points on one channel, each with a wire to the edge."""

    technology: Literal["wifi"] = "wifi"
    standard: Literal["80211n", "80211ac", "80211ax"] = "80211ax"
    """of access points and UEs, one antenna each"""
    band_ghz: Annotated[float, AfterValidator(_known_band), Field(json_schema_extra={"enum": [*BANDS]})] = 5.0
    """2.4 (80211n, 80211ax), 5 or 6 (80211ax)"""
    channel_width_mhz: Literal[20, 40, 80, 160] = 20
    """80211n: up to 40; 2.4 GHz: up to 40"""
    channel: Annotated[int, Field(ge=1)] | None = None
    """number of the channel of this width, the same for all access points; the band's first when not given"""
    tx_power_dbm: Annotated[float, Field(ge=-10, le=36)] = 16.0
    """of access points and UEs, in dBm"""
    sensitivity_dbm: Annotated[float, Field(ge=-100, le=-60)] = -92.0
    """weakest signal that radios detect in 20 MHz; today's clients -92 to -95, the standard -82"""
    rate_manager: Literal["minstrel-ht", "ideal"] = "ideal"
    """ideal knows the SNR at the receiver; minstrel-ht learns from its losses"""
    access_points_m: Annotated[list[Position], Field(min_length=1, max_length=64)] = [(0.0, 0.0, 3.0)]
    """[x, y, z] of each in m; several need ns-3 3.44 or newer"""
    roaming: Roaming = Roaming()
    path_loss: PathLoss = PathLoss()
    fading: Fading = Fading()
    mac_queue_packets: Annotated[int, Field(ge=1)] = 500
    """room of each MAC queue"""
    mac_queue_lifetime_ms: Positive = 500.0
    """how long a packet waits there at most, in ms"""
    backhaul: Backhaul = Backhaul()
    """of each access point"""
    radio_energy: WifiEnergy = WifiEnergy()

    @model_validator(mode="after")
    def _channel_exists(self) -> WifiLink:
        _require_one_of(f"band_ghz of {self.standard}", self.band_ghz, STANDARD_BANDS[self.standard])
        widths = [w for w in self._band.channels if self.standard != "80211n" or w <= 40]
        where = f"{self.standard} at {self.band_ghz:g} GHz"
        _require_one_of(f"channel_width_mhz of {where}", self.channel_width_mhz, widths)
        if self.channel is not None:
            name = f"channel of {self.channel_width_mhz} MHz at {self.band_ghz:g} GHz"
            _require_one_of(name, self.channel, self._band.channels[self.channel_width_mhz])
        return self

    @model_validator(mode="after")
    def _access_points_stand_apart(self) -> WifiLink:
        if len(set(self.access_points_m)) < len(self.access_points_m):
            raise ValueError("access_points_m: two of them are at one place")
        return self

    @property
    def _band(self) -> Band:
        return BANDS[self.band_ghz]

    @property
    def channel_number(self) -> int:
        """The channel, the default filled in."""
        return self.channel if self.channel is not None else self._band.channels[self.channel_width_mhz][0]

    @property
    def frequency_hz(self) -> float:
        """The middle of the channel."""
        return self._band.frequency_hz(self.channel_number)

    @property
    def coherence_time_s(self) -> float:
        """Length of a fading block in seconds."""
        return self.fading.coherence_time_s(self.frequency_hz)

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
            "band": self._band.name,
            "channel": self.channel_number,
            "channel_width_mhz": self.channel_width_mhz,
            "tx_power_dbm": self.tx_power_dbm,
            "sensitivity_dbm": self.sensitivity_dbm,
            "rate_manager": self.rate_manager,
            "access_points_m": self.access_points_m,
            "roaming": self.roaming.model_dump(),
            "reference_loss_db": self.path_loss.reference_loss_db,
            "reference_distance_m": self.path_loss.reference_distance_m,
            "path_loss_exponent": self.path_loss.exponent,
            "fading": self.fading.simulator(self.frequency_hz),
            "mac_queue_packets": self.mac_queue_packets,
            "mac_queue_lifetime_s": self.mac_queue_lifetime_ms / 1e3,
            "backhaul": self.backhaul.simulator(),
            "radio_energy": self.radio_energy.simulator(),
        }


def _require_one_of(name: str, value: float, valid: Collection[float]) -> None:
    if value not in valid:
        raise ValueError(f"{name} is {value:g}; valid: {', '.join(f'{one:g}' for one in valid)}")
