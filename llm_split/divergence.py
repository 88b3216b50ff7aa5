"""How far a damaged request's own text drifts from the undamaged one, token by token.

Teacher forcing (`llm_split.quality`) asks how likely the right text still is. This asks what the phone's user
would read: after the first token that differs, everything that follows may.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llm_split.codecs import get_codec
from llm_split.generate import generate
from llm_split.impairment import DeliveryMask, Impairment
from llm_split.partition import SplitModel


@dataclass(frozen=True)
class Divergence:
    """Two greedy continuations of one prompt.

    Attributes:
        clean: int64 [N], the unsplit model's.
        damaged: int64 [<= N], what came out under loss and coding.
        first_difference: index of the first token that differs or is missing; N if none.
        same_share: share of the N positions with the same token.
    """

    clean: Tensor
    damaged: Tensor
    first_difference: int
    same_share: float


def free_running(
    split_model: SplitModel,
    prompt: Tensor,
    split: int,
    codec_name: str,
    mask: DeliveryMask,
    impairment: Impairment | None = None,
    seed: int = 0,
) -> Divergence:
    """Let the model continue a prompt freely, with and without what happened to its hidden states.

    Args:
        split_model: the model.
        prompt: int64 [P].
        split: 1..num_layers-1.
        codec_name: see `llm_split.codecs`.
        mask: of P prompt tokens, N output tokens, of which `generated_tokens` came out.
        impairment: default `Impairment()`. Only `packet` damage: `elementwise` would draw anew at each step.
        seed: of random interleaving.

    Raises:
        ValueError: the prompt has another length than the mask says, or element-wise damage.
    """
    impairment = impairment or Impairment()
    if prompt.shape != (mask.prompt_tokens,):
        raise ValueError(f"prompt has shape {tuple(prompt.shape)}, valid: ({mask.prompt_tokens},)")
    if impairment.channel != "packet":
        raise ValueError(f"channel is {impairment.channel!r}, valid here: packet")
    clean = _greedy(split_model, prompt, split, mask.output_tokens, None)
    damaged = clean[:0]
    if mask.generated_tokens:
        link = _Damaged(codec_name, mask, impairment, seed)
        damaged = _greedy(split_model, prompt, split, mask.generated_tokens, link)
    same = clean[: len(damaged)] == damaged
    differing = (~same).nonzero()
    first = int(differing[0]) if len(differing) else len(damaged)
    return Divergence(clean, damaged, first, float(same.sum()) / mask.output_tokens)


def _greedy(
    split_model: SplitModel, prompt: Tensor, split: int, tokens: int, link: _Damaged | None
) -> Tensor:
    # No end of text: both must have N tokens to be compared.
    options: dict[str, Any] = {"eos_token_id": None, "pad_token_id": 0, "do_sample": False}
    out = generate(split_model, prompt[None], split, link=link, max_new_tokens=tokens, **options)
    return out[0, len(prompt) :].cpu()


class _Damaged:
    """The link of one request: keeps what arrived, since concealment looks back at it."""

    def __init__(self, codec_name: str, mask: DeliveryMask, impairment: Impairment, seed: int) -> None:
        self.codec, self.mask, self.impairment, self.seed = get_codec(codec_name), mask, impairment, seed
        self.decoded: Tensor | None = None

    def __call__(self, hidden: Tensor) -> Tensor:
        parts = self.impairment.coded_parts(self.mask.fragments)
        new = self.codec.roundtrip(hidden[0], parts)
        self.decoded = new if self.decoded is None else torch.cat([self.decoded, new])
        received = self.impairment.apply(self.decoded, self.mask, self.seed)
        return received[-hidden.shape[1] :][None]
