"""Cards are complete, and the roofline gives the figures one can check by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from llm_split.devices import (
    CardError,
    DeviceCard,
    device_names,
    load_device,
    load_shape,
    shape_names,
)
from llm_split.roofline import block_bytes, block_ops, compute_tables, ue_memory_bytes


def ideal(name: str) -> DeviceCard:
    """The card with every efficiency at 1: bandwidth and peak as on the data sheet."""
    ones = {f"{p}_{k}_efficiency": 1.0 for p in ("prefill", "decode") for k in ("compute", "bandwidth")}
    return load_device(name).model_copy(update=ones)


def test_packaged_cards_load_under_their_own_names() -> None:
    assert device_names() == ["a100-80g", "jetson-agx-orin", "jetson-orin-nx", "snapdragon-8-gen-3"]
    assert shape_names() == ["llama-2-7b", "smollm2-135m", "tinyllama-1.1b"]
    assert [load_device(name).name for name in device_names()] == device_names()
    assert [load_shape(name).name for name in shape_names()] == shape_names()


@pytest.mark.parametrize(
    ("shape", "parameters"),
    # Totals of the published checkpoints; SmolLM2's as counted in its file.
    [("llama-2-7b", 6_738_415_616), ("tinyllama-1.1b", 1_100_048_384), ("smollm2-135m", 134_515_008)],
)
def test_shapes_give_the_published_parameter_counts(shape: str, parameters: int) -> None:
    s = load_shape(shape)
    embeddings = s.vocab_size * s.hidden_size
    head = s.hidden_size if s.tied_embeddings else s.head_parameters
    assert embeddings + s.num_layers * s.block_parameters + head == parameters


@pytest.mark.parametrize(
    ("device", "bits", "expected_ms"), [("a100-80g", 16, 6.4), ("snapdragon-8-gen-3", 4, 42)]
)
def test_decode_of_llama_2_7b_is_bound_by_bandwidth(device: str, bits: int, expected_ms: float) -> None:
    """32 blocks, short context, full bandwidth: 12.95 GB / 2039 GB/s and 3.24 GB / 76.8 GB/s, within 2 %."""
    shape = load_shape("llama-2-7b")
    at_full_rate = compute_tables(shape, ideal(device), bits, 1, 16).decode_block_s[16]
    assert 32e3 * at_full_rate == pytest.approx(expected_ms, rel=0.02)
    assert compute_tables(shape, load_device(device), bits, 1, 16).decode_block_s[16] > at_full_rate


def test_prefill_is_bound_by_compute_once_the_prompt_is_long() -> None:
    shape, device = load_shape("llama-2-7b"), ideal("a100-80g")
    tables = compute_tables(shape, device, 16, 512, 1)
    attention = 4 * 4096 * (512 * 513 / 2)
    by_hand_s = (2 * shape.block_parameters * 512 + attention) / 312e12
    assert tables.prefill_block_s[512] == pytest.approx(by_hand_s, rel=1e-12)
    one_token_s = (shape.block_parameters * 2 + 2 * 4096 * 2 * 2) / 2039e9
    assert tables.prefill_block_s[1] == pytest.approx(one_token_s, rel=1e-12)


def test_operations_of_a_prompt_are_those_of_its_tokens_one_by_one() -> None:
    shape = load_shape("tinyllama-1.1b")
    single = sum(block_ops(shape, 1, context) for context in range(1, 41))
    assert block_ops(shape, 40, 40) == pytest.approx(single, rel=1e-12)


def test_context_costs_what_its_cache_weighs() -> None:
    shape = load_shape("tinyllama-1.1b")
    per_token = block_bytes(shape, 16, 1, 101) - block_bytes(shape, 16, 1, 100)
    assert per_token == 2 * 4 * 64 * 2  # keys and values, 4 heads of 64, 2 bytes
    assert 2 * shape.kv_size == 2 * 4 * 64


def test_tables_have_the_stated_form() -> None:
    tables = compute_tables(load_shape("smollm2-135m"), load_device("jetson-orin-nx"), 4, 30, 50)
    assert (len(tables.prefill_block_s), len(tables.decode_block_s)) == (31, 51)
    assert tables.prefill_block_s[0] == tables.decode_block_s[0] == 0.0
    for times in (tables.prefill_block_s[1:], tables.decode_block_s[1:]):
        assert times == sorted(times)
        assert times[0] > 0
    assert tables.decode_head_s > 0
    assert tables.prefill_head_s > 0


def test_memory_grows_by_block_and_jumps_at_all_local_if_untied() -> None:
    shape = load_shape("llama-2-7b")
    memory = [ue_memory_bytes(shape, split, 4, 576) for split in range(1, 33)]
    block = shape.block_parameters // 2 + 576 * 2 * 4096 * 2
    assert memory[1] - memory[0] == block
    assert memory[31] - memory[30] == block + shape.head_parameters // 2
    tied = load_shape("smollm2-135m")
    last = ue_memory_bytes(tied, 30, 16, 10) - ue_memory_bytes(tied, 29, 16, 10)
    assert last == 2 * tied.block_parameters + 10 * 2 * 192 * 2 + 2 * 576


def test_errors_say_what_is_valid() -> None:
    with pytest.raises(CardError, match="unknown device 'h100', valid: a100-80g, jetson-agx-orin"):
        load_device("h100")
    with pytest.raises(CardError, match="unknown model 'gpt-5', valid: llama-2-7b, smollm2-135m"):
        load_shape("gpt-5")
    with pytest.raises(CardError, match="weight_bits is 16, valid on snapdragon-8-gen-3: 4, 8"):
        compute_tables(load_shape("llama-2-7b"), load_device("snapdragon-8-gen-3"), 16, 1, 1)
    with pytest.raises(CardError, match="weight_bits is 3, valid for llama-2-7b: 16, 8, 4"):
        ue_memory_bytes(load_shape("llama-2-7b"), 1, 3, 1)
    with pytest.raises(ValueError, match=r"split is 33, valid: 1\.\.32"):
        ue_memory_bytes(load_shape("llama-2-7b"), 33, 4, 1)


def test_a_card_of_ones_own_needs_a_source_for_every_figure(tmp_path: Path) -> None:
    content = load_device("jetson-orin-nx").model_dump()
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump({**content, "name": "own"}))
    assert load_device(own).name == "own"
    del content["sources"]["compute_power_w"]
    own.write_text(yaml.safe_dump(content))
    with pytest.raises(CardError, match="sources lacks: compute_power_w"):
        load_device(own)
    own.write_text("name: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(CardError, match="not valid"):
        load_device(own)
