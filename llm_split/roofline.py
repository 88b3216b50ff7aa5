"""Compute times and memory from a device card and a model shape, by the roofline model.

t = max(operations / (peak x efficiency), bytes / (bandwidth x efficiency)), per block and phase (Williams,
Waterman, Patterson, "Roofline", CACM 52(4), 2009). One request at a time. A multiply-add is two operations;
weights are read once per call, the KV cache (16-bit values) is read as far as it is filled and written for
the new tokens. Activations stay on the chip; scales of quantised weights and the operations of norms and
softmax are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llm_split.devices import CardError, DeviceCard, ModelShape

KV_VALUE_BYTES = 2
Phase = Literal["prefill", "decode"]


@dataclass(frozen=True)
class ComputeTables:
    """Seconds per call, looked up by token count; index 0 of the lists is unused and 0.0.

    Attributes:
        prefill_block_s: [max_prompt_tokens + 1], one block over a prompt of P tokens.
        decode_block_s: [max_context_tokens + 1], one block for one new token, the context counting it.
        prefill_head_s: final norm and head at the prompt's last token.
        decode_head_s: final norm and head for one token.
    """

    prefill_block_s: list[float]
    decode_block_s: list[float]
    prefill_head_s: float
    decode_head_s: float


def compute_tables(
    shape: ModelShape, device: DeviceCard, weight_bits: int, max_prompt_tokens: int, max_context_tokens: int
) -> ComputeTables:
    """All compute times that a simulation of `shape` on `device` needs.

    Raises:
        CardError: the device or the shape does not offer `weight_bits`.
    """
    _check_bits(shape, weight_bits)
    if max_prompt_tokens < 1 or max_context_tokens < 1:
        raise ValueError(
            f"max_prompt_tokens and max_context_tokens are {max_prompt_tokens} and {max_context_tokens}, "
            "valid: >= 1"
        )
    prompts, contexts = range(1, max_prompt_tokens + 1), range(1, max_context_tokens + 1)
    return ComputeTables(
        prefill_block_s=[0.0, *(_block_s(shape, device, weight_bits, "prefill", P, P) for P in prompts)],
        decode_block_s=[0.0, *(_block_s(shape, device, weight_bits, "decode", 1, c) for c in contexts)],
        prefill_head_s=_head_s(shape, device, weight_bits, "prefill"),
        decode_head_s=_head_s(shape, device, weight_bits, "decode"),
    )


def block_ops(shape: ModelShape, new_tokens: int, context_tokens: int) -> float:
    """Operations of one block for the last `new_tokens` of `context_tokens` tokens.

    2 per weight and token, and 4 d per pair of a token and one it attends to (scores and weighted sum).
    """
    pairs = new_tokens * context_tokens - new_tokens * (new_tokens - 1) / 2
    return 2.0 * shape.block_parameters * new_tokens + 4.0 * shape.hidden_size * pairs


def block_bytes(shape: ModelShape, weight_bits: int, new_tokens: int, context_tokens: int) -> float:
    """Bytes that one block moves: weights and cache read once, keys and values of the new tokens written."""
    kv = 2 * shape.kv_size * KV_VALUE_BYTES
    return shape.block_parameters * weight_bits / 8 + kv * (context_tokens + new_tokens)


def ue_memory_bytes(shape: ModelShape, split: int, weight_bits: int, max_context_tokens: int) -> int:
    """Memory that the UE needs for its half: embeddings, `split` blocks and their KV cache.

    All local (`split == num_layers`) adds the final norm, and the head unless that is the embedding table.
    """
    if not 1 <= split <= shape.num_layers:
        raise ValueError(f"split is {split}, valid: 1..{shape.num_layers}")
    _check_bits(shape, weight_bits)
    parameters = shape.vocab_size * shape.hidden_size + split * shape.block_parameters
    if split == shape.num_layers:
        parameters += shape.hidden_size if shape.tied_embeddings else shape.head_parameters
    cache = split * max_context_tokens * 2 * shape.kv_size * KV_VALUE_BYTES
    return -(-parameters * weight_bits // 8) + cache


def _check_bits(shape: ModelShape, weight_bits: int) -> None:
    if weight_bits not in shape.weight_bits_choices:
        valid = ", ".join(map(str, shape.weight_bits_choices))
        raise CardError(f"weight_bits is {weight_bits}, valid for {shape.name}: {valid}")


def _block_s(
    shape: ModelShape, device: DeviceCard, bits: int, phase: Phase, new_tokens: int, context_tokens: int
) -> float:
    ops = block_ops(shape, new_tokens, context_tokens)
    return _roofline_s(ops, block_bytes(shape, bits, new_tokens, context_tokens), device, bits, phase)


def _head_s(shape: ModelShape, device: DeviceCard, bits: int, phase: Phase) -> float:
    return _roofline_s(2.0 * shape.head_parameters, shape.head_parameters * bits / 8, device, bits, phase)


def _roofline_s(ops: float, moved_bytes: float, device: DeviceCard, bits: int, phase: Phase) -> float:
    if phase == "prefill":
        compute, bandwidth = device.prefill_compute_efficiency, device.prefill_bandwidth_efficiency
    else:
        compute, bandwidth = device.decode_compute_efficiency, device.decode_bandwidth_efficiency
    by_compute_s = ops / (device.peak_for(bits) * compute)
    return max(by_compute_s, moved_bytes / (device.bandwidth_bytes_per_s * bandwidth))
