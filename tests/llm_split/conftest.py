"""Shared by the tests of `llm_split`: a tiny random decoder, and the real one where it has been fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from llm_split.models import ModelNotFoundError, QualityModel, load_quality_model
from llm_split.partition import SplitModel


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from threads, and lose a lot where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny_llama(num_layers: int = 4) -> Any:
    """Random weights, 10 times the usual spread, so that every block and every channel matters."""
    torch.manual_seed(11)
    config = LlamaConfig(
        num_hidden_layers=num_layers,
        hidden_size=48,
        intermediate_size=64,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=131,
        max_position_embeddings=256,
        initializer_range=0.2,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="session")
def tiny() -> SplitModel:
    return SplitModel(tiny_llama())


@pytest.fixture(scope="session")
def real() -> QualityModel:
    try:
        return load_quality_model()
    except ModelNotFoundError as error:
        pytest.skip(str(error))
