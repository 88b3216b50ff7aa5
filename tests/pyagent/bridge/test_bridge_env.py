import gc
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import zmq
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.utils.env_checker import check_env

from pyagent.bridge import Ns3Env, ProtocolError

FAKE_SIM = Path(__file__).with_name("fake_sim.py")
TRANSPORTS = pytest.mark.parametrize("transport", ["ipc", "tcp"])


@TRANSPORTS
def test_an_episode(make_env: Any, transport: str) -> None:
    env = make_env("--steps=3", seed=8, transport=transport)
    assert env.observation_space.shape == (2, 3)
    assert env.action_space.shape == (2,)
    observation, info = env.reset()
    assert observation.tolist() == [[0, 8, 0], [0, 0.5, 0.5]]
    assert info == {"sim_seed": 8}
    observation, reward, terminated, truncated, info = env.step([-5, 4])
    assert observation.tolist() == [[1, 8, -5], [4, 0.5, 0.5]]
    assert (reward, terminated, truncated, info) == (-1.0, False, False, {})
    env.step(np.array([0, 0]))
    assert env.step([0, 0])[2:4] == (False, True)


def test_game_over_terminates(make_env: Any) -> None:
    env = make_env("--steps=1", "--end=gameover")
    env.reset()
    assert env.step([0, 0])[2:4] == (True, False)


@pytest.mark.filterwarnings("ignore:.*normalized space")
@TRANSPORTS
def test_gymnasium_check_env(make_env: Any, transport: str) -> None:
    check_env(make_env(transport=transport), skip_render_check=True)


def test_seeds(make_env: Any) -> None:
    env = make_env(seed=5)
    first = env.simulator_pid
    assert env.reset()[1]["sim_seed"] == 5
    assert env.simulator_pid == first
    assert env.reset()[1]["sim_seed"] == 6
    assert env.simulator_pid != first
    assert env.reset(seed=2**32 - 1)[1]["sim_seed"] == 2**32 - 1
    assert env.reset()[1]["sim_seed"] == 0


@pytest.mark.parametrize("name", ["--RngRun", "RngRun"])
def test_a_scenario_whose_seed_has_another_option(make_env: Any, name: str) -> None:
    """The fake refuses --simSeed beside --RngRun, and sends its seed as the second value."""
    env = make_env(seed=5, seed_argument=name)
    assert env.reset()[0][0, 1] == 5
    observation, info = env.reset(seed=9)
    assert (observation[0, 1], info["sim_seed"]) == (9, 9)


@pytest.mark.parametrize("name", ["", "--", "a b", "--seed=", "---seed"])
def test_a_seed_argument_that_is_no_option_is_refused(make_env: Any, name: str) -> None:
    with pytest.raises(ValueError, match=f"seed_argument={name!r}: valid is an option's name"):
        make_env(seed_argument=name)


def test_first_reset_keeps_the_process_only_for_the_same_seed(make_env: Any) -> None:
    env = make_env(seed=5)
    first = env.simulator_pid
    env.reset(seed=5)
    assert env.simulator_pid == first
    env = make_env(seed=5)
    first = env.simulator_pid
    env.reset(seed=6)
    assert env.simulator_pid != first


@pytest.mark.parametrize(
    ("text", "info"),
    [
        ('{"t_s": 1.5, "sim_seed": "own"}', {"t_s": 1.5, "sim_seed": "own"}),
        ("plain text", {"extra": "plain text", "sim_seed": 1}),
        ("[1, 2]", {"extra": "[1, 2]", "sim_seed": 1}),
        ("[" * 9999, {"extra": "[" * 9999, "sim_seed": 1}),
        ("", {"sim_seed": 1}),
    ],
)
def test_info(make_env: Any, text: str, info: dict[str, Any]) -> None:
    assert make_env(f"--info={text}").reset()[1] == info


@pytest.mark.parametrize("mode", ["bare-end", "empty-end"])
def test_last_state_without_observation(make_env: Any, mode: str) -> None:
    """None at all, or a Box without elements, as ns3-gym's own interference-pattern ends."""
    env = make_env("--steps=1", f"--mode={mode}")
    first, _ = env.reset()
    observation, _, _, truncated, info = env.step([0, 0])
    assert truncated
    assert info == {"observation_repeated": True}
    assert np.array_equal(observation, first)


def test_wrong_use_is_told(make_env: Any) -> None:
    env = make_env("--steps=2")
    with pytest.raises(ResetNeeded):
        env.step([0, 0])
    env.reset()
    with pytest.raises(ValueError, match=r"action\[1\]: 6 is out of"):
        env.step([0, 6])
    env.step([0, 5])  # the episode goes on
    assert env.step([0, 0])[3]
    with pytest.raises(ResetNeeded):
        env.step([0, 0])
    env.reset()
    env.close()
    env.close()
    for use in (env.reset, lambda: env.step([0, 0])):
        with pytest.raises(ClosedEnvironmentError):
            use()


@pytest.mark.parametrize(
    "options",
    [
        {"transport": "udp"},
        {"port": 5555},
        {"port": 0, "transport": "tcp"},
        {"executable": None},
        {"step_timeout_s": -1},
        {"connect_timeout_s": float("inf")},
        {"seed": -1},
        {"seed": 2**32},
    ],
)
def test_invalid_arguments(options: dict[str, Any]) -> None:
    name = next(iter(options)) if "executable" not in options else "port"
    with pytest.raises(ValueError, match=name):
        Ns3Env(**{"executable": sys.executable, **options})


@pytest.mark.parametrize("played", [False, True])
def test_close_stops_in_good_order(make_env: Any, tmp_path: Path, played: bool) -> None:
    env = make_env()
    if played:
        env.reset()
        env.step([0, 0])
    env.close()
    assert (tmp_path / "log" / "sim-seed1.stdout.log").read_text() == "stopped in good order\n"


def test_close_kills_what_does_not_stop(make_env: Any) -> None:
    env = make_env("--mode=ignores-stop", stop_timeout_s=0.2)
    env.reset()
    env.close()


def test_context_manager_and_collection(make_env: Any, tmp_path: Path) -> None:
    with make_env() as env:
        env.reset()
        pid = env.simulator_pid
    assert not psutil.pid_exists(pid)
    lost = Ns3Env(sys.executable, [str(FAKE_SIM)])
    pid = lost.simulator_pid
    del lost
    gc.collect()
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_agent_that_forgets_to_close(tmp_path: Path) -> None:
    source = f"""
import sys
from pyagent.bridge import Ns3Env
env = Ns3Env(sys.executable, [{str(FAKE_SIM)!r}], log_dir={str(tmp_path)!r})
env.reset()
raise SystemExit("bye")
"""
    agent_env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=20, env=agent_env
    )
    assert done.stderr == "bye\n"
    assert (tmp_path / "sim-seed1.stdout.log").read_text() == "stopped in good order\n"
    assert not list(tmp_path.glob("*splitsim-*"))


def test_forked_copy_harms_nobody(make_env: Any) -> None:
    env = make_env()
    env.reset()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            env.step([0, 0])
        except ClosedEnvironmentError:
            env.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert env.step([1, 1])[1] == 2.0


def test_30_resets_leak_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def inventory() -> tuple[int, int, int, int]:
        me = psutil.Process()
        files = sum(len(files) for _, _, files in os.walk(tmp_path))
        return len(os.listdir("/proc/self/fd")), me.num_threads(), len(me.children()), files

    with Ns3Env(sys.executable, [str(FAKE_SIM)]) as env:
        counts = []
        for _ in range(30):
            env.reset()
            env.step([0, 0])
            counts.append(inventory())
        assert counts[-1] == counts[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["d" * 100, "a b"], ids=["long", "blank"])
def test_a_temporary_folder_that_holds_no_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """The kernel takes 107 bytes; ns-3's CommandLine reads a text up to its first blank."""
    place = tmp_path / name
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with Ns3Env(sys.executable, [str(FAKE_SIM)]) as env:
        env.reset()
        assert env._session is not None
        assert not re.search(r"\s", env._session.endpoint)
    assert not list(place.iterdir())


def test_spaces_must_not_change(make_env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    env = make_env()
    env.reset()
    object.__setattr__(env._config, "args", (*env._config.args, "--mode=odd-space"))
    for _ in range(2):
        with pytest.raises(ProtocolError, match="the spaces changed between episodes"):
            env.reset()


def free_port() -> int:
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        return socket.bind_to_random_port("tcp://127.0.0.1")


def test_attach_mode_for_two_episodes() -> None:
    port = free_port()
    argv = [sys.executable, str(FAKE_SIM), f"--openGymPort={port}", "--steps=2"]
    with subprocess.Popen([*argv, "--simSeed=3"]) as first, Ns3Env(port=port, connect_timeout_s=20) as env:
        assert env.simulator_pid is None
        observation, info = env.reset(seed=99)
        assert observation[0, 1] == 3  # the simulator's own seed
        assert info == {}
        env.step([0, 0])
        with subprocess.Popen([*argv, "--simSeed=4"]) as second:
            assert env.reset()[0][0, 1] == 4
            assert first.wait(10) == 0
            env.step([0, 0])
            assert env.step([0, 0])[3]
            assert second.wait(10) == 0
