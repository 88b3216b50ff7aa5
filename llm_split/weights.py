"""Weights of a device: blocks that compute with 4-bit or 8-bit weights, as llama.cpp stores them.

Formats (ggml-quants.c, `quantize_row_q4_0_ref` and `quantize_row_q8_0_ref`): groups of 32 weights along the
input of a linear layer, one float16 scale s for each group, rounding to nearest, no offset. x is a weight, m
the weight of largest magnitude in its group, with its sign.

    8 bits (Q8_0): s = |m| / 127, code = round(x / s),           in -127..127
    4 bits (Q4_0): s = m / -8,    code = floor(x / s + 8.5) - 8, in -8..7

A code stands for s * code. Nothing is calibrated: GPTQ (Frantar et al. 2022) calls this the round-to-nearest
baseline. Only linear weights of blocks are quantised; norms, biases, embeddings and the head are not.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from transformers.pytorch_utils import Conv1D

from llm_split.standins import StandIn

BITS = (4, 8, 16)
"""Widths of a weight; 16: as the model was loaded."""
GROUP = 32
"""Weights that share a scale."""
FORMATS = {4: "Q4_0", 8: "Q8_0"}
"""llama.cpp's names of the formats."""


class Quantised(NamedTuple):
    """A quantised weight.

    Attributes:
        codes: int8 [..., groups, GROUP]; the last group is filled up with zeros.
        scales: float16 [..., groups, 1].
        width: length of the last axis of the weight.
    """

    codes: Tensor
    scales: Tensor
    width: int

    def values(self, dtype: torch.dtype) -> Tensor:
        """The weight that the codes stand for, [..., width]."""
        # Products in float32: a float16 scale times a code has at most 18 bits.
        return (self.codes * self.scales.float()).flatten(-2)[..., : self.width].to(dtype)


def quantise(weight: Tensor, bits: int) -> Quantised:
    """Quantise a weight [..., width] along its last axis; see the module for the formats.

    Args:
        weight: any float dtype.
        bits: 4 or 8.

    Raises:
        ValueError: another number of bits, or values that are not finite.
    """
    if bits not in FORMATS:
        raise ValueError(f"bits is {bits}, valid: {', '.join(map(str, FORMATS))}")
    if not bool(torch.isfinite(weight).all()):
        raise ValueError("weight has values that are NaN or infinite, valid: finite ones")
    width = weight.shape[-1]
    filled = nn.functional.pad(weight.float(), (0, -width % GROUP))
    groups = filled.reshape(*weight.shape[:-1], -1, GROUP)
    largest = groups.gather(-1, groups.abs().argmax(-1, keepdim=True))
    scales = largest / -8 if bits == 4 else largest.abs() / 127
    ratios = groups * torch.where(scales == 0, 0.0, 1 / scales)
    codes = (ratios + 8.5).floor().clamp(0, 15) - 8 if bits == 4 else _rounded(ratios)
    return Quantised(codes.to(torch.int8), scales.half(), width)


def _rounded(x: Tensor) -> Tensor:
    """The nearest whole number, halves away from zero as C's roundf."""
    return torch.trunc(x + torch.copysign(torch.full_like(x, 0.5), x))


class QuantisedBlock(StandIn):
    """A block that computes with quantised linear weights; everything else is the block's own.

    It holds the values that the codes stand for, in the dtype of the weights: making them anew in each call
    takes as long as the call itself.

    Args:
        block: stays as it is.
        bits: 4 or 8.

    Raises:
        ValueError: the block has no linear weights.
    """

    def __init__(self, block: nn.Module, bits: int) -> None:
        super().__init__(block)
        self.values = {name: _coarse(weight, owner, bits) for name, weight, owner in _linear_weights(block)}
        if not self.values:
            raise ValueError(f"{type(block).__name__} has no linear weights, so none can be quantised")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The block's forward with the quantised weights."""
        return functional_call(self.block, self.values, args, kwargs)


def _linear_weights(block: nn.Module) -> list[tuple[str, Tensor, nn.Module]]:
    """(name, weight, module it belongs to) of all that multiplies activations: matrices of linear layers, and
    those of all experts of a mixture in one array [experts, out, in]."""
    return [
        (f"{prefix}.{name}".lstrip("."), weight, owner)
        for prefix, owner in block.named_modules()
        for name, weight in owner.named_parameters(recurse=False)
        if (isinstance(owner, nn.Linear | Conv1D) and weight.ndim == 2)
        or (weight.ndim == 3 and not isinstance(owner, nn.modules.conv._ConvNd))
    ]


def _coarse(weight: Tensor, owner: nn.Module, bits: int) -> Tensor:
    """The weight through its codes and back, in its own dtype and shape."""
    # GPT-2's layers hold [in, out].
    if isinstance(owner, Conv1D):
        return quantise(weight.T, bits).values(weight.dtype).T.contiguous()
    return quantise(weight, bits).values(weight.dtype)


def weights_fingerprint(model: Any) -> str:
    """SHA-256 over names, shapes and a sample of the values of all parameters: tells other weights apart."""
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        values = parameter.detach().flatten()
        sample = values[:: max(1, len(values) // 256)].float().cpu().numpy()
        digest.update(f"{name} {tuple(parameter.shape)}".encode() + sample.tobytes())
    return digest.hexdigest()
