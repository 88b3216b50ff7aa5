"""The example scenarios, which are written in ns3-gym's style and know nothing of this project."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import zmq
from gymnasium.utils.env_checker import check_env

from pyagent.bridge import Ns3Env
from pyagent.paths import REPOSITORY, simulator_executable
from tests.running import select_nothing

pytestmark = pytest.mark.ns3
SOURCES = REPOSITORY / "ns3_scenarios" / "examples"


def example(name: str) -> Path:
    path = simulator_executable().parent / "examples" / name
    assert path.exists(), f"{path} is not built: ninja -C build/ns3 splitsim-examples"
    return path


def assert_equal(got: Any, expected: Any) -> None:
    assert type(got) is type(expected)
    if isinstance(got, dict):
        assert list(got) == list(expected)
        for key in got:
            assert_equal(got[key], expected[key])
    elif isinstance(got, tuple):
        for one, other in zip(got, expected, strict=True):
            assert_equal(one, other)
    else:
        assert got.dtype == expected.dtype
        assert np.array_equal(got, expected)


def test_every_space_goes_both_ways(tmp_path: Path) -> None:
    with Ns3Env(example("every-space"), ["--maxSteps=6"], transport="tcp", log_dir=tmp_path) as env:
        assert env.observation_space == env.action_space
        assert env.action_space["pair"][1].dtype == np.int32
        assert env.action_space["real"]["double"].shape == (2, 3)
        first, info = env.reset()
        assert first in env.observation_space
        assert info["sim_time_s"] == 0.0
        env.action_space.seed(4)
        for step in range(1, 6):
            action = {**env.action_space.sample(), "choice": np.int64(step % 3)}
            observation, reward, terminated, _, info = env.step(action)
            assert_equal(observation, action)
            assert reward == step
            assert not terminated
            assert info["sim_time_s"] == pytest.approx(0.1 * step)
            assert info["extra"].startswith("Dict(choice=")
        observation, _, terminated, truncated, _ = env.step(action)
        assert (terminated, truncated) == (False, True)  # SimulationEnd
    printed = (tmp_path / "sim-seed1.stdout.log").read_text()
    assert printed.count("Dict(choice=") == 6


def test_every_space_game_over() -> None:
    with Ns3Env(example("every-space"), transport="tcp") as env:
        env.reset()
        action = {**env.action_space.sample(), "choice": 3}
        assert env.step(action)[2:4] == (True, False)


def walk(env: Ns3Env) -> tuple[int, bool]:
    """Play an episode to its end; its length, and whether it was terminated."""
    length = 0
    while True:
        _, _, terminated, truncated, _ = env.step(0)
        length += 1
        if terminated or truncated:
            return length, terminated


def test_several_episodes_in_a_process() -> None:
    with Ns3Env(example("random-walk"), ["--simTime=4"], transport="tcp", restart="end", seed=3) as env:
        pid = env.simulator_pid
        for episode in range(2):
            observation, info = env.reset()
            assert observation.tolist() == [5, episode]
            assert info["walk"] == episode
            assert info["sim_seed"] == 3
            assert walk(env)[1]
            assert env.simulator_pid == pid
        assert env.reset(seed=3)[0].tolist() == [5, 0]  # a seed asks for a process of its own
        assert env.simulator_pid != pid
        pid = env.simulator_pid
        assert env.reset()[1]["sim_seed"] == 4  # in mid-episode nothing else will do
        assert env.simulator_pid != pid


def test_next_process_when_simulated_time_is_over() -> None:
    args = ["--simTime=0.55", "--envStepTime=0.1"]
    with Ns3Env(example("random-walk"), args, transport="tcp", restart="end") as env:
        seeds = []
        for _ in range(4):
            _, info = env.reset()
            seeds.append(info["sim_seed"])
            walk(env)
        assert seeds == sorted(seeds)
        assert seeds[-1] > seeds[0]


def test_no_further_episode_after_game_over() -> None:
    """The process that was to go on ends instead: a new one is started, and no error comes of it."""
    with Ns3Env(example("every-space"), ["--maxSteps=2"], transport="tcp", restart="end") as env:
        env.reset()
        over = {**env.action_space.sample(), "choice": 3}
        assert env.step(over)[2]
        pid = env.simulator_pid
        assert env.reset()[1]["sim_seed"] == 2
        assert env.simulator_pid != pid
        assert env.step(over)[2]


def test_a_process_for_each_episode_by_default() -> None:
    with Ns3Env(example("random-walk"), transport="tcp") as env:
        env.reset()
        assert walk(env)[1]
        assert env.reset()[1]["sim_seed"] == 2


@pytest.mark.filterwarnings("ignore:.*")
def test_check_env() -> None:
    with Ns3Env(example("random-walk"), transport="tcp") as env:
        check_env(env, skip_render_check=True)


def test_two_agents_in_a_simulation() -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
    lengths: dict[str, int] = {}

    def play(name: str, env: Ns3Env) -> None:
        with env:
            env.reset()
            length, ended = 0, False
            while not ended:
                _, _, terminated, truncated, _ = env.step(1)
                length, ended = length + 1, terminated or truncated
            lengths[name] = length

    options: dict[str, Any] = {"step_timeout_s": 20, "connect_timeout_s": 20}
    args = [f"--secondPort={port}", "--simTime=0.5"]
    first = Ns3Env(example("two-walkers"), args, transport="tcp", **options)
    # In its own thread: the second agent's simulator connects when the first one has begun.
    second = threading.Thread(target=lambda: play("second", Ns3Env(port=port, **options)))
    second.start()
    play("first", first)
    second.join(30)
    assert not second.is_alive()
    assert lengths == {"first": 5, "second": 5}


@pytest.mark.parametrize(
    ("scenario", "agent", "said"),
    [
        ("every-space", "every_space_agent.py", "reward"),
        ("random-walk", "random_walk_agent.py", "walk 2:"),
    ],
)
def test_agents(scenario: str, agent: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SOURCES / agent), str(example(scenario))],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert said in done.stdout


def test_ppo_trains_on_a_vector_of_four() -> None:
    from stable_baselines3 import PPO

    from pyagent.bridge.sb3 import make_sb3_vec

    envs = make_sb3_vec(4, example("random-walk"), ["--simTime=5"], transport="tcp", restart="end")
    try:
        model = PPO("MlpPolicy", envs, n_steps=32, batch_size=64, n_epochs=2, seed=1, device="cpu")
        before = [parameter.detach().clone() for parameter in model.policy.parameters()]
        model.learn(256)
        after = list(model.policy.parameters())
        assert model.num_timesteps == 256
        assert any(not one.equal(other) for one, other in zip(before, after, strict=True))
        assert len(model.ep_info_buffer or []) == 0  # no Monitor: the environments are bare
    finally:
        envs.close()


@pytest.mark.filterwarnings("ignore:.*")
def test_stable_baselines3_check_env() -> None:
    from stable_baselines3.common.env_checker import check_env as sb3_check_env

    with Ns3Env(example("random-walk"), transport="tcp") as env:
        sb3_check_env(env, warn=False)


AGENT = """
import sys
from pyagent.bridge import Ns3Env
env = Ns3Env(sys.argv[1], transport="tcp")
env.reset()
print(env.simulator_pid, flush=True)
sys.stdin.read()
"""


def test_simulator_goes_with_a_killed_agent() -> None:
    argv = [sys.executable, "-c", AGENT, str(example("random-walk"))]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as agent:
        assert agent.stdout is not None
        simulator = psutil.Process(int(agent.stdout.readline()))
        agent.kill()
        simulator.wait(5)


STEPPING_AGENT = """
import sys
from pyagent.bridge import Ns3Env
with Ns3Env(sys.argv[1], step_timeout_s=float(sys.argv[2])) as env:
    env.reset()
    print(env.simulator_pid, flush=True)
    sys.stdin.readline()
    print("asking", flush=True)
    env.step(env.action_space.sample())
    print("answered", flush=True)
"""


@pytest.mark.slow
def test_time_in_which_both_were_stopped_is_no_silence_of_the_simulator() -> None:
    bound_s = 4.0
    argv = [sys.executable, "-c", STEPPING_AGENT, str(example("bridge-echo")), str(bound_s)]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as agent:
        assert agent.stdin is not None
        assert agent.stdout is not None
        simulator = psutil.Process(int(agent.stdout.readline()))
        simulator.suspend()
        agent.stdin.write("\n")
        agent.stdin.flush()
        assert agent.stdout.readline() == "asking\n"
        select_nothing(0.3)  # were it stopped before it waits, there would be nothing to see
        agent.send_signal(signal.SIGSTOP)
        select_nothing(bound_s + 1)
        agent.send_signal(signal.SIGCONT)
        select_nothing(0.5)  # it looks at the clock before the simulator can answer
        simulator.resume()
        assert agent.stdout.readline() == "answered\n"
        assert agent.wait(20) == 0


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_200_resets_leak_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, transport: str) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    me = psutil.Process()

    def inventory() -> tuple[int, ...]:
        files = sum(len(files) for _, _, files in os.walk(tmp_path))
        return me.num_fds(), me.num_threads(), len(me.children()), len(me.net_connections()), files

    with Ns3Env(example("bridge-echo"), transport=transport) as env:
        counts = []
        for _ in range(200):
            env.reset()
            env.step(env.action_space.sample())
            counts.append(inventory())
        assert counts[-1] == counts[0]
    assert not list(tmp_path.iterdir())
    assert not me.children()
