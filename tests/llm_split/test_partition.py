"""The cut must not change the model: every family, every split, prefill and cached decoding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from llm_split.partition import CannotSplitError, SplitModel
from tests.llm_split.families import COMMON, FAMILIES, D, L, V, tiny

T = 24
SPLITS = range(1, L + 1)


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


def test_many_families() -> None:
    assert len(FAMILIES) >= 18


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


def test_half_precision_weights_decode_as_they_prefill(ids: torch.Tensor) -> None:
    """8 bits of mantissa, logits up to 4, 4 blocks: a few units in the last place of bfloat16 (1/64)."""
    cut = SplitModel(tiny("llama").to(torch.bfloat16))
    expected = reference(cut, ids)
    hidden = cut.hidden_states(ids, SPLITS)
    for split in SPLITS:
        assert hidden[split].dtype == torch.bfloat16
        assert torch.equal(cut.edge_logits(hidden[split], split), expected)
        ue, edge = cut.ue_half(split), cut.edge_half(split)
        logits = [edge.forward(ue.forward(part)) for part in ids.split((12, 1, 11), dim=1)]
        assert (torch.cat(logits, dim=1) - expected).abs().max() <= 4 / 64


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_cut_on_a_gpu(ids: torch.Tensor, dtype: torch.dtype) -> None:
    cut = SplitModel(tiny("gemma3_text").to("cuda", dtype))
    expected = reference(cut, ids.cuda())
    for split, states in cut.hidden_states(ids, SPLITS).items():
        assert torch.equal(cut.edge_logits(states.cpu(), split), expected), split


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    cut = SplitModel(tiny("llama"))
    hidden = torch.zeros(1, 3, D)
    hidden[0, 1, 5] = bad
    for call in (cut.edge_logits, cut.continue_to_last):
        with pytest.raises(ValueError, match=r"hidden states: 1 of 96 values are NaN .* at \[0, 1, 5\]"):
            call(hidden, 2)
    with pytest.raises(ValueError, match="hidden states: 1 of 96"):
        cut.edge_half(2).forward(hidden)
    with pytest.raises(ValueError, match=r"shape \(3, 32\), valid: \(batch, tokens, 32\)"):
        cut.edge_half(2).forward(hidden[0])


def test_mask_of_another_shape_is_refused(ids: torch.Tensor) -> None:
    cut = SplitModel(tiny("llama"))
    for wrong in (torch.ones(2, T + 3), torch.ones(1, T), torch.ones(2, T - 1)):
        with pytest.raises(ValueError, match=r"attention_mask has shape .* valid: \(2, 24\)"):
            cut.ue_half(2).forward(ids, wrong)
    edge = cut.edge_half(2)
    edge.forward(torch.zeros(2, 3, D))
    with pytest.raises(ValueError, match="the batch has 1 rows, valid: 2"):
        edge.forward(torch.zeros(1, 1, D))


def test_after_a_failed_step_only_reset_helps(ids: torch.Tensor) -> None:
    cut = SplitModel(tiny("llama"))
    ue = cut.ue_half(2)
    ue.forward(ids[:, :5])
    with pytest.raises(IndexError):
        ue.forward(torch.full((2, 1), V + 1))  # no such token
    with pytest.raises(ValueError, match=r"call reset\(\)"):
        ue.forward(ids[:, 5:6])
    ue.reset()
    assert torch.equal(ue.forward(ids), cut.ue_half(2).forward(ids))


def test_state_beside_the_hidden_states_is_refused() -> None:
    """Zamba hands the embeddings to every block: a cut that sends hidden states alone would be wrong."""
    kinds = ["mamba", "hybrid"] * 3
    sizes = {
        "num_hidden_layers": 6,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "layers_block_type": kinds,
    }
    model = tiny("zamba", **{**COMMON, **sizes, "mamba_d_state": 8, "n_mamba_heads": 2})
    with pytest.raises(CannotSplitError, match="ZambaForCausalLM hands more from block to block than"):
        SplitModel(model)


class Strange(nn.Module):
    """A block that some forward pass can't do with."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("not like this")


def test_a_model_that_can_not_be_probed_is_refused_in_one_line() -> None:
    model = tiny("llama")
    model.model.layers[1] = Strange()
    with pytest.raises(CannotSplitError, match="LlamaForCausalLM can't be cut: RuntimeError: not like this"):
        SplitModel(model)


def test_encoder_decoder_is_refused() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(num_layers=L, d_model=D, d_ff=48, d_kv=8, num_heads=4, vocab_size=V)
    with pytest.raises(CannotSplitError, match="T5ForConditionalGeneration is an encoder-decoder"):
        SplitModel(T5ForConditionalGeneration(config))


def test_model_that_looks_ahead_is_refused() -> None:
    with pytest.raises(CannotSplitError, match="BertLMHeadModel looks at later tokens"):
        SplitModel(tiny("bert"))


def test_recurrent_model_is_cut_for_whole_passes_only(ids: torch.Tensor) -> None:
    config = {"num_hidden_layers": L, "hidden_size": D, "vocab_size": V, "state_size": 8}
    cut = SplitModel(tiny("mamba", **config))
    expected = reference(cut, ids)
    for split, states in cut.hidden_states(ids, SPLITS).items():
        assert torch.equal(cut.edge_logits(states, split), expected), split
    with pytest.raises(CannotSplitError, match="not for decoding token by token"):
        cut.ue_half(2)


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
