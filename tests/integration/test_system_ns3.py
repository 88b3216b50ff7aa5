"""The simulator on Debian's ns-3, which is years older than the wheel: `splitsim build --system`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pyagent.campaign.progress import PhaseProgress
from pyagent.envs.record import Outcome
from pyagent.envs.simulator import Episode
from pyagent.ns3 import build_simulator, missing_packages
from pyagent.ns3.build import SYSTEM
from pyagent.scenario.load import load_scenario

pytestmark = [pytest.mark.slow, pytest.mark.ns3, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = missing_packages("build", "tests", SYSTEM)
    if missing:
        pytest.skip(f"these packages are missing: {', '.join(missing)}")
    built = tmp_path_factory.mktemp("system") / "ns3"
    with PhaseProgress() as progress:
        build_simulator(built, SYSTEM, os.cpu_count() or 1, progress, tests=True)
    return built


def test_its_tests_pass(folder: Path) -> None:
    done = subprocess.run(
        ["ctest", "--output-on-failure"], cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "100% tests passed" in done.stdout


@pytest.mark.parametrize("name", ["default", "lte-cell-edge", "replay"])
def test_an_episode_of_each_technology(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load_scenario(name)
    monkeypatch.setenv("SPLITSIM_NS3", str(folder / "splitsim-ns3"))
    with Episode(scenario, seed=3) as episode:
        episode.begin()
        delivered = []
        for _ in range(3):
            record, _, over = episode.decide(0)
            delivered.append((record.outcome == Outcome.DELIVERED).any())
            assert not over
    assert any(delivered)
