"""Scenario files: what is accepted, and that every mistake is one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pyagent.errors import UserError
from pyagent.paths import REPOSITORY, shipped_scenarios
from pyagent.scenario.compile import deploy, simulator_config, write_simulator_config
from pyagent.scenario.load import ScenarioError, load_scenario, parse_scenario
from pyagent.scenario.schema import Others, Scenario, WifiLink
from pyagent.traces.mobility import read_tracks

MINIMAL: dict[str, Any] = {"name": "minimal", "mobility": {"model": "constant", "position_m": [5, 0, 1.5]}}


def changed(path: str, value: Any) -> dict[str, Any]:
    """MINIMAL with one field, by dotted path, set."""
    data = json.loads(json.dumps(MINIMAL))
    *sections, field = path.split(".")
    target = data
    for section in sections:
        target = target.setdefault(section, {})
    target[field] = value
    return data


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
def test_every_shipped_scenario_is_valid_and_deployable(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert deploy(scenario).splits


TRACES = REPOSITORY / "ns3_scenarios" / "scenarios" / "traces"
HIGHWAY = {"model": "trace", "file": "highway.fcd.xml.gz", "from_entry": True}


def on_trace(**fields: Any) -> Scenario:
    return parse_scenario(changed("mobility", HIGHWAY | fields), "my.yaml", TRACES)


def test_a_trace_becomes_tracks_from_the_nodes_entry() -> None:
    config = simulator_config(on_trace(node="car3"))["mobility"]
    recorded = read_tracks(TRACES / "highway.fcd.xml.gz").select("car3")
    (track,) = config["tracks"]
    rows = np.array(track["rows"])
    assert rows[0, 0] == 0
    assert rows[:, 0] == pytest.approx(recorded.times_s - recorded.enter_s)
    assert rows[:, 1:] == pytest.approx(recorded.positions_m + np.array([0, 0, 1.5]))
    assert config["at_end"] == "stay"  # the agent's UE doesn't vanish; others do
    others = on_trace().model_copy(update={"others": [Others(mobility=on_trace().mobility, split=1)]})
    group = simulator_config(others)["others"][0]["mobility"]
    assert len(group["tracks"]) == 25
    assert group["at_end"] == "leave"


def test_a_trace_keeps_the_files_times_and_says_who_is_not_there_yet() -> None:
    group = Others(mobility=on_trace(from_entry=False, start_s=50).mobility, split=1)
    tracks = group.simulator()["mobility"]["tracks"]
    assert {track["stays"] for track in tracks} == {True, False}  # on the road at 50 s, or not yet
    for track in tracks:
        assert track["stays"] == (track["rows"][0][0] <= 0)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"from_entry": False}, "node 'car0' enters at 1 s, but the agent's UE must be there from 0 s"),
        ({"node": "bus9"}, "highway.fcd.xml.gz: node 'bus9': not in the file; valid: car0, car1"),
        ({"file": "nowhere.xml"}, "mobility.file = 'nowhere.xml': no such file; looked for"),
        ({"start_s": 9, "end_s": 9}, "end_s (9) must be greater than start_s (9)"),
        ({"start_s": 900}, "cut = [900, 900]: no node is there then; valid: within [1, 199]"),
        ({"dimensions": 3}, "dimensions = 3: not an option of format fcd"),
    ],
)
def test_what_a_trace_does_not_have_is_said(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as caught:
        on_trace(**fields)
    assert expected in str(caught.value)


def test_more_ues_than_the_trace_has_nodes_are_refused() -> None:
    data = changed("others", [{"count": 26, "mobility": HIGHWAY, "split": 1}])
    with pytest.raises(ScenarioError, match=r"others\.0\.count = 26: its trace has only 25 nodes"):
        parse_scenario(data, "my.yaml", TRACES)


def test_the_resolved_scenario_loads_as_the_same_scenario(tmp_path: Path) -> None:
    scenario = load_scenario("default")
    copy = tmp_path / "copy.yaml"
    copy.write_text(yaml.safe_dump(scenario.model_dump(mode="json")))
    assert load_scenario(copy) == scenario


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("mobilty", {}, "mobilty"),
        ("requests.count", 0, "requests.count = 0"),
        ("requests.count", "many", "requests.count = 'many'"),
        ("requests.deadline_s", -1, "requests.deadline_s = -1"),
        ("requests.deadline_s", float("nan"), "requests.deadline_s"),
        ("requests.min_gap_s", 1.0, "min_gap_s (1.0) must be at least deadline_s"),
        ("requests.prompt_tokens", [64, 16], "prompt_tokens is [low, high]"),
        ("mobility.model", "teleport", "mobility"),
        ("link.mac_queue_packets", 10, "device_queue_window (64) must be at most"),
        ("requests.prompt_tokens", [16, 1024], "prompt_tokens must lie in 1 to 512"),
        ("model.min_split", 0, "model.min_split = 0"),
        (
            "mobility",
            {"model": "random-waypoint", "area_x_m": [5, 5], "area_y_m": [0, 0]},
            "are one point",
        ),
        ("link.standard", "80211zz", "unknown; did you mean 80211n? valid: 80211n, 80211ac, 80211ax"),
        ("link.fading", {"m": 0.1}, "link.fading.m = 0.1"),
        ("model.splits", [8, 1], "distinct and increase"),
        ("model.splits", [0, 8], "at least min_split (1)"),
        ("model.codec", "zip", "model.codec = 'zip': codec is 'zip', valid: fp16, int4"),
        ("model.channel", "air", "unknown; valid: packet, elementwise"),
        ("model.interleaving", "diagonal", "unknown; valid: none, block, random"),
        ("edge.background_jobs_per_s", -3, "edge.background_jobs_per_s = -3"),
        ("evaluation.replicates", 5, "replicates must be even"),
        ("reward.weights", {"speed": 1.0}, "valid: quality, latency, energy"),
        ("name", "Has Spaces", "name = 'Has Spaces'"),
        ("program", "nowhere", "program = 'nowhere': no such file; looked for "),
        ("others", [{"traffic": {"kind": "smoke", "rate_kbps": 1}}], "unknown; valid: cbr, on-off, video"),
        ("others", [{"traffic": {"rate_kbps": 0}}], "others.0.traffic.rate_kbps = 0: must be greater than 0"),
        ("others", [{"traffic": {"kind": "tcp", "rate_kbps": -1}}], "others.0.traffic.rate_kbps = -1"),
        (
            "others",
            [{"traffic": {"kind": "cbr", "rate_kbps": 1, "on_s": 2}}],
            "on_s belongs to kind: on-off, and kind is cbr",
        ),
        (
            "others",
            [{"traffic": {"kind": "tcp", "rate_kbps": 1, "frames_per_s": 25}}],
            "frames_per_s belongs to kind: video, and kind is tcp",
        ),
        ("others", [{"traffic": {"kind": "video", "rate_kbps": 1, "frames_per_s": 0}}], "frames_per_s = 0"),
        ("others", [{"count": 2}], "a group needs traffic, a split, or both"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_field(path: str, value: Any, expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(changed(path, value), "my.yaml")
    message = str(caught.value)
    assert message.startswith("my.yaml: ")
    assert expected in message
    assert "\n" not in message


def test_an_unstable_edge_queue_is_refused() -> None:
    data = changed("edge.background_jobs_per_s", 100.0)
    data["edge"]["background_job_ms"] = 20.0
    with pytest.raises(ScenarioError, match=r"load of 2\.00"):
        parse_scenario(data)


def test_a_missing_file_lists_the_shipped_scenarios() -> None:
    with pytest.raises(ScenarioError, match=r"'nowhere\.yaml': no such file.*default"):
        load_scenario("nowhere.yaml")


@pytest.mark.parametrize("text", ["a: [", "\x00", "- 1\n- 2\n", "", "name: !!python/object:os.system {}"])
def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=r"bad\.yaml"):
        load_scenario(path)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("model.splits", [1, 33], "33 is outside the model; valid: 1 to 32"),
        ("model.deployed", "gpt-17", "model.deployed = 'gpt-17'"),
        ("ue.device", "abacus", "ue.device = 'abacus'"),
        ("ue.weight_bits", 16, "ue.weight_bits = 16"),
        ("ue.memory_gib", 0.01, "too small for every split"),
        ("edge.device", "a" * 9000, "edge.device = 'aaa"),
        ("model.splits", list(range(33, 5000)), "33 is outside the model; valid: 1 to 32"),
    ],
)
def test_what_can_not_be_deployed_is_refused(path: str, value: Any, expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        deploy(parse_scenario(changed(path, value)))
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_splits_that_the_memory_can_not_hold_are_left_out() -> None:
    deployment = deploy(load_scenario("memory_limited"))
    assert deployment.splits == (1, 4, 7, 10)
    assert deployment.infeasible == (32,)


def test_the_simulator_gets_what_the_roofline_says(tmp_path: Path) -> None:
    scenario = load_scenario("default")
    deployment = deploy(scenario)
    path = write_simulator_config(scenario, tmp_path / "scenario.json")
    config = json.loads(path.read_text())
    assert config == json.loads(json.dumps(simulator_config(scenario)))
    assert config["compute"]["ue"]["decode_block_s"] == list(deployment.ue.decode_block_s)
    assert sum(config["codecs"][0]["fragment_bytes"]) == 2 * 4096  # fp16
    assert len(config["codecs"][0]["fragment_bytes"]) == 6


def test_all_local_energy_is_power_times_roofline_time() -> None:
    deployment = deploy(load_scenario("default"))
    prefill = 32 * deployment.ue.prefill_block_s[10]
    decode = 32 * (deployment.ue.decode_block_s[11] + deployment.ue.decode_block_s[12])
    expected_s = prefill + decode + 3 * deployment.ue.decode_head_s
    assert deployment.all_local_compute_s(10, 3) == pytest.approx(expected_s)
    power_w = deployment.ue_device.compute_power_w
    assert deployment.all_local_energy_j(10, 3) == pytest.approx(expected_s * power_w)


def test_coherence_time_follows_the_speed() -> None:
    """0.423 c / (v f): 17.5 ms at 1.4 m/s and 5.18 GHz, half of it at twice the speed."""
    walking = WifiLink()
    assert walking.coherence_time_s == pytest.approx(0.0175, rel=0.01)
    running = WifiLink.model_validate({"fading": {"speed_mps": 2.8}})
    assert running.coherence_time_s == pytest.approx(walking.coherence_time_s / 2)
