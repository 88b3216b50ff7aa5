"""Generate text through the two halves, with the library's own `generate` around them.

The library keeps what is its own: sampling, logits processors, stopping, padding. Only the forward pass is
ours: UE half, then whatever the link does to the hidden states, then the edge half, each with its own KV
cache.
So equal seeds give the tokens of the unsplit model's `generate`, as long as the link does nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor
from transformers.modeling_outputs import CausalLMOutput

from llm_split.partition import EdgeHalf, SplitModel, UeHalf
from llm_split.standins import find_cache

Link = Callable[[Tensor], Tensor]
"""What the edge gets for the hidden states [B, T, d] of the next T tokens; called once per step, in order."""


def generate(
    split_model: SplitModel,
    input_ids: Tensor,
    split: int,
    attention_mask: Tensor | None = None,
    link: Link | None = None,
    seed: int | None = None,
    **options: Any,
) -> Tensor:
    """Greedy or sampled continuation of prompts, computed by a UE half and an edge half.

    Args:
        split_model: the model; not for two threads at once.
        input_ids: int64 [B, P], padded on the left where `attention_mask` is 0.
        split: 1..num_layers.
        attention_mask: int64 [B, P]; default ones.
        link: None lets everything through unchanged.
        seed: of sampling; torch's global generators are as before afterwards. None uses them as they are.
        options: as for the library's `generate`: max_new_tokens, do_sample, temperature, top_k, top_p,
            eos_token_id and so on.

    Returns:
        int64 [B, P + new tokens], padded on the right behind an end of text.

    Raises:
        ValueError: an option that needs more than one hypothesis (beams, several sequences) or another way
            through the model than one step after the other (see `_UNSUPPORTED`).
    """
    _refuse_unsupported(split_model.model, options)
    input_ids = input_ids.to(split_model.device)
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    halves = _Halves(split_model.ue_half(split), split_model.edge_half(split), link)
    with _seeded(seed, split_model.device), _forward_replaced(split_model.model, halves.forward):
        mask = attention_mask.to(split_model.device)
        return cast(Tensor, split_model.model.generate(input_ids, attention_mask=mask, **options))


_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "num_beams": (None, 1),
    "num_return_sequences": (None, 1),
    "guidance_scale": (None, 1.0),
    "use_cache": (None, True),
    "cache_implementation": (None, "dynamic"),
    "prefill_chunk_size": (None,),
    "prompt_lookup_num_tokens": (None,),
    "assistant_model": (None,),
    "custom_generate": (None,),
    "past_key_values": (None,),
    "cache": (None,),
}
"""Options of the library's `generate`, and the values with which the two halves can follow it."""


def _refuse_unsupported(model: Any, options: dict[str, Any]) -> None:
    given = options.get("generation_config") or model.generation_config
    for name, valid in _UNSUPPORTED.items():
        value = options.get(name, getattr(given, name, None))
        if not any(value is v or (not isinstance(value, torch.Tensor) and value == v) for v in valid):
            shown = " or ".join(str(v) for v in valid if v is not None) or "not set"
            raise ValueError(f"{name} is {value!r}, valid for two halves: {shown}")


class _Halves:
    """What `generate` calls in place of the model's forward."""

    def __init__(self, ue: UeHalf, edge: EdgeHalf, link: Link | None) -> None:
        self.ue, self.edge, self.link = ue, edge, link

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> CausalLMOutput:
        cache = find_cache((), kwargs)
        known = 0 if self.ue.mask is None else self.ue.mask.shape[1]
        if cache is None or cache.get_seq_length() != known:
            raise ValueError("generate went on from tokens that the halves have not seen; start anew")
        self.ue.cache = cache  # `generate` reads off it how many tokens went by
        new_tokens = input_ids.shape[1]
        new_mask = None if attention_mask is None else attention_mask[:, -new_tokens:]
        hidden = self.ue.forward(input_ids, new_mask)  # (B, T, d)
        if self.link is not None:
            hidden = self.link(hidden)
        last = torch.tensor([new_tokens - 1], device=hidden.device)
        return CausalLMOutput(logits=self.edge.forward(hidden, new_mask, positions=last))


@contextmanager
def _forward_replaced(model: Any, forward: Callable[..., Any]) -> Iterator[None]:
    @functools.wraps(model.forward)  # `generate` asks the signature what it may pass
    def replacement(**kwargs: Any) -> Any:
        return forward(**kwargs)

    own = vars(model).get("forward")  # some libraries put one on the instance
    model.forward = replacement
    try:
        yield
    finally:
        if own is None:
            del model.forward  # the class's own shows again
        else:
            model.forward = own


@contextmanager
def _seeded(seed: int | None, device: torch.device) -> Iterator[None]:
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
