import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import zmq

from pyagent.bridge import BridgeError, Ns3Env, ProtocolError, SimulatorDied, SimulatorTimeout
from pyagent.bridge import process as process_module

FAKE_SIM = Path(__file__).with_name("fake_sim.py")
TRANSPORTS = pytest.mark.parametrize("transport", ["ipc", "tcp"])


def play(env: Ns3Env) -> None:
    env.reset()
    for _ in range(3):
        env.step([0, 0])


@TRANSPORTS
def test_exits_early(make_env: Any, transport: str) -> None:
    with pytest.raises(SimulatorDied, match="exited with code 3") as caught:
        make_env("--mode=exits-early", transport=transport)
    assert caught.value.exit_code == 3
    assert caught.value.stderr_tail == "assert failed: no such topology"
    assert "no such topology" in str(caught.value)
    assert f"{FAKE_SIM} --mode=exits-early --openGym" in caught.value.command
    assert "--simSeed=1" in caught.value.command
    assert caught.value.command in str(caught.value)


@pytest.mark.parametrize("mode", ["never-connects", "deaf"])
def test_never_connects(make_env: Any, mode: str) -> None:
    with pytest.raises(SimulatorTimeout, match=r"waited 0\.3 s for the simulator to connect") as caught:
        make_env(f"--mode={mode}", connect_timeout_s=0.3)
    assert "--simSeed=1" in caught.value.command
    assert isinstance(caught.value, TimeoutError)


def test_never_answers(make_env: Any) -> None:
    env = make_env("--mode=silent", step_timeout_s=0.3)
    env.reset()
    with pytest.raises(SimulatorTimeout, match="to send the next state"):
        env.step([0, 0])
    assert env.reset()[1] == {"sim_seed": 2}  # starts afresh


@TRANSPORTS
@pytest.mark.parametrize(
    ("mode", "complaint"),
    [
        ("garbage", "no EnvStateMsg"),
        ("wrong-dtype", "observation: dtype 9 is none of"),
        ("wrong-size", r"observation: 1 values of float32 for a Box of shape \(2, 3\)"),
        ("oversized", "above 64 MiB"),
        ("hang-up", "closed its connection"),
    ],
)
def test_protocol_errors(make_env: Any, mode: str, complaint: str, transport: str) -> None:
    env = make_env(f"--mode={mode}", transport=transport)
    with pytest.raises(ProtocolError, match=complaint) as caught:
        play(env)
    assert "reproduce with: " in str(caught.value)
    assert f"--mode={mode}" in str(caught.value)


def test_bad_space(make_env: Any) -> None:
    with pytest.raises(ProtocolError, match="observation space: type 9"):
        make_env("--mode=bad-space")


@TRANSPORTS
def test_crash_in_a_step(make_env: Any, transport: str) -> None:
    env = make_env("--mode=crash", transport=transport)
    env.reset()
    with pytest.raises(SimulatorDied, match="was ended by SIGSEGV") as caught:
        env.step([0, 0])
    assert caught.value.exit_code == -signal.SIGSEGV
    assert caught.value.stderr_tail == "\n".join(f"line {i}" for i in range(70, 100))


@TRANSPORTS
def test_killed_at_connect(make_env: Any, transport: str) -> None:
    with pytest.raises(SimulatorDied, match="ended by SIGKILL while the agent waited for it to connect"):
        make_env("--mode=killed-early", transport=transport)


@TRANSPORTS
@pytest.mark.parametrize("mode", ["crash", "exit", "garbage"])
def test_failure_at_reset(make_env: Any, transport: str, mode: str) -> None:
    env = make_env(f"--mode={mode}", "--at=0", transport=transport)
    with pytest.raises(BridgeError):
        env.reset()
    assert not os.path.exists(f"/proc/{env.simulator_pid}")


def test_exit_0_early(make_env: Any) -> None:
    env = make_env("--mode=exit-0")
    env.reset()
    with pytest.raises(SimulatorDied, match="exited with code 0") as caught:
        env.step([0, 0])
    assert caught.value.exit_code == 0


def test_clean_exit_in_a_step(make_env: Any) -> None:
    with pytest.raises(SimulatorDied, match="exited with code 7"):
        play(make_env("--mode=exit"))


def test_end_before_the_first_state(make_env: Any) -> None:
    env = make_env("--steps=0")
    with pytest.raises(ProtocolError, match="ended before its first state"):
        env.reset()


@pytest.mark.parametrize("pidfd", [True, False])
@pytest.mark.parametrize("when", ["before", "during"])
def test_kill_in_a_step(make_env: Any, monkeypatch: pytest.MonkeyPatch, when: str, pidfd: bool) -> None:
    if not pidfd:
        monkeypatch.setattr(process_module, "_open_pidfd", lambda pid: None)
    env = make_env("--mode=silent")
    env.reset()
    pid = env.simulator_pid
    if when == "before":
        os.kill(pid, signal.SIGKILL)
    else:
        threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    start = time.monotonic()
    with pytest.raises(SimulatorDied, match="was ended by SIGKILL"):
        env.step([0, 0])
    assert time.monotonic() - start < 2
    assert env.simulator_pid is None or env.simulator_pid == pid


def test_flood_of_stderr_blocks_nobody(make_env: Any, tmp_path: Path) -> None:
    play(make_env("--mode=flood"))
    assert (tmp_path / "log" / "sim-seed1.stderr.log").stat().st_size > 1_000_000


@TRANSPORTS
def test_keyboard_interrupt_in_a_step(make_env: Any, transport: str) -> None:
    env = make_env("--mode=silent", transport=transport)
    env.reset()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        env.step([0, 0])
    assert not os.path.exists(f"/proc/{env.simulator_pid}")
    env.reset()


def test_keyboard_interrupt_while_connecting(make_env: Any) -> None:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        make_env("--mode=never-connects")


def stranger(port: int, message: bytes) -> Any:
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(f"tcp://127.0.0.1:{port}")
    socket.send(message)
    return socket


def test_stranger_cannot_join(make_env: Any) -> None:
    env = make_env(transport="tcp", seed=5)
    env.reset()
    with stranger(env._session._socket.port, b"\x08\x01") as socket:
        for step in range(1, 5):
            assert env.step([0, 0])[0][0].tolist() == [step, 5, 0]
        assert not socket.poll(100)
    assert env.step([0, 0])[3]


def test_stranger_cannot_be_first(make_env: Any) -> None:
    """A simulator that this agent has not started is dropped, though it speaks the protocol."""
    with pytest.raises(SimulatorTimeout, match="dropped simulators with process ids \\[1\\]"):
        make_env("--pid=1", transport="tcp", connect_timeout_s=1)


def test_port_in_use() -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        with pytest.raises(BridgeError, match=f"cannot listen on tcp://127.0.0.1:{port}"):
            Ns3Env(sys.executable, transport="tcp", port=port)


def test_nobody_attaches() -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
    with pytest.raises(SimulatorTimeout, match=f"on tcp://127.0.0.1:{port}"):
        Ns3Env(port=port, connect_timeout_s=0.1)


def test_private_folder(make_env: Any) -> None:
    env = make_env()
    path = Path(env._session._socket.endpoint.removeprefix("ipc://"))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    env.close()
    assert not path.parent.exists()


def test_wrapper_script(tmp_path: Path) -> None:
    """The simulator may be a child of what was started, such as ``ns3 run``."""
    script = tmp_path / "run"
    script.write_text(f'#!{shutil.which("sh")}\n"{sys.executable}" "{FAKE_SIM}" "$@"\nexit 9\n')
    script.chmod(0o755)
    with Ns3Env(script, transport="tcp", connect_timeout_s=20) as env:
        play(env)
