"""What a delivery record does to hidden states: which channels are missing, and what stands in for them.

Symbols: T uplinked positions, F fragments per token, P prompt tokens, N output tokens, d hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_split.codecs import channel_bounds

Concealment = Literal["zero", "previous-token", "running-mean"]
CONCEALMENTS: tuple[str, ...] = get_args(Concealment)


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


def apply(hidden: Tensor, mask: DeliveryMask, concealment: str) -> Tensor:
    """Replace what did not arrive.

    A missing fragment is concealed from *earlier positions* of the same request only. They were sent in the
    same step (two positions of the prompt) or before, so the edge could do the same while decoding, and what
    it once put into its KV cache is never revised.

    - `zero`: zeros.
    - `previous-token`: the same channels of the latest earlier position where they arrived; zeros if none.
    - `running-mean`: their mean over all earlier positions where they arrived; zeros if none.

    Position 0 never stands in for another: decoders put activations hundreds of times larger than any other
    on it (Sun et al., "Massive Activations in Large Language Models", arXiv 2402.17762), and a copy of them
    turns an ordinary token into a second attention sink, which is far worse than zeros.

    Args:
        hidden: [t, d], the decoded hidden states of positions 0..t-1, t <= T.
        mask: which fragments arrived.
        concealment: one of `CONCEALMENTS`.

    Returns:
        [t, d], a new tensor in the dtype of `hidden`; bit-equal to it where the fragments arrived.
    """
    if concealment not in CONCEALMENTS:
        raise ValueError(f"concealment is {concealment!r}, valid: {', '.join(CONCEALMENTS)}")
    t, d = hidden.shape
    if t > mask.delivered.shape[0]:
        raise ValueError(f"hidden has {t} positions, the mask {mask.delivered.shape[0]}")
    result = hidden.clone()
    arrived = torch.from_numpy(mask.delivered[:t].copy()).to(hidden.device)
    for j, (start, end) in enumerate(channel_bounds(d, mask.fragments)):
        if not bool(arrived[:, j].all()):
            result[:, start:end] = _concealed(hidden[:, start:end], arrived[:, j], concealment)
    return result


def _concealed(values: Tensor, arrived: Tensor, concealment: str) -> Tensor:
    """One fragment's channels: values [t, c], arrived bool [t] -> [t, c]."""
    usable = arrived.clone()
    usable[0] = False  # see `apply`
    if concealment == "zero":
        substitute = torch.zeros_like(values)
    elif concealment == "previous-token":
        substitute = _previous(values, usable)
    else:
        substitute = _running_mean(values, usable)
    return torch.where(arrived[:, None], values, substitute)


def _previous(values: Tensor, usable: Tensor) -> Tensor:
    positions = torch.arange(len(values), device=values.device)
    latest = torch.where(usable, positions, torch.full_like(positions, -1)).cummax(0).values
    return torch.where(latest[:, None] >= 0, values[latest.clamp(min=0)], torch.zeros_like(values))


def _running_mean(values: Tensor, usable: Tensor) -> Tensor:
    # float64 sums: the mean of a position must not depend on how many positions one call holds.
    weights = usable[:, None].to(torch.float64)
    sums = (values.to(torch.float64) * weights).cumsum(0)
    return (sums / weights.cumsum(0).clamp(min=1)).to(values.dtype)
