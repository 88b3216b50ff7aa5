"""The scenario file: every field, its unit, its default and what is valid.

One YAML file describes one experiment. Units are in the names. A field that is not here is an error,
so that a misspelt one never passes in silence.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from llm_split.codecs import get_codec
from llm_split.impairment import Channel, Concealment, Impairment, Interleaving
from pyagent.reward import RewardWeights

SPEED_OF_LIGHT_MPS = 299_792_458.0
# What the observation can tell apart (pyagent/envs/observation.py).
MAX_TOKENS = {"prompt_tokens": 512, "output_tokens": 64}

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Position = tuple[float, float, float]


class Section(BaseModel):
    """Base of all sections: no unknown fields, no NaN, no changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _require_order(name: str, pair: tuple[float, float]) -> None:
    if pair[0] > pair[1]:
        raise ValueError(f"{name} is [low, high] and needs low <= high")


class PathLoss(Section):
    """Log-distance path loss: reference_loss_db + 10 exponent log10(d / reference_distance_m)."""

    reference_loss_db: float = 46.7
    reference_distance_m: Positive = 1.0
    exponent: Positive = 3.0


class Fading(Section):
    """Nakagami-m block fading, the gain a pure function of (seed, link, coherence block).

    The coherence time is 0.423 c / (speed_mps f) (Rappaport, Wireless Communications, 2nd ed., eq.
    5.40.c, with the maximum Doppler shift f_d = v f / c).
    """

    model: Literal["none", "nakagami-block"] = "nakagami-block"
    m: Annotated[float, Field(ge=0.5)] = 1.0
    speed_mps: Positive = 1.4


class Backhaul(Section):
    """The wire between access point and edge server."""

    rate_mbps: Positive = 1000.0
    delay_ms: NotNegative = 1.0


class WifiLink(Section):
    """An 802.11 cell in the 5 GHz band."""

    technology: Literal["wifi"] = "wifi"
    standard: Literal["80211n", "80211ac", "80211ax"] = "80211ax"
    channel_width_mhz: Literal[20, 40, 80] = 20
    tx_power_dbm: Annotated[float, Field(ge=-10, le=36)] = 16.0
    rate_manager: Literal["minstrel-ht", "ideal"] = "ideal"
    ap_position_m: Position = (0.0, 0.0, 3.0)
    path_loss: PathLoss = PathLoss()
    fading: Fading = Fading()
    mac_queue_packets: Annotated[int, Field(ge=1)] = 500
    mac_queue_lifetime_ms: Positive = 500.0
    backhaul: Backhaul = Backhaul()

    @model_validator(mode="after")
    def _width_fits_standard(self) -> WifiLink:
        if self.standard == "80211n" and self.channel_width_mhz > 40:
            raise ValueError("channel_width_mhz of 80211n is 20 or 40")
        return self

    @property
    def coherence_time_s(self) -> float:
        """Length of a fading block in seconds."""
        frequency_hz = 5.18e9  # channel 36, the lowest that the builder uses
        doppler_hz = self.fading.speed_mps * frequency_hz / SPEED_OF_LIGHT_MPS
        return 0.423 / doppler_hz


class ConstantMobility(Section):
    """The UE stands still."""

    model: Literal["constant"]
    position_m: Position


class WaypointMobility(Section):
    """The UE passes points at given times, in straight lines; rows are [t_s, x_m, y_m, z_m]."""

    model: Literal["waypoints"]
    waypoints: Annotated[list[tuple[NotNegative, float, float, float]], Field(min_length=1)]

    @field_validator("waypoints")
    @classmethod
    def _times_increase(
        cls, rows: list[tuple[float, float, float, float]]
    ) -> list[tuple[float, float, float, float]]:
        if any(later[0] <= earlier[0] for earlier, later in itertools.pairwise(rows)):
            raise ValueError("times must increase from row to row")
        return rows


class RandomWaypointMobility(Section):
    """The UE walks to a random point of a rectangle, pauses, and walks on (ns-3's model)."""

    model: Literal["random-waypoint"]
    area_x_m: tuple[float, float]
    area_y_m: tuple[float, float]
    height_m: float = 1.5
    speed_mps: tuple[Positive, Positive] = (1.0, 1.8)
    pause_s: tuple[NotNegative, NotNegative] = (0.0, 4.0)

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> RandomWaypointMobility:
        for name in ("area_x_m", "area_y_m", "speed_mps", "pause_s"):
            _require_order(name, getattr(self, name))
        if self.area_x_m[0] == self.area_x_m[1] and self.area_y_m[0] == self.area_y_m[1]:
            raise ValueError("area_x_m and area_y_m are one point; a UE that stands still is model: constant")
        return self


Mobility = Annotated[
    ConstantMobility | WaypointMobility | RandomWaypointMobility, Field(discriminator="model")
]


class Background(Section):
    """Other stations of the cell; each sends at `rate_kbps` while on, on and off 1 s each in the mean."""

    stations: Annotated[int, Field(ge=0, le=50)] = 0
    rate_kbps: NotNegative = 0.0
    packet_bytes: Annotated[int, Field(ge=32, le=1472)] = 1000
    distance_m: tuple[Positive, Positive] = (3.0, 15.0)

    @model_validator(mode="after")
    def _range_is_ordered(self) -> Background:
        _require_order("distance_m", self.distance_m)
        return self


class Requests(Section):
    """When requests come and how long they are; all from the seed alone.

    Gaps are min_gap_s plus an exponential of mean mean_extra_gap_s. A request is cut deadline_s after
    its arrival, and min_gap_s >= deadline_s keeps two requests from overlapping.
    """

    count: Annotated[int, Field(ge=1, le=100_000)] = 25
    start_s: Annotated[float, Field(ge=1)] = 2.0
    deadline_s: Positive = 4.0
    min_gap_s: Positive = 4.0
    mean_extra_gap_s: NotNegative = 1.0
    prompt_tokens: tuple[int, int] = (16, 128)
    output_tokens: tuple[int, int] = (8, 32)

    @model_validator(mode="after")
    def _consistent(self) -> Requests:
        for name in ("prompt_tokens", "output_tokens"):
            _require_order(name, getattr(self, name))
            longest = MAX_TOKENS[name]
            if getattr(self, name)[0] < 1 or getattr(self, name)[1] > longest:
                raise ValueError(f"{name} must lie in 1 to {longest}")
        if self.min_gap_s < self.deadline_s:
            raise ValueError(f"min_gap_s ({self.min_gap_s}) must be at least deadline_s ({self.deadline_s})")
        return self

    @property
    def max_tokens(self) -> int:
        """Longest prompt plus longest output."""
        return self.prompt_tokens[1] + self.output_tokens[1]


class Transport(Section):
    """How activations travel. The edge computes when a step is complete, or when no new fragment of it came
    for reassembly_timeout_ms; the UE sends a step again when no token id came back within
    reassembly_timeout_ms + retry_timeout_ms after it handed over the last fragment."""

    protocol: Literal["udp"] = "udp"
    payload_bytes: Annotated[int, Field(ge=64, le=1448)] = 1400
    reassembly_timeout_ms: Positive = 100.0
    retry_timeout_ms: Positive = 100.0
    max_retries: Annotated[int, Field(ge=0, le=254)] = 8
    device_queue_window: Annotated[int, Field(ge=1)] = 64
    token_id_bytes: Annotated[int, Field(ge=1, le=1448)] = 16


def _known_codec(name: str) -> str:
    get_codec(name)
    return name


class Model(Section):
    """The model as deployed (sizes and times), the one whose quality is measured, and the cuts.

    `interleaving` deals eighths of a fragment out to the packets of a prompt (`llm_split.impairment`).
    `channel: elementwise` replaces what the packets did by the published code's element-wise zeroing at the
    same loss, to compare with.
    """

    deployed: str = "llama-2-7b"
    quality: str = "smollm2-135m"
    splits: Annotated[list[int], Field(min_length=1)] = [1, 8, 16, 24, 32]
    min_split: Annotated[int, Field(ge=1)] = 1
    codec: Annotated[str, AfterValidator(_known_codec)] = "fp16"
    concealment: Concealment = "running-mean"
    interleaving: Interleaving = "none"
    channel: Channel = "packet"
    prompts: Annotated[int, Field(ge=2, le=4096)] = 16

    def impairment(self) -> Impairment:
        """What a delivery record does to the hidden states."""
        return Impairment(self.concealment, self.interleaving, channel=self.channel)

    @model_validator(mode="after")
    def _splits_make_sense(self) -> Model:
        if sorted(set(self.splits)) != self.splits:
            raise ValueError("splits must be distinct and increase")
        if self.splits[0] < self.min_split:
            raise ValueError(f"splits must be at least min_split ({self.min_split})")
        return self


class Ue(Section):
    """The phone: a device card, how its weights are stored, and how much memory the model may take."""

    device: str = "snapdragon-8-gen-3"
    weight_bits: Literal[4, 8, 16] = 4
    memory_gib: Positive | None = None


class Edge(Section):
    """The server: a device card, and other users' jobs in its queue (Poisson, exponential service)."""

    device: str = "a100-80g"
    weight_bits: Literal[4, 8, 16] = 16
    background_jobs_per_s: NotNegative = 0.0
    background_job_ms: NotNegative = 0.0

    @model_validator(mode="after")
    def _queue_is_stable(self) -> Edge:
        load = self.background_jobs_per_s * self.background_job_ms / 1e3
        if load >= 1:
            raise ValueError(
                f"background_jobs_per_s x background_job_ms is a load of {load:.2f}; it must stay below 1"
            )
        return self


class RadioEnergy(Section):
    """Currents of the UE's Wi-Fi radio by state; the defaults are ns-3's own (WifiRadioEnergyModel,
    after Halperin et al., Demystifying 802.11n power consumption, HotPower 2010) at 3 V."""

    voltage_v: Positive = 3.0
    idle_a: NotNegative = 0.273
    cca_busy_a: NotNegative = 0.273
    tx_a: NotNegative = 0.380
    rx_a: NotNegative = 0.313
    switching_a: NotNegative = 0.273
    sleep_a: NotNegative = 0.033


class Reward(Section):
    """What a decision is worth; see pyagent/reward.py for the terms and the reasons of the weights."""

    slo_s: Positive = 1.0
    delta_nll_clip: Positive = 3.0
    weights: dict[str, NotNegative] = {}

    @field_validator("weights")
    @classmethod
    def _known_weights(cls, weights: dict[str, float]) -> dict[str, float]:
        known = RewardWeights.__dataclass_fields__
        for name in weights:
            if name not in known:
                raise ValueError(f"no weight is called {name!r}; valid: {', '.join(known)}")
        return weights

    def as_weights(self) -> RewardWeights:
        """The weights with defaults filled in."""
        return RewardWeights(**self.weights)


class Evaluation(Section):
    """How much of what is run by `splitsim run`; train and test seeds never meet."""

    tune_seeds: Annotated[int, Field(ge=1, le=1000)] = 2
    test_seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    replicates: Annotated[int, Field(ge=4)] = 4
    imagined_steps: Annotated[int, Field(ge=256)] = 20_000

    @field_validator("replicates")
    @classmethod
    def _even(cls, replicates: int) -> int:
        if replicates % 2:
            raise ValueError("replicates must be even: one half chooses, the other scores")
        return replicates


class Scenario(Section):
    """One experiment."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    description: str = ""
    mobility: Mobility
    link: WifiLink = WifiLink()
    background: Background = Background()
    requests: Requests = Requests()
    transport: Transport = Transport()
    model: Model = Model()
    ue: Ue = Ue()
    edge: Edge = Edge()
    radio_energy: RadioEnergy = RadioEnergy()
    reward: Reward = Reward()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _window_fits_queue(self) -> Scenario:
        window, queue = self.transport.device_queue_window, self.link.mac_queue_packets
        if window > queue:
            raise ValueError(
                f"transport.device_queue_window ({window}) must be at most link.mac_queue_packets ({queue}): "
                "else the UE overruns its own queue"
            )
        return self
