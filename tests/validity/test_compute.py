"""The roofline against operations that torch counted in the real architecture, and against sizes by hand."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from llm_split.devices import load_device, load_shape
from llm_split.roofline import block_ops, compute_tables
from tests.agreement import Agreement
from tests.validity.by_hand import LLAMA_2_7B, TINYLLAMA_1_1B, Decoder, Machine

MODELS = {"llama-2-7b": LLAMA_2_7B, "tinyllama-1.1b": TINYLLAMA_1_1B}


def one_block(model: Decoder) -> LlamaForCausalLM:
    """One block of the real width, without memory for its weights."""
    config = LlamaConfig(
        num_hidden_layers=1,
        hidden_size=model.width,
        intermediate_size=model.mlp_width,
        num_attention_heads=model.query_heads,
        num_key_value_heads=model.key_heads,
        head_dim=model.head_width,
        vocab_size=model.vocabulary,
        attn_implementation="eager",
    )
    with torch.device("meta"):
        return LlamaForCausalLM(config).eval()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("tokens", [1, 48])
def test_operations_are_those_that_torch_counts(agree: Agreement, name: str, tokens: int) -> None:
    """Torch multiplies every pair of tokens, those that the mask hides too: these are taken off. It doesn't
    count the norms, a ten-thousandth of the weights."""
    model, shape = MODELS[name], load_shape(name)
    network = one_block(model)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), torch.device("meta"):
        # A mask that is ready: the library would look into the tokens to make one, and they have no values.
        ids, mask = torch.zeros(1, tokens, dtype=torch.long), torch.zeros(1, 1, tokens, tokens)
        network(ids, attention_mask=mask, use_cache=False)
    head = 2 * model.width * model.vocabulary * tokens
    hidden_pairs = tokens * (tokens - 1) // 2
    expected = counter.get_total_flops() - head - 4 * model.query_heads * model.head_width * hidden_pairs
    agree(
        "operations of a block",
        block_ops(shape, tokens, tokens),
        expected,
        share=2e-4,
        origin="torch.utils.flop_counter on transformers' Llama",
    )


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_those_that_transformers_makes(agree: Agreement, name: str) -> None:
    model, shape = MODELS[name], load_shape(name)
    network = one_block(model)
    of_block = sum(p.numel() for p in network.model.layers[0].parameters())
    rest = sum(p.numel() for p in network.parameters()) - of_block
    agree(
        "weights of a model",
        [shape.block_parameters, shape.parameters],
        [of_block, rest + model.blocks * of_block],
        within=0,
        origin="parameters of transformers' Llama",
    )


@pytest.mark.parametrize(
    ("device", "bits"), [("a100-80g", 16), ("snapdragon-8-gen-3", 4), ("jetson-orin-nx", 8)]
)
@pytest.mark.parametrize("name", MODELS)
def test_times_are_the_roofline(agree: Agreement, name: str, device: str, bits: int) -> None:
    tables = compute_tables(load_shape(name), load_device(device), bits, 300, 400)
    model, machine = MODELS[name], Machine.named(device, bits)
    lengths = (1, 2, 17, 300)
    agree(
        "roofline times",
        [
            *(tables.prefill_block_s[n] for n in lengths),
            *(tables.decode_block_s[n + 100] for n in lengths),
            tables.decode_head_s,
        ],
        [
            *(machine.block_s(model, "prefill", n, n) for n in lengths),
            *(machine.block_s(model, "decode", 1, n + 100) for n in lengths),
            machine.head_s(model),
        ],
        share=1e-12,
        origin="Williams, Waterman and Patterson, CACM 52(4), 2009, by hand",
    )
