"""The built-in text: the language reference that Python itself carries (`pydoc_data.topics`)."""

from __future__ import annotations

import hashlib
import itertools
from pydoc_data.topics import topics
from typing import Literal

Part = Literal["train", "test"]


def corpus(part: Part) -> str:
    """All text of one part, in a fixed order.

    Topics are taken in the order of a hash of their text, the first half of the characters for training. The
    topics quote one another at length, so a paragraph that came before is left out: the parts share none.
    The text is that of the running Python. Other releases have another text.
    """
    if part not in ("train", "test"):
        raise ValueError(f"part is {part!r}, valid: train, test")
    chosen = _distinct_topics()
    half = sum(map(len, chosen)) / 2
    lengths_before = itertools.accumulate(map(len, chosen), initial=0)
    return "\n\n".join(
        text
        for text, before in zip(chosen, lengths_before, strict=False)
        if (before < half) == (part == "train")
    )


def _distinct_topics() -> list[str]:
    """Topics in hash order, without the paragraphs that an earlier one holds (white space apart)."""
    seen: set[str] = set()
    result: list[str] = []
    for text in sorted(set(topics.values()), key=lambda text: hashlib.sha256(text.encode()).digest()):
        kept = []
        for paragraph in text.strip().split("\n\n"):
            key = " ".join(paragraph.split())
            if key not in seen:
                seen.add(key)
                kept.append(paragraph)
        if kept:
            result.append("\n\n".join(kept))
    return result
