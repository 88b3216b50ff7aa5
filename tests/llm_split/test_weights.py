"""Quantised weights against llama.cpp's own package and a plain computation; blocks that use them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, quants
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, MixtralConfig, MixtralForCausalLM

from llm_split.models import QualityModel
from llm_split.partition import CannotSplitError, SplitModel
from llm_split.weights import GROUP, QuantisedBlock, quantise, weights_fingerprint
from tests.llm_split.conftest import tiny_llama

FORMATS = {4: GGMLQuantizationType.Q4_0, 8: GGMLQuantizationType.Q8_0}
IDS = torch.randint(0, 131, (1, 12), generator=torch.Generator().manual_seed(2))


def plain(weight: Tensor, bits: int) -> Tensor:
    """Quantise and de-quantise [out, in], one group after another, in float64."""
    result = weight.double().clone().numpy()
    for row in result:
        for start in range(0, len(row), GROUP):
            group = row[start : start + GROUP]
            extreme = group[np.abs(group).argmax()]
            if extreme == 0:
                continue
            scale = -extreme / 8 if bits == 4 else abs(extreme) / 127
            low, high = (-8, 7) if bits == 4 else (-127, 127)
            codes = np.clip(np.floor(group / scale + 0.5), low, high)
            group[:] = codes * float(np.float16(scale))
    return torch.from_numpy(result).to(weight.dtype)


def plain_copy(model: Any, bits: int, names: tuple[str, ...] = ("_proj.weight",)) -> Any:
    """The model with every weight of the names' endings in its blocks quantised, by `plain`."""
    coarse = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in coarse.named_parameters():
            if name.endswith(names) and ".layers." in name:
                weight.copy_(plain(weight, bits))
    return coarse


@pytest.mark.parametrize(("bits", "format"), [(4, GGMLQuantizationType.Q4_0), (8, GGMLQuantizationType.Q8_0)])
def test_values_are_those_of_llama_cpp(bits: int, format: GGMLQuantizationType) -> None:
    weight = torch.randn(64, 4 * GROUP, generator=torch.Generator().manual_seed(1))
    weight[3, :GROUP] = 0.0
    weight[5] *= 1e4
    weight[6] *= 1e-7  # the scale is a denormal float16
    packed = quants.quantize(weight.numpy(), format)
    expected = quants.dequantize(packed, format)
    assert np.array_equal(quantise(weight, bits).values(torch.float32).numpy(), expected)
    assert torch.allclose(plain(weight, bits), torch.from_numpy(expected), rtol=1e-6, atol=0)
    error = (weight - torch.from_numpy(expected)).abs()
    assert float(error.max()) > 0


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("width", [1, GROUP - 1, GROUP, GROUP + 5])
def test_the_last_group_may_be_short(bits: int, width: int) -> None:
    weight = torch.randn(3, width, generator=torch.Generator().manual_seed(width))
    assert torch.allclose(quantise(weight, bits).values(torch.float32), plain(weight, bits), rtol=1e-6)


def test_what_cannot_be_quantised_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bits is 5, valid: 4, 8"):
        quantise(torch.ones(2, 2), 5)
    with pytest.raises(ValueError, match=r"weight has values that are NaN or infinite"):
        quantise(torch.tensor([[1.0, torch.nan]]), 4)
    with pytest.raises(ValueError, match=r"LayerNorm has no linear weights"):
        QuantisedBlock(nn.LayerNorm(4), 4)


@pytest.mark.parametrize("bits", [4, 8])
def test_blocks_compute_with_quantised_weights(tiny: SplitModel, bits: int) -> None:
    """Hidden states at every cut, and the logits of mixed halves, equal those of plainly quantised models."""
    whole, coarse = tiny.model, SplitModel(plain_copy(tiny.model, bits))
    before = weights_fingerprint(whole), tiny.hidden_states(IDS, [1, 4])
    with tiny.quantised(range(4), bits):
        states = tiny.hidden_states(IDS, [1, 2, 4])
    for split, expected in coarse.hidden_states(IDS, [1, 2, 4]).items():
        assert torch.allclose(states[split], expected, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(states[split], tiny.hidden_states(IDS, [split])[split], atol=1e-2)
    with tiny.quantised([2, 3], bits):
        mixed = tiny.edge_logits(before[1][1], 1)
    hidden = tiny.hidden_states(IDS, [2])[2]
    assert torch.allclose(mixed, coarse.edge_logits(hidden, 2), rtol=1e-4, atol=1e-3)
    after = weights_fingerprint(whole), tiny.hidden_states(IDS, [1, 4])
    assert after[0] == before[0]
    assert all(torch.equal(after[1][split], before[1][split]) for split in (1, 4))


def test_only_linear_weights_of_blocks_are_quantised(tiny: SplitModel) -> None:
    block = QuantisedBlock(tiny.blocks[0], 4)
    names = {name for name, _ in tiny.blocks[0].named_parameters()}
    assert set(block.values) == {name for name in names if "_proj" in name}
    assert len(names) > len(block.values)  # the norms


def test_a_width_is_checked_and_16_changes_nothing(tiny: SplitModel) -> None:
    with pytest.raises(ValueError, match=r"bits is 3, valid: 4, 8, 16"), tiny.quantised([0], 3):
        pass
    blocks = list(tiny.blocks)
    with tiny.quantised(range(4), 16):
        assert list(tiny.blocks) == blocks


def test_a_block_is_quantised_once_per_width(tiny: SplitModel) -> None:
    with tiny.quantised([0, 1], 4):
        first = list(tiny.blocks[:2])
    with tiny.quantised([0, 1], 4):
        assert list(tiny.blocks[:2]) == first
    with tiny.quantised([0], 8):
        assert tiny.blocks[0] not in first


def test_gpt2_layers_are_quantised_along_their_inputs() -> None:
    torch.manual_seed(3)
    config = GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=131, initializer_range=0.2)
    model = SplitModel(GPT2LMHeadModel(config))
    weight = dict(model.blocks[0].named_parameters())["attn.c_attn.weight"].detach()  # [in, out]
    values = QuantisedBlock(model.blocks[0], 4).values["attn.c_attn.weight"]
    assert torch.allclose(values, plain(weight.T, 4).T, rtol=1e-6)
    with model.quantised([0], 4):
        states = model.hidden_states(IDS, [1])[1]
    assert not torch.allclose(states, model.hidden_states(IDS, [1])[1], atol=1e-3)


def test_experts_of_a_mixture_are_quantised_and_its_router_is_not() -> None:
    torch.manual_seed(3)
    config = MixtralConfig(
        num_hidden_layers=2,
        hidden_size=32,
        intermediate_size=64,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_local_experts=4,
        vocab_size=131,
    )
    model = SplitModel(MixtralForCausalLM(config))
    values = QuantisedBlock(model.blocks[0], 4).values
    experts = {name: weight for name, weight in values.items() if "experts" in name}
    assert all(weight.ndim == 3 and len(weight) == 4 for weight in experts.values())
    assert len(experts) == 2
    assert not [name for name in values if "gate.weight" in name]
    name, weight = next(iter(experts.items()))
    original = dict(model.blocks[0].named_parameters())[name].detach()
    assert torch.allclose(weight[1], plain(original[1], 4), rtol=1e-6)
    with model.quantised([0], 4):
        assert not torch.equal(model.hidden_states(IDS, [1])[1], torch.zeros(1))


def test_a_model_without_linear_weights_is_named(tiny: SplitModel) -> None:
    model = SplitModel(tiny_llama())
    model.blocks[1] = nn.Identity()
    with pytest.raises(CannotSplitError, match=r"LlamaForCausalLM: Identity has no linear weights"):
        model._quantised_block(1, 4)


def test_other_weights_have_another_fingerprint(tiny: SplitModel) -> None:
    before = weights_fingerprint(tiny.model)
    assert weights_fingerprint(tiny.model) == before
    other = copy.deepcopy(tiny.model)
    with torch.no_grad():
        other.model.layers[2].mlp.up_proj.weight += 1e-3
    assert weights_fingerprint(other) != before


@pytest.mark.parametrize("bits", [4, 8])
def test_the_real_model_computes_with_the_weights_of_llama_cpp(real: QualityModel, bits: int) -> None:
    model, coarse = SplitModel(real.model), copy.deepcopy(real.model)
    format = FORMATS[bits]
    with torch.no_grad():
        for name, weight in coarse.named_parameters():
            if name.endswith("_proj.weight"):
                values = quants.dequantize(quants.quantize(weight.numpy(), format), format)
                weight.copy_(torch.from_numpy(values))
    ids = torch.arange(100, 124)[None]
    with model.quantised(range(30), bits):
        states = model.hidden_states(ids, [7, 30])
    for split, expected in SplitModel(coarse).hidden_states(ids, [7, 30]).items():
        assert torch.equal(states[split], expected)
    with model.quantised(range(7, 30), bits):
        outputs = model.continue_to_last(states[7], 7)
    assert torch.equal(outputs, states[30])
