"""Several simulators in one process."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode

from pyagent.bridge import Ns3VectorEnv, SimulatorDied, SimulatorTimeout, make_vec
from pyagent.bridge.sb3 import make_sb3_vec

FAKE_SIM = Path(__file__).with_name("fake_sim.py")


def fakes(n: int, *args: str, **options: Any) -> Ns3VectorEnv:
    options = {"connect_timeout_s": 20, "step_timeout_s": 20, **options}
    return make_vec(n, sys.executable, [str(FAKE_SIM), *args], **options)


def actions(n: int) -> Any:
    return np.stack([np.full(2, i) for i in range(n)])


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_each_simulator_gets_its_action_and_seed() -> None:
    with_threads = threading.active_count()
    envs = fakes(3, "--steps=4", seed=10)
    observations, info = envs.reset()
    assert observations.shape == (3, 2, 3)
    assert observations[:, 0, 1].tolist() == [10, 11, 12]
    assert info["sim_seed"].tolist() == [10, 11, 12]
    observations, rewards, terminated, truncated, info = envs.step(actions(3))
    assert observations[:, 0, 2].tolist() == [0, 1, 2]
    assert rewards.tolist() == [0, 2, 4]
    assert rewards.dtype == np.float64
    assert not terminated.any()
    assert not truncated.any()
    assert len(children()) == 3  # no Python process for any of them
    assert threading.active_count() <= with_threads + 1  # the launcher
    envs.close()
    envs.close()
    assert not children()
    with pytest.raises(ClosedEnvironmentError):
        envs.step(actions(3))


def test_every_simulator_gets_its_seed_by_another_option() -> None:
    envs = fakes(2, seed=7, seed_argument="--RngRun")
    assert envs.reset()[0][:, 0, 1].tolist() == [7, 8]
    envs.close()


def test_autoreset_at_the_next_step() -> None:
    envs = fakes(2, "--steps=1", seed=1)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    envs.reset()
    last, _, _, truncated, info = envs.step(actions(2))
    assert truncated.tolist() == [True, True]
    assert last[:, 0, 0].tolist() == [1, 1]
    first, rewards, _, truncated, info = envs.step(actions(2))
    assert first[:, 0, 0].tolist() == [0, 0]
    assert rewards.tolist() == [0, 0]
    assert not truncated.any()
    assert info["sim_seed"].tolist() == [3, 4]  # in strides of n
    assert envs.step(actions(2))[3].all()
    envs.close()


def test_autoreset_in_the_same_step() -> None:
    envs = fakes(2, "--steps=1", seed=1, autoreset_mode=AutoresetMode.SAME_STEP)
    envs.reset()
    first, rewards, _, truncated, info = envs.step(actions(2))
    assert truncated.all()
    assert rewards.tolist() == [0, 2]
    assert first[:, 0, 0].tolist() == [0, 0]
    assert [final[0, 0] for final in info["final_obs"]] == [1, 1]
    assert info["sim_seed"].tolist() == [3, 4]
    assert envs.step(actions(2))[3].all()
    envs.close()


def test_without_autoreset() -> None:
    envs = fakes(2, "--steps=1", seed=1, autoreset_mode=AutoresetMode.DISABLED)
    with pytest.raises(ValueError, match="the first reset is of all"):
        envs.reset(options={"reset_mask": np.array([True, False])})
    envs.reset()
    envs.step(actions(2))
    with pytest.raises(ResetNeeded):
        envs.step(actions(2))
    observations, info = envs.reset(options={"reset_mask": np.array([True, False])})
    assert observations[:, 0, 0].tolist() == [0, 1]
    assert info["_sim_seed"].tolist() == [True, False]
    envs.close()


def test_seeds() -> None:
    envs = fakes(2)
    assert envs.reset(seed=2**32 - 1)[1]["sim_seed"].tolist() == [2**32 - 1, 0]
    assert envs.reset(seed=[7, None])[1]["sim_seed"].tolist() == [7, 2]
    for wrong in ([1], [1, 2**32]):
        with pytest.raises(ValueError):
            envs.reset(seed=wrong)
    envs.close()


def test_wrong_action_harms_no_episode() -> None:
    envs = fakes(2, "--steps=3")
    envs.reset()
    wrong = actions(2)
    wrong[1, 0] = 99
    with pytest.raises(ValueError, match="99 is out of"):
        envs.step(wrong)
    assert envs.step(actions(2))[0][:, 0, 0].tolist() == [1, 1]
    with pytest.raises(ValueError, match="1 for 2"):
        envs.step(actions(1))
    envs.close()


@pytest.mark.parametrize("n", [0, -1])
def test_invalid_number(n: int) -> None:
    with pytest.raises(ValueError, match="n="):
        fakes(n)


def test_failure_of_one_ends_all_and_reset_starts_afresh(tmp_path: Path) -> None:
    envs = fakes(3, log_dir=tmp_path)
    envs.reset()
    pid = envs.simulator_pids[1]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(SimulatorDied, match="ended by SIGKILL") as caught:
        envs.step(actions(3))
    assert "--simSeed=2" in caught.value.command
    assert not children()
    with pytest.raises(ResetNeeded):
        envs.step(actions(3))
    envs.reset()
    assert envs.step(actions(3))[0][:, 0, 0].tolist() == [1, 1, 1]
    envs.close()


@pytest.mark.parametrize("n", [1, 2])
def test_deadline(n: int) -> None:
    envs = fakes(n, "--mode=silent", step_timeout_s=0.3)
    envs.reset()
    start = time.monotonic()
    with pytest.raises(SimulatorTimeout, match="to send the next state"):
        envs.step(actions(n))
    assert time.monotonic() - start < 5
    assert not children()
    envs.close()


def test_death_while_waiting() -> None:
    envs = fakes(2, "--mode=silent")
    envs.reset()
    pid = envs.simulator_pids[0]
    assert pid is not None
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    start = time.monotonic()
    with pytest.raises(SimulatorDied, match="ended by SIGKILL"):
        envs.step(actions(2))
    assert time.monotonic() - start < 5
    envs.close()


def test_failure_at_the_start_leaves_nothing() -> None:
    with pytest.raises(SimulatorDied):
        fakes(2, "--mode=exits-early")
    assert not children()


def test_keyboard_interrupt() -> None:
    envs = fakes(2, "--mode=silent")
    envs.reset()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        envs.step(actions(2))
    assert not children()
    envs.close()


def test_stable_baselines3_vec_env() -> None:
    envs = make_sb3_vec(2, sys.executable, [str(FAKE_SIM), "--steps=1"], seed=1)
    envs.seed(5)
    assert envs.reset()[:, 0, 1].tolist() == [5, 6]
    first, rewards, over, infos = envs.step(actions(2))
    assert first[:, 0, 1].tolist() == [7, 8]
    assert rewards.tolist() == [0, 2]
    assert over.tolist() == [True, True]
    assert infos[1]["TimeLimit.truncated"]
    assert infos[1]["terminal_observation"][0].tolist() == [1, 6, 1]
    envs.close()
    assert not children()
