"""What a request takes, from sizes, rates and operations alone: none of the code under test is called.

Sizes of the models are those of their papers and published configurations; the figures of a machine are data
(`llm_split/cards`), here only read.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from llm_split.devices import DeviceCard, load_device

Phase = Literal["prefill", "decode"]
OUR_HEADER_BYTES = 24
UDP_AND_IP_BYTES = 8 + 20
CACHE_VALUE_BYTES = 2


@dataclass(frozen=True)
class Decoder:
    """A model of the Llama kind: `width` channels, query and key heads of `head_width`, a gated MLP."""

    blocks: int
    width: int
    mlp_width: int
    query_heads: int
    key_heads: int
    head_width: int
    vocabulary: int

    @property
    def block_weights(self) -> int:
        """Query, key, value and output matrices, three of the MLP, two norms."""
        queries, keys = self.query_heads * self.head_width, self.key_heads * self.head_width
        attention = self.width * queries + 2 * self.width * keys + queries * self.width
        return attention + 3 * self.width * self.mlp_width + 2 * self.width

    @property
    def head_weights(self) -> int:
        """Final norm and vocabulary matrix."""
        return self.width + self.width * self.vocabulary


LLAMA_2_7B = Decoder(32, 4096, 11008, 32, 32, 128, 32000)
"""Touvron et al., Llama 2 (arXiv 2307.09288), and its published configuration."""
TINYLLAMA_1_1B = Decoder(22, 2048, 5632, 32, 4, 64, 32000)
"""Zhang et al., TinyLlama (arXiv 2401.02385), table 1."""


@dataclass(frozen=True)
class Machine:
    """A device with weights of so many bits."""

    card: DeviceCard
    weight_bits: int

    @classmethod
    def named(cls, name: str, weight_bits: int) -> Machine:
        """One whose card ships."""
        return cls(load_device(name), weight_bits)

    def seconds(self, phase: Phase, operations: float, moved_bytes: float) -> float:
        """The slower of the two (Williams, Waterman and Patterson, CACM 52(4), 2009), and a launch."""
        card = self.card
        peak = card.peak_ops_per_s[card.precision_by_weight_bits[self.weight_bits]]
        if phase == "prefill":
            efficiency = card.prefill_compute_efficiency, card.prefill_bandwidth_efficiency
        else:
            efficiency = card.decode_compute_efficiency, card.decode_bandwidth_efficiency
        roofline_s = max(
            operations / (peak * efficiency[0]),
            moved_bytes / (card.bandwidth_bytes_per_s * efficiency[1]),
        )
        return roofline_s + card.block_launch_s

    def block_s(self, model: Decoder, phase: Phase, new: int, context: int) -> float:
        """One block over the last `new` of `context` tokens, each of which looks at all up to itself."""
        pairs = sum(range(context - new + 1, context + 1))
        operations = 2 * model.block_weights * new + 4 * model.query_heads * model.head_width * pairs
        cached = 2 * model.key_heads * model.head_width * CACHE_VALUE_BYTES
        moved = model.block_weights * self.weight_bits / 8 + cached * (context + new)
        return self.seconds(phase, operations, moved)

    def head_s(self, model: Decoder) -> float:
        """Final norm and head at one token."""
        return self.seconds("decode", 2 * model.head_weights, model.head_weights * self.weight_bits / 8)


@dataclass(frozen=True)
class Request:
    """One request of a split model: `prompt` tokens in, `output` tokens out, `split` blocks on the UE."""

    model: Decoder
    ue: Machine
    edge: Machine
    split: int
    prompt: int
    output: int

    def step_s(self, step: int) -> tuple[float, float]:
        """Computing of the UE and of the edge for output token `step`, counted from 0."""
        phase: Phase = "prefill" if step == 0 else "decode"
        new, context = (self.prompt, self.prompt) if step == 0 else (1, self.prompt + step)
        ue_s = self.split * self.ue.block_s(self.model, phase, new, context)
        edge_s = (self.model.blocks - self.split) * self.edge.block_s(self.model, phase, new, context)
        if self.split == self.model.blocks:
            return ue_s + self.ue.head_s(self.model), 0.0
        return ue_s, edge_s + self.edge.head_s(self.model)

    def compute_s(self, step: int) -> float:
        """Both of them."""
        return sum(self.step_s(step))

    @property
    def ue_s(self) -> float:
        """All that the UE computes."""
        return sum(self.step_s(step)[0] for step in range(self.output))


def token_packet_bytes(width: int, value_bytes: int, payload_bytes: int) -> list[int]:
    """IP packets of one token: its values in as few as hold them, as even as can be."""
    packets = -(-width * value_bytes // payload_bytes)
    edges = [width * i // packets for i in range(packets + 1)]
    return [
        (end - begin) * value_bytes + OUR_HEADER_BYTES + UDP_AND_IP_BYTES
        for begin, end in itertools.pairwise(edges)
    ]
