"""The radio traces that ship are what their script makes, small, and as their README says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pyagent.paths import REPOSITORY
from pyagent.traces.radio import read_radio_trace

FOLDER = REPOSITORY / "ns3_scenarios" / "scenarios" / "traces"
NAMES = ("tram-lte.csv", "tram-lte.down.csv", "cell-uplink.up")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    subprocess.run([sys.executable, FOLDER / "make_radio_traces.py", folder], check=True)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_script_makes_what_ships(made: Path, name: str) -> None:
    assert (FOLDER / name).stat().st_size < 60_000
    shipped, again = read_radio_trace(FOLDER / name), read_radio_trace(made / name)
    assert shipped.duration_s == again.duration_s
    # Another machine's exp and log may round the last digit in another way.
    for window in (0.5, 30.0):
        ours, theirs = shipped.window_rates_mbps(window)[1], again.window_rates_mbps(window)[1]
        np.testing.assert_allclose(ours, theirs, atol=0.03)
    for column, values in shipped.columns().items():
        if column != "rate_mbps":
            np.testing.assert_allclose(values, again.columns()[column], atol=1.0 if column == "cqi" else 0.11)


def test_the_tram_rides_through_two_outages() -> None:
    up, down = read_radio_trace(FOLDER / NAMES[0]), read_radio_trace(FOLDER / NAMES[1])
    assert up.duration_s == down.duration_s == 300
    assert up.outages_s.tolist() == down.outages_s.tolist() == [[96.5, 99], [214, 215.5]]
    there = up.rate_mbps > 0
    assert 0.2 <= up.rate_mbps[there].min() < 1 < 20 < up.rate_mbps.max() <= 25
    assert up.mean_rate_mbps == pytest.approx(6.4, abs=0.1)
    assert down.mean_rate_mbps == pytest.approx(24, abs=0.5)
    for name in ("rsrp_dbm", "snr_db", "cqi"):
        signal = up.signals[name]
        assert np.array_equal(np.isnan(signal), ~there)
        # The load hides part of it, but a better signal means a higher rate.
        assert np.corrcoef(signal[there], np.log(up.rate_mbps[there]))[0, 1] > 0.3


def test_the_cell_carries_three_megabits() -> None:
    trace = read_radio_trace(FOLDER / NAMES[2])
    assert trace.duration_s == 30
    assert trace.mean_rate_mbps == pytest.approx(3.0, abs=0.01)
    assert trace.summary()["longest_outage_s"] == pytest.approx(0.65, abs=0.02)
