"""What a delivery record does to hidden states: which channels are missing, and what stands in for them.

Symbols: T uplinked positions, F fragments per token, P prompt tokens, N output tokens, d hidden size,
G channel groups per token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_split.codecs import channel_bounds

Concealment = Literal["zero", "previous-token", "running-mean"]
CONCEALMENTS: tuple[str, ...] = get_args(Concealment)
Interleaving = Literal["none", "block", "random"]
INTERLEAVINGS: tuple[str, ...] = get_args(Interleaving)
Channel = Literal["packet", "elementwise"]
CHANNELS: tuple[str, ...] = get_args(Channel)


@dataclass(frozen=True)
class DeliveryMask:
    """Which fragments of one request the edge had when it computed the step they belong to.

    Attributes:
        delivered: bool [T, F] with T = P + N - 1. Rows 0..P-1 are the prompt, sent in one step; row P+i-1 is
            output token i (i = 1..N-1), sent in decode step i. The last output token is never sent.
            F may be 0 for a request that was all local.
        prompt_tokens: P >= 1.
        output_tokens: N >= 1, the tokens that were asked for.
        generated_tokens: 0..N, the tokens that came out; fewer than N if the request was cut.
    """

    delivered: NDArray[np.bool_]
    prompt_tokens: int
    output_tokens: int
    generated_tokens: int

    def __post_init__(self) -> None:
        if self.prompt_tokens < 1 or self.output_tokens < 1:
            raise ValueError(
                f"prompt_tokens and output_tokens are {self.prompt_tokens} and {self.output_tokens}, "
                "valid: >= 1"
            )
        if not 0 <= self.generated_tokens <= self.output_tokens:
            raise ValueError(
                f"generated_tokens is {self.generated_tokens}, valid: 0..{self.output_tokens} (output_tokens)"
            )
        if self.delivered.dtype != np.bool_:
            raise ValueError(f"delivered has dtype {self.delivered.dtype}, valid: bool")
        rows = self.prompt_tokens + self.output_tokens - 1
        if self.delivered.ndim != 2 or self.delivered.shape[0] != rows:
            raise ValueError(f"delivered has shape {self.delivered.shape}, valid: ({rows}, fragments)")

    @classmethod
    def perfect(cls, prompt_tokens: int, output_tokens: int, fragments: int) -> DeliveryMask:
        """Everything arrived and every token came out."""
        delivered = np.ones((prompt_tokens + output_tokens - 1, fragments), dtype=np.bool_)
        return cls(delivered, prompt_tokens, output_tokens, output_tokens)

    def at(self, position: int, arrived: bool) -> DeliveryMask:
        """The same, but all of one position arrived, or nothing of it."""
        delivered = self.delivered.copy()
        delivered[position] = arrived
        return replace(self, delivered=delivered)

    @property
    def fragments(self) -> int:
        return int(self.delivered.shape[1])

    @property
    def used_positions(self) -> int:
        """Leading rows that the generated tokens depend on: P + generated - 1, or 0 if none came out."""
        return self.prompt_tokens + self.generated_tokens - 1 if self.generated_tokens else 0

    @property
    def complete(self) -> bool:
        """Nothing is missing among the positions that the generated tokens depend on."""
        return bool(self.delivered[: self.used_positions].all())


@dataclass(frozen=True)
class Impairment:
    """How a delivery record turns into missing channels, and what the edge puts there.

    Attributes:
        concealment: one of `CONCEALMENTS`, see `conceal`.
        interleaving: which channels share a packet. `none`: a fragment is a run of channels of one token.
            Otherwise each fragment of the prompt is cut into `parts` runs, which `block` deals out to the
            prompt's packets in turn and `random` at random, as many to each: a lost packet then takes a
            little of many tokens. A decode step has one token, so nothing changes there.
        parts: runs of a fragment with interleaving; each is coded by itself.
        channel: `packet` takes the record's word. `elementwise` is the published code's channel for
            comparison: every single value is zeroed with the probability that a fragment of its step was
            missing; concealment and interleaving do not apply.
    """

    concealment: Concealment = "running-mean"
    interleaving: Interleaving = "none"
    parts: int = 8
    channel: Channel = "packet"

    def __post_init__(self) -> None:
        choices = (("concealment", CONCEALMENTS), ("interleaving", INTERLEAVINGS), ("channel", CHANNELS))
        for name, valid in choices:
            if getattr(self, name) not in valid:
                raise ValueError(f"{name} is {getattr(self, name)!r}, valid: {', '.join(valid)}")
        if self.parts < 1:
            raise ValueError(f"parts is {self.parts}, valid: >= 1")

    @property
    def parts_of_fragment(self) -> int:
        """Runs of a fragment that are coded each by itself: 1 without interleaving."""
        return 1 if self.interleaving == "none" else self.parts

    def coded_parts(self, fragments: int) -> int:
        """Parts of a token that carry their own scales, G."""
        return fragments * self.parts_of_fragment

    def spread(self, mask: DeliveryMask, seed: int = 0) -> DeliveryMask:
        """Which coded parts of each token arrived, [T, coded_parts]."""
        if self.interleaving == "none":
            return mask
        return interleaved(mask, self.interleaving, self.coded_parts(mask.fragments), seed)

    def apply(self, hidden: Tensor, mask: DeliveryMask, seed: int = 0) -> Tensor:
        """What the edge computes with, for decoded hidden states [t, d] of positions 0..t-1, t <= T.

        Args:
            hidden: any float dtype.
            mask: which fragments arrived.
            seed: of `random` interleaving and of `elementwise`; the same seed does the same to any split.
        """
        if self.channel == "elementwise":
            return erase_elements(hidden, _step_loss(mask)[: len(hidden)], np.random.default_rng(seed))
        return apply(hidden, self.spread(mask, seed), self.concealment)


def apply(hidden: Tensor, mask: DeliveryMask, concealment: str) -> Tensor:
    """Replace what did not arrive; fragment j of F is a run of channels, see `channel_bounds`.

    Args:
        hidden: [t, d], the decoded hidden states of positions 0..t-1, t <= T.
        mask: which fragments arrived.
        concealment: one of `CONCEALMENTS`, see `conceal`.

    Returns:
        [t, d], a new tensor in the dtype of `hidden`; bit-equal to it where the fragments arrived.
    """
    t, d = hidden.shape
    if t > mask.delivered.shape[0]:
        raise ValueError(f"hidden has {t} positions, the mask {mask.delivered.shape[0]}")
    widths = [end - start for start, end in channel_bounds(d, mask.fragments)]
    return conceal(hidden, np.repeat(mask.delivered[:t], widths, axis=1), concealment)


def conceal(hidden: Tensor, arrived: NDArray[np.bool_], concealment: str) -> Tensor:
    """Replace the values that did not arrive.

    A missing value is concealed from *earlier positions* of the same request only. They were sent in the
    same step (two positions of the prompt) or before, so the edge could do the same while decoding, and what
    it once put into its KV cache is never revised.

    - `zero`: zeros.
    - `previous-token`: the same channel of the latest earlier position where it arrived; zero if none.
    - `running-mean`: its mean over all earlier positions where it arrived; zero if none.

    Position 0 never stands in for another: decoders put activations hundreds of times larger than any other
    on it (Sun et al., "Massive Activations in Large Language Models", arXiv 2402.17762), and a copy of them
    turns an ordinary token into a second attention sink, which is far worse than zeros.

    Args:
        hidden: [t, d].
        arrived: bool [t, d].
        concealment: one of `CONCEALMENTS`.

    Returns:
        [t, d], a new tensor in the dtype of `hidden`; bit-equal to it where the values arrived.
    """
    if concealment not in CONCEALMENTS:
        raise ValueError(f"concealment is {concealment!r}, valid: {', '.join(CONCEALMENTS)}")
    if arrived.shape != tuple(hidden.shape):
        raise ValueError(f"arrived has shape {arrived.shape}, valid: {tuple(hidden.shape)}")
    result = hidden.clone()
    columns = np.flatnonzero(~arrived.all(axis=0))  # the channels of which something is missing
    if len(columns):
        channels = torch.from_numpy(columns).to(hidden.device)
        here = torch.from_numpy(arrived[:, columns]).to(hidden.device)
        result[:, channels] = _concealed(hidden[:, channels], here, concealment)
    return result


def erase_elements(hidden: Tensor, loss: NDArray[np.float64], rng: np.random.Generator) -> Tensor:
    """Zero every value of position t with probability `loss[t]`: hidden [t, d] -> a new [t, d]."""
    kept = torch.from_numpy(rng.random(tuple(hidden.shape)) >= loss[:, None]).to(hidden.device)
    return torch.where(kept, hidden, torch.zeros_like(hidden))


def interleaved(mask: DeliveryMask, interleaving: Interleaving, groups: int, seed: int = 0) -> DeliveryMask:
    """Which of the G channel groups of each token arrived, when the prompt's groups are dealt out to packets.

    Args:
        mask: what became of each packet, in the order of sending: [T, F].
        interleaving: see `Impairment`.
        groups: G, a multiple of F.
        seed: of `random`.

    Returns:
        A mask [T, G].
    """
    F, P = mask.fragments, mask.prompt_tokens
    if F < 1 or groups % F:
        raise ValueError(f"groups is {groups}, valid: a multiple of the {F} fragments of a token")
    packets = mask.delivered[:P].ravel()  # (P * F,)
    cell = np.arange(P * groups)
    if interleaving == "block":
        packet_of = cell % len(packets)
    else:
        packet_of = cell // (groups // F)
        if interleaving == "random":
            packet_of = np.random.default_rng(seed).permutation(packet_of)
    prompt = packets[packet_of].reshape(P, groups)
    rest = np.repeat(mask.delivered[P:], groups // F, axis=1)
    return replace(mask, delivered=np.concatenate([prompt, rest]))


def _step_loss(mask: DeliveryMask) -> NDArray[np.float64]:
    """Share of fragments missing in the step of each position, [T]; the prompt is one step."""
    missing = 1.0 - mask.delivered.mean(axis=1, dtype=np.float64)
    missing[: mask.prompt_tokens] = missing[: mask.prompt_tokens].mean()
    return cast("NDArray[np.float64]", missing)


def _concealed(values: Tensor, arrived: Tensor, concealment: str) -> Tensor:
    """Values [t, c], arrived bool [t, c] -> [t, c]."""
    usable = arrived.clone()
    usable[0] = False  # see `conceal`
    if concealment == "zero":
        substitute = torch.zeros_like(values)
    elif concealment == "previous-token":
        substitute = _previous(values, usable)
    else:
        substitute = _running_mean(values, usable)
    return torch.where(arrived, values, substitute)


def _previous(values: Tensor, usable: Tensor) -> Tensor:
    positions = torch.arange(len(values), device=values.device)[:, None].expand_as(usable)
    latest = torch.where(usable, positions, torch.full_like(positions, -1)).cummax(0).values
    return torch.where(latest >= 0, values.gather(0, latest.clamp(min=0)), torch.zeros_like(values))


def _running_mean(values: Tensor, usable: Tensor) -> Tensor:
    # float64 sums: the mean of a position must not depend on how many positions one call holds.
    weights = usable.to(torch.float64)
    sums = torch.where(usable, values.to(torch.float64), 0.0).cumsum(0)
    return (sums / weights.cumsum(0).clamp(min=1)).to(values.dtype)
