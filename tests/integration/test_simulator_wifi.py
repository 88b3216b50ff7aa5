"""The Wi-Fi link against arithmetic: signal, losses on the way, rates, and roaming between access points."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from episodes import ALL_LOCAL, MIN_SPLIT, Decision, make_scenario, play

from pyagent.envs.record import Outcome
from pyagent.scenario.load import load_scenario
from tests.agreement import Agreement

pytestmark = pytest.mark.ns3

NOISE_DBM = 10 * math.log10(1.3803e-23 * 290 * 20e6) + 30 + 7
"""Thermal noise at 290 K in a beacon's 20 MHz, and ns-3's noise figure of 7 dB."""
SENSITIVITY_DBM = -92.0
"""The default of `link.sensitivity_dbm`."""
TX_POWER_DBM = 16.0
QUIET: dict[str, Any] = {"fading": {"model": "none"}}
SITES = [(0.0, 0.0, 3.0), (60.0, 0.0, 3.0)]
SPEED_MPS = 2.0
REQUESTS = {
    "prompt_tokens": (8, 8),
    "output_tokens": (4, 4),
    "deadline_s": 1,
    "min_gap_s": 1,
    "mean_extra_gap_s": 0.2,
}


def rx_power_dbm(site: tuple[float, float, float], x_m: float, reference_db: float = 46.7) -> float:
    """Log-distance with exponent 3, at 1.5 m above (x, 0)."""
    distance_m = math.dist(site, (x_m, 0.0, 1.5))
    return TX_POWER_DBM - reference_db - 30 * math.log10(distance_m)


def first_state(**sections: Any) -> dict[str, float]:
    return play(make_scenario(**sections), 1, ALL_LOCAL)[0][0].raw


@pytest.mark.parametrize("x_m", [2.0, 20.0, 50.0])
def test_beacons_show_the_snr_that_the_path_loss_gives(agree: Agreement, x_m: float) -> None:
    state = first_state(at_m=x_m, link=QUIET)
    expected_dbm = rx_power_dbm(SITES[0], x_m)
    origin = "log-distance loss by hand; thermal noise at 290 K and a noise figure of 7 dB"
    agree("power of Wi-Fi beacons", state["rsrp_dbm"], expected_dbm, within=1e-3, unit="dB", origin=origin)
    agree("SNR of Wi-Fi", state["snr_db"], expected_dbm - NOISE_DBM, within=1e-3, unit="dB", origin=origin)
    assert state["snr_trend_db_per_s"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("width_mhz", [40, 80, 160])
def test_beacons_take_20_mhz_however_wide_the_channel(width_mhz: int) -> None:
    state = first_state(at_m=20.0, link={**QUIET, "channel_width_mhz": width_mhz})
    assert state["snr_db"] == pytest.approx(rx_power_dbm(SITES[0], 20.0) - NOISE_DBM, abs=1e-3)


def test_walls_and_zones_on_the_way_come_off_the_snr() -> None:
    # Into the second of two rooms of a wooden house, 4 + 5 dB, and into a zone of 3 dB.
    environment = {
        "buildings": [{"x_m": [8, 22], "y_m": [-5, 5], "z_m": [0, 4], "walls": "wood", "rooms_x": 2}],
        "zones": [{"x_m": [15, 17], "y_m": [-1, 1], "loss_db": 3}],
    }
    state = first_state(at_m=16.0, link=QUIET, environment=environment)
    assert state["snr_db"] == pytest.approx(rx_power_dbm(SITES[0], 16.0) - NOISE_DBM - 12, abs=1e-3)


def test_a_moving_obstacle_shows_while_it_is_in_the_way() -> None:
    bus = {
        "mobility": {"model": "linear", "position_m": (6, -26, 0), "velocity_mps": (0, 5, 0)},
        "radius_m": 2,
        "height_m": 3,
        "loss_db": 15,
    }
    # It is in the line's way, at y = 0, from 4.8 s to 5.6 s.
    requests = {**REQUESTS, "count": 12, "mean_extra_gap_s": 0}
    decisions = play(
        make_scenario(at_m=10.0, link=QUIET, environment={"obstacles": [bus]}, requests=requests),
        1,
        ALL_LOCAL,
    )
    clear_db = rx_power_dbm(SITES[0], 10.0) - NOISE_DBM
    for state, _ in decisions:
        # The mean over the last second's ten beacons, of which eight were blocked.
        met = 4.8 < state.sim_time_s < 6.6
        assert (state.raw["snr_db"] < clear_db - 1) == met
        assert state.raw["snr_db"] > clear_db - 15
    assert any(4.8 < state.sim_time_s < 6.6 for state, _ in decisions)


@pytest.mark.parametrize(
    ("link", "rate_mbps", "mcs"),
    [
        ({"standard": "80211n", "band_ghz": 2.4}, 65.0, 7),
        ({"standard": "80211ac", "channel_width_mhz": 160}, 780.0, 9),
        ({"standard": "80211ax", "band_ghz": 6, "channel_width_mhz": 80}, 510.4, 11),
        ({"standard": "80211ax", "band_ghz": 2.4, "channel": 13}, 121.9, 11),
    ],
)
def test_bands_and_standards_reach_their_highest_rate(
    link: dict[str, Any], rate_mbps: float, mcs: int
) -> None:
    """One spatial stream with ns-3's guard intervals: 0.8 us, in 802.11ax 3.2 us (IEEE 802.11-2020, tables
    19-27 and 21-29; 802.11ax-2021)."""
    state, record = play(make_scenario(at_m=2.0, link={**QUIET, **link}), 1, MIN_SPLIT)[1]
    assert (record.outcome == Outcome.DELIVERED).all()
    assert state.raw["phy_rate_mbps"] == pytest.approx(rate_mbps, abs=0.1)
    assert state.raw["mcs"] == mcs
    assert state.raw["retry_share"] == 0


def test_a_weak_link_s_snr_is_not_the_mean_of_the_beacons_that_survived() -> None:
    """At 60 m a seventh of the beacons fades below the sensitivity; without them the mean rises by 1.3 dB."""
    scenario = make_scenario(
        at_m=60.0,
        link={"fading": {"model": "rayleigh-block", "speed_mps": 1.4}},
        requests={**REQUESTS, "count": 150},
    )
    states = [state.raw for state, _ in play(scenario, 1, ALL_LOCAL)]
    mean_db = rx_power_dbm(SITES[0], 60.0) - NOISE_DBM
    # E[10 log10 X] of a unit exponential X is -10 gamma / ln 10, with Euler's gamma.
    true_db = mean_db - 10 * np.euler_gamma / math.log(10)
    threshold = 10 ** ((SENSITIVITY_DBM - NOISE_DBM - mean_db) / 10)
    received_db = np.log10(np.random.default_rng(1).exponential(size=200_000))
    survivors_db = mean_db + 10 * received_db[received_db > math.log10(threshold)].mean()
    seen_db = float(np.mean([state["snr_db"] for state in states]))
    assert survivors_db > true_db + 1.2
    assert seen_db == pytest.approx(true_db, abs=0.5)


@pytest.mark.parametrize(("sensitivity_dbm", "covered"), [(-82.0, False), (-92.0, True)])
def test_the_sensitivity_says_how_far_the_link_reaches(sensitivity_dbm: float, covered: bool) -> None:
    """At 90 m -88.7 dBm arrive: 4.7 dB above the noise, enough for MCS 0 and 1."""
    scenario = make_scenario(at_m=90.0, link={**QUIET, "sensitivity_dbm": sensitivity_dbm})
    state, record = play(scenario, 1, MIN_SPLIT)[-1]
    assert (state.raw["serving_cell"] == 0) is covered
    assert (record.outcome == Outcome.DELIVERED).all() == covered
    assert state.raw["mcs"] <= 1


def test_fades_show_as_repetitions_and_a_lower_rate() -> None:
    decisions = play(make_scenario(at_m=30.0, link={"fading": {"model": "rayleigh-block"}}), 1, MIN_SPLIT)
    assert max(state.raw["retry_share"] for state, _ in decisions[1:]) > 0.02
    assert max(state.raw["mcs"] for state, _ in decisions[1:]) < 11


def walk(**roaming: Any) -> dict[str, Any]:
    """From one access point to the other at 2 m/s, with a request every second or so."""
    return {
        "mobility": {"model": "linear", "position_m": (0, 0, 1.5), "velocity_mps": (SPEED_MPS, 0, 0)},
        "link": {**QUIET, "access_points_m": SITES, "roaming": roaming},
        "requests": {**REQUESTS, "count": 24},
    }


def handovers_s(decisions: list[Decision]) -> list[float]:
    """When the serving access point changed, as the states tell it."""
    times = [state.sim_time_s - state.raw["handover_age_s"] for state, _ in decisions]
    return [later for earlier, later in itertools.pairwise(times) if later - earlier > 1e-6]


@pytest.fixture(scope="module")
def roamed() -> list[Decision]:
    return play(make_scenario(**walk(hysteresis_db=6.0, time_to_trigger_s=0.5)), 1, MIN_SPLIT)


def test_a_ue_roams_where_the_curves_cross_plus_hysteresis(roamed: list[Decision]) -> None:
    crossing_s = next(
        x_m / SPEED_MPS
        for x_m in itertools.count(0, 0.01)
        if rx_power_dbm(SITES[1], x_m) >= rx_power_dbm(SITES[0], x_m) + 6
    )
    (handover_s,) = handovers_s(roamed)
    # The mean over a second is half a second late; then time to trigger; beacons come every 0.1024 s.
    assert handover_s == pytest.approx(crossing_s + 0.5 + 0.5, abs=0.25)
    assert all(state.raw["serving_cell"] == (state.sim_time_s > handover_s) for state, _ in roamed)


def test_the_state_tells_the_serving_access_point_s_signal_and_distance(roamed: list[Decision]) -> None:
    for state, _ in roamed:
        site = SITES[int(state.raw["serving_cell"])]
        assert state.raw["distance_m"] == pytest.approx(math.dist(site, state.position_m), abs=1e-6)
        if state.raw["handover_age_s"] > 1:
            # A mean of the last second, in which the UE went 2 m.
            expected_dbm = rx_power_dbm(site, state.position_m[0] - SPEED_MPS / 2)
            assert state.raw["rsrp_dbm"] == pytest.approx(expected_dbm, abs=1.0)


def test_requests_survive_the_move(roamed: list[Decision]) -> None:
    assert [record.fail_reason for _, record in roamed if record.failed] == []
    assert max(state.position_m[0] for state, _ in roamed) > 55


@pytest.mark.parametrize("before_s", [0.1, 0.3])
def test_a_prompt_that_is_on_its_way_goes_on_through_the_new_access_point(
    roamed: list[Decision], before_s: float
) -> None:
    (handover_s,) = handovers_s(roamed)
    sections = walk()
    sections["requests"] = {
        **sections["requests"],
        "start_s": handover_s - before_s,
        "count": 2,
        "prompt_tokens": (512, 512),
    }
    (_, record), (after, _) = play(make_scenario(**sections), 1, MIN_SPLIT)
    moved_s = after.sim_time_s - after.raw["handover_age_s"]
    assert record.arrival_s < moved_s < record.arrival_s + record.ttft_s
    assert not record.failed
    # What was on the air to the old one at the moment of the move may be lost, a burst at most.
    assert (record.outcome != Outcome.DELIVERED).sum() <= 64


def test_a_sticky_ue_leaves_once_it_hears_no_beacon() -> None:
    """A radio with the sensitivity that the standard requires; a station gives up after ten beacons."""
    sections = walk(policy="sticky")
    sections["link"] = {**sections["link"], "sensitivity_dbm": -82.0}
    decisions = play(make_scenario(**sections), 1, MIN_SPLIT)
    silent_s = next(
        x_m / SPEED_MPS for x_m in itertools.count(0, 0.01) if rx_power_dbm(SITES[0], x_m) < -82.0
    )
    (handover_s,) = handovers_s(decisions)
    # Then it listens for 0.12 s, and associates.
    assert handover_s == pytest.approx(silent_s + 1.024 + 0.12, abs=0.15)


def test_a_ue_between_two_access_points_does_not_ping_pong() -> None:
    scenario = make_scenario(
        at_m=30.0,
        link={"access_points_m": SITES, "fading": {"model": "rayleigh-block"}},
        requests={**REQUESTS, "count": 50},
    )
    assert len(handovers_s(play(scenario, 1, ALL_LOCAL))) <= 2


def test_a_copy_of_an_addba_response_does_not_silence_the_station() -> None:
    """In this episode one acknowledgement of an ADDBA response is lost (links/wifi-block-ack.h)."""
    office = load_scenario("office-roaming")
    short = office.model_copy(update={"requests": office.requests.model_copy(update={"count": 7})})
    decisions = play(short, 1, MIN_SPLIT)
    near = [record for state, record in decisions if state.raw["snr_db"] > 20]
    assert len(near) >= 3
    assert not any(record.failed for record in near)
