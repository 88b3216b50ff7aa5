"""The engines, and what is killed under them: workers, the driver, a machine."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from pyagent import results
from pyagent.bridge.process import SimulatorProcess
from pyagent.sweep import local
from pyagent.sweep.campaign import run_sweep
from pyagent.sweep.engine import EngineError, local_workers, open_engine
from pyagent.sweep.execute import Result
from pyagent.sweep.file import EngineOptions
from pyagent.sweep.local import LocalEngine
from tests.pyagent.sweep.cheap import InlineEngine, cheap_file, cheap_sweep

# linucb takes a second: long enough to be killed in the middle of a run.
LONGER: dict[str, Any] = {
    "agent": {"budget": 40, "policies": ["best-static", "linucb"]},
    "grid": {"scenario.reward.slo_s": [0.5, 1.0]},
    "seeds": {"count": 3},
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("undisturbed")
    run_sweep(cheap_sweep(folder, **LONGER), folder / "store", lambda scratch: InlineEngine())
    return results.load(folder / "store")


def same(store: Path, undisturbed: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(results.load(store), undisturbed, check_exact=True)


def test_more_threads_than_cores_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert local_workers(None, 1) == 8
    assert local_workers(None, 3) == 2
    assert local_workers(2, 4) == 2
    with pytest.raises(EngineError, match=r"workers = 3 with engine\.threads = 4: 12 threads on 8 cores"):
        local_workers(3, 4)
    with pytest.raises(EngineError, match="9 threads on 8 cores"):
        local_workers(None, 9)
    monkeypatch.setenv("SPLITSIM_CORES", "2")
    assert local_workers(None, 1) == 2


def test_without_ray_its_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"ns3-llm-split\[ray\]"):
        open_engine(tmp_path, EngineOptions(kind="ray"))


class KillingEngine(LocalEngine):
    """Kills a worker in the middle of a run, once."""

    killed = False
    number = signal.SIGKILL

    def wait(self, timeout_s: float) -> list[tuple[str, Result]]:
        busy = next((worker for worker in self._workers if worker.task is not None), None)
        if busy is not None and not self.killed:
            os.kill(busy.process.pid, self.number)
            self.killed = True
        return super().wait(timeout_s)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_killed_or_stopped_workers_run_is_made_again(
    tmp_path: Path, undisturbed: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(local, "STOPPED_S", 1.0)
    monkeypatch.setattr(KillingEngine, "number", number)
    sweep, engines = cheap_sweep(tmp_path, **LONGER), []

    def killing(scratch: Path) -> LocalEngine:
        engines.append(KillingEngine(2, 1, scratch))
        return engines[0]

    assert run_sweep(sweep, tmp_path / "store", killing).tally == {"made": 6}
    assert engines[0].killed
    same(tmp_path / "store", undisturbed)


@pytest.mark.slow
def test_a_run_that_kills_every_worker_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_RETRIES", 0)
    sweep = cheap_sweep(tmp_path, **LONGER | {"seeds": {"count": 1}})
    done = run_sweep(sweep, tmp_path / "store", lambda scratch: KillingEngine(1, 1, scratch))
    assert done.tally == {"made": 1, "failed": 1}
    failed = results.runs(tmp_path / "store", where={"state": "failed"})
    assert "died 1 times: its process ended with signal 9" in failed["error"][0]


def test_what_a_worker_has_just_started_goes_with_it(tmp_path: Path) -> None:
    """As a simulator that is stopped before it has bound its life to the worker's."""
    start = "print(subprocess.Popen([sys.executable, '-c', wait], start_new_session=True).pid, flush=True)"
    program = (
        f"import signal, subprocess, sys; wait = 'import signal; signal.pause()'; {start}; signal.pause()"
    )
    worker = SimulatorProcess(sys.executable, ["-c", program], log_dir=tmp_path)
    while not (said := worker.stdout_path.read_text()).endswith("\n"):
        assert worker.wait(0.05) is None
    child = psutil.Process(int(said))
    child.suspend()
    with local._children_killed(worker):
        worker.terminate(0)
    _, alive = psutil.wait_procs([child], timeout=30)
    assert not alive or child.status() == psutil.STATUS_ZOMBIE
    with local._children_killed(worker):  # it has ended, and its id may be another's
        pass


@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_driver_leaves_no_process_and_nothing_twice(
    tmp_path: Path, undisturbed: pd.DataFrame, number: signal.Signals
) -> None:
    store = tmp_path / "store"
    command = [sys.executable, "-m", "pyagent.cli", "sweep", cheap_file(tmp_path, **LONGER), "--store", store]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) as process:
        try:
            until_finished(store, process, 1)
            children = psutil.Process(process.pid).children(recursive=True)
            os.kill(process.pid, number)
            _, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert gone
    assert not alive
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert stderr.splitlines()[-1].startswith("splitsim: interrupted; what was finished is kept")
    before = set(results.load(store)["key"])
    engine = InlineEngine()
    run_sweep(cheap_sweep(tmp_path, **LONGER), store, lambda scratch: engine)
    assert not before & set(engine.made)
    same(store, undisturbed)


def until_finished(store: Path, process: subprocess.Popen[str], runs: int) -> None:
    """Look until so many runs are finished."""
    deadline = time.monotonic() + 300
    while list(results.states(store).values()).count("finished") < runs:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        select.select([], [], [], 0.05)


@pytest.fixture
def two_machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Ray cluster of a head that makes no runs and two raylets that do, on loopback."""
    pytest.importorskip("ray", reason="ray is not installed")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        cluster.machines = [cluster.add_node(num_cpus=1) for _ in range(2)]
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_a_raylet_killed_in_mid_sweep_costs_no_result(
    tmp_path: Path, undisturbed: pd.DataFrame, two_machines: Any
) -> None:
    from pyagent.sweep.on_ray import RayEngine

    class OneMachineLess(RayEngine):
        killed = False

        def wait(self, timeout_s: float) -> list[tuple[str, Result]]:
            found = super().wait(timeout_s)
            if found and not self.killed:
                assert len(self._running) >= 1  # the other machine is in the middle of a run
                two_machines.remove_node(two_machines.machines[0], allow_graceful=False)
                self.killed = True
            return found

    engines = []

    def opened(scratch: Path) -> RayEngine:
        engines.append(OneMachineLess(None, 1, two_machines.address))
        return engines[0]

    assert run_sweep(cheap_sweep(tmp_path, **LONGER), tmp_path / "store", opened).tally == {"made": 6}
    assert engines[0].killed
    same(tmp_path / "store", undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_ppo_learns_on_environments_all_over_a_cluster(two_machines: Any) -> None:
    import numpy as np
    import ray
    from stable_baselines3 import PPO

    from pyagent.envs.on_ray import RayVecEnv

    ray.init(address=two_machines.address, log_to_driver=False, logging_level="error")
    try:
        env = RayVecEnv("pyagent/Replay-v0", 2, dataset="tram-replay")
        env.seed(5)
        first = env.reset()
        env.seed(5)
        assert np.array_equal(env.reset(), first)
        assert not np.array_equal(first[0], first[1])  # two environments, two episodes
        model = PPO("MlpPolicy", env, n_steps=32, batch_size=32, seed=1, device="cpu").learn(64)
        assert model.num_timesteps == 64
        assert len({node["NodeID"] for node in ray.nodes() if node["Resources"].get("CPU")}) == 2
        env.close()
    finally:
        ray.shutdown()
