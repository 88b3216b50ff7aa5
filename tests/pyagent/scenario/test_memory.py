"""A split is left out where a memory can't hold its half; a scenario where none is left is refused."""

from __future__ import annotations

from typing import Any

import pytest

from llm_split.devices import load_shape
from llm_split.roofline import edge_memory_bytes, ue_memory_bytes
from pyagent.scenario.compile import Deployment, deploy
from pyagent.scenario.load import ScenarioError, parse_scenario

GIB = 2**30
TOKENS = 576
SPLITS = [1, 8, 16, 24, 32]


def deployed(**sections: Any) -> Deployment:
    data = {
        "name": "own",
        "mobility": {"model": "constant", "position_m": [5, 0, 1.5]},
        "model": {"deployed": "llama-2-7b", "splits": SPLITS},
        "ue": {"memory_gib": 8},
        "requests": {"prompt_tokens": [16, 512], "output_tokens": [8, 64]},
    }
    return deploy(parse_scenario(data | sections))


def edge_gib(split: int, bits: int = 16, tokens: int = TOKENS) -> float:
    """By hand: the blocks of Llama-2-7B from the cut on, norm and head, and 16-bit keys and values."""
    block = 4 * 4096 * 4096 + 3 * 4096 * 11008 + 2 * 4096
    head = 4096 + 32000 * 4096
    if split == 32:
        return 0.0
    return ((32 - split) * (block * bits / 8 + tokens * 2 * 4096 * 2) + head * bits / 8) / GIB


@pytest.mark.parametrize("first", [0, 1, 2, 3, 4])
def test_what_the_edge_can_not_hold_is_left_out_to_the_byte(first: int) -> None:
    """Enough for the first feasible split, and half a millionth less than that."""
    split = SPLITS[first]
    enough = deployed(edge={"memory_gib": max(edge_gib(split), 1e-6)})
    assert (enough.splits, enough.too_large_for_edge) == (tuple(SPLITS[first:]), tuple(SPLITS[:first]))
    assert (enough.infeasible, enough.too_large_for_ue) == (tuple(SPLITS[:first]), ())
    if split < 32:
        short = deployed(edge={"memory_gib": edge_gib(split) * (1 - 5e-7)})
        assert short.splits == tuple(SPLITS[first + 1 :])


def test_the_memory_of_the_card_is_what_there_is_unless_it_is_given() -> None:
    """Llama-2-7B in 16 bits on 8 GB: 16 blocks and their cache do not fit, 8 do; in 4 bits all fit."""
    board = {"device": "jetson-orin-nano"}
    assert edge_gib(16) * GIB > 0.8 * 8e9
    assert deployed(edge=board).too_large_for_edge == (1, 8)
    assert deployed(edge=board | {"memory_gib": 4}).too_large_for_edge == (1, 8, 16)
    assert deployed(edge=board | {"weight_bits": 4}).infeasible == ()


def test_a_large_model_on_a_small_board_is_refused_in_one_line() -> None:
    model = {"deployed": "llama-2-13b", "splits": [1, 4, 8]}
    with pytest.raises(ScenarioError) as caught:
        deployed(model=model, edge={"device": "jetson-orin-nano", "weight_bits": 16})
    needed = edge_memory_bytes(load_shape("llama-2-13b"), 8, 16, TOKENS) / GIB
    assert str(caught.value) == (
        "edge.memory_gib = 7.45 (all of jetson-orin-nano): too small for every split; "
        f"split 8 needs {needed:.2f} GiB"
    )
    assert needed > 19


def test_no_split_that_fits_both_is_an_error_that_names_both() -> None:
    """The phone takes 8 blocks at most, the edge 8 at most; 16 of 32 are nobody's."""
    shape = load_shape("llama-2-7b")
    ue_gib = ue_memory_bytes(shape, 8, 4, TOKENS) / GIB
    with pytest.raises(ScenarioError) as caught:
        deployed(ue={"memory_gib": ue_gib}, edge={"memory_gib": edge_gib(24)})
    over_ue, over_edge = ue_memory_bytes(shape, 16, 4, TOKENS) / GIB, edge_gib(16)
    assert str(caught.value) == (
        f"no split fits both machines; ue.memory_gib = {ue_gib:.2f}: split 16 needs {over_ue:.2f} GiB; "
        f"edge.memory_gib = {edge_gib(24):.2f}: split 16 needs {over_edge:.2f} GiB"
    )


def test_all_local_leaves_the_edge_nothing_to_hold() -> None:
    alone = deployed(edge={"memory_gib": 1e-6})
    assert (alone.splits, alone.too_large_for_edge) == ((32,), (1, 8, 16, 24))


def test_other_ues_share_the_weights_and_bring_a_cache_each() -> None:
    """Three UEs cut at 4: the edge holds the blocks from 4 on whatever the agent does."""
    others = [{"count": 3, "split": 4}]
    cache_of_block = TOKENS * 2 * 4096 * 2 / GIB
    weights_from_4 = edge_gib(4, tokens=0)
    at_16 = weights_from_4 + (16 + 3 * 28) * cache_of_block
    all_local = weights_from_4 + 3 * 28 * cache_of_block
    exact = deployed(others=others, edge={"memory_gib": at_16})
    assert exact.too_large_for_edge == (1, 8)
    assert deployed(others=others, edge={"memory_gib": all_local}).splits == (32,)
    with pytest.raises(ScenarioError, match=r"^edge\.memory_gib = 10\.96: too .* split 32 needs 11\.54"):
        deployed(others=others, edge={"memory_gib": all_local * 0.95})


def test_a_memory_that_is_none_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"edge\.memory_gib = 0: too small"):
        deployed(edge={"memory_gib": 0})
