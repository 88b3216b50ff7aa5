"""llama2.c and GGUF files: transformers computes from them what their definition says, and text survives."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from llm_split.models import ModelNotFoundError, QualityModel, load_quality_model
from llm_split.models.llama2c import build_tokenizer, load_llama2c, read_shape, read_vocabulary
from tests.llm_split.llama_files import (
    HEAD,
    HEADS,
    HIDDEN,
    KV_HEADS,
    LAYERS,
    VOCABULARY,
    WORDS,
    D,
    checkpoint,
    vocabulary,
    write_gguf,
)


def reference_logits(arrays: dict[str, NDArray[np.float32]], ids: list[int]) -> NDArray[np.float64]:
    """The model's definition in NumPy, float64, one position at a time; rotary pairs as complex numbers.

    Returns [tokens, vocabulary]. Written from the architecture (RMS norm with 1e-5, rotary base 10000 on
    neighbouring pairs, grouped heads, SwiGLU), sharing nothing with the reader or with transformers.
    """
    w = {name: array.astype(np.float64) for name, array in arrays.items()}
    keys: list[list[NDArray[Any]]] = [[] for _ in range(LAYERS)]
    values: list[list[NDArray[Any]]] = [[] for _ in range(LAYERS)]
    logits = []
    for position, token in enumerate(ids):
        x = w["embedding"][token]
        for layer in range(LAYERS):
            h = rms(x, w["rms_att"][layer])
            q = rotated(w["wq"][layer] @ h, position)  # [heads, pairs]
            keys[layer].append(rotated(w["wk"][layer] @ h, position))
            values[layer].append((w["wv"][layer] @ h).reshape(KV_HEADS, HEAD))
            x = x + w["wo"][layer] @ attended(q, keys[layer], values[layer])
            h = rms(x, w["rms_ffn"][layer])
            gate = w["w1"][layer] @ h
            x = x + w["w2"][layer] @ (gate / (1 + np.exp(-gate)) * (w["w3"][layer] @ h))
        logits.append(w.get("wcls", w["embedding"]) @ rms(x, w["rms_final"]))
    return np.array(logits)


def rms(x: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    return x / np.sqrt(np.mean(x**2) + 1e-5) * weight


def rotated(vector: NDArray[np.float64], position: int) -> NDArray[np.complex128]:
    pairs = vector.reshape(-1, HEAD // 2, 2)
    angles = position * 10000.0 ** (-2 * np.arange(HEAD // 2) / HEAD)
    return (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angles)


def attended(
    q: NDArray[np.complex128], keys: list[NDArray[Any]], values: list[NDArray[Any]]
) -> NDArray[np.float64]:
    out = []
    for head in range(HEADS):
        of = head // (HEADS // KV_HEADS)
        scores = np.array([np.real(np.vdot(key[of], q[head])) for key in keys]) / np.sqrt(HEAD)
        weights = np.exp(scores - scores.max())
        out.append(weights @ np.array([value[of] for value in values]) / weights.sum())
    return np.concatenate(out)


def write(folder: Path, shared: bool) -> tuple[Path, dict[str, NDArray[np.float32]]]:
    content, arrays = checkpoint(shared)
    path = folder / "model-and-tokenizer.bin"
    path.write_bytes(content + vocabulary())
    return path, arrays


@pytest.mark.parametrize("shared", [True, False])
def test_logits_are_those_of_the_definition(tmp_path: Path, shared: bool) -> None:
    path, arrays = write(tmp_path, shared)
    model, _ = load_llama2c(path)
    ids = [1, 7, 7, 260, 30, 5, 261, 100, 2, 19]
    with torch.inference_mode():
        logits = model.eval()(torch.tensor([ids])).logits[0].double().numpy()
    expected = reference_logits(arrays, ids)
    # float32 against float64: some 1e-6 of the logits' size. Left unpermuted they differ by as much as that.
    np.testing.assert_allclose(logits, expected, rtol=0, atol=2e-5 * np.abs(expected).max())
    assert np.abs(expected).max() > 1


def test_reloaded_from_disk_it_is_the_same(tmp_path: Path) -> None:
    model, tokenizer = load_llama2c(write(tmp_path, shared=True)[0])
    folder = tmp_path / "saved"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    loaded = load_quality_model(str(folder), device="cpu")
    ids = torch.tensor([[1, 260, 30, 5]])
    with torch.inference_mode():
        assert torch.equal(loaded.model(ids).logits, model.eval()(ids).logits)
    for text in ("hello", " lo hell", "héllo\n<s>"):
        assert loaded.tokenizer(text)["input_ids"] == tokenizer(text)["input_ids"]


def bpe(text: str, pieces: list[str], scores: list[float]) -> list[int]:
    """SentencePiece's BPE by its definition: merge the neighbours that make the best piece, leftmost."""
    ids = {piece: i for i, piece in enumerate(pieces)}
    parts = list("▁" + text.replace(" ", "▁")) if text else []
    while True:
        joined = [
            (-scores[ids[a + b]], at)
            for at, (a, b) in enumerate(itertools.pairwise(parts))
            if ids.get(a + b, 0) >= 259
        ]
        if not joined:
            break
        at = min(joined)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    found: list[int] = []
    for part in parts:
        found += [ids[part]] if ids.get(part, 0) >= 259 else [3 + byte for byte in part.encode()]
    return found


@pytest.mark.parametrize("hexadecimal", [True, False])
def test_encodings_follow_the_scores(hexadecimal: bool) -> None:
    pieces, scores = read_vocabulary(vocabulary(hexadecimal), VOCABULARY)
    assert pieces[3 + 0x0A] == "<0x0A>"
    tokenizer = build_tokenizer(pieces, scores)
    texts = ["hello", " hello hell", "lllo", "ohelloello", "", "hé\n llo", "日 hello", "  h"]
    for text in texts:
        bare = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert bare == bpe(text, pieces, scores), text
        assert tokenizer(text)["input_ids"] == [1, *bare]
        assert tokenizer.decode(bare) == text
    # By hand: "he" (rank 5) before "ll" (6), then "hell", "hello", "▁hello" (7 to 9), though "▁h" exists.
    assert tokenizer("hello", add_special_tokens=False)["input_ids"] == [259 + WORDS.index("▁hello")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:20], "has 20 bytes, its header alone takes 28"),
        (lambda data: data[:5000], r"has 5000 bytes, its header asks for \d+"),
        (lambda data: struct.pack("<7i", D, HIDDEN, LAYERS, 5, 5, 9, 9) + data[28:], "no Llama model"),
        (lambda data: data[:-1], "tokenizer has|can't be read"),
        (lambda data: data + b"\0", r"tokenizer has \d+ bytes, 272 entries take"),
        (lambda data: data.replace(b"<0x0B>", b"<0x0C>"), r"tokenizer id 14 is '<0x0C>', valid: <0x0B>"),
        (lambda data: data.replace(b"\n<s>\n", b"\n<x>\n"), r"starts with \['<unk>', '<x>', '</s>'\]"),
    ],
)
def test_other_files_are_refused_with_a_reason(tmp_path: Path, change: Any, message: str) -> None:
    path, _ = write(tmp_path, shared=True)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=message):
        load_llama2c(path)


def test_sign_of_the_vocabulary_tells_whose_head_it_is() -> None:
    shared, own = read_shape(checkpoint(True)[0]), read_shape(checkpoint(False)[0])
    assert (shared.shared_head, own.shared_head) == (True, False)
    assert shared.vocab_size == own.vocab_size == VOCABULARY


@pytest.fixture(scope="module")
def stories() -> QualityModel:
    try:
        return load_quality_model("stories15m", device="cpu")
    except ModelNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.model
def test_stories_encode_like_a_llama_2_vocabulary(stories: QualityModel) -> None:
    # Published encodings of the Llama-2 vocabulary, which this model was trained with.
    assert stories.tokenizer("Hello world")["input_ids"] == [1, 15043, 3186]
    assert stories.tokenizer("I believe the meaning of life is")["input_ids"] == [
        1, 306, 4658, 278, 6593, 310, 2834, 338,
    ]  # fmt: skip
    # Runs of spaces come last in its scores: two in front of a word take one of them into the word.
    for text, ids in {" Hello": [29871, 15043], "  Hello": [259, 15043], "   Hello": [1678, 15043]}.items():
        assert stories.tokenizer(text)["input_ids"] == [1, *ids]
    text = "Once upon a time, there was a  girl 日本 \U0001f999.\n\tShe said: “no”"
    assert stories.tokenizer.decode(stories.tokenizer(text)["input_ids"], skip_special_tokens=True) == text


@pytest.mark.model
def test_stories_tell_a_story(stories: QualityModel) -> None:
    prompt = stories.tokenizer("Once upon a time, there was a little girl named", return_tensors="pt")
    told = stories.model.generate(**prompt, max_new_tokens=20, do_sample=False)[0]
    # The greedy continuation is what llama2.c's own program is known for at temperature 0.
    assert "Lily. She loved to play outside in the" in stories.tokenizer.decode(told)


def test_a_gguf_file_loads_by_its_path(tmp_path: Path) -> None:
    _, arrays = checkpoint(shared=False)
    write_gguf(tmp_path / "own.gguf", arrays)
    loaded = load_quality_model(str(tmp_path / "own.gguf"), device="cpu")
    ids = [1, 7, 7, 260, 30, 5, 261]
    with torch.inference_mode():
        logits = loaded.model(torch.tensor([ids])).logits[0].double().numpy()
    expected = reference_logits(arrays, ids)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=2e-5 * np.abs(expected).max())
    assert (loaded.num_layers, loaded.hidden_size) == (LAYERS, D)
    assert loaded.tokenizer("hello")["input_ids"] == [1, 259 + WORDS.index("▁hello")]
