"""What a codec is: the bytes of a fragment, and what comes back out of them.

A token's d channels are cut into F fragments; fragment j holds channels [j*d/F, (j+1)*d/F). Every fragment
carries all that is needed to decode it (its own scales), so that losing one never spoils another.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from llm_split.plain import did_you_mean


def channel_bounds(hidden_size: int, fragments: int) -> list[tuple[int, int]]:
    """Channel range [start, end) of each of `fragments` fragments of a token of `hidden_size` channels."""
    if not 1 <= fragments <= hidden_size:
        raise ValueError(f"fragments is {fragments}, valid: 1..{hidden_size} (hidden_size)")
    edges = [j * hidden_size // fragments for j in range(fragments + 1)]
    return list(itertools.pairwise(edges))


class Codec(ABC):
    """How hidden states are written into packets. Sizes are payload bytes, without any header.

    Values must be finite; `require_finite` is the check, made once where hidden states come from.
    """

    name: str
    exact: bool = False
    """Whether what comes back costs no quality: the model computes no more precisely than that."""

    @abstractmethod
    def channels_bytes(self, channels: int) -> int:
        """Bytes of one fragment that holds `channels` channels of one token."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Float values [n, c] of n fragments -> what travels, uint8 [n, channels_bytes(c)]."""

    @abstractmethod
    def decode(self, data: Tensor, channels: int) -> Tensor:
        """uint8 [n, channels_bytes(channels)] -> float32 [n, channels]."""

    @abstractmethod
    def lossy(self, x: Tensor) -> Tensor:
        """`decode(encode(x))` for x [..., c], without the detour over bytes; in the dtype of x."""

    def token_bytes(self, hidden_size: int, fragments: int = 1) -> int:
        """Bytes of one token in all its fragments together."""
        return sum(self.channels_bytes(b - a) for a, b in channel_bounds(hidden_size, fragments))

    def fragments_per_token(self, hidden_size: int, payload_bytes: int, parts: int = 1) -> int:
        """The smallest F whose largest fragment fits `payload_bytes`.

        Args:
            hidden_size: channels of a token.
            payload_bytes: of a packet.
            parts: pieces of a fragment that are coded each by itself (1 without interleaving).
        """
        if parts * self.channels_bytes(1) > payload_bytes:
            raise ValueError(
                f"payload_bytes is {payload_bytes}, one channel needs {parts * self.channels_bytes(1)}"
            )
        fragments = 1
        while max(self._fragments(hidden_size, fragments, parts)) > payload_bytes:
            fragments += 1
        return fragments

    def fragment_bytes(self, hidden_size: int, payload_bytes: int, parts: int = 1) -> list[int]:
        """Bytes of each of the F fragments of one token; arguments as for `fragments_per_token`."""
        fragments = self.fragments_per_token(hidden_size, payload_bytes, parts)
        return self._fragments(hidden_size, fragments, parts)

    def _fragments(self, hidden_size: int, fragments: int, parts: int) -> list[int]:
        sizes = [self.channels_bytes(b - a) for a, b in channel_bounds(hidden_size, fragments * parts)]
        return [sum(sizes[i : i + parts]) for i in range(0, len(sizes), parts)]

    def roundtrip(self, x: Tensor, fragments: int = 1) -> Tensor:
        """Encode and decode `x` [..., d] as `fragments` fragments; same shape and dtype come back."""
        bounds = channel_bounds(x.shape[-1], fragments)
        return torch.cat([self.lossy(x[..., a:b]) for a, b in bounds], dim=-1)


def require_finite(x: Tensor, what: str) -> Tensor:
    """`x` itself, if all its values are finite.

    Raises:
        ValueError: there are NaN or infinite ones; names how many, and the place of the first.
    """
    bad = ~torch.isfinite(x)
    if bool(bad.any()):
        first = tuple(bad.nonzero()[0].tolist())
        raise ValueError(
            f"{what}: {int(bad.sum())} of {x.numel()} values are NaN or infinite, the first at {list(first)}"
            "; finite ones are needed (half-precision weights can overflow: try float32 or bfloat16)"
        )
    return x


_REGISTRY: dict[str, Codec] = {}


def register_codec(codec: Codec) -> None:
    """Make `codec` available by its name.

    Raises:
        ValueError: the name is registered already, or the codec breaks the contract of `Codec` on a small
            example: else ns-3 would send packets of a wrong size, or quality be that of other values.
    """
    if codec.name in _REGISTRY:
        raise ValueError(f"codec {codec.name!r} is registered already")
    _check_contract(codec)
    _REGISTRY[codec.name] = codec


def _check_contract(codec: Codec) -> None:
    """Code two fragments of 48 channels, together and one alone."""
    x = torch.sin(torch.arange(96.0)).reshape(2, 48) * torch.tensor([[1.0], [30.0]])
    data = codec.encode(x)
    size = (2, codec.channels_bytes(48))
    if data.dtype != torch.uint8 or tuple(data.shape) != size:
        raise ValueError(
            f"codec {codec.name!r}: encode of {list(x.shape)} gives {data.dtype} {list(data.shape)}, valid: "
            f"torch.uint8 {list(size)}, by channels_bytes(48) = {size[1]}"
        )
    decoded = codec.decode(data, 48)
    if tuple(decoded.shape) != tuple(x.shape) or not torch.allclose(decoded.float(), codec.lossy(x).float()):
        raise ValueError(f"codec {codec.name!r}: decode(encode(x)) is not lossy(x), valid: the same values")
    if not torch.equal(codec.encode(x[1:]), data[1:]):
        raise ValueError(f"codec {codec.name!r}: a fragment is coded differently beside another one")


def get_codec(name: str) -> Codec:
    """The codec of that name; ValueError lists the valid ones."""
    if name not in _REGISTRY:
        guess = did_you_mean(name, codec_names())
        raise ValueError(f"codec is {name!r}, {guess and guess + ' '}valid: {', '.join(codec_names())}")
    return _REGISTRY[name]


def codec_names() -> list[str]:
    """Names of all registered codecs, sorted."""
    return sorted(_REGISTRY)
