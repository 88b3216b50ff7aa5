"""IEEE half precision."""

from __future__ import annotations

import torch
from torch import Tensor

from llm_split.codecs.base import Codec, register_codec


class HalfCodec(Codec):
    """Two bytes a channel, little-endian. Values beyond the range saturate at +-65504."""

    name = "fp16"
    exact = True

    def channels_bytes(self, channels: int) -> int:
        return 2 * channels

    def encode(self, x: Tensor) -> Tensor:
        return _saturated(x).contiguous().view(torch.uint8)

    def decode(self, data: Tensor, channels: int) -> Tensor:
        return data.contiguous().view(torch.float16).float()

    def lossy(self, x: Tensor) -> Tensor:
        return _saturated(x).to(x.dtype)


def _saturated(x: Tensor) -> Tensor:
    largest = torch.finfo(torch.float16).max
    return x.clamp(-largest, largest).to(torch.float16)


register_codec(HalfCodec())
