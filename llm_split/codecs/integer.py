"""Symmetric integers with one scale per block of channels, all inside the fragment.

q = round(x / scale), scale = max|x| over the block / (2**(bits-1) - 1). A scale is a bfloat16, which has the
range of any activation in two bytes, rounded up so that no value is clipped. Blocks of 32 channels are what
weight formats such as ggml's Q4_0 use; the `-token` variants have a single block per fragment and show what
the blocks are worth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from llm_split.codecs.base import Codec, register_codec

SCALE_BYTES = 2
BLOCK_CHANNELS = 32


class IntegerCodec(Codec):
    """Scales first, then the values; two nibbles share a byte, the earlier channel in its low half.

    Args:
        name: how it is called.
        bits: of one value, 4 or 8.
        block: channels that share a scale; the last block of a fragment may have fewer. None: all of them.
    """

    def __init__(self, name: str, bits: int, block: int | None = BLOCK_CHANNELS) -> None:
        if bits not in (4, 8):
            raise ValueError(f"bits is {bits}, valid: 4, 8")
        if block is not None and block < 1:
            raise ValueError(f"block is {block}, valid: None or >= 1")
        self.name, self.bits, self.block = name, bits, block

    def channels_bytes(self, channels: int) -> int:
        return self._value_bytes(channels) + SCALE_BYTES * self._blocks(channels)

    def encode(self, x: Tensor) -> Tensor:
        n, c = x.shape
        q, scale = self._quantised(x)
        values = q.flatten(1)[:, :c].to(torch.int8)
        if self.bits == 4:
            values = _nibbles(values)
        scales = scale.reshape(n, -1).to(torch.bfloat16)  # exact: they are bfloat16 numbers already
        return torch.cat([scales.contiguous().view(torch.uint8), values.view(torch.uint8)], dim=1)

    def decode(self, data: Tensor, channels: int) -> Tensor:
        scale_bytes = SCALE_BYTES * self._blocks(channels)
        scale = data[:, :scale_bytes].contiguous().view(torch.bfloat16).float()  # [n, blocks]
        packed = data[:, scale_bytes:].contiguous().view(torch.int8)
        q = _from_nibbles(packed)[:, :channels] if self.bits == 4 else packed
        return q.float() * scale.repeat_interleave(self.block or channels, dim=1)[:, :channels]

    def lossy(self, x: Tensor) -> Tensor:
        q, scale = self._quantised(x)
        largest = torch.finfo(x.dtype).max  # a scale that was rounded up may lead beyond it
        return (q * scale).flatten(-2)[..., : x.shape[-1]].clamp(-largest, largest).to(x.dtype)

    def _quantised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [..., c] -> integers as float32 [..., blocks, block], zeros behind the end; their scales."""
        c = x.shape[-1]
        block = self.block or c
        wide = torch.nn.functional.pad(x.float(), (0, -c % block))
        wide = wide.reshape(*x.shape[:-1], -1, block)
        levels = 2 ** (self.bits - 1) - 1
        scale = _bfloat16_up(wide.abs().amax(dim=-1, keepdim=True) / levels)
        safe = scale.clamp(min=torch.finfo(torch.float32).tiny)  # a block of zeros stays zero
        return (wide / safe).round().clamp(-levels, levels), scale

    def _blocks(self, channels: int) -> int:
        return -(-channels // (self.block or channels))

    def _value_bytes(self, channels: int) -> int:
        return -(-channels * self.bits // 8)


def _bfloat16_up(x: Tensor) -> Tensor:
    """The smallest bfloat16 that is not below x >= 0 (the largest finite one at most), as float32."""
    bits = x.contiguous().view(torch.int32)
    up = ((bits + 0xFFFF) & -0x10000).view(torch.float32)
    return up.clamp(max=torch.finfo(torch.bfloat16).max)


def _nibbles(values: Tensor) -> Tensor:
    """int8 [n, c] in -8..7 -> int8 [n, ceil(c / 2)]."""
    even = torch.nn.functional.pad(values, (0, values.shape[1] % 2))
    low, high = even[:, 0::2], even[:, 1::2]
    return (low & 0x0F) | (high << 4)


def _from_nibbles(packed: Tensor) -> Tensor:
    """int8 [n, k] -> int8 [n, 2k]: shifts to the right keep the sign."""
    return torch.stack([(packed << 4) >> 4, packed >> 4], dim=-1).flatten(1)


for _codec in (
    IntegerCodec("int8", 8),
    IntegerCodec("int4", 4),
    IntegerCodec("int8-token", 8, block=None),
    IntegerCodec("int4-token", 4, block=None),
):
    register_codec(_codec)
