"""Times, waits, throughput and energy of requests in the real simulator, against arithmetic by hand."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyagent.envs.record import DeliveryRecord, Outcome
from pyagent.scenario.schema import Scenario
from tests.agreement import Agreement
from tests.integration.episodes import ALL_LOCAL, HALF, MIN_SPLIT, make_scenario, play
from tests.validity.by_hand import (
    LLAMA_2_7B,
    OUR_HEADER_BYTES,
    UDP_AND_IP_BYTES,
    Machine,
    Request,
    token_packet_bytes,
)

pytestmark = pytest.mark.ns3

UE, EDGE = Machine.named("snapdragon-8-gen-3", 4), Machine.named("a100-80g", 16)
PACKETS = token_packet_bytes(LLAMA_2_7B.width, 2, 1400)
"""fp16; of one token."""
REPLY_BYTES = 16 + OUR_HEADER_BYTES + UDP_AND_IP_BYTES
BY_HAND = "arithmetic from sizes, rates and operations (tests/validity/by_hand.py)"


def by_hand(record: DeliveryRecord) -> Request:
    return Request(LLAMA_2_7B, UE, EDGE, record.split, record.prompt_tokens, record.output_tokens)


def replayed(trace: Path, **sections: Any) -> Scenario:
    """Alone on a recorded link that begins with its trace."""
    link = {
        "technology": "replay",
        "uplink": trace,
        "offset_s": (0, 0),
        "delay_ms": 0,
        **sections.pop("link", {}),
    }
    return make_scenario(link={**link, "backhaul": {"rate_mbps": 1e6, "delay_ms": 1}}, **sections)


@pytest.fixture
def steady(tmp_path: Path) -> Path:
    """25 Mbit/s."""
    path = tmp_path / "steady.csv"
    path.write_text("t_s,rate_mbps\n0,25\n")
    return path


# --- an idle link ---


@pytest.mark.parametrize("action", [MIN_SPLIT, HALF])
def test_ttft_and_tpot_on_an_idle_link(agree: Agreement, steady: Path, action: int) -> None:
    """25 Mbit/s, 15 ms each way and 1 ms of wire: a step is computing, its packets one after the other, and
    a round trip. Packets cross the wire of 1 Tbit/s in no time."""
    ttft, tpot = [], []
    for _, record in play(replayed(steady, link={"delay_ms": 15}), 5, action):
        request = by_hand(record)
        token_s, reply_s = 8 * sum(PACKETS) / 25e6, 8 * REPLY_BYTES / 25e6
        round_trip_s = 2 * (0.015 + 0.001) + reply_s
        ttft.append((record.ttft_s, request.compute_s(0) + record.prompt_tokens * token_s + round_trip_s))
        later = [request.compute_s(step) for step in range(1, record.output_tokens)]
        tpot.append((record.tpot_s, float(np.mean(later)) + token_s + round_trip_s))
    # Times of tokens are kept in float32.
    for promise, pairs in (("TTFT on an idle link", ttft), ("TPOT on an idle link", tpot)):
        found, expected = zip(*pairs, strict=True)
        agree(promise, found, expected, share=1e-4, origin=BY_HAND)


def test_all_local_is_the_roofline(agree: Agreement, steady: Path) -> None:
    records = [record for _, record in play(replayed(steady), 5, ALL_LOCAL)]
    agree(
        "latency when all is local",
        [record.latency_s for record in records],
        [by_hand(record).ue_s for record in records],
        share=1e-6,
        origin=BY_HAND,
    )
    agree(
        "energy of computing on the UE",
        [record.ue_compute_energy_j for record in records],
        [UE.card.compute_power_w * by_hand(record).ue_s for record in records],
        share=1e-6,
        origin="the power of the card times the time by hand",
    )


# --- a recorded link ---


def test_a_mahimahi_trace_carries_what_it_says(agree: Agreement, tmp_path: Path) -> None:
    """While a prompt is on its way the link is never idle: what arrived is what the lines in the file allow.

    A line is one opportunity for 1500 bytes; the begin and the end each lie within a millisecond of lines.
    """
    rng = np.random.default_rng(3)
    lines = np.sort(rng.integers(1, 20_000, 16_000))  # ms; 9.6 Mbit/s on average
    trace = tmp_path / "random.up"
    trace.write_text("".join(f"{line}\n" for line in lines))
    requests = {
        "count": 4,
        "prompt_tokens": (192, 256),
        "output_tokens": (1, 1),
        "deadline_s": 4,
        "min_gap_s": 4,
        "mean_extra_gap_s": 0.3,
    }
    scenario = replayed(trace, requests=requests, link={"downlink_rate_mbps": 1e4})
    found, expected = [], []
    for _, record in play(scenario, 5, MIN_SPLIT):
        assert (record.outcome == Outcome.DELIVERED).all()
        ue_s, edge_s = by_hand(record).step_s(0)
        begin_ms = 1e3 * (record.arrival_s + ue_s)
        end_ms = 1e3 * (record.arrival_s + record.ttft_s - edge_s - 0.002)
        found.append(record.prompt_tokens * sum(PACKETS))
        expected.append(1500 * int(((lines > begin_ms) & (lines <= end_ms)).sum()))
    # Two thousand opportunities each, of which one or two are in question at either end.
    agree(
        "bytes over a Mahimahi trace", found, expected, share=0.003, origin="lines of the file x 1500 bytes"
    )


# --- the edge's queue ---


@pytest.mark.slow
def test_the_wait_at_the_edge_is_that_of_an_m_m_1_queue(agree: Agreement, steady: Path) -> None:
    """Poisson jobs of exponential length; who arrives at random finds rho / (mu - lambda) of work on average
    (Kleinrock, Queueing Systems I, 1975, section 3.2 and eq. 5.108)."""
    rate, mean_s, count = 60.0, 0.010, 1500
    scenario = replayed(
        steady,
        edge={"background_jobs_per_s": rate, "background_job_ms": 1e3 * mean_s},
        requests={
            "count": count,
            "prompt_tokens": (1, 1),
            "output_tokens": (1, 1),
            "deadline_s": 0.3,
            "min_gap_s": 0.3,
            "mean_extra_gap_s": 0.2,
        },
    )
    waits_s = np.array([state.raw["edge_backlog_s"] for state, _ in play(scenario, 3, ALL_LOCAL)])
    load, served = rate * mean_s, 1 / mean_s
    mean_wait_s = load / (served - rate)
    deviation_s = math.sqrt(load * (2 - load)) / (served - rate)
    agree(
        "mean work found at the edge (M/M/1)",
        waits_s.mean(),
        mean_wait_s,
        share=4 * deviation_s / mean_wait_s / math.sqrt(count),
        origin="Pollaczek and Khinchine: rho / (mu - lambda)",
    )
    agree(
        "share that finds the edge idle (M/M/1)",
        (waits_s == 0).mean(),
        1 - load,
        within=4 * math.sqrt(load * (1 - load) / count),
        origin="1 - rho",
    )


# --- energy of the radios ---


def test_energy_of_lte_is_the_integral_of_its_states(agree: Agreement) -> None:
    """From the tail of the request before through active to the tail again; on top the bits. When exactly the
    first grant and the last byte were is known to some milliseconds, and a bit of headers comes on top."""
    scenario = make_scenario(
        mobility={"model": "constant", "position_m": (100, 0, 1.5)},
        link={"technology": "lte", "fading": {"model": "none"}, "path_loss": {"line_of_sight": "always"}},
        requests={
            "count": 5,
            "prompt_tokens": (16, 16),
            "output_tokens": (6, 6),
            "deadline_s": 2,
            "min_gap_s": 2,
            "mean_extra_gap_s": 0,
        },
    )
    active_w, tail_w, quiet_s, window_s = 1.28804, 1.060, 0.1, 2.0
    found, expected = [], []
    for _, record in play(scenario, 3, MIN_SPLIT)[1:]:  # before the first one there is no tail
        begin_s = by_hand(record).step_s(0)[0]
        active_s = record.latency_s + quiet_s - begin_s
        up, down = record.uplink_bytes, record.downlink_bytes
        up += UDP_AND_IP_BYTES * record.uplink_packets
        down += UDP_AND_IP_BYTES * record.output_tokens
        bits_j = 8e-6 * (0.43839 * up + 0.05197 * down)
        found.append(record.ue_radio_energy_j)
        expected.append(active_w * active_s + tail_w * (window_s - active_s) + bits_j)
    agree(
        "radio energy of LTE",
        found,
        expected,
        share=0.001,
        origin="states and powers of Huang et al., MobiSys 2012, integrated by hand",
    )


def test_energy_of_wifi_is_states_and_bytes(agree: Agreement) -> None:
    """On an idle link, where no frame is repeated.

    A frame has 38 bytes of MAC, LLC and delimiter around an IP packet. The radio is active from the first
    data of a request to `inactivity_s` after the last, in the tail until `tail_s`, and asleep then.
    """
    scenario = make_scenario(at_m=3, link={"fading": {"model": "none"}})
    active_w, tail_w, inactivity_s, tail_s = 0.13286, 0.1193, 0.1, 0.2381
    found, expected = [], []
    for _, record in play(scenario, 5, MIN_SPLIT):
        frame_bytes = UDP_AND_IP_BYTES + 26 + 8 + 4
        up = record.uplink_bytes + frame_bytes * record.uplink_packets
        down = record.downlink_bytes + frame_bytes * record.output_tokens
        active_s = record.latency_s + inactivity_s - by_hand(record).step_s(0)[0]
        bits_j = 8e-6 * (0.28317 * up + 0.13701 * down)
        found.append(record.ue_radio_energy_j)
        expected.append(active_w * active_s + tail_w * (tail_s - inactivity_s) + bits_j)
    agree(
        "radio energy of Wi-Fi",
        found,
        expected,
        share=0.01,
        origin="states and powers of Huang et al., MobiSys 2012, integrated by hand",
    )


def test_a_byte_over_lte_costs_at_most_23_times_a_byte_over_wifi() -> None:
    """The same requests; 23 is the largest ratio of the study that both technologies' powers are of."""
    energies = []
    for technology in ("wifi", "lte"):
        link: dict[str, Any] = {"technology": technology, "fading": {"model": "none"}}
        requests = {"count": 3, "prompt_tokens": (64, 64), "output_tokens": (16, 16), "mean_extra_gap_s": 0}
        at_m = 5 if technology == "wifi" else 100
        scenario = make_scenario(at_m=at_m, link=link, requests=requests)
        records = [record for _, record in play(scenario, 3, MIN_SPLIT)]
        assert not any(record.failed for record in records)
        energies.append(records[-1].ue_radio_energy_j)
    assert 1 < energies[1] / energies[0] < 23


def test_energy_of_a_recorded_link_is_bytes_and_time(agree: Agreement, steady: Path) -> None:
    energy = {"power_w": 2.0, "uplink_j_per_byte": 1e-6, "downlink_j_per_byte": 1e-3}
    found, expected = [], []
    for _, record in play(replayed(steady, link={"radio_energy": energy}), 5, HALF):
        up = (record.prompt_tokens + record.output_tokens - 1) * sum(PACKETS)
        down = record.output_tokens * REPLY_BYTES
        found.append(record.ue_radio_energy_j)
        expected.append(1e-6 * up + 1e-3 * down + 2.0 * 8 * (up + down) / 25e6)
    agree(
        "radio energy of a recorded link", found, expected, share=1e-4, origin="bytes, and time at 25 Mbit/s"
    )


def test_a_step_is_what_lies_between_two_tokens(agree: Agreement, steady: Path) -> None:
    """Not only on average: each token comes when its own context says."""
    found, expected = [], []
    for _, record in play(replayed(steady), 5, HALF):
        request = by_hand(record)
        apart = [float(b - a) for a, b in itertools.pairwise(record.token_time_s.astype(np.float64))]
        link_s = 8 * (sum(PACKETS) + REPLY_BYTES) / 25e6 + 0.002
        found += apart
        expected += [request.compute_s(step) + link_s for step in range(1, record.output_tokens)]
    agree("time between two tokens on an idle link", found, expected, share=1e-4, origin=BY_HAND)
