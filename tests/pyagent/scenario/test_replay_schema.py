"""`link.technology: replay` as the scenario file has it, and what ns-3 is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyagent.scenario.compile import simulator_config
from pyagent.scenario.load import ScenarioError, parse_scenario
from pyagent.scenario.schema import ReplayLink, Scenario

DRIVE = """\
Timestamp,SNR,RSRP,DL_bitrate,UL_bitrate
2020.01.01_10.00.00,-,-90,8000,1000
2020.01.01_10.00.01,12,-91,9000,2000
2020.01.01_10.00.02,-,-92,0,0
2020.01.01_10.00.03,14,-,7000,3000
"""


def scenario_of(folder: Path, text: str = "t_s,rate_mbps\n0,8\n1,0\n2,4\n", **link: Any) -> Scenario:
    (folder / "link.csv").write_text(text)
    data = {
        "name": "x",
        "mobility": {"model": "constant", "position_m": [0, 0, 1.5]},
        "link": {"technology": "replay", "uplink": "link.csv", **link},
    }
    return parse_scenario(data, "x.yaml", folder)


def given(folder: Path, *text: str, **link: Any) -> dict[str, Any]:
    given: dict[str, Any] = json.loads(
        json.dumps(simulator_config(scenario_of(folder, *text, **link))["link"])
    )
    return given


def test_ns3_is_given_the_steps_once_and_what_they_lack_from_the_file(tmp_path: Path) -> None:
    link = given(tmp_path, delay_ms=15, loss=0.1)
    assert link["uplink"] == {
        "duration_s": 3,
        "t_s": [0, 1, 2],
        "rate_mbps": [8, 0, 4],
        "delay_s": [0.015],
        "loss": [0.1],
    }
    assert link["downlink"] is None  # as the uplink
    assert link["offset_s"] == [0, 3]  # anywhere
    assert link["signals"]["t_s"] == []


def test_a_trace_is_cut_and_scaled(tmp_path: Path) -> None:
    link = given(tmp_path, start_s=0.5, end_s=2.5, rate_scale=10, offset_s=[1, 2])
    assert link["uplink"]["t_s"] == [0, 0.5, 1.5]
    assert link["uplink"]["rate_mbps"] == [80, 0, 40]
    assert link["uplink"]["duration_s"] == 2
    assert link["offset_s"] == [1, 2]


def test_columns_of_any_csv_each_way(tmp_path: Path) -> None:
    text = "at_ms,up,down\n0,1,8\n1000,2,9\n500,5,5\n2000,3,7\n"
    link = given(
        tmp_path,
        text,
        time_column="at_ms",
        rate_column="up",
        downlink_rate_column="down",
        rate_unit="Mbit/s",
        clock_back="drop",
    )
    assert (link["uplink"]["t_s"], link["uplink"]["rate_mbps"]) == ([0, 1, 2], [1, 2, 3])
    assert link["downlink"]["rate_mbps"] == [8, 9, 7]


def test_a_file_of_one_direction_serves_both(tmp_path: Path) -> None:
    one_way = '{"start": {}, "intervals": [{"sum": {"start": 0, "end": 1, "bits_per_second": 8e6}}]}'
    link = given(tmp_path, one_way)
    assert link["uplink"]["rate_mbps"] == [8]
    assert link["downlink"] is None  # as the uplink
    with pytest.raises(ScenarioError, match=r"link\.csv: this test has no downlink, valid: uplink"):
        scenario_of(tmp_path, one_way, downlink="link.csv")


def test_directions_come_from_the_columns(tmp_path: Path) -> None:
    link = given(tmp_path, DRIVE)
    assert link["uplink"]["rate_mbps"] == [1, 2, 0, 3]
    assert link["downlink"]["rate_mbps"] == [8, 9, 0, 7]
    swapped = given(tmp_path, DRIVE, uplink_from="downlink", downlink_rate_mbps=50)
    assert swapped["uplink"]["rate_mbps"] == [8, 9, 0, 7]
    assert swapped["downlink"]["rate_mbps"] == [50]


def test_a_missing_signal_is_the_last_one_that_the_modem_reported(tmp_path: Path) -> None:
    signals = given(tmp_path, DRIVE)["signals"]
    assert signals["t_s"] == [1, 2, 3]  # there was no SNR before
    assert signals["snr_db"] == [12, 12, 14]
    assert signals["rsrp_dbm"] == [-91, -92, -92]
    assert signals["cqi"] == [0]


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    assert given(tmp_path)["uplink"]["rate_mbps"] == [8, 0, 4]
    assert given(tmp_path, "t_s,rate_mbps\n0,1\n1,1.5\n")["uplink"]["rate_mbps"] == [1, 1.5]


def test_a_resolved_scenario_is_the_same_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = scenario_of(tmp_path)
    monkeypatch.chdir("/")
    assert parse_scenario(scenario.model_dump(mode="json")) == scenario
    assert isinstance(scenario.link, ReplayLink)
    assert scenario.link.sites_m == []


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({"uplink": "no.csv"}, "link.uplink = 'no.csv': no such file; looked for {folder}/no.csv"),
        ({"end_s": 9}, "link: {folder}/link.csv: can't be cut from 0 to 9 s, valid: 0 <= start < end <= 3"),
        ({"format": "pcap"}, "link: {folder}/link.csv: unknown format 'pcap', valid: splitsim, "),
        ({"rate_unit": "furlong"}, "link: {folder}/link.csv: rate unit furlong was asked for, but "),
        (
            {"start_s": 1, "end_s": 2},
            "link: {folder}/link.csv: what is replayed uplink never carries anything",
        ),
        (
            {"downlink": "link.csv", "downlink_rate_mbps": 5},
            "link: downlink and downlink_rate_mbps say the same; give one of them",
        ),
        ({"offset_s": [2, 1]}, "link: offset_s is [low, high] and needs low <= high"),
        ({"offset_s": [-1, 1]}, "link: offset_s starts at -1; valid: from 0 on"),
        ({"loss": 1.5}, "link.loss = 1.5: too large; valid: number, at least 0, at most 1"),
        ({"rate_scale": 0}, "link.rate_scale = 0: too small; valid: number, at least 1e-06"),
        ({"sites_m": []}, "link.sites_m = []: unknown field; "),
        ({"queue_packets": 10}, "transport.device_queue_window (64) must be at most the room "),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, link: dict[str, Any], expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario_of(tmp_path, **link)
    message = str(caught.value)
    assert message.startswith("x.yaml: " + expected.format(folder=tmp_path))
    assert "\n" not in message


def test_a_line_of_the_trace_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"^x\.yaml: link: .*link\.csv:3: "):
        scenario_of(tmp_path, "t_s,rate_mbps\n0,8\n1,eight\n")
