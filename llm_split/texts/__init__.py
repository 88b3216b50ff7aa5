"""Texts to evaluate on, without a hub: some that packages carry, one that is built in, and files of your own.

`load_text` gives the text, `text_windows` its tokens in windows of one length.
"""

from __future__ import annotations

from llm_split.packages import FetchError
from llm_split.texts.builtin import Part, corpus
from llm_split.texts.catalogue import BUILT_IN, DEFAULT_TEXT, PACKAGED_TEXTS, PackagedText, TextNotFoundError
from llm_split.texts.loading import fetch_text, is_text_fetched, load_text, text_sha256
from llm_split.texts.windows import leading_ids, prompt_windows, text_windows

__all__ = [
    "BUILT_IN",
    "DEFAULT_TEXT",
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
    "text_sha256",
    "text_windows",
]
