"""Activation codecs: what a hidden state weighs on the wire and what is left of it afterwards.

A token's d channels are cut into F fragments; fragment j holds channels [j*d/F, (j+1)*d/F). Every fragment
carries all that is needed to decode it (its own scale), so that losing one never spoils another.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor

SCALE_BYTES = 4  # one float32: exact for any activation, where float16 would over- or underflow


def channel_bounds(hidden_size: int, fragments: int) -> list[tuple[int, int]]:
    """Channel range [start, end) of each of `fragments` fragments of a token of `hidden_size` channels."""
    if not 1 <= fragments <= hidden_size:
        raise ValueError(f"fragments is {fragments}, valid: 1..{hidden_size} (hidden_size)")
    edges = [j * hidden_size // fragments for j in range(fragments + 1)]
    return list(itertools.pairwise(edges))


class Codec(Protocol):
    """How hidden states are written into packets. Sizes are payload bytes, without any header."""

    @property
    def name(self) -> str: ...

    def channels_bytes(self, channels: int) -> int:
        """Bytes of one fragment that holds `channels` channels of one token."""
        ...

    def token_bytes(self, hidden_size: int, fragments: int = 1) -> int:
        """Bytes of one token in all its fragments together."""
        ...

    def fragments_per_token(self, hidden_size: int, payload_bytes: int) -> int:
        """The smallest F whose largest fragment fits `payload_bytes`."""
        ...

    def fragment_bytes(self, hidden_size: int, payload_bytes: int) -> list[int]:
        """Bytes of each of the F fragments of one token."""
        ...

    def roundtrip(self, x: Tensor, fragments: int = 1) -> Tensor:
        """Encode and decode finite `x` [..., d] as `fragments` fragments; same shape and dtype come back."""
        ...


class _Sizes:
    """The arithmetic that all codecs share, from the bytes of one fragment."""

    def channels_bytes(self, channels: int) -> int:
        raise NotImplementedError

    def token_bytes(self, hidden_size: int, fragments: int = 1) -> int:
        return sum(self.channels_bytes(b - a) for a, b in channel_bounds(hidden_size, fragments))

    def fragments_per_token(self, hidden_size: int, payload_bytes: int) -> int:
        if self.channels_bytes(1) > payload_bytes:
            raise ValueError(f"payload_bytes is {payload_bytes}, one channel needs {self.channels_bytes(1)}")
        fragments = 1
        while self.channels_bytes(-(-hidden_size // fragments)) > payload_bytes:
            fragments += 1
        return fragments

    def fragment_bytes(self, hidden_size: int, payload_bytes: int) -> list[int]:
        fragments = self.fragments_per_token(hidden_size, payload_bytes)
        return [self.channels_bytes(b - a) for a, b in channel_bounds(hidden_size, fragments)]


@dataclass(frozen=True)
class Fp16Codec(_Sizes):
    """IEEE half precision. Values beyond its range saturate at +-65504 instead of becoming infinite."""

    name: str = "fp16"

    def channels_bytes(self, channels: int) -> int:
        return 2 * channels

    def roundtrip(self, x: Tensor, fragments: int = 1) -> Tensor:
        channel_bounds(x.shape[-1], fragments)  # same errors as the codecs that need the bounds
        largest = torch.finfo(torch.float16).max
        return x.clamp(-largest, largest).to(torch.float16).to(x.dtype)


@dataclass(frozen=True)
class IntCodec(_Sizes):
    """Symmetric integers of `bits` bits, one float32 scale per token and fragment.

    scale = max|x| / (2**(bits-1) - 1) over the fragment's channels; q = round(x / scale).
    """

    name: str
    bits: int

    def channels_bytes(self, channels: int) -> int:
        return -(-channels * self.bits // 8) + SCALE_BYTES

    def roundtrip(self, x: Tensor, fragments: int = 1) -> Tensor:
        parts = [self._quantised(x[..., a:b]) for a, b in channel_bounds(x.shape[-1], fragments)]
        return torch.cat(parts, dim=-1)

    def _quantised(self, x: Tensor) -> Tensor:
        levels = 2 ** (self.bits - 1) - 1
        wide = x.float()
        scale = wide.abs().amax(dim=-1, keepdim=True) / levels
        safe = scale.clamp(min=torch.finfo(torch.float32).tiny)  # an all-zero fragment stays zero
        q = (wide / safe).round().clamp(-levels, levels)
        return cast(Tensor, (q * scale).to(x.dtype))


_REGISTRY: dict[str, Codec] = {}


def register_codec(codec: Codec) -> None:
    """Make `codec` available by its name. A name can be registered once."""
    if codec.name in _REGISTRY:
        raise ValueError(f"codec {codec.name!r} is registered already")
    _REGISTRY[codec.name] = codec


def get_codec(name: str) -> Codec:
    """The codec of that name; ValueError lists the valid ones."""
    if name not in _REGISTRY:
        raise ValueError(f"codec is {name!r}, valid: {', '.join(codec_names())}")
    return _REGISTRY[name]


def codec_names() -> list[str]:
    return sorted(_REGISTRY)


for _codec in (Fp16Codec(), IntCodec("int8", 8), IntCodec("int4", 4)):
    register_codec(_codec)
