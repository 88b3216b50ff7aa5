"""A simulator that is killed, and a scenario file that can't be used: one clear message, nothing left."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from episodes import MIN_SPLIT, make_scenario

from pyagent.bridge import SimulatorDied, SimulatorTimeout
from pyagent.envs.simulator import Episode
from pyagent.errors import UserError
from pyagent.paths import simulator_executable
from pyagent.scenario.compile import simulator_config

pytestmark = pytest.mark.ns3


def test_a_killed_simulator_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    with Episode(make_scenario(), 1, log_dir=tmp_path) as episode:
        episode.begin()
        episode.decide(MIN_SPLIT)
        pid = episode.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(SimulatorDied, match="SIGKILL") as death:
            episode.decide(MIN_SPLIT)
    assert death.value.exit_code == -signal.SIGKILL
    words = shlex.split(death.value.command)
    assert {str(simulator_executable()), f"--config={tmp_path / 'scenario.json'}"} <= set(words)
    assert death.value.command in str(death.value)
    assert not psutil.Process().children(recursive=True)


def test_a_stopped_simulator_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITSIM_STEP_TIMEOUT_S", "1")
    with Episode(make_scenario(), 1, log_dir=tmp_path) as episode:
        episode.begin()
        assert episode.pid is not None
        os.kill(episode.pid, signal.SIGSTOP)
        with pytest.raises(SimulatorTimeout, match="waited 1 s for the simulator to send the next state"):
            episode.decide(MIN_SPLIT)
    assert not psutil.Process().children(recursive=True)


@pytest.mark.parametrize("said", ["", "soon", "0", "inf"])
def test_how_long_it_may_be_silent_is_checked(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("SPLITSIM_STEP_TIMEOUT_S", said)
    with pytest.raises(UserError, match="valid: seconds, more than 0"):
        Episode(make_scenario(), 1)


def test_what_the_dead_simulator_said_is_in_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "wrapper.sh"
    wrapper.write_text(f'#!/bin/sh\nexec "{simulator_executable()}" "$@" --config=/no/such/file.json\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("SPLITSIM_NS3", str(wrapper))
    with pytest.raises(SimulatorDied) as death:
        Episode(make_scenario(), 1, log_dir=tmp_path / "log")
    assert death.value.exit_code == 2
    assert "/no/such/file.json: can't be read" in death.value.stderr_tail
    assert "/no/such/file.json: can't be read" in str(death.value)


def run_with(config: Path) -> subprocess.CompletedProcess[str]:
    command = [str(simulator_executable()), f"--config={config}", "--openGymPort=1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("arrivals", "min_gap_s", 0.5),
        ("arrivals", "count", -3),
        ("link", "standard", "80211b"),
        ("compute", "splits", [1, 99]),
        ("mobility", "model", "teleport"),
        ("transport", "max_retries", 1.5),
    ],
)
def test_a_bad_config_ends_with_status_2_and_one_line(
    tmp_path: Path, section: str, field: str, value: Any
) -> None:
    config = simulator_config(make_scenario())
    config[section][field] = value
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps(config))
    done = run_with(path)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"splitsim-ns3: {section}.{field}: ")
    assert json.dumps(value).replace(" ", "") in line


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    config = simulator_config(make_scenario())
    del config["arrivals"]["deadline_s"]
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps(config))
    done = run_with(path)
    assert done.returncode == 2
    assert done.stderr == "splitsim-ns3: arrivals.deadline_s: missing\n"


@pytest.mark.parametrize("text", [None, "", "{", "[]"], ids=["no-file", "empty", "broken", "no-object"])
def test_a_file_that_is_no_scenario(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "scenario.json"
    if text is not None:
        path.write_text(text)
    done = run_with(path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("splitsim-ns3: ")
