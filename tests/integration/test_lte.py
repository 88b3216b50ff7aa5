"""The LTE link in the real simulator: latency, handover, loss of coverage, buffers, energy, determinism."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from episodes import ALL_LOCAL, MIN_SPLIT, Decision, make_scenario, play, same_record

from pyagent.envs.record import Outcome
from pyagent.scenario.compile import deploy
from pyagent.scenario.schema import Scenario
from pyagent.scenario.schema.links import lte as lte_schema
from tests.agreement import Agreement

pytestmark = pytest.mark.ns3

NO_FADING = {"model": "none"}
LOG_DISTANCE = {"model": "log-distance", "reference_loss_db": 37.8, "exponent": 3.5}
SHORT = {"prompt_tokens": (16, 16), "output_tokens": (4, 4), "deadline_s": 1, "mean_extra_gap_s": 0}


def lte_scenario(
    *, mobility: dict[str, Any], requests: dict[str, Any] | None = None, **link: Any
) -> Scenario:
    """Requests of 16 tokens over LTE without fading, unless said otherwise."""
    return make_scenario(
        mobility=mobility,
        link={"technology": "lte", "fading": NO_FADING, **link},
        requests={"count": 4, "min_gap_s": 1, **SHORT, **(requests or {})},
    )


def standing(distance_m: float) -> dict[str, Any]:
    return {"model": "constant", "position_m": (distance_m, 0, 1.5)}


def outcomes(decision: Decision) -> set[int]:
    return set(np.unique(decision[1].outcome).tolist())


def reached(decisions: list[Decision]) -> list[bool]:
    return [not record.failed for _, record in decisions]


# --- an idle link ---


@pytest.fixture(scope="module")
def idle() -> tuple[Scenario, list[Decision]]:
    """A UE alone in line of sight of its cell, 100 m away."""
    scenario = lte_scenario(
        mobility=standing(100),
        path_loss={"line_of_sight": "always"},
        requests={"count": 6, "output_tokens": (6, 6), "mean_extra_gap_s": 0.3},
    )
    return scenario, play(scenario, 3, MIN_SPLIT)


def test_a_request_on_an_idle_link_takes_what_its_parts_take(idle: tuple[Scenario, list[Decision]]) -> None:
    scenario, decisions = idle
    fragments = deploy(scenario).fragment_bytes
    for _, record in decisions:
        assert np.all(record.outcome == Outcome.DELIVERED)
        computing = record.ue_compute_s + record.edge_compute_s + record.edge_queue_s
        network = record.latency_s - computing
        # 24 bytes of our header, 28 of UDP and IP; 36.7 Mbit/s is the largest transport block of 50 resource
        # blocks (3GPP TS 36.213, table 7.1.7.2.1-1, index 26).
        sent = 8 * sum(len(fragments) * 52 + sum(fragments) for _ in range(16 + 5)) / 36.7e6
        # Each step: request for a grant, grant, 4 ms to the data and the way back, about 20 ms in all.
        assert sent < network < sent + 6 * 0.030
    times = [record.latency_s for _, record in decisions]
    assert max(times) - min(times) < 0.030


def test_signal_of_an_idle_link_is_what_the_link_budget_says(
    agree: Agreement, idle: tuple[Scenario, list[Decision]]
) -> None:
    # TR 38.901, table 7.4.1-1, UMa in line of sight; 46 dBm over 600 subcarriers.
    distance_m = math.hypot(100, 25 - 1.5)
    loss_db = 28 + 22 * math.log10(distance_m) + 20 * math.log10(1.8425)
    rsrp_dbm = 46 - 10 * math.log10(600) - loss_db
    origin = "link budget by hand: 3GPP TR 38.901, -174 dBm/Hz, a noise figure of 9 dB"
    for state, _ in idle[1]:
        agree("RSRP of LTE", state.raw["rsrp_dbm"], rsrp_dbm, within=0.05, unit="dB", origin=origin)
        # Noise of a subcarrier; no neighbour interferes.
        snr_db = rsrp_dbm - (-174 + 41.76 + 9)
        agree("SNR of LTE", state.raw["snr_db"], snr_db, within=0.05, unit="dB", origin=origin)
        assert state.raw["serving_cell"] == 0
        assert state.raw["snr_age_s"] <= 0.1


def test_the_last_grant_shows_in_the_state(idle: tuple[Scenario, list[Decision]]) -> None:
    for state, _ in idle[1][1:]:
        assert state.raw["phy_rate_mbps"] == pytest.approx(36.7, abs=0.1)
        assert state.raw["mcs"] == 28
        assert state.raw["retry_share"] == 0


def test_radio_energy_is_the_states_and_the_bits(idle: tuple[Scenario, list[Decision]]) -> None:
    scenario, decisions = idle
    energy = lte_schema.LteEnergy()
    window_s = scenario.requests.deadline_s
    for _, record in decisions:
        bits_j = 8e-9 * energy.uplink_mw_per_mbps * record.uplink_bytes
        least = bits_j + window_s * energy.tail_mw / 1e3
        most = 1.1 * bits_j + window_s * energy.active_mw / 1e3
        # Before the first request the radio is in RRC idle; after it the tail never ends here.
        assert least - 0.1 < record.ue_radio_energy_j < most
    assert decisions[0][1].ue_radio_energy_j < decisions[1][1].ue_radio_energy_j


# --- handover ---

SPEED_MPS = 20.0
TWO_CELLS = {"enbs_m": [(-250, 0, 25), (250, 0, 25)], "path_loss": LOG_DISTANCE}
DRIVE = {"model": "linear", "position_m": (-120, 10, 1.5), "velocity_mps": (SPEED_MPS, 0, 0)}


def handover_x_m(decisions: list[Decision]) -> float:
    """Where along x the UE of DRIVE was when its cell changed, as its last state tells."""
    state = decisions[-1][0]
    assert state.raw["serving_cell"] == 1
    handover_s = state.sim_time_s - state.raw["handover_age_s"]
    return -120 + SPEED_MPS * handover_s


@pytest.mark.parametrize(("hysteresis_db", "time_to_trigger_ms"), [(0, 0), (3, 256), (6, 640)])
def test_a_handover_happens_where_the_curves_cross(hysteresis_db: float, time_to_trigger_ms: int) -> None:
    handover = {"hysteresis_db": hysteresis_db, "time_to_trigger_ms": time_to_trigger_ms}
    scenario = lte_scenario(
        mobility=DRIVE, handover=handover, requests={"count": 8, "min_gap_s": 1.4}, **TWO_CELLS
    )
    decisions = play(scenario, 5, ALL_LOCAL)
    # The first place where 35 log10(d0 / d1) exceeds the hysteresis.
    x_m = np.linspace(-120, 200, 32001)
    nearness_db = 35 * np.log10(np.hypot(x_m + 250, np.hypot(10, 23.5)) / np.hypot(x_m - 250, 25.54))
    crossing_m = x_m[np.argmax(nearness_db > hysteresis_db)]
    # Measured every 200 ms and filtered with a half-life of one period, then the time to trigger.
    latest_m = crossing_m + SPEED_MPS * (time_to_trigger_ms / 1e3 + 1.0)
    assert crossing_m + SPEED_MPS * time_to_trigger_ms / 1e3 < handover_x_m(decisions) < latest_m


def test_handover_by_rsrq_changes_the_cell_too() -> None:
    scenario = lte_scenario(
        mobility=DRIVE,
        handover={"algorithm": "a2-a4-rsrq"},
        requests={"count": 8, "min_gap_s": 1.4},
        **TWO_CELLS,
    )
    assert -50 < handover_x_m(play(scenario, 5, ALL_LOCAL)) < 100


def test_without_handover_a_lost_cell_is_found_again() -> None:
    """The radio link fails under the neighbour's interference; the UE attaches to that one."""
    scenario = lte_scenario(
        mobility={"model": "linear", "position_m": (-120, 10, 1.5), "velocity_mps": (40, 0, 0)},
        handover={"algorithm": "none"},
        requests={"count": 5, "min_gap_s": 1.2, "start_s": 4.5},
        **TWO_CELLS,
    )
    decisions = play(scenario, 5, MIN_SPLIT)
    assert decisions[0][0].raw["serving_cell"] == 0
    assert decisions[-1][0].raw["serving_cell"] == 1
    assert reached(decisions)[-1]
    assert decisions[-1][0].raw["handover_age_s"] < 3


# --- out of coverage ---


def test_far_away_all_is_lost_in_the_radio() -> None:
    for state, record in play(lte_scenario(mobility=standing(30_000)), 1, MIN_SPLIT):
        assert state.raw["serving_cell"] == -1
        assert record.failed
        assert outcomes((state, record)) <= {Outcome.LOST_RADIO, Outcome.NOT_SENT}
        assert record.ue_radio_energy_j == 0


def test_a_ue_that_starts_out_of_coverage_attaches_when_it_comes_in() -> None:
    way = {"model": "waypoints", "waypoints": [(0, 30_000, 0, 1.5), (4, 200, 0, 1.5)]}
    scenario = lte_scenario(mobility=way, requests={"start_s": 2, "min_gap_s": 2}, path_loss=LOG_DISTANCE)
    decisions = play(scenario, 1, MIN_SPLIT)
    assert decisions[0][0].raw["serving_cell"] == -1
    assert reached(decisions)[0] is False
    assert reached(decisions)[2:] == [True, True]


def test_a_ue_that_leaves_coverage_fails_and_comes_back() -> None:
    rows = [
        (0, 200, 0, 1.5),
        (2.5, 200, 0, 1.5),
        (3, 30_000, 0, 1.5),
        (8, 30_000, 0, 1.5),
        (8.5, 200, 0, 1.5),
    ]
    scenario = lte_scenario(
        mobility={"model": "waypoints", "waypoints": rows},
        requests={"count": 6, "start_s": 1.2, "min_gap_s": 2},
        path_loss=LOG_DISTANCE,
    )
    decisions = play(scenario, 1, MIN_SPLIT)
    cells = [state.raw["serving_cell"] for state, _ in decisions]
    assert (cells[0], cells[3], cells[5]) == (0, -1, 0)
    assert reached(decisions)[:4] == [True, False, False, False]
    assert reached(decisions)[5]
    lost = {Outcome.LOST_RADIO, Outcome.LATE, Outcome.NOT_SENT}
    assert all(outcomes(decision) <= lost for decision in decisions[1:4])


# --- buffers ---


def test_an_overrun_buffer_is_a_queue_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scenario's own check forbids it, so the check is told of smaller packets."""
    monkeypatch.setattr(lte_schema, "PACKET_BYTES", 100)
    scenario = lte_scenario(mobility=standing(200), rlc_buffer_bytes=6400)
    for _, record in play(scenario, 1, MIN_SPLIT):
        prompt = record.outcome[: 16 * record.fragments_per_token]
        assert np.count_nonzero(prompt == Outcome.DROPPED_QUEUE) > 0
        assert np.count_nonzero(prompt == Outcome.LOST_RADIO) == 0


@pytest.mark.parametrize("rlc", ["um", "am"])
def test_a_prompt_far_larger_than_the_buffer_is_paced_through_it(rlc: str) -> None:
    scenario = lte_scenario(
        mobility=standing(200),
        rlc=rlc,
        rlc_buffer_bytes=96_000,
        requests={"count": 2, "prompt_tokens": (128, 128), "deadline_s": 3, "min_gap_s": 3},
        path_loss=LOG_DISTANCE,
    )
    for decision in play(scenario, 1, MIN_SPLIT):
        assert decision[1].outcome.size * 1400 > 10 * 96_000
        assert outcomes(decision) == {Outcome.DELIVERED}


# --- determinism ---


@pytest.fixture(scope="module")
def faded() -> dict[str, list[Decision]]:
    """The same seed under other actions, in two cells with fading and line of sight by distance."""
    scenario = make_scenario(
        mobility=DRIVE,
        link={"technology": "lte", "enbs_m": TWO_CELLS["enbs_m"], "path_loss": {"model": "umi"}},
        requests={"count": 4, "min_gap_s": 2, **SHORT},
        others=[{"count": 2, "traffic": {"rate_kbps": 200}}],
    )
    return {
        "first": play(scenario, 7, MIN_SPLIT),
        "again": play(scenario, 7, MIN_SPLIT),
        "local": play(scenario, 7, ALL_LOCAL),
        "seed": play(scenario, 8, MIN_SPLIT),
    }


def test_the_same_seed_gives_the_same_records(faded: dict[str, list[Decision]]) -> None:
    pairs = zip(faded["first"], faded["again"], strict=True)
    assert all(same_record(one, other) for (_, one), (_, other) in pairs)
    pairs = zip(faded["first"], faded["seed"], strict=True)
    assert not all(same_record(one, other) for (_, one), (_, other) in pairs)


def test_the_signal_is_what_it_is_whatever_the_agent_does(faded: dict[str, list[Decision]]) -> None:
    for name in ("rsrp_dbm", "serving_cell", "speed_mps", "prompt_tokens"):
        series = {run: [state.raw[name] for state, _ in faded[run]] for run in faded}
        assert series["local"] == pytest.approx(series["first"], abs=1e-9), name
    assert [s.raw["rsrp_dbm"] for s, _ in faded["seed"]] != [s.raw["rsrp_dbm"] for s, _ in faded["first"]]


# --- many UEs ---


@pytest.mark.slow
def test_fifty_ues_share_a_cell() -> None:
    scenario = make_scenario(
        mobility=standing(100),
        link={"technology": "lte"},
        requests={"count": 2, "min_gap_s": 1, **SHORT},
        others=[
            {
                "count": 49,
                "mobility": {"model": "ring", "distance_m": (20, 150)},
                "traffic": {"rate_kbps": 50, "packet_bytes": 500},
            }
        ],
    )
    assert all(reached(play(scenario, 1, MIN_SPLIT)))
