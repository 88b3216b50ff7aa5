"""Simulated times against the same times worked out by hand from the configuration."""

from __future__ import annotations

import pytest
from episodes import ALL_LOCAL, HALF, MIN_SPLIT, make_scenario, play

from pyagent.envs.record import DeliveryRecord
from pyagent.scenario.compile import deploy
from tests.agreement import Agreement

pytestmark = pytest.mark.ns3

# Beside the access point, no fading, best rate from the first frame on: little is left to chance.
SCENARIO = make_scenario(at_m=3, link={"rate_manager": "ideal", "fading": {"model": "none"}})
DEPLOYMENT = deploy(SCENARIO)
LAYERS = DEPLOYMENT.num_layers

PHY_RATE_BPS = 121.875e6
"""Highest rate of 802.11ax at 20 MHz with one stream: MCS 11 with ns-3's guard interval of 3.2 us (IEEE
802.11ax-2021)."""
HEADER_BYTES = 8 + 20 + 8 + 26 + 4 + 4
"""UDP, IP, LLC, 802.11 header and checksum, A-MPDU delimiter."""
PREAMBLE_S = 44e-6
SYMBOL_S = 16e-6
BURST_BYTES = 65_535
"""Most of an A-MPDU."""
BETWEEN_BURSTS_S = PREAMBLE_S + 16e-6 + 32e-6 + 43e-6 + 7.5 * 9e-6
"""Preamble, SIFS, block acknowledgement at 24 Mbit/s, AIFS, mean backoff."""
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


def transfer_s(record: DeliveryRecord) -> float:
    """Prompt and later tokens up, token ids down, over the idle channel: whoever waits needs no backoff."""
    token_bytes = sum(DEPLOYMENT.fragment_bytes) + len(DEPLOYMENT.fragment_bytes) * HEADER_BYTES
    prompt_bytes = record.prompt_tokens * token_bytes
    later = record.output_tokens - 1
    on_air_s = 8 * (prompt_bytes + later * token_bytes) / PHY_RATE_BPS
    bursts_s = PREAMBLE_S + (prompt_bytes // BURST_BYTES) * BETWEEN_BURSTS_S
    downlink_s = record.output_tokens * (PREAMBLE_S + SYMBOL_S)
    return on_air_s + bursts_s + later * PREAMBLE_S + downlink_s + record.output_tokens * backhaul_s()


@pytest.mark.parametrize("action", [MIN_SPLIT, HALF])
def test_a_request_over_the_idle_link_takes_what_arithmetic_says(agree: Agreement, action: int) -> None:
    for _, record in play(SCENARIO, 5, action):
        computing_s = prefill_s(record) + (record.output_tokens - 1) * decode_s(record)
        agree(
            "latency over idle Wi-Fi",
            record.latency_s,
            computing_s + transfer_s(record),
            share=0.02,
            origin="frames of IEEE 802.11ax-2021 by hand, roofline tables",
        )


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
