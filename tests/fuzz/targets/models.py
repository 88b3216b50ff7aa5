"""Cards, configurations, and files with a model's weights."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import gguf
import torch
import yaml
from transformers import LlamaConfig, LlamaForCausalLM

from llm_split.config_shapes import families
from llm_split.devices import CardError, device_names, load_device, load_shape, shape_names
from llm_split.load_half import load_half
from llm_split.models import ModelNotFoundError, load_quality_model
from llm_split.models.llama2c import build_tokenizer, load_llama2c, read_vocabulary
from llm_split.partition import CannotSplitError
from tests.fuzz.mutate import damaged
from tests.fuzz.structured import damaged_json
from tests.fuzz.target import FileTarget, FolderTarget, Target
from tests.llm_split.llama_files import VOCABULARY, checkpoint, vocabulary, write_gguf

_CARDS = Path(__file__).resolve().parents[3] / "llm_split" / "cards"


class Cards(Target):
    """A card of a device or of a model; the input's first byte says which."""

    name = "card"
    refusals = (CardError,)

    def seeds(self) -> Sequence[bytes]:
        named = [(b"d", f"device-{name}") for name in device_names()] + [
            (b"m", f"model-{n}") for n in shape_names()
        ]
        return [
            mark + json.dumps(yaml.safe_load((_CARDS / f"{name}.yaml").read_text()), default=str).encode()
            for mark, name in named
        ]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return data[:1] + damaged_json(data[1:], rng)

    def read(self, data: bytes) -> None:
        path = self.folder / "card.yaml"
        path.write_bytes(data[1:])
        (load_device if data[:1] == b"d" else load_shape)(path)


class Configurations(FileTarget):
    """A model's `config.json`, of which a shape is made."""

    name = "model-config"
    file_name = "config.json"
    refusals = (CardError,)

    def seeds(self) -> Sequence[bytes]:
        common = {
            "num_hidden_layers": 4,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": 1000,
            "tie_word_embeddings": True,
            "sliding_window": 32,
            "max_position_embeddings": 128,
        }
        return [json.dumps({"model_type": family, **common}).encode() for family in families()]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_json(data, rng)

    def load(self, path: Path) -> None:
        shape = load_shape(path)
        assert shape.num_layers > 0


@cache
def _llama2c(shared: bool) -> bytes:
    return checkpoint(shared)[0] + vocabulary()


class Llama2cFiles(FileTarget):
    """A checkpoint of llama2.c with its tokenizer."""

    name = "llama2c"
    file_name = "model.bin"
    refusals = (ValueError,)

    def seeds(self) -> Sequence[bytes]:
        return [_llama2c(shared) for shared in (True, False)]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        # Most of it is weights, and any number will do for one: the header and the tokenizer come first.
        which = rng.randrange(4)
        if which == 0:
            return damaged(data, rng)
        if which == 1:
            return damaged(data[:28], rng)[:28] + data[28:]
        cut = max(28, len(data) - len(vocabulary()))
        return data[:cut] + damaged(data[cut:], rng)

    def load(self, path: Path) -> None:
        load_llama2c(path)


def _tiny() -> LlamaForCausalLM:
    torch.manual_seed(3)
    config = LlamaConfig(
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        vocab_size=VOCABULARY,
        max_position_embeddings=32,
    )
    return LlamaForCausalLM(config)


class ModelHalves(FolderTarget):
    """A folder with a model's weights, of which one half is loaded."""

    name = "model-half"
    refusals = (CannotSplitError, ModelNotFoundError)

    def make(self, folder: Path, number: int) -> None:
        _tiny().save_pretrained(folder)

    def load(self, folder: Path) -> None:
        assert load_half(str(folder), "ue", 1).weight_bytes > 0


class ModelFolders(FolderTarget):
    """A folder with a model and its tokenizer, of which the quality model is loaded."""

    name = "model-folder"
    refusals = (ModelNotFoundError,)

    def make(self, folder: Path, number: int) -> None:
        _tiny().save_pretrained(folder)
        build_tokenizer(*read_vocabulary(vocabulary(), VOCABULARY)).save_pretrained(folder)

    def load(self, folder: Path) -> None:
        loaded = load_quality_model(str(folder), device="cpu")
        assert loaded.num_layers > 0


class GgufFiles(FileTarget):
    """A GGUF file of the user's."""

    name = "gguf"
    file_name = "model.gguf"
    refusals = (ModelNotFoundError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # Transformers asks once for each module, and to make this map takes most of a small model's time.
        if not hasattr(gguf.get_tensor_name_map, "cache_info"):
            gguf.get_tensor_name_map = lru_cache(maxsize=64)(gguf.get_tensor_name_map)

    def seeds(self) -> Sequence[bytes]:
        with tempfile.TemporaryDirectory() as name:
            write_gguf(path := Path(name) / "own.gguf", checkpoint(shared=False)[1])
            return [path.read_bytes()]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        # What is read before the weights is in front.
        cut = rng.choice([200, 2000, 20_000, len(data)])
        return damaged(data[:cut], rng) + data[cut:]

    def load(self, path: Path) -> None:
        loaded = load_quality_model(str(path), device="cpu")
        assert loaded.num_layers > 0
