"""Cards are complete, and the roofline gives the figures one can check by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from llm_split.devices import (
    CardError,
    DeviceCard,
    ModelShape,
    device_names,
    load_device,
    load_shape,
    shape_names,
)
from llm_split.roofline import (
    PhaseCost,
    SplitCost,
    block_bytes,
    block_ops,
    compute_tables,
    split_cost,
    ue_memory_bytes,
)


def ideal(name: str) -> DeviceCard:
    """The card with every efficiency at 1 and free launches: bandwidth and peak as on the data sheet."""
    ones = {f"{p}_{k}_efficiency": 1.0 for p in ("prefill", "decode") for k in ("compute", "bandwidth")}
    return load_device(name).model_copy(update=ones | {"block_launch_s": 0.0})


def test_packaged_cards_load_under_their_own_names() -> None:
    assert len(device_names()) == len(set(device_names())) >= 9
    assert len(shape_names()) == len(set(shape_names())) >= 13
    assert [load_device(name).name for name in device_names()] == device_names()
    assert [load_shape(name).name for name in shape_names()] == shape_names()


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


def test_a_launch_is_added_to_every_block_and_to_the_head_in_both_phases() -> None:
    """What the card adds is the same for 1 and for 300 tokens, and nothing else changes."""
    shape, free = load_shape("tinyllama-1.1b"), ideal("apple-m2")
    launching = free.model_copy(update={"block_launch_s": 1e-3})
    without, with_launch = (compute_tables(shape, device, 4, 300, 300) for device in (free, launching))
    for tokens in (1, 300):
        for table in ("prefill_block_s", "decode_block_s"):
            added_s = getattr(with_launch, table)[tokens] - getattr(without, table)[tokens]
            assert added_s == pytest.approx(1e-3, rel=1e-9)
    assert with_launch.prefill_block_s[0] == with_launch.decode_block_s[0] == 0.0
    assert with_launch.decode_head_s - without.decode_head_s == pytest.approx(1e-3, rel=1e-9)
    assert with_launch.prefill_head_s - without.prefill_head_s == pytest.approx(1e-3, rel=1e-9)
    found = split_cost(
        shape,
        launching,
        launching,
        ue_weight_bits=4,
        edge_weight_bits=4,
        split=5,
        prompt_tokens=10,
        output_tokens=3,
    )
    assert found.ue.decode.time_s == pytest.approx(2 * 5 * with_launch.decode_block_s[11], rel=1e-3)
    assert (found.ue.decode.bound, found.edge.decode.bound) == ("launch", "launch")


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
    with pytest.raises(CardError, match=r"unknown device 'h200', valid: a100-80g, .* path to a \.yaml file$"):
        load_device("h200")
    with pytest.raises(CardError, match=r"unknown model 'gpt-5', valid: apple-afm-3b, .* or a \.gguf file$"):
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
    content["sources"]["compute_power_w"] = "a guess"
    del content["sources"]["block_launch_s"]
    own.write_text(yaml.safe_dump(content))
    with pytest.raises(CardError, match="sources lacks: block_launch_s"):
        load_device(own)
    del content["block_launch_s"], content["measurements"]
    own.write_text(yaml.safe_dump(content))
    assert (load_device(own).block_launch_s, load_device(own).measurements) == (0.0, [])
    own.write_text("name: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(CardError, match="not valid"):
        load_device(own)
    own.write_text(yaml.safe_dump({**content, "memory_bytes": -1, "colour": "red"}))
    with pytest.raises(CardError, match=r"colour = 'red': unknown field; .* memory_bytes = -1: ") as caught:
        load_device(own)
    assert "\n" not in str(caught.value)


# Windows


def mixed(window: int = 100) -> ModelShape:
    """TinyLlama with a window in all blocks but the second."""
    fields = {"sliding_window": window, "full_attention_blocks": [1]}
    return load_shape("tinyllama-1.1b").model_copy(update=fields)


def brute_pairs(new_tokens: int, context_tokens: int, window: int) -> int:
    """Count pairs one by one: query position q sees key k if k <= q and q - k < window."""
    queries = range(context_tokens - new_tokens, context_tokens)
    return sum(1 for q in queries for k in range(context_tokens) if k <= q and q - k < window)


@pytest.mark.parametrize("new_tokens", [1, 5, 30])
@pytest.mark.parametrize("window", [1, 7, 29, 30, 31, 40])
def test_a_window_bounds_the_pairs_and_the_cache_read(new_tokens: int, window: int) -> None:
    shape = load_shape("tinyllama-1.1b")
    pairs = brute_pairs(new_tokens, 30, window)
    ops = 2 * shape.block_parameters * new_tokens + 4 * shape.attention_size * pairs
    assert block_ops(shape, new_tokens, 30, window) == pytest.approx(ops, rel=1e-12)
    queries = range(30 - new_tokens, 30)
    keys = {k for q in queries for k in range(30) if k <= q and q - k < window}
    moved = shape.block_parameters * 2 + 2 * shape.kv_size * 2 * (len(keys) + new_tokens)
    assert block_bytes(shape, 16, new_tokens, 30, window) == moved


def test_a_window_wider_than_the_context_changes_nothing() -> None:
    plain, device = load_shape("tinyllama-1.1b"), load_device("jetson-orin-nx")
    assert compute_tables(mixed(60), device, 4, 30, 60) == compute_tables(plain, device, 4, 30, 60)


def test_the_table_of_a_mixed_model_is_the_mean_of_its_blocks() -> None:
    plain, device = load_shape("tinyllama-1.1b"), load_device("jetson-orin-nx")
    windowed = plain.model_copy(update={"sliding_window": 100})
    table = compute_tables(mixed(), device, 4, 1, 500).decode_block_s
    of_both = [compute_tables(s, device, 4, 1, 500).decode_block_s for s in (windowed, plain)]
    assert table[500] == pytest.approx((21 * of_both[0][500] + of_both[1][500]) / 22, rel=1e-12)
    assert of_both[0][500] == of_both[0][100] < of_both[1][500]


def test_a_window_bounds_the_cache_in_memory() -> None:
    """Second block: keys and values of 500 tokens; each other one: of 100."""
    memory = [ue_memory_bytes(mixed(), split, 16, 500) for split in (1, 2, 3)]
    weights, per_token = 2 * mixed().block_parameters, 2 * 256 * 2
    assert [memory[1] - memory[0], memory[2] - memory[1]] == [
        weights + 500 * per_token,
        weights + 100 * per_token,
    ]


# Halves


def cost(
    shape: ModelShape, split: int, prompt_tokens: int = 128, output_tokens: int = 64, ue_bits: int = 4
) -> SplitCost:
    return split_cost(
        shape,
        load_device("snapdragon-8-gen-3"),
        load_device("a100-80g"),
        ue_weight_bits=ue_bits,
        edge_weight_bits=16,
        split=split,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
    )


@pytest.mark.parametrize("split", [1, 10, 32])
def test_halves_take_what_the_tables_say(split: int) -> None:
    """The simulator adds up the same tables, block by block and step by step."""
    shape = load_shape("llama-2-7b")
    ue = compute_tables(shape, load_device("snapdragon-8-gen-3"), 4, 128, 192)
    edge = compute_tables(shape, load_device("a100-80g"), 16, 128, 192)
    found, contexts = cost(shape, split), range(129, 192)  # 63 tokens after the first one
    local = split == 32
    decode_s = sum(split * ue.decode_block_s[c] + local * ue.decode_head_s for c in contexts)
    prefill_s = split * ue.prefill_block_s[128] + local * ue.prefill_head_s
    assert found.ue.prefill.time_s == pytest.approx(prefill_s, rel=1e-12)
    assert found.ue.decode.time_s == pytest.approx(decode_s, rel=1e-12)
    remote_s = sum((32 - split) * edge.decode_block_s[c] + edge.decode_head_s for c in contexts)
    assert found.edge.decode.time_s == pytest.approx(0.0 if local else remote_s, rel=1e-12)
    assert found.ue.prefill.energy_j == pytest.approx(7.9 * prefill_s, rel=1e-12)
    assert found.edge.decode.energy_j == pytest.approx(350.0 * found.edge.decode.time_s, rel=1e-12)


def test_work_does_not_depend_on_where_the_cut_is() -> None:
    """Same weight bits on both sides: operations and bytes add up to those of all local."""
    shape = mixed()
    whole = cost(shape, 22, ue_bits=8)
    for split in (1, 2, 13):
        parts = cost(shape, split, ue_bits=8)
        for phase in ("prefill", "decode"):
            both = [getattr(half, phase).ops for half in (parts.ue, parts.edge)]
            assert sum(both) == pytest.approx(getattr(whole.ue, phase).ops, rel=1e-12)


def test_decode_is_bound_by_bandwidth_and_a_long_prefill_by_compute() -> None:
    found = cost(load_shape("llama-2-7b"), 8, prompt_tokens=512)
    for half in (found.ue, found.edge):
        assert (half.prefill.bound, half.decode.bound) == ("compute", "bandwidth")


def test_bytes_and_operations_by_hand() -> None:
    """One block of Llama-2-7B on the UE, one token in, two out: prefill 1 token, one decode step at 2."""
    shape = load_shape("llama-2-7b")
    found = cost(shape, 1, prompt_tokens=1, output_tokens=2).ue
    weights, per_token = shape.block_parameters / 2, 2 * 4096 * 2
    assert found.prefill.moved_bytes == weights + 2 * per_token  # its own keys: written and read
    assert found.decode.moved_bytes == weights + 3 * per_token
    assert found.prefill.ops == 2 * shape.block_parameters + 4 * 4096
    assert found.decode.ops == 2 * shape.block_parameters + 2 * 4 * 4096


def test_nothing_is_left_to_the_edge_when_all_is_local() -> None:
    edge = cost(load_shape("smollm2-135m"), 30).edge
    assert edge.memory_bytes == 0
    assert edge.prefill == edge.decode == PhaseCost(0.0, 0.0, 0.0, 0.0, "idle")
    single = cost(load_shape("smollm2-135m"), 3, output_tokens=1)
    assert single.ue.decode.bound == single.edge.decode.bound == "idle"
    assert single.edge.prefill.time_s > 0


def test_memory_of_the_halves_holds_every_weight_once_and_a_tied_table_on_both_sides() -> None:
    for name, again in (("llama-2-7b", 0), ("gemma-3-270m", 262_144 * 640)):
        shape = load_shape(name)
        cache = shape.num_layers * 2 * shape.kv_size * 2 * 192  # within every window
        found = cost(shape, 5, ue_bits=8)
        ue_weights = found.ue.memory_bytes - 5 * cache // shape.num_layers
        edge_cache = cache - 5 * cache // shape.num_layers
        edge_weights = (found.edge.memory_bytes - edge_cache) // 2
        assert ue_weights + edge_weights == shape.parameters + again


def test_wrong_arguments_of_a_cost_name_what_is_valid() -> None:
    shape = load_shape("llama-2-7b")
    with pytest.raises(ValueError, match=r"split is 0, valid: 1\.\.32"):
        cost(shape, 0)
    with pytest.raises(ValueError, match="prompt_tokens and output_tokens are 0 and 64, valid: >= 1"):
        cost(shape, 1, prompt_tokens=0)
    with pytest.raises(CardError, match="weight_bits is 16, valid on snapdragon-8-gen-3: 4, 8"):
        cost(shape, 1, ue_bits=16)


@pytest.mark.parametrize(
    ("device", "bits", "low_ms", "high_ms"),
    # Llama-2-7B, all on one device. Low: 13.2 or 3.3 GB of weights (all but the embeddings) at the full
    # bandwidth; high: what the card's efficiency, 192 tokens of cache and 33 launches add.
    [
        ("a100-80g", 16, 6.4, 11.2),
        ("h100-sxm", 16, 3.9, 7.6),
        ("snapdragon-8-gen-3", 4, 42, 80),
        ("apple-m2", 4, 33, 50),
        ("jetson-agx-orin", 4, 16, 26),
    ],
)
def test_decode_times_are_within_what_bandwidth_allows(
    device: str, bits: int, low_ms: float, high_ms: float
) -> None:
    card = load_device(device)
    found = split_cost(
        load_shape("llama-2-7b"),
        card,
        card,
        ue_weight_bits=bits,
        edge_weight_bits=bits,
        split=32,
        prompt_tokens=128,
        output_tokens=65,
    )
    assert low_ms < 1e3 * found.ue.decode.time_s / 64 < high_ms
