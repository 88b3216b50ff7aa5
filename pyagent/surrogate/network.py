"""M small networks evaluated as one: batched matrix products, one flat parameter vector."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


@dataclass(frozen=True)
class EnsembleLayout:
    """Shapes of M multilayer perceptrons.

    Args:
        members: M.
        widths: (inputs, hidden..., outputs).
    """

    members: int
    widths: tuple[int, ...]

    @property
    def size(self) -> int:
        """Parameters of all members together."""
        return self.members * sum((i + 1) * o for i, o in pairwise(self.widths))

    def initial(self, generator: torch.Generator, output_gain: float) -> Tensor:
        """Flat float32 [size]: weights N(0, gain^2 / fan-in), biases 0 but spread in the first layer."""
        parts: list[Tensor] = []
        last = len(self.widths) - 2
        for layer, (i, o) in enumerate(pairwise(self.widths)):
            gain = output_gain if layer == last else 1.0
            weight = torch.randn(self.members, i, o, generator=generator) * (gain / i**0.5)
            bias = torch.randn(self.members, 1, o, generator=generator) * (0.5 if layer == 0 else 0.0)
            parts += [weight.flatten(), bias.flatten()]
        return torch.cat(parts)

    def forward(self, flat: Tensor, x: Tensor) -> Tensor:
        """Outputs [M, B, O] of inputs ``x`` [B, I] with parameters ``flat`` [size]."""
        sizes = [n for i, o in pairwise(self.widths) for n in (self.members * i * o, self.members * o)]
        parts = torch.split(flat, sizes)
        hidden = x.expand(self.members, *x.shape)  # (M, B, I)
        last = len(self.widths) - 2
        for layer, (i, o) in enumerate(pairwise(self.widths)):
            weight = parts[2 * layer].view(self.members, i, o)
            bias = parts[2 * layer + 1].view(self.members, 1, o)
            hidden = torch.baddbmm(bias, hidden, weight)  # (M, B, o)
            if layer < last:
                hidden = F.silu(hidden)
        return hidden
