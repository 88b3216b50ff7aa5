"""Simulated times against the same times worked out by hand from the configuration."""

from __future__ import annotations

import pytest
from episodes import ALL_LOCAL, HALF, MIN_SPLIT, make_scenario, play

from pyagent.envs.record import DeliveryRecord
from pyagent.scenario.compile import deploy

pytestmark = pytest.mark.ns3

# Beside the access point, no fading, best rate from the first frame on: little is left to chance.
SCENARIO = make_scenario(at_m=3, link={"rate_manager": "ideal", "fading": {"model": "none"}})
DEPLOYMENT = deploy(SCENARIO)
LAYERS = DEPLOYMENT.num_layers

PHY_RATE_BPS = 143.4e6
"""Highest rate of 802.11ax at 20 MHz with one stream: MCS 11, guard interval 0.8 us (IEEE 802.11ax-2021)."""
OVERHEAD = 2.0
"""Preambles, headers, acknowledgements and contention at most double the time on air of a long burst."""
ACCESS_S = 2e-3
"""Getting at the idle channel, once each way, with single frames and their acknowledgements."""


def backhaul_s() -> float:
    return 2 * SCENARIO.link.backhaul.delay_ms / 1e3


def prefill_s(record: DeliveryRecord) -> float:
    """Computing until the first token: the UE's blocks, then the edge's and the head."""
    ue_s = record.split * DEPLOYMENT.ue.prefill_block_s[record.prompt_tokens]
    edge_s = (LAYERS - record.split) * DEPLOYMENT.edge.prefill_block_s[record.prompt_tokens]
    return ue_s + edge_s + DEPLOYMENT.edge.prefill_head_s


def decode_s(record: DeliveryRecord) -> float:
    """Mean computing for one later token; the context counts the new one."""
    contexts = range(record.prompt_tokens + 1, record.prompt_tokens + record.output_tokens)
    blocks_s = [
        record.split * DEPLOYMENT.ue.decode_block_s[context]
        + (LAYERS - record.split) * DEPLOYMENT.edge.decode_block_s[context]
        for context in contexts
    ]
    return sum(blocks_s) / len(blocks_s) + DEPLOYMENT.edge.decode_head_s


@pytest.mark.parametrize("action", [MIN_SPLIT, HALF])
def test_first_token_takes_computing_and_transfer(action: int) -> None:
    for _, record in play(SCENARIO, 5, action):
        on_air_s = 8 * record.prompt_tokens * sum(DEPLOYMENT.fragment_bytes) / PHY_RATE_BPS
        transfer_s = record.ttft_s - prefill_s(record)
        assert transfer_s > on_air_s + backhaul_s()
        assert transfer_s < OVERHEAD * on_air_s + backhaul_s() + ACCESS_S


@pytest.mark.parametrize("action", [MIN_SPLIT, HALF])
def test_later_tokens_take_computing_and_transfer(action: int) -> None:
    for _, record in play(SCENARIO, 5, action):
        on_air_s = 8 * sum(DEPLOYMENT.fragment_bytes) / PHY_RATE_BPS
        transfer_s = record.tpot_s - decode_s(record)
        assert transfer_s > on_air_s + backhaul_s()
        assert transfer_s < OVERHEAD * on_air_s + backhaul_s() + ACCESS_S


@pytest.mark.parametrize("action", [MIN_SPLIT, HALF])
def test_compute_times_in_the_record_are_the_rooflines(action: int) -> None:
    for _, record in play(SCENARIO, 5, action):
        later = record.output_tokens - 1
        both_s = prefill_s(record) + later * decode_s(record)
        assert record.ue_compute_s + record.edge_compute_s == pytest.approx(both_s, abs=1e-7)


def test_all_local_latency_is_the_sum_of_the_roofline() -> None:
    for _, record in play(SCENARIO, 5, ALL_LOCAL):
        expected_s = DEPLOYMENT.all_local_compute_s(record.prompt_tokens, record.output_tokens)
        # ns-3's clock ticks in nanoseconds and each token's time is rounded to one.
        assert record.latency_s == pytest.approx(expected_s, abs=record.output_tokens * 1e-9)
        assert record.ue_compute_s == pytest.approx(expected_s, abs=record.output_tokens * 1e-9)
        expected_j = DEPLOYMENT.all_local_energy_j(record.prompt_tokens, record.output_tokens)
        assert record.ue_compute_energy_j == pytest.approx(expected_j, rel=1e-6)
