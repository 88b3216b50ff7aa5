"""What `--preview` shows is what ns-3 computes: coverage by closed form, paths as an episode reports them."""

from __future__ import annotations

import json
import resource
import subprocess
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from episodes import ALL_LOCAL, make_scenario, play

from pyagent.bridge import SimulatorDied, SimulatorTimeout
from pyagent.paths import simulator_executable
from pyagent.scenario.compile import write_simulator_config
from pyagent.scenario.load import ScenarioError, load_scenario
from pyagent.scenario.preview import Preview, PreviewError, check_in_ns3, preview, preview_json

pytestmark = pytest.mark.ns3

WALK = {"model": "random-waypoint", "area_x_m": (2, 75), "area_y_m": (-15, 15)}
OTHERS = [
    {
        "count": 2,
        "mobility": {
            "model": "waypoints",
            "waypoints": [(0, 5, 5, 1.5), (2, 9, 5, 1.5)],
            "at_end": "leave",
        },
        "traffic": {"rate_kbps": 300},
    }
]
SEED = 7


@pytest.fixture(scope="module")
def seen() -> Preview:
    return preview(make_scenario(mobility=WALK, others=OTHERS), SEED)


def snr_db(distance_m: np.ndarray) -> np.ndarray:
    """16 dBm - log-distance loss (46.7 dB at 1 m, exponent 3) - noise in 20 MHz with a figure of 7 dB."""
    noise_dbm = 10 * np.log10(1.380649e-23 * 290 * 20e6) + 30 + 7
    return 16 - 46.7 - 30 * np.log10(distance_m) - noise_dbm


def test_the_heat_map_is_the_closed_form(seen: Preview) -> None:
    heat = seen.heat
    assert heat is not None
    east, north = np.meshgrid(heat.x_m, heat.y_m)
    distance_m = np.sqrt(east**2 + north**2 + (heat.height_m - 3) ** 2)
    np.testing.assert_allclose(heat.signal.snr_db[0], snr_db(distance_m), atol=0.02)
    west, right, south, top = heat.frame_m
    places = np.vstack([seen.ues_m.reshape(-1, 3), seen.sites_m])
    assert west < np.nanmin(places[:, 0]) < np.nanmax(places[:, 0]) < right
    assert south < np.nanmin(places[:, 1]) < np.nanmax(places[:, 1]) < top


def test_reception_on_the_way_is_the_closed_form(seen: Preview) -> None:
    distance_m = np.linalg.norm(seen.ues_m[0] - seen.sites_m[0], axis=1)
    np.testing.assert_allclose(seen.reception.snr_db[0], snr_db(distance_m), atol=0.02)
    assert seen.reception.rx_power_dbm[0] == pytest.approx(seen.reception.snr_db[0] - 93.97, abs=0.02)


def test_the_path_is_that_of_an_episode_of_the_same_seed(seen: Preview) -> None:
    states = [state for state, _ in play(make_scenario(mobility=WALK, others=OTHERS), SEED, ALL_LOCAL)]
    np.testing.assert_allclose(seen.request_s, [state.sim_time_s for state in states], atol=1e-9)
    np.testing.assert_allclose(seen.request_m, [state.position_m for state in states], atol=1e-6)
    assert seen.moving[0]
    assert np.ptp(seen.request_m[:, 0]) > 0


def test_who_has_left_is_nowhere(seen: Preview) -> None:
    gone = seen.time_s > 2
    assert gone.any()
    assert np.isnan(seen.ues_m[1:, gone]).all()
    np.testing.assert_allclose(seen.ues_m[1][~gone, 0], 5 + 2 * seen.time_s[~gone], atol=1e-9)


def test_the_station_associates_and_measures(seen: Preview) -> None:
    served = seen.link.serving_cell == 0
    assert served[-1]
    assert np.abs(seen.link.snr_db[served] - seen.reception.snr_db[0][served]).mean() < 5


def test_an_agent_that_is_not_there_receives_nothing() -> None:
    late = {"model": "waypoints", "waypoints": [(0, 5, 0, 1.5), (3, 6, 0, 1.5)], "at_end": "leave"}
    shown = preview(make_scenario(mobility=late), 1)
    there = np.isfinite(shown.ues_m[0]).all(axis=1)
    assert there[0]
    assert not there[-1]
    assert (np.isfinite(shown.reception.snr_db[0]) == there).all()


def test_the_same_seed_shows_the_same_and_a_duration_cuts_it() -> None:
    scenario = make_scenario(mobility=WALK)
    short = preview_json(scenario, SEED, duration_s=3.0)
    assert short == preview_json(scenario, SEED, duration_s=3.0)
    assert short["time_s"][-1] == pytest.approx(3.0, abs=0.1)
    assert preview_json(scenario, SEED + 1, duration_s=3.0)["ues"] != short["ues"]


def test_the_default_scenario_takes_seconds() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = preview(load_scenario("default"), 1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(shown.request_s) == 20
    took_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert took_s < 25  # an episode's 9 s on a slow core, with room


def test_netanim_has_every_node_by_name(tmp_path: Path) -> None:
    file = tmp_path / "scene.xml"
    preview(make_scenario(others=OTHERS), 1, duration_s=1.0, netanim=file)
    root = xml.etree.ElementTree.parse(file).getroot()
    assert root.tag == "anim"
    assert len(root.findall("node")) == 3 + 2  # the UEs, the access point, the edge
    names = {update.get("descr") for update in root.findall("nu")}
    assert {"agent", "ue-1", "ue-2"} <= names


def test_a_netanim_file_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"scene\.xml: can't be written"):
        preview(make_scenario(), 1, duration_s=1.0, netanim=tmp_path / "nowhere" / "scene.xml")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "step_s: missing"),
        ({"step_s": 0}, "step_s: 0 is not valid; valid: greater than 0"),
        ({"step_s": 1e-9}, "more than a million samples"),
        ({"step_s": 1, "until_s": -1}, "until_s: -1 is not valid"),
        ({"step_s": 1, "grid": {"x_m": [0, 1]}}, "grid.y_m: missing"),
        (
            {"step_s": 1, "grid": {"x_m": [0, 1], "y_m": [0, 1], "height_m": 1, "columns": 1, "rows": 2}},
            "grid.columns: 1 is not valid; valid: 2 to 1000",
        ),
    ],
)
def test_a_bad_request_ends_with_status_2_and_one_line(
    tmp_path: Path, asked: dict[str, Any], message: str
) -> None:
    config = write_simulator_config(make_scenario(), tmp_path / "scenario.json")
    wanted = tmp_path / "preview.json"
    wanted.write_text(json.dumps(asked))
    command = [str(simulator_executable()), f"--config={config}", f"--preview={wanted}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert message in line


def replace_simulator(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "simulator"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("SPLITSIM_NS3", str(program))


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("echo 'splitsim-ns3: link.x: is bad' >&2; exit 2", ScenarioError, "ns-3 refuses it: link.x: is bad"),
        ("echo 'msg=\"too far\", +0s 0 file=a.cc' >&2; kill -ABRT $$", PreviewError, "signal 6: too far"),
        ("kill -KILL $$", SimulatorDied, "SIGKILL while it showed the scenario"),
        ("exit 3", PreviewError, "ns-3 ended with status 3: it said nothing"),
        ("echo '{'", PreviewError, "ns-3 printed no preview"),
    ],
)
def test_a_simulator_that_fails_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: type[Exception], message: str
) -> None:
    replace_simulator(tmp_path, script, monkeypatch)
    with pytest.raises(error) as caught:
        check_in_ns3(make_scenario())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_simulator_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_simulator(tmp_path, "exec sleep 600", monkeypatch)
    monkeypatch.setenv("SPLITSIM_STEP_TIMEOUT_S", "0.1")
    with pytest.raises(SimulatorTimeout, match=r"waited 0\.2 s .*a shorter --duration takes less"):
        check_in_ns3(make_scenario())
    assert not psutil.Process().children(recursive=True)
