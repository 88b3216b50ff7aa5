"""Same seed, same machine: the same decisions, whoever decides, however often it is started and on how many
processes. What ns-3 does in each scenario, twice: test_pinned.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pyagent import results
from pyagent.bridge import Ns3Env, make_vec
from pyagent.campaign.contenders import BASELINES
from pyagent.campaign.progress import PhaseProgress
from pyagent.dataset.record import Plan, record
from pyagent.learning.comparison import POLICIES
from pyagent.paths import simulator_executable
from pyagent.scenario.compile import write_simulator_config
from pyagent.sweep.campaign import run_sweep
from pyagent.sweep.engine import Engine
from pyagent.sweep.local import LocalEngine
from tests.conftest import small_scenario
from tests.integration.episodes import make_scenario
from tests.pyagent.sweep.cheap import cheap_sweep

WALK = {"model": "random-waypoint", "area_x_m": (2, 40), "area_y_m": (-10, 10)}


# --- several environments at once ---


@pytest.mark.ns3
def test_four_environments_together_are_four_alone(tmp_path: Path) -> None:
    """Observations and delivery records of each, to the bit."""
    requests = {
        "count": 2,
        "prompt_tokens": (16, 32),
        "output_tokens": (4, 8),
        "deadline_s": 2,
        "min_gap_s": 2,
    }
    scenario = make_scenario(mobility=WALK, requests=requests)
    config = write_simulator_config(scenario, tmp_path / "scenario.json")
    arguments = [f"--config={config}", "--replicate=0"]
    actions = [0, 1]

    together: list[list[tuple[bytes, dict[str, Any]]]] = [[] for _ in range(4)]
    envs = make_vec(4, simulator_executable(), arguments, seed=7)
    try:
        observations, _ = envs.reset(seed=7)
        for action in actions:
            before = [observation.tobytes() for observation in observations]
            observations, _, _, _, infos = envs.step([action] * 4)
            # Batched as Gymnasium does it: an array for each field, and which of them are there.
            fields = {key: values for key, values in infos["record"].items() if not key.startswith("_")}
            for i in range(4):
                together[i].append((before[i], {key: values[i] for key, values in fields.items()}))
    finally:
        envs.close()

    for i in range(4):
        alone = []
        with Ns3Env(simulator_executable(), arguments, seed=7 + i) as env:
            observation, _ = env.reset(seed=7 + i)
            for action in actions:
                seen = observation.tobytes()
                observation, _, _, _, info = env.step(action)
                alone.append((seen, info["record"]))
        assert together[i] == alone
    assert together[0] != together[1]


# --- every policy, recorded: processes, engines, workers ---


def swept(folder: Path, open_engine: Callable[[Path], Engine]) -> pd.DataFrame:
    """Two runs of every policy that learns or is tuned on a dataset."""
    agent = {"budget": 20, "policies": list(POLICIES)}
    sweep = cheap_sweep(folder, agent=agent, grid={"scenario.reward.slo_s": [1.0]}, seeds={"count": 2})
    assert run_sweep(sweep, folder / "store", open_engine).tally == {"made": 2}
    return results.load(folder / "store")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """By one worker, one after the other."""
    return swept(tmp_path_factory.mktemp("alone"), lambda scratch: LocalEngine(1, 1, scratch))


def on_ray(scratch: Path) -> Engine:
    pytest.importorskip("ray", reason="ray is not installed")
    from pyagent.sweep.on_ray import RayEngine

    return RayEngine(2, 1, None)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("engine", [lambda scratch: LocalEngine(2, 1, scratch), on_ray], ids=["two", "ray"])
def test_every_policy_decides_alike_on_every_engine(
    tmp_path: Path, alone: pd.DataFrame, engine: Callable[[Path], Engine]
) -> None:
    """In one worker, in two, and on Ray, each a process anew.

    Rewards on the test seeds are functions of the decisions alone; equal to the last digit for all seeds,
    they are the same decisions.
    """
    assert set(alone["policy"]) >= set(POLICIES)
    pd.testing.assert_frame_equal(swept(tmp_path, engine), alone, check_exact=True)


# --- every policy, live: processes and simulators at a time ---


def decisions_of(scenario: Path, out: Path, cores: int) -> bytes:
    """decisions.parquet of a run that tests every policy, in a process that may use so many cores."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pyagent.cli", "run", scenario, "--policies", "all"),
            *("--budget", "6", "--seed", "7", "--out", out),
        ],
        env={**os.environ, "SPLITSIM_CORES": str(cores), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return (out / "decisions.parquet").read_bytes()


@pytest.mark.slow
@pytest.mark.ns3
@pytest.mark.model
@pytest.mark.timeout(1800)
def test_every_policy_decides_alike_live_after_a_restart_and_with_other_numbers_of_simulators(
    tmp_path: Path,
) -> None:
    """Over a good link, where little is asked of the language model; a weak one: test_run_resume.py."""
    scenario = tmp_path / "small.yaml"
    small = small_scenario(requests={"count": 2})
    scenario.write_text(yaml.safe_dump(small.model_dump(mode="json")))
    first = decisions_of(scenario, tmp_path / "first", 2)
    assert decisions_of(scenario, tmp_path / "single", 1) == first
    frame = pd.read_parquet(tmp_path / "first" / "decisions.parquet")
    # Those that always take one split are in the table by its number.
    fixed = {"all-local", "min-split", "best-static"}
    assert set(frame["policy"]) >= {*BASELINES, "static-1", "static-32"} - fixed
    assert frame["ttft_s"].nunique() > 10


# --- recording ---


@pytest.mark.slow
@pytest.mark.ns3
@pytest.mark.model
@pytest.mark.timeout(900)
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_a_recording_is_the_same_with_one_simulator_at_a_time_and_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = small_scenario(mobility={"position_m": [122, 0, 1.5]}, requests={"count": 2})
    plan = Plan(weak, train_seeds=2, test_seeds=1)
    rows = []
    for count in ("1", "2"):
        monkeypatch.setenv("SPLITSIM_CORES", count)
        with PhaseProgress() as progress:
            out = tmp_path / f"{count}.parquet"
            rows.append(record(plan, out, command="splitsim record", progress=progress).rows)
    pd.testing.assert_frame_equal(*rows, check_exact=True)
    assert rows[0]["llm_evaluated"].any()
