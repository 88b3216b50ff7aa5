"""`link: {technology: lte}`: what is valid, what ns-3 is given, and the fading traces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyagent.scenario.load import ScenarioError, parse_scenario
from pyagent.scenario.lte_fading import STEP_S, TAPS, Profile, Trace
from pyagent.scenario.schema import LteLink, Scenario


def scenario(**link: Any) -> Scenario:
    return parse_scenario(
        {
            "name": "lte",
            "mobility": {"model": "constant", "position_m": [100, 0, 1.5]},
            "link": {"technology": "lte", **link},
        }
    )


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({"bandwidth_rb": 30}, "link.bandwidth_rb = 30"),
        ({"band": 8, "bandwidth_rb": 100}, "bandwidth_rb of band 8 is one of 6, 15, 25, 50, not 100"),
        ({"band": 1, "bandwidth_rb": 6}, "bandwidth_rb of band 1 is one of 25, 50, 75, 100, not 6"),
        ({"band": 2}, "link.band = 2"),
        ({"enbs_m": []}, "link.enbs_m"),
        ({"enbs_m": [[0, 0]]}, "link.enbs_m"),
        ({"scheduler": "fair"}, "link.scheduler = 'fair'"),
        ({"handover": {"algorithm": "a3"}}, "link.handover.algorithm = 'a3'"),
        ({"handover": {"hysteresis_db": 16}}, "link.handover.hysteresis_db = 16"),
        ({"handover": {"serving_threshold": 35}}, "link.handover.serving_threshold = 35"),
        ({"path_loss": {"model": "uma3"}}, "link.path_loss.model = 'uma3'"),
        ({"path_loss": {"line_of_sight": "sometimes"}}, "link.path_loss.line_of_sight = 'sometimes'"),
        ({"fading": {"model": "trace", "profile": "evb"}}, "link.fading.profile = 'evb'"),
        ({"fading": {"speed_mps": 0}}, "link.fading.speed_mps = 0"),
        ({"rlc": "tm"}, "link.rlc = 'tm'"),
        (
            {"rlc_buffer_bytes": 10_240},
            "device_queue_window (64) must be at most the room of the device queue (6)",
        ),
        ({"srs_periodicity_ms": 30}, "link.srs_periodicity_ms = 30"),
        ({"radio_energy": {"tail_s": 0.05}}, "tail_s counts from the last data"),
        ({"access_points_m": [[0, 0, 3]]}, "link.access_points_m"),
    ],
)
def test_an_invalid_link_is_refused_in_one_line(link: dict[str, Any], expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario(**link)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_carrier_lies_in_the_middle_of_its_band() -> None:
    given = {band: scenario(band=band).link.simulator() for band in (1, 3, 7)}
    # 3GPP TS 36.101, table 5.7.3-1: F = F_low + 0.1 (N - N_offset) MHz.
    lows = {1: (2110.0, 0), 3: (1805.0, 1200), 7: (2620.0, 2750)}
    for band, (low_mhz, offset) in lows.items():
        link = scenario(band=band).link
        assert isinstance(link, LteLink)
        frequency_hz = 1e6 * (low_mhz + 0.1 * (given[band]["earfcn"] - offset))
        assert link.carrier.frequency_hz == pytest.approx(frequency_hz)


def test_the_sounding_period_is_left_to_the_number_of_ues_unless_said() -> None:
    assert scenario().link.simulator()["srs_periodicity_ms"] == 0
    assert scenario(srs_periodicity_ms=80).link.simulator()["srs_periodicity_ms"] == 80


def test_more_ues_than_the_sounding_period_holds_are_refused() -> None:
    data = {
        "name": "lte",
        "mobility": {"model": "constant", "position_m": [100, 0, 1.5]},
        "link": {"technology": "lte", "srs_periodicity_ms": 10},
        "others": [{"count": 9, "traffic": {"rate_kbps": 10}}],
    }
    assert parse_scenario(data).link.max_ues == 10
    data["others"] = [{"count": 10, "traffic": {"rate_kbps": 10}}]
    with pytest.raises(
        ScenarioError, match="others has 10 UEs and the agent's is one more: this link holds 10"
    ):
        parse_scenario(data)


def test_a_fading_trace_is_made_once_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path))
    link = {"bandwidth_rb": 6, "fading": {"model": "trace", "profile": "epa", "speed_mps": 0.83}}
    given = scenario(**link).link.simulator()
    path = Path(given["fading_trace"]["file"])
    assert given["fading"]["model"] == "none"
    assert path.is_relative_to(tmp_path)
    rows = np.loadtxt(path)
    assert rows.shape[0] == 6
    made = path.stat().st_mtime_ns
    assert scenario(**link).link.simulator() == given
    assert path.stat().st_mtime_ns == made
    again = Trace("epa", 0.83, 1842.5e6, 6).write(tmp_path / "again.fad")
    assert again.read_bytes() == path.read_bytes()


def gains(profile: Profile, speed_mps: float, resource_blocks: int, seeds: int) -> np.ndarray[Any, Any]:
    """[seeds, resource_blocks, samples] linear power."""
    return np.stack(
        [
            10 ** (Trace(profile, speed_mps, 2e9, resource_blocks, seed).gain_db(1000) / 10)
            for seed in range(seeds)
        ]
    )


@pytest.mark.parametrize("profile", sorted(TAPS))
def test_fading_is_rayleigh_with_mean_power_one(profile: Profile) -> None:
    power = gains(profile, 30.0, 6, 60)[:, 3, ::20]
    assert power.mean() == pytest.approx(1, abs=0.05)
    # Exponential power: the share below a tenth, below one, and above three.
    assert (power < 0.1).mean() == pytest.approx(1 - np.exp(-0.1), abs=0.015)
    assert (power < 1).mean() == pytest.approx(1 - np.exp(-1), abs=0.025)
    assert (power > 3).mean() == pytest.approx(np.exp(-3), abs=0.015)


def test_fading_forgets_as_jakes_says() -> None:
    power = gains("epa", 3.0, 1, 60)[:, 0]
    doppler_hz = Trace("epa", 3.0, 2e9, 1).doppler_hz
    for lag in (5, 10, 19, 30):
        # Of Rayleigh power: the square of the Bessel function J0 of the amplitude's.
        angle = np.linspace(0, np.pi, 2001)
        j0 = np.cos(2 * np.pi * doppler_hz * lag * STEP_S * np.sin(angle)).mean()
        centred = power - 1
        correlation = (centred[:, :-lag] * centred[:, lag:]).mean() / (centred**2).mean()
        assert correlation == pytest.approx(j0**2, abs=0.08)


def test_longer_delays_make_blocks_differ() -> None:
    def correlation(profile: Profile) -> float:
        power = gains(profile, 30.0, 50, 12)[:, :, ::40] - 1
        return float((power[:, 0] * power[:, 10]).mean() / (power[:, 0] ** 2).mean())

    assert correlation("etu") < 0.3 < correlation("epa")
