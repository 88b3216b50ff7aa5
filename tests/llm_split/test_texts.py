"""Windows of the built-in corpus: deterministic, disjoint between parts, not overlapping within one."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from llm_split.texts import corpus, prompt_windows


class Characters:
    """A tokenizer whose tokens are characters: windows can be turned back into text without a model."""

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(c) for c in text]}


def as_texts(windows: torch.Tensor) -> list[str]:
    return ["".join(map(chr, row)) for row in windows.tolist()]


def sentences(text: str) -> set[str]:
    plain = " ".join(text.split())
    return {s for s in plain.split(". ") if len(s) >= 80}


def test_parts_share_nearly_no_sentence_and_are_about_equally_long() -> None:
    train, test = corpus("train"), corpus("test")
    assert 0.8 < len(train) / len(test) < 1.25
    assert len(train) + len(test) > 250_000
    of_test = sentences(test)
    shared = of_test & sentences(train)
    assert len(of_test) > 500
    assert len(shared) < 0.02 * len(of_test), sorted(shared)[:3]


def test_windows_come_from_their_part_and_do_not_overlap() -> None:
    text = corpus("test")
    windows = prompt_windows(Characters(), 200, 500, seed=3, part="test")
    assert windows.shape == (200, 500)
    assert windows.dtype == torch.long
    starts = sorted(text.index(window) for window in as_texts(windows))
    assert all(b - a >= 500 for a, b in itertools.pairwise(starts))


def test_seed_decides() -> None:
    first = prompt_windows(Characters(), 5, 100, seed=1)
    assert torch.equal(first, prompt_windows(Characters(), 5, 100, seed=1))
    assert not torch.equal(first, prompt_windows(Characters(), 5, 100, seed=2))
    assert torch.equal(first[:3], prompt_windows(Characters(), 3, 100, seed=1))


def test_errors_say_what_is_valid() -> None:
    with pytest.raises(ValueError, match=r"the test part has \d+ windows of 1000 tokens"):
        prompt_windows(Characters(), 10_000, 1000, seed=0)
    with pytest.raises(ValueError, match="valid: >= 1"):
        prompt_windows(Characters(), 0, 10, seed=0)
    with pytest.raises(ValueError, match="part is 'dev', valid: train, test"):
        corpus("dev")  # type: ignore[arg-type]
