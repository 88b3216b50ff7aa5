"""Other UEs of the cell: they contend for radio and edge, and stay out of the agent's record."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from episodes import ALL_LOCAL, MIN_SPLIT, Decision, make_scenario, play

pytestmark = pytest.mark.ns3

NEAR = {"model": "ring", "distance_m": (3, 8)}
# Without extra gaps all UEs' requests come at the same times, each as soon as the one before is over.
BACK_TO_BACK = {
    "count": 3,
    "prompt_tokens": (32, 32),
    "output_tokens": (4, 4),
    "deadline_s": 3,
    "min_gap_s": 3,
    "mean_extra_gap_s": 0,
}
# An edge so slow that a queue shows.
SLOW_EDGE = {"device": "jetson-agx-orin"}


def cell(others: list[dict[str, Any]], **sections: Any) -> Any:
    return make_scenario(
        others=others,
        requests=BACK_TO_BACK,
        link={"technology": "wifi", "fading": {"model": "none"}},
        **sections,
    )


def mean(decisions: list[Decision], name: str) -> float:
    return float(np.mean([getattr(record, name) for _, record in decisions]))


@pytest.fixture(scope="module")
def alone() -> list[Decision]:
    return play(cell([], edge=SLOW_EDGE), 3, MIN_SPLIT)


@pytest.fixture(scope="module")
def contended() -> list[Decision]:
    return play(cell([{"count": 5, "mobility": NEAR, "split": 1}], edge=SLOW_EDGE), 3, MIN_SPLIT)


def test_peers_at_a_split_fill_the_edges_queue_and_the_air(
    alone: list[Decision], contended: list[Decision]
) -> None:
    assert mean(alone, "edge_queue_s") == 0
    assert mean(contended, "edge_queue_s") > 0.1
    assert mean(contended, "mean_delay_s") > 1.5 * mean(alone, "mean_delay_s")
    assert mean(contended, "latency_s") > mean(alone, "latency_s")
    # Its own jobs take the edge no longer.
    served = [(one, other) for (_, one), (_, other) in zip(alone, contended, strict=True) if not other.failed]
    assert served
    for one, other in served:
        assert other.edge_compute_s == pytest.approx(one.edge_compute_s)


def test_peers_that_are_all_local_contend_for_nothing(alone: list[Decision]) -> None:
    decisions = play(cell([{"count": 5, "mobility": NEAR, "split": 32}], edge=SLOW_EDGE), 3, MIN_SPLIT)
    assert mean(decisions, "edge_queue_s") == 0
    assert mean(decisions, "latency_s") == pytest.approx(mean(alone, "latency_s"), rel=0.02)


def test_what_peers_lose_is_not_the_agents_loss() -> None:
    """Peers out of reach lose all that they send; the agent beside the access point loses nothing."""
    far = {"model": "ring", "distance_m": (150, 200)}
    decisions = play(cell([{"count": 3, "mobility": far, "split": 1}]), 3, MIN_SPLIT)
    for _, record in decisions:
        assert record.loss == 0
        assert not record.failed


def test_an_agent_that_sends_nothing_has_no_packets_of_its_peers() -> None:
    decisions = play(cell([{"count": 3, "mobility": NEAR, "split": 1}]), 3, ALL_LOCAL)
    for _, record in decisions:
        assert (record.uplink_packets, record.downlink_bytes, record.edge_queue_s) == (0, 0, 0)


def test_the_agents_action_changes_neither_requests_nor_way_of_anyone() -> None:
    walk = {"model": "random-waypoint", "area_x_m": (2, 20), "area_y_m": (-8, 8)}
    scenario = make_scenario(
        mobility=walk, others=[{"count": 3, "mobility": walk, "split": 1, "traffic": {"rate_kbps": 100}}]
    )
    one, other = play(scenario, 5, MIN_SPLIT), play(scenario, 5, ALL_LOCAL)
    for (state, record), (same, again) in zip(one, other, strict=True):
        assert state.position_m == pytest.approx(same.position_m, abs=1e-9)
        assert (record.arrival_s, record.prompt_tokens, record.output_tokens) == (
            again.arrival_s,
            again.prompt_tokens,
            again.output_tokens,
        )


def test_every_kind_of_traffic_gets_in_the_agents_way(alone: list[Decision]) -> None:
    """How much of it arrives, ns3_scenarios/test/traffic-test.cc says; here the file's words reach ns-3."""
    kinds = {"cbr": "uplink", "on-off": "downlink", "video": "uplink", "tcp": "downlink"}
    peers = [
        {"mobility": NEAR, "traffic": {"kind": kind, "direction": direction, "rate_kbps": 1500}}
        for kind, direction in kinds.items()
    ]
    decisions = play(cell(peers, edge=SLOW_EDGE), 3, MIN_SPLIT)
    assert mean(decisions, "mean_delay_s") > mean(alone, "mean_delay_s")


def test_a_peer_that_has_left_contends_no_more(alone: list[Decision]) -> None:
    """It goes after the first request; from then on the agent is alone."""
    gone = {"model": "waypoints", "waypoints": [[0, 5, 0, 1.5], [4.9, 5, 0, 1.5]], "at_end": "leave"}
    peers = {"count": 3, "mobility": gone, "split": 1, "traffic": {"kind": "cbr", "rate_kbps": 4000}}
    decisions = play(cell([peers], edge=SLOW_EDGE), 3, MIN_SPLIT)
    assert decisions[0][1].edge_queue_s > 0
    assert decisions[0][1].mean_delay_s > 1.1 * alone[0][1].mean_delay_s
    assert decisions[-1][1].edge_queue_s == 0
    assert decisions[-1][1].mean_delay_s == pytest.approx(alone[-1][1].mean_delay_s, rel=0.05)


@pytest.mark.slow
def test_fifty_ues_run() -> None:
    peers = [
        {"count": 45, "mobility": NEAR, "traffic": {"rate_kbps": 20}},
        {"count": 4, "mobility": NEAR, "split": 16},
    ]
    begun = time.monotonic()
    decisions = play(cell(peers), 3, MIN_SPLIT)
    assert len(decisions) == 3
    assert time.monotonic() - begun < 120
