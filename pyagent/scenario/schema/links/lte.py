"""`link.technology: lte`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pyagent.scenario.lte_fading import STEP_S, Profile, Trace
from pyagent.scenario.schema.base import NotNegative, Position, Positive, Section
from pyagent.scenario.schema.links.base import SLOWEST_MPS, Backhaul, Fading, RadioEnergy, RadioLink

Band = Literal[1, 3, 5, 7, 8, 20]


class Carrier(Section):
    """The middle of a band's downlink, and what of it the band allows (3GPP TS 36.101, tables 5.7.3-1 and
    5.6.1-1)."""

    earfcn: int
    frequency_hz: float
    bandwidths_rb: tuple[int, ...]


CARRIERS: dict[Band, Carrier] = {
    1: Carrier(earfcn=300, frequency_hz=2140.0e6, bandwidths_rb=(25, 50, 75, 100)),
    3: Carrier(earfcn=1575, frequency_hz=1842.5e6, bandwidths_rb=(6, 15, 25, 50, 75, 100)),
    5: Carrier(earfcn=2525, frequency_hz=881.5e6, bandwidths_rb=(6, 15, 25, 50)),
    7: Carrier(earfcn=3100, frequency_hz=2655.0e6, bandwidths_rb=(25, 50, 75, 100)),
    8: Carrier(earfcn=3625, frequency_hz=942.5e6, bandwidths_rb=(6, 15, 25, 50)),
    20: Carrier(earfcn=6300, frequency_hz=806.0e6, bandwidths_rb=(25, 50, 75, 100)),
}

PACKET_BYTES = 1500
"""Room that a packet is counted with in the RLC buffer: a full fragment with its headers and more."""


class Handover(Section):
    """When a UE is handed to another cell (over X2; without it a UE changes cells only by losing one).

    `a3-rsrp`: a neighbour's RSRP is better by the hysteresis for the time to trigger. `a2-a4-rsrq`: the
    serving cell's RSRQ is below the threshold and a neighbour's is better by the offset (both in steps of
    RSRQ, 3GPP TS 36.133, clause 9.1.7: step n is -20 + n/2 dB).
    """

    algorithm: Literal["none", "a3-rsrp", "a2-a4-rsrq"] = "a3-rsrp"
    """what triggers a handover"""
    hysteresis_db: Annotated[float, Field(ge=0, le=15)] = 3.0
    """a3-rsrp: by how much a neighbour must be better"""
    time_to_trigger_ms: Annotated[int, Field(ge=0, le=5120)] = 256
    """a3-rsrp: for how long"""
    serving_threshold: Annotated[int, Field(ge=0, le=34)] = 30
    """a2-a4-rsrq: step of RSRQ"""
    neighbour_offset: Annotated[int, Field(ge=0, le=34)] = 1
    """a2-a4-rsrq: steps of RSRQ"""

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given."""
        return {
            "algorithm": self.algorithm,
            "hysteresis_db": self.hysteresis_db,
            "time_to_trigger_s": self.time_to_trigger_ms / 1e3,
            "serving_threshold": self.serving_threshold,
            "neighbour_offset": self.neighbour_offset,
        }


class LtePathLoss(Section):
    """Mean loss over distance.

    `uma`, `umi`, `rma`: 3GPP TR 38.901, table 7.4.1-1, of a UE in line of sight or not: `by-distance` with
    the probability of table 7.4.2-1, fixed by the seed for every place. `log-distance`: as Wi-Fi's.
    `friis`: free space.
    """

    model: Literal["uma", "umi", "rma", "log-distance", "friis"] = "uma"
    """which formula"""
    line_of_sight: Literal["always", "never", "by-distance"] = "by-distance"
    """uma, umi, rma"""
    reference_loss_db: float = 37.8
    """log-distance; the default is free space over 1 m at 1842.5 MHz"""
    reference_distance_m: Positive = 1.0
    """log-distance"""
    exponent: Positive = 3.5
    """log-distance: 2 in free space, 3 to 4 in towns"""

    @property
    def changes_with_sight(self) -> bool:
        """Whether a UE comes into line of sight of a site and loses it on its way."""
        return self.model in ("uma", "umi", "rma") and self.line_of_sight == "by-distance"


class LteFading(Section):
    """Small-scale fading, the same in both directions and whatever is sent.

    `nakagami-block`: one gain for the whole carrier, as Wi-Fi's. `trace`: a gain for each resource block
    over time, from the tapped delay lines of 3GPP TS 36.104, annex B.2: pedestrian (epa), vehicular (eva),
    typical urban (etu); the file is made once and kept in the cache.
    """

    model: Literal["none", "nakagami-block", "trace"] = "nakagami-block"
    """none, one gain for the whole carrier in each coherence time, or one for each resource block"""
    m: Annotated[float, Field(ge=0.5)] = 1.0
    """nakagami-block: shape; 1 is Rayleigh"""
    speed_mps: Annotated[float, Field(ge=SLOWEST_MPS, le=100)] = 8.3
    """of the UE, for the Doppler shift"""
    profile: Profile = "eva"
    """trace"""

    def simulator(self, carrier: Carrier, bandwidth_rb: int) -> dict[str, Any]:
        """What ns-3 is given, fields of the link: flat fading, and the file of the other."""
        flat = Fading(
            model="none" if self.model == "trace" else self.model, m=self.m, speed_mps=self.speed_mps
        )
        file = ""
        if self.model == "trace":
            trace = Trace(self.profile, self.speed_mps, carrier.frequency_hz, bandwidth_rb)
            file = str(trace.cached())
        return {
            "fading": flat.simulator(carrier.frequency_hz),
            "fading_trace": {"file": file, "step_s": STEP_S},
        }


class LteEnergy(RadioEnergy):
    """Power of the UE's LTE radio above RRC idle (Huang et al., MobiSys 2012, tables 3 and 4)."""

    uplink_mw_per_mbps: NotNegative = 438.39
    """on top, by what is sent"""
    downlink_mw_per_mbps: NotNegative = 51.97
    """on top, by what is received"""
    active_mw: NotNegative = 1288.04
    """while data flows"""
    tail_mw: NotNegative = 1060.0
    """after it, until RRC idle"""
    tail_s: Positive = 11.576
    """without data until RRC idle"""


class LteLink(RadioLink):
    """Base stations (eNBs) of one LTE carrier behind one packet core."""

    technology: Literal["lte"] = "lte"
    band: Band = 3
    """E-UTRA band; the carrier is in its middle"""
    bandwidth_rb: Literal[6, 15, 25, 50, 75, 100] = 50
    """resource blocks of 180 kHz: 1.4, 3, 5, 10, 15, 20 MHz"""
    enbs_m: Annotated[list[Position], Field(min_length=1, max_length=64)] = [(0.0, 0.0, 25.0)]
    """where the base stations stand"""
    enb_tx_power_dbm: Annotated[float, Field(ge=0, le=60)] = 46.0
    """over the whole bandwidth (a macro cell of 3GPP TR 36.942)"""
    ue_tx_power_dbm: Annotated[float, Field(ge=-40, le=33)] = 23.0
    """the most that a UE sends with (class 3 of 3GPP TS 36.101)"""
    enb_noise_figure_db: NotNegative = 5.0
    """of the base stations"""
    ue_noise_figure_db: NotNegative = 9.0
    """of the UEs"""
    uplink_power_control: bool = True
    """whether a UE sends with no more than its cell needs, else always with all it has"""
    scheduler: Literal["pf", "rr", "fd-mt", "td-bet", "tta", "pss"] = "pf"
    """ns-3's: proportional fair, round robin, maximum throughput, blind equal throughput, throughput to
    average, priority set"""
    handover: Handover = Handover()
    path_loss: LtePathLoss = LtePathLoss()
    fading: LteFading = LteFading()
    rlc: Literal["um", "am"] = "um"
    """unacknowledged: what HARQ gives up is lost; acknowledged: sent again"""
    rlc_buffer_bytes: Annotated[int, Field(ge=1500)] = 262_144
    """of each bearer, both ways"""
    rlc_reordering_ms: Annotated[int, Field(ge=0, le=200)] = 40
    """um: how long what overtook a missing packet waits for it; HARQ gives up after 32 ms"""
    srs_periodicity_ms: Literal[2, 5, 10, 20, 40, 80, 160, 320] | None = None
    """between a UE's sounding signals; bounds the UEs of a cell; none: the shortest that holds all UEs"""
    backhaul: Backhaul = Backhaul()
    radio_energy: LteEnergy = LteEnergy()

    @model_validator(mode="after")
    def _bandwidth_fits_band(self) -> LteLink:
        allowed = CARRIERS[self.band].bandwidths_rb
        if self.bandwidth_rb not in allowed:
            raise ValueError(
                f"bandwidth_rb of band {self.band} is one of {', '.join(map(str, allowed))}, "
                f"not {self.bandwidth_rb}"
            )
        return self

    @property
    def carrier(self) -> Carrier:
        """The downlink's."""
        return CARRIERS[self.band]

    @property
    def sites_m(self) -> list[Position]:
        """The base stations."""
        return self.enbs_m

    @property
    def reassembly_timeout_ms(self) -> float:
        """RLC holds what came behind a lost packet back for its reordering timer, 100 ms, beside HARQ."""
        return 300.0

    @property
    def device_queue_packets(self) -> int:
        """The RLC buffer."""
        return self.rlc_buffer_bytes // PACKET_BYTES

    @property
    def max_ues(self) -> int:
        """One for each subframe of the longest sounding period, or of the one that was asked for."""
        return self.srs_periodicity_ms or 320

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given; times in seconds but for the SRS periodicity."""
        return {
            "technology": self.technology,
            "earfcn": self.carrier.earfcn,
            "bandwidth_rb": self.bandwidth_rb,
            "enbs_m": self.enbs_m,
            "enb_tx_power_dbm": self.enb_tx_power_dbm,
            "ue_tx_power_dbm": self.ue_tx_power_dbm,
            "enb_noise_figure_db": self.enb_noise_figure_db,
            "ue_noise_figure_db": self.ue_noise_figure_db,
            "uplink_power_control": self.uplink_power_control,
            "scheduler": self.scheduler,
            "handover": self.handover.simulator(),
            "path_loss": self.path_loss.model_dump(),
            **self.fading.simulator(self.carrier, self.bandwidth_rb),
            "rlc": self.rlc,
            "rlc_buffer_bytes": self.rlc_buffer_bytes,
            "rlc_reordering_s": self.rlc_reordering_ms / 1e3,
            "srs_periodicity_ms": self.srs_periodicity_ms or 0,
            "backhaul": self.backhaul.simulator(),
            "radio_energy": self.radio_energy.simulator(),
        }
