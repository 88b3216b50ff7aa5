"""Real files, which aren't in the repository: their figures against what other programs count in them."""

from __future__ import annotations

import csv
import json
import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from pyagent.paths import REPOSITORY
from pyagent.traces.errors import TraceError
from pyagent.traces.radio import read_radio_trace

SAMPLES = Path(os.environ.get("SPLITSIM_SHARED", REPOSITORY.parent / "shared")) / "samples"


def sample(name: str) -> Path:
    if not (SAMPLES / name).is_file():
        pytest.skip(f"{name} is not there")
    return SAMPLES / name


def test_verizon_lte() -> None:
    path = sample("Verizon-LTE-short.up")
    times = [int(line) for line in path.read_text().split()]
    trace = read_radio_trace(path)
    assert trace.format == "mahimahi"
    assert trace.duration_s == times[-1] / 1e3 == 140
    assert trace.mean_rate_mbps == pytest.approx(len(times) * 1500 * 8 / 140 / 1e6, rel=1e-12)
    for until_ms in (1, 8, 500, 70_000, 139_999):
        passed = sum(time <= until_ms for time in times)
        assert trace.bits_between(0, until_ms / 1e3) == pytest.approx(passed * 12_000, abs=1)
    gaps_ms = np.diff([0, *times])
    # A packet at t is the millisecond that ends there.
    assert trace.summary()["longest_outage_s"] == pytest.approx((gaps_ms.max() - 1) / 1e3)


def test_new_york_train() -> None:
    path = sample("nyu-mets-QTrain.csv")
    rates = [float(line.split(",")[0]) for line in path.read_text().splitlines()]
    trace = read_radio_trace(path)
    assert trace.format == "rate-per-line"
    assert trace.duration_s == len(rates) == 2404
    assert trace.rate_mbps.tolist() == rates
    assert trace.outage_share == pytest.approx(rates.count(0) / len(rates))


def test_five_gophers() -> None:
    path = sample("5gophers-walking.csv")
    with path.open() as file:
        rates = [float(row["throughput_mbps"]) for row in csv.DictReader(file)]
    trace = read_radio_trace(path)
    assert trace.format == "5gophers"
    assert trace.duration_s == 603
    assert trace.rate_mbps.tolist() == rates
    assert "each rate is the sum over num_tcp_conn connections: 8" in trace.notes


def test_stockholm_drive() -> None:
    path = sample("Sweden_Telia_Stockholm_north_Nov2020.ntrace")
    entries = json.loads(path.read_text())["entries"]
    times = [datetime.fromisoformat(entry["dateTime"]).timestamp() for entry in entries]
    trace = read_radio_trace(path)
    assert trace.format == "ntrace"
    assert trace.times_s == pytest.approx(np.array(times) - times[0], abs=1e-5)
    assert trace.rate_mbps == pytest.approx(np.array([entry["dlBw"] for entry in entries]) / 1e3)
    with pytest.raises(TraceError, match="no entry has ulBw"):
        read_radio_trace(path, direction="uplink")


@pytest.mark.parametrize(
    "name",
    ["sumo-grid10.fcd.xml", "sumo-grid10.ns2mobility.tcl", "rwp_10.ns_movements", "cerknicko-jezero.gpx"],
)
def test_movements_are_sent_to_the_right_command(name: str) -> None:
    with pytest.raises(
        TraceError, match=r"holds movements, not rates; `splitsim scenario preview` draws them$"
    ):
        read_radio_trace(sample(name))


# What people reported as unreadable; the right values are those of the folder's INDEX.md.


def test_a_drive_test_with_rates_and_positions() -> None:
    path = sample("reports/drive-csv-rate-and-gps.csv")
    trace = read_radio_trace(path, time_column="time", rate_column="throughput", rate_unit="Mbit/s")
    assert (trace.times_s.tolist(), trace.rate_mbps.tolist()) == ([0, 1, 2], [14.0, 19.7, 10.8])
    with pytest.raises(TraceError, match=r"the columns 'time', 'throughput', .*; --time-column and --rate"):
        read_radio_trace(path)


def test_iperf3() -> None:
    trace = read_radio_trace(sample("reports/iperf3.json"))
    assert (trace.format, trace.duration_s) == ("iperf3", 2)
    assert (trace.times_s.tolist(), trace.rate_mbps.tolist()) == ([0, 1], [10, 20])


def test_a_drive_test_whose_clock_steps_back() -> None:
    path = sample("reports/drive-test-clock-back-1s.csv")
    with pytest.raises(TraceError, match=r"csv:4: time goes back by 1 s; valid: .* --clock-back drop"):
        read_radio_trace(path)
    dropped = read_radio_trace(path, direction="downlink", clock_back="drop")
    assert (dropped.times_s.tolist(), dropped.rate_mbps.tolist()) == ([0, 1, 2], [0.7, 0.8, 0.9])
    shifted = read_radio_trace(path, direction="downlink", clock_back="shift")
    assert (shifted.times_s.tolist(), shifted.rate_mbps.tolist()) == ([0, 1, 2, 4], [0.7, 0.8, 0.9, 0.9])
