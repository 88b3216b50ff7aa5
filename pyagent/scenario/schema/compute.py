"""The model as it is cut, and the two machines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from llm_split.codecs import get_codec
from llm_split.impairment import Channel, Concealment, Impairment, Interleaving
from llm_split.texts.catalogue import DEFAULT_TEXT
from pyagent.scenario.schema.base import NotNegative, Positive, Section


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
    """shape whose sizes and times are simulated: see `splitsim cards list`; a folder or .gguf file"""
    quality: str = "smollm2-135m"
    """model that is run for real to measure quality: see `splitsim models list`"""
    text: str = DEFAULT_TEXT
    """text that prompts come from: see `splitsim texts list`, or a UTF-8 file"""
    splits: Annotated[list[int], Field(min_length=1)] = [1, 8, 16, 24, 32]
    """what the agent chooses from: blocks on the UE; the number of blocks is all local"""
    min_split: Annotated[int, Field(ge=1)] = 1
    """fewest blocks that must stay on the UE"""
    codec: Annotated[str, AfterValidator(_known_codec)] = "fp16"
    """how activations are coded on the air"""
    concealment: Concealment = "running-mean"
    """what stands in for a fragment that is missing"""
    interleaving: Interleaving = "none"
    """deals eighths of a fragment out to a prompt's packets"""
    channel: Channel = "packet"
    """packet: what ns-3 lost; elementwise: single values set to zero at the same loss, to compare with"""
    prompts: Annotated[int, Field(ge=2, le=4096)] = 16
    """real prompts that quality is measured on, for training and for testing each"""
    quantise: bool = True
    """measure quality with the blocks' weights quantised to ue.weight_bits and edge.weight_bits"""

    @property
    def proxy_note(self) -> str:
        """What every table and plot says where the deployed model is not the one that is run; else empty."""
        return "" if self.deployed == self.quality else f"quality proxy: {self.quality} for {self.deployed}"

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
    """device card: a name from `splitsim cards list` or a card file"""
    weight_bits: Literal[4, 8, 16] = 4
    """bits of a weight on the UE"""
    memory_gib: Positive | None = None
    """what the model may take of the memory; null: what the card says"""


class Edge(Section):
    """The server: a device card, how its weights are stored, how much memory the model may take, and other
    users' jobs in its queue (Poisson, exponential service)."""

    device: str = "a100-80g"
    """device card: a name from `splitsim cards list` or a card file"""
    weight_bits: Literal[4, 8, 16] = 16
    """bits of a weight on the edge"""
    memory_gib: Positive | None = None
    """what the model may take of the memory, all UEs together; null: what the card says"""
    background_jobs_per_s: NotNegative = 0.0
    """rate of other users' jobs in the edge's queue"""
    background_job_ms: NotNegative = 0.0
    """mean computing time of such a job; rate times time must stay below 1"""

    @model_validator(mode="after")
    def _queue_is_stable(self) -> Edge:
        load = self.background_jobs_per_s * self.background_job_ms / 1e3
        if load >= 1:
            raise ValueError(
                f"background_jobs_per_s x background_job_ms is a load of {load:.2f}; it must stay below 1"
            )
        return self
