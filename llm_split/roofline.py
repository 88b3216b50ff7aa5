"""Compute times and memory from a device card and a model shape, by the roofline model.

t = max(operations / (peak x efficiency), bytes / (bandwidth x efficiency)) + launch, per block and phase
(Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009). The launch is a fixed cost of the device, which
final norm and head together pay once, as one block more. One request at a time. A multiply-add is two
operations; weights are read once per call, the KV cache (16-bit values) is read as far as it is filled and
written for the new tokens. Activations stay on the chip; scales of quantised weights and the operations of
norms and softmax are left out. Where a block has a sliding window, no token attends to more tokens than that,
and the block's cache holds no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from llm_split.devices import CardError, DeviceCard, ModelShape

KV_VALUE_BYTES = 2
Phase = Literal["prefill", "decode"]
Bound = Literal["compute", "bandwidth", "launch", "idle"]


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

    Where only some blocks have a sliding window, one block's time is the mean over all blocks: right for the
    whole model, and for a part of it as long as the context is within the window.

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
        prefill_block_s=[0.0, *(_mean_block_s(shape, device, weight_bits, "prefill", P, P) for P in prompts)],
        decode_block_s=[0.0, *(_mean_block_s(shape, device, weight_bits, "decode", 1, c) for c in contexts)],
        prefill_head_s=_head_s(shape, device, weight_bits, "prefill"),
        decode_head_s=_head_s(shape, device, weight_bits, "decode"),
    )


def block_ops(shape: ModelShape, new_tokens: int, context_tokens: int, window: int | None = None) -> float:
    """Operations of one block for the last `new_tokens` of `context_tokens` tokens.

    2 per weight and token, and 4 per channel of the heads and pair of a token and one it attends to (scores
    and weighted sum). `window` is the most tokens that one attends to, itself included.
    """
    reach = context_tokens if window is None else min(context_tokens, window)
    growing = max(0, new_tokens - (context_tokens - reach))  # new tokens whose view is not full yet
    pairs = new_tokens * reach - growing * (growing - 1) / 2
    return 2.0 * shape.block_parameters * new_tokens + 4.0 * shape.attention_size * pairs


def block_bytes(
    shape: ModelShape, weight_bits: int, new_tokens: int, context_tokens: int, window: int | None = None
) -> float:
    """Bytes that one block moves: weights and cache read once, keys and values of the new tokens written.

    With a `window` only what one of the new tokens attends to is read.
    """
    read = context_tokens if window is None else min(context_tokens, window + new_tokens - 1)
    return shape.block_parameters * weight_bits / 8 + _kv_bytes(shape) * (read + new_tokens)


def ue_memory_bytes(shape: ModelShape, split: int, weight_bits: int, max_context_tokens: int) -> int:
    """Memory that the UE needs for its half: embeddings, `split` blocks and their KV cache.

    All local (`split == num_layers`) adds the final norm, and the head unless that is the embedding table.
    """
    _check_split(shape, split)
    _check_bits(shape, weight_bits)
    parameters = shape.embedding_parameters + split * shape.block_parameters
    if split == shape.num_layers:
        parameters += shape.own_head_parameters
    return _weight_bytes(parameters, weight_bits) + _cache_bytes(shape, range(split), max_context_tokens)


def edge_memory_bytes(shape: ModelShape, split: int, weight_bits: int, max_context_tokens: int) -> int:
    """Memory that the edge needs for its half: blocks from `split` on, their KV cache, final norm and head.

    The head's table is held here even if it is tied to the embeddings, which are on the UE. All local
    (`split == num_layers`) leaves nothing.
    """
    _check_split(shape, split)
    _check_bits(shape, weight_bits)
    if split == shape.num_layers:
        return 0
    blocks = range(split, shape.num_layers)
    parameters = len(blocks) * shape.block_parameters + shape.head_parameters
    return _weight_bytes(parameters, weight_bits) + _cache_bytes(shape, blocks, max_context_tokens)


@dataclass(frozen=True)
class PhaseCost:
    """What one half does in one phase of one request.

    Attributes:
        time_s: computing, one block after the other, launches included; no waiting and no network.
        energy_j: that time at the device's power above idle.
        ops, moved_bytes: operations, and bytes to and from memory.
        bound: what most of the time is spent on; `idle` where the half does nothing.
    """

    time_s: float
    energy_j: float
    ops: float
    moved_bytes: float
    bound: Bound


@dataclass(frozen=True)
class HalfCost:
    """One half of the model: what it holds in memory once the request is finished, and what it computes."""

    memory_bytes: int
    prefill: PhaseCost
    decode: PhaseCost


@dataclass(frozen=True)
class SplitCost:
    """Both halves of a model cut at `split`."""

    split: int
    ue: HalfCost
    edge: HalfCost


def split_cost(
    shape: ModelShape,
    ue_device: DeviceCard,
    edge_device: DeviceCard,
    *,
    ue_weight_bits: int,
    edge_weight_bits: int,
    split: int,
    prompt_tokens: int,
    output_tokens: int,
) -> SplitCost:
    """Time, energy and memory of both halves for one request, by phase.

    Prefill computes the prompt and the head at its last token, which gives the first output token; decode
    the other `output_tokens - 1`, each with the context so far. Looking up embeddings takes no time. The KV
    cache in `memory_bytes` has room for the prompt and all output tokens. Each block counts with its own
    window.

    Raises:
        CardError: a device or the shape does not offer its weight bits.
        ValueError: `split` is outside 1..num_layers, or a token count below 1.
    """
    if prompt_tokens < 1 or output_tokens < 1:
        raise ValueError(
            f"prompt_tokens and output_tokens are {prompt_tokens} and {output_tokens}, valid: >= 1"
        )
    tokens = (prompt_tokens, output_tokens)
    ue_memory = ue_memory_bytes(shape, split, ue_weight_bits, sum(tokens))
    edge_memory = edge_memory_bytes(shape, split, edge_weight_bits, sum(tokens))
    local = split == shape.num_layers
    ue = _Half(shape, ue_device, ue_weight_bits, range(split), with_head=local)
    edge = _Half(shape, edge_device, edge_weight_bits, range(split, shape.num_layers), with_head=not local)
    return SplitCost(split=split, ue=ue.cost(ue_memory, *tokens), edge=edge.cost(edge_memory, *tokens))


@dataclass(frozen=True)
class _Work:
    """Operations and bytes that can't be computed apart, and how often they are done."""

    ops: float
    moved_bytes: float
    times: int = 1


class _Half:
    """Some of a model's blocks, perhaps with the head, on a device."""

    def __init__(
        self, shape: ModelShape, device: DeviceCard, bits: int, blocks: range, *, with_head: bool
    ) -> None:
        self.shape, self.device, self.bits, self.with_head = shape, device, bits, with_head
        self.windows = Counter(shape.window_of(block) for block in blocks)

    def cost(self, memory_bytes: int, prompt_tokens: int, output_tokens: int) -> HalfCost:
        contexts = range(prompt_tokens + 1, prompt_tokens + output_tokens)
        decode = [work for context in contexts for work in self._step(1, context)]
        return HalfCost(
            memory_bytes=memory_bytes,
            prefill=self._phase("prefill", self._step(prompt_tokens, prompt_tokens)),
            decode=self._phase("decode", decode),
        )

    def _step(self, new_tokens: int, context_tokens: int) -> list[_Work]:
        """What one pass over `new_tokens` tokens takes."""
        work = [
            _Work(
                block_ops(self.shape, new_tokens, context_tokens, window),
                block_bytes(self.shape, self.bits, new_tokens, context_tokens, window),
                times,
            )
            for window, times in self.windows.items()
        ]
        return [*work, _head_work(self.shape, self.bits)] if self.with_head else work

    def _phase(self, phase: Phase, work: Iterable[_Work]) -> PhaseCost:
        time_s: dict[Bound, float] = {"bandwidth": 0.0, "compute": 0.0, "launch": 0.0}
        ops = moved_bytes = 0.0
        for item in work:
            seconds, bound = _roofline(item.ops, item.moved_bytes, self.device, self.bits, phase)
            time_s[bound] += item.times * seconds
            time_s["launch"] += item.times * self.device.block_launch_s
            ops += item.times * item.ops
            moved_bytes += item.times * item.moved_bytes
        total_s = sum(time_s.values())
        slowest = max(time_s, key=lambda bound: time_s[bound])
        energy_j = total_s * self.device.compute_power_w
        return PhaseCost(total_s, energy_j, ops, moved_bytes, slowest if total_s else "idle")


def _check_split(shape: ModelShape, split: int) -> None:
    if not 1 <= split <= shape.num_layers:
        raise ValueError(f"split is {split}, valid: 1..{shape.num_layers}")


def _check_bits(shape: ModelShape, weight_bits: int) -> None:
    if weight_bits not in shape.weight_bits_choices:
        valid = ", ".join(map(str, shape.weight_bits_choices))
        raise CardError(f"weight_bits is {weight_bits}, valid for {shape.name}: {valid}")


def _weight_bytes(parameters: int, weight_bits: int) -> int:
    return -(-parameters * weight_bits // 8)


def _kv_bytes(shape: ModelShape) -> int:
    """Keys and values of one token in one block."""
    return 2 * shape.kv_size * KV_VALUE_BYTES


def _cache_bytes(shape: ModelShape, blocks: Iterable[int], context_tokens: int) -> int:
    windows = (shape.window_of(block) for block in blocks)
    return sum(min(context_tokens, window or context_tokens) * _kv_bytes(shape) for window in windows)


def _mean_block_s(
    shape: ModelShape, device: DeviceCard, bits: int, phase: Phase, new_tokens: int, context_tokens: int
) -> float:
    windows = Counter(shape.window_of(block) for block in range(shape.num_layers))
    times_s = {
        window: _block_s(shape, device, bits, phase, new_tokens, context_tokens, window) for window in windows
    }
    if len(set(times_s.values())) == 1:  # exactly that, without a mean's rounding
        return next(iter(times_s.values()))
    return sum(times * times_s[window] for window, times in windows.items()) / shape.num_layers


def _block_s(
    shape: ModelShape,
    device: DeviceCard,
    bits: int,
    phase: Phase,
    new_tokens: int,
    context_tokens: int,
    window: int | None,
) -> float:
    ops = block_ops(shape, new_tokens, context_tokens, window)
    moved_bytes = block_bytes(shape, bits, new_tokens, context_tokens, window)
    return _roofline(ops, moved_bytes, device, bits, phase)[0] + device.block_launch_s


def _head_work(shape: ModelShape, bits: int) -> _Work:
    """Final norm and head at one token."""
    return _Work(2.0 * shape.head_parameters, shape.head_parameters * bits / 8)


def _head_s(shape: ModelShape, device: DeviceCard, bits: int, phase: Phase) -> float:
    work = _head_work(shape, bits)
    return _roofline(work.ops, work.moved_bytes, device, bits, phase)[0] + device.block_launch_s


def _roofline(
    ops: float, moved_bytes: float, device: DeviceCard, bits: int, phase: Phase
) -> tuple[float, Literal["compute", "bandwidth"]]:
    """Seconds without the launch, and what they are spent on."""
    if phase == "prefill":
        compute, bandwidth = device.prefill_compute_efficiency, device.prefill_bandwidth_efficiency
    else:
        compute, bandwidth = device.decode_compute_efficiency, device.decode_bandwidth_efficiency
    by_compute_s = ops / (device.peak_for(bits) * compute)
    by_bandwidth_s = moved_bytes / (device.bandwidth_bytes_per_s * bandwidth)
    return (by_compute_s, "compute") if by_compute_s > by_bandwidth_s else (by_bandwidth_s, "bandwidth")
