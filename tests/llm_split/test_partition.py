"""The cut must not change the model: every family, every split, prefill and cached decoding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from llm_split.partition import CannotSplitError, SplitModel

L, D, V, T = 4, 32, 97, 24
COMMON: dict[str, Any] = {
    "num_hidden_layers": L,
    "hidden_size": D,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": V,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
WINDOW = 7  # shorter than the text
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": COMMON,
    "gemma2": {**COMMON, "sliding_window": WINDOW},
    "gemma3_text": {
        **COMMON,
        "sliding_window": WINDOW,
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
    },
    "gpt2": {"n_layer": L, "n_embd": D, "n_head": 4, "vocab_size": V, "n_positions": 128},
    "bloom": {"n_layer": L, "hidden_size": D, "n_head": 4, "vocab_size": V},
    "falcon": {
        "num_hidden_layers": L,
        "hidden_size": D,
        "num_attention_heads": 4,
        "vocab_size": V,
        "alibi": True,
    },
    "qwen2": COMMON,
    "mistral": {**COMMON, "sliding_window": WINDOW},
    "opt": {
        "num_hidden_layers": L,
        "hidden_size": D,
        "ffn_dim": 48,
        "num_attention_heads": 4,
        "vocab_size": V,
        "max_position_embeddings": 128,
        "word_embed_proj_dim": 16,
    },
}
SPLITS = (1, 3, L)


def tiny(family: str) -> Any:
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**FAMILIES[family]))
    with torch.no_grad():  # the libraries' 0.02 makes every block nearly an identity, and a test nearly blind
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.15)
    return model.eval()


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def cut(request: pytest.FixtureRequest) -> SplitModel:
    return SplitModel(tiny(request.param))


@pytest.fixture
def ids() -> torch.Tensor:
    return torch.randint(1, V, (2, T), generator=torch.Generator().manual_seed(3))


def reference(cut: SplitModel, ids: torch.Tensor, **kwargs: Any) -> torch.Tensor:
    with torch.inference_mode():
        return cut.model(ids, **kwargs).logits


def test_prefill_is_bit_equal_at_every_split(cut: SplitModel, ids: torch.Tensor) -> None:
    expected = reference(cut, ids)
    hidden = cut.hidden_states(ids, range(1, L + 1))
    for split in range(1, L + 1):
        assert torch.equal(cut.edge_logits(hidden[split], split), expected), split
        assert torch.equal(cut.ue_half(split).forward(ids), hidden[split]), split


def test_every_block_matters(cut: SplitModel, ids: torch.Tensor) -> None:
    """Guards the tests above: feeding one cut's tensor into another cut must be seen."""
    expected = reference(cut, ids)
    hidden = cut.hidden_states(ids, [1])
    assert (cut.edge_logits(hidden[1], 2) - expected).abs().max() > 1e-3


def test_head_only_at_wanted_positions(cut: SplitModel, ids: torch.Tensor) -> None:
    positions = torch.tensor([4, 5, 19])
    hidden = cut.hidden_states(ids, [2])[2]
    logits = cut.edge_logits(hidden, 2, positions)
    assert logits.shape == (2, 3, V)
    assert torch.allclose(logits, reference(cut, ids)[:, positions], atol=1e-6)


@pytest.mark.parametrize("chunks", [(10, 1, 1, 1, 1, 10), (5, 4, 1, 9, 5)])
def test_cached_decoding_equals_one_pass(cut: SplitModel, ids: torch.Tensor, chunks: tuple[int, ...]) -> None:
    expected = reference(cut, ids)
    for split in SPLITS:
        ue, edge = cut.ue_half(split), cut.edge_half(split)
        logits = [edge.forward(ue.forward(part)) for part in ids.split(chunks, dim=1)]
        assert (torch.cat(logits, dim=1) - expected).abs().max() <= 1e-5, split


def test_left_padding_changes_nothing(cut: SplitModel, ids: torch.Tensor) -> None:
    """Row 1 is padded on the left by 5; its real tokens must score as they do alone."""
    expected = reference(cut, ids[1:, 5:])
    mask = torch.ones_like(ids)
    mask[1, :5] = 0
    for split in SPLITS:
        ue, edge = cut.ue_half(split), cut.edge_half(split)
        first = edge.forward(ue.forward(ids[:, :20], mask[:, :20]), mask[:, :20])
        rest = [edge.forward(ue.forward(ids[:, t : t + 1])) for t in range(20, T)]
        logits = torch.cat([first, *rest], dim=1)[1:, 5:]
        assert (logits - expected).abs().max() <= 1e-5, split


def test_model_is_left_as_it_was(cut: SplitModel, ids: torch.Tensor) -> None:
    before, blocks = reference(cut, ids), list(cut.blocks)
    with pytest.raises(ValueError, match=r"valid: 1\.\.4"):
        cut.edge_logits(torch.zeros(1, 3, D), L + 1)
    with pytest.raises(Exception, match=r".+"):
        cut.edge_logits(torch.zeros(1, 3, D + 1), 2)
    assert list(cut.blocks) == blocks
    assert not any(block._forward_hooks for block in cut.blocks)
    assert torch.equal(reference(cut, ids), before)


def test_reset_starts_over(cut: SplitModel, ids: torch.Tensor) -> None:
    ue = cut.ue_half(2)
    first = ue.forward(ids)
    ue.reset()
    assert torch.equal(ue.forward(ids), first)


def test_edge_never_sees_prompt_ids(cut: SplitModel, ids: torch.Tensor) -> None:
    """Same hidden states, poisoned embedding table: the edge's answer may not move (the head is kept)."""
    hidden = cut.hidden_states(ids, [2])[2]
    expected = cut.edge_logits(hidden, 2)
    embeddings = cut.model.get_input_embeddings()
    calls: list[int] = []
    handle = embeddings.register_forward_hook(lambda *_: calls.append(1))
    try:
        assert torch.equal(cut.edge_logits(hidden, 2), expected)
    finally:
        handle.remove()
    assert calls == []


def test_model_without_a_list_of_blocks_is_refused() -> None:
    model = tiny("llama")
    model.model.layers = nn.ModuleList(list(model.model.layers)[:-1])
    with pytest.raises(CannotSplitError, match="0 lists of 4 blocks"):
        SplitModel(model)


def test_two_lists_of_blocks_are_refused() -> None:
    model = tiny("llama")
    model.model.twins = nn.ModuleList(nn.Identity() for _ in range(L))
    with pytest.raises(CannotSplitError, match="2 lists"):
        SplitModel(model)
