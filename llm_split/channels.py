"""Loss without ns-3: which packets a simple channel loses, for studies of a model alone.

All channels draw from the same uniform numbers for a given seed. So two loss rates, two cuts or two codecs
are compared under the same luck, and what the lower of two Bernoulli rates loses the higher one loses too.

Symbols: T uplinked positions, F fragments per token, P prompt tokens, N output tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llm_split.impairment import DeliveryMask


class LossChannel(Protocol):
    """Loses packets."""

    @property
    def loss(self) -> float:
        """Long-run share of packets that are lost, 0..1."""
        ...

    def lost(self, uniform: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of n packets, in the order of sending, are lost.

        Args:
            uniform: [n], independent numbers in [0, 1).

        Returns:
            bool [n].
        """
        ...


@dataclass(frozen=True)
class Bernoulli:
    """Every packet is lost independently with probability `loss`."""

    loss: float

    def __post_init__(self) -> None:
        _check_share("loss", self.loss, 1.0)

    def lost(self, uniform: NDArray[np.float64]) -> NDArray[np.bool_]:
        return uniform < self.loss


@dataclass(frozen=True)
class GilbertElliott:
    """Two states, a good one that loses nothing and a bad one that loses everything (Gilbert 1960, k=1, h=0).

    It leaves the bad state with probability 1 / burst at every packet, so bursts have a geometric length of
    mean `burst`; it enters with loss / (burst * (1 - loss)), which makes `loss` the long-run share. The first
    packet is in the stationary state.

    Attributes:
        loss: long-run share of lost packets.
        burst: mean length of a burst in packets, >= 1; at least loss / (1 - loss), or no chain has both.
    """

    loss: float
    burst: float

    def __post_init__(self) -> None:
        _check_share("loss", self.loss, 1.0)
        if not 1 <= self.burst < np.inf:
            raise ValueError(f"burst is {self.burst}, valid: finite and >= 1 packet")
        if self.loss < 1 and self.loss > self.burst * (1 - self.loss):
            least = self.loss / (1 - self.loss)
            raise ValueError(f"burst is {self.burst}, valid for loss {self.loss}: >= {least:.3g} packets")

    def lost(self, uniform: NDArray[np.float64]) -> NDArray[np.bool_]:
        if self.loss >= 1:
            return np.ones(len(uniform), dtype=np.bool_)
        enter, stay = self.loss / (self.burst * (1 - self.loss)), 1 - 1 / self.burst
        states = np.empty(len(uniform), dtype=np.bool_)
        bad, threshold = False, self.loss  # the first packet's
        for i, u in enumerate(uniform):
            bad = bool(u < threshold)
            states[i] = bad
            threshold = stay if bad else enter
        return states


def draw_mask(
    channel: LossChannel,
    prompt_tokens: int,
    output_tokens: int,
    fragments: int,
    seed: int,
) -> DeliveryMask:
    """A delivery mask of a request whose tokens all come out.

    Args:
        channel: what loses packets.
        prompt_tokens: P.
        output_tokens: N.
        fragments: F; packets are sent token by token.
        seed: same seed, same uniform numbers, whatever the channel.
    """
    rows = prompt_tokens + output_tokens - 1
    uniform = np.random.default_rng(seed).random(rows * fragments)
    delivered = ~channel.lost(uniform).reshape(rows, fragments)
    return DeliveryMask(delivered, prompt_tokens, output_tokens, output_tokens)


def _check_share(name: str, value: float, largest: float) -> None:
    if not 0 <= value <= largest:
        raise ValueError(f"{name} is {value}, valid: 0..{largest:g}")
