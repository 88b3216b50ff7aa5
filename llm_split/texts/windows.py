"""Token windows of a text, each in the regime that its model was trained in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from llm_split.texts.builtin import Part
from llm_split.texts.catalogue import DEFAULT_TEXT
from llm_split.texts.loading import load_text

ENCODED_CHARACTERS = 500_000
"""Characters of a part that windows come from: more than 1,000 windows of 100 tokens, encoded in 0.3 s."""
CHARACTERS_PER_TOKEN = 10
"""More than English takes (4 to 5), so that a long text serves as many windows as are asked for."""


def text_windows(
    tokenizer: Any,
    name_or_path: str,
    count: int,
    tokens: int,
    seed: int | None = None,
    part: str = "test",
    stride: int | None = None,
    cache_dir: Path | str | None = None,
) -> Tensor:
    """Windows of a text, from its first half million characters, or more where the windows need more.

    A tokenizer that puts a begin-of-text token in front of what it encodes belongs to a model that expects
    one (without it Gemma 3's perplexity is several times as high). Each window then starts with it, and it
    counts as one of the `tokens`. No other special token is added.

    Args:
        tokenizer: a transformers tokenizer.
        name_or_path: as for `load_text`.
        count: number of windows.
        tokens: length of each.
        seed: decides which windows, and their order. None: the first ones, in the text's order.
        part: as for `load_text`.
        stride: tokens of the text from one window's start to the next one's. None: end to end, no overlap.

    Returns:
        int64 [count, tokens] on the CPU. Same arguments and text: same windows.

    Raises:
        TextNotFoundError, ValueError: as `load_text`; or the part is shorter than a window, or has fewer
            than `count` of them.
    """
    if count < 1 or tokens < 1 or (stride is not None and stride < 1):
        raise ValueError(f"count, tokens and stride are {count}, {tokens} and {stride}, valid: >= 1")
    first = leading_ids(tokenizer)
    body = tokens - len(first)
    if body < 1:
        raise ValueError(f"tokens is {tokens}, valid: > {len(first)} (the model's begin-of-text tokens)")
    characters = max(ENCODED_CHARACTERS, CHARACTERS_PER_TOKEN * count * (stride or body))
    text = load_text(name_or_path, part, cache_dir)[:characters]
    ids = torch.tensor(_encode(tokenizer, text, special=False), dtype=torch.long)
    if len(ids) < body:
        place = f"the {part} part of text {name_or_path!r}"
        raise ValueError(f"{place} has {len(ids)} tokens, shorter than one window of {tokens} tokens")
    grid = ids.unfold(0, body, stride or body)
    if count > len(grid):
        raise ValueError(f"count is {count}, the {part} part has {len(grid)} windows of {tokens} tokens")
    order = np.arange(count) if seed is None else np.random.default_rng(seed).permutation(len(grid))[:count]
    chosen = grid[torch.from_numpy(order)]
    return torch.cat([torch.tensor(first, dtype=torch.long).expand(count, -1), chosen], dim=1)


def prompt_windows(
    tokenizer: Any, count: int, tokens: int, seed: int, part: Part = "test", text: str = DEFAULT_TEXT
) -> Tensor:
    """Windows of a text (the default one), drawn by `seed`, without overlap, as `text_windows` gives them."""
    return text_windows(tokenizer, text, count, tokens, seed=seed, part=part)


def leading_ids(tokenizer: Any) -> list[int]:
    """The special tokens that a tokenizer puts in front of a text; most have one or none."""
    bare, full = (_encode(tokenizer, "a", special) for special in (False, True))
    starts = range(len(full) - len(bare) + 1)
    return full[: next(start for start in starts if full[start : start + len(bare)] == bare)]


def _encode(tokenizer: Any, text: str, special: bool) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]
    return ids
