"""Texts to evaluate on, without a hub: one that is built in, some that packages carry, and files of your own.

`load_text` gives the text, `text_windows` its tokens in windows of one length.
"""

from __future__ import annotations

from llm_split.packages import FetchError
from llm_split.texts.builtin import Part, corpus
from llm_split.texts.catalogue import BUILT_IN, PACKAGED_TEXTS, PackagedText, TextNotFoundError
from llm_split.texts.loading import fetch_text, is_text_fetched, load_text
from llm_split.texts.windows import leading_ids, prompt_windows, text_windows

__all__ = [
    "BUILT_IN",
    "PACKAGED_TEXTS",
    "FetchError",
    "PackagedText",
    "Part",
    "TextNotFoundError",
    "corpus",
    "fetch_text",
    "is_text_fetched",
    "leading_ids",
    "load_text",
    "prompt_windows",
    "text_windows",
]
