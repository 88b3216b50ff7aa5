"""A process that connects to the agent's socket and is not its simulator takes over and stalls nothing."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from pyagent.bridge import Ns3Env, SimulatorTimeout
from pyagent.bridge.link import _MAX_CANDIDATES, AgentSocket
from pyagent.bridge.patience import Patience
from pyagent.bridge.peer import is_of_session, peer_uid
from tests.security.strangers import ATTACKS, HELLO, Attack, Gate, Intruder, all_at_once, claim

FAKE_SIM = Path(__file__).parents[1] / "pyagent" / "bridge" / "fake_sim.py"
TRANSPORTS = pytest.mark.parametrize("transport", ["ipc", "tcp"])
# Even all attacks at once leave a run far below this, and a stall is as long as this.
TIMEOUT_S = 60


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    yield
    assert not psutil.Process().children(recursive=True)


def play(env: Ns3Env) -> list[list[float]]:
    """An episode of the fake simulator: step and seed of each observation."""
    states, over = [env.reset()[0][0].tolist()[:2]], False
    while not over:
        observation, _, terminated, truncated, _ = env.step([0, 0])
        states.append(observation[0].tolist()[:2])
        over = terminated or truncated
    return states


EPISODE = [[step, 1] for step in range(6)]
"""Of seed 1."""


@contextmanager
def attacked(gate: Gate, attack: Attack) -> Iterator[list[Intruder]]:
    """Once the simulator has been started and before it connects."""
    intruders: list[Intruder] = []

    def run() -> None:
        pid, endpoint = gate.started()
        intruders.append(Intruder(endpoint, pid))
        try:
            attack(intruders[0])
        finally:
            gate.open()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield intruders
    finally:
        thread.join(TIMEOUT_S)
        for intruder in intruders:
            intruder.close()


@TRANSPORTS
@pytest.mark.parametrize("attack", [*ATTACKS.values(), all_at_once], ids=lambda attack: attack.__name__)
def test_who_comes_before_the_simulator_keeps_it_from_nothing(
    tmp_path: Path, transport: Any, attack: Attack
) -> None:
    """Also who speaks the protocol and says to be the process that was started."""
    gate = Gate(tmp_path, f"{shlex.quote(sys.executable)} {shlex.quote(str(FAKE_SIM))}")
    with (
        attacked(gate, attack) as intruders,
        Ns3Env(
            gate.program, transport=transport, connect_timeout_s=TIMEOUT_S, step_timeout_s=TIMEOUT_S
        ) as env,
    ):
        states = play(env)
        # Not even a greeting: whoever is not of the simulator's session is hung up on unread.
        assert intruders[0].heard() == b""
    assert states == EPISODE


@TRANSPORTS
def test_who_comes_later_is_not_heard(transport: Any) -> None:
    with Ns3Env(sys.executable, [str(FAKE_SIM)], transport=transport, step_timeout_s=TIMEOUT_S) as env:
        states = [env.reset()[0][0].tolist()[:2]]
        assert env.session is not None
        assert env.simulator_pid is not None
        # After the peer is pinned nobody is accepted: connections wait in the kernel's queue, or are refused.
        with closing(Intruder(env.session.endpoint, env.simulator_pid)) as intruder:
            for attack in ATTACKS.values():
                if attack.__name__ != "many":
                    attack(intruder)
            states += [env.step([0, 0])[0][0].tolist()[:2] for _ in range(5)]
            assert intruder.heard() == b""
    assert states == EPISODE


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    "attack",
    [attack for name, attack in ATTACKS.items() if name not in ("second_simulator", "gone_at_once")],
    ids=lambda attack: attack.__name__,
)
def test_an_attached_simulator_gets_in_beside_what_this_user_does_to_the_port(
    free_port: int, attack: Attack
) -> None:
    """Attached, the simulator is who speaks the protocol first, as this user."""
    attacking = threading.Event()

    def run() -> None:
        intruder = Intruder(f"tcp://127.0.0.1:{free_port}", 1)
        until_listening(free_port)
        attack(intruder)
        attacking.set()
        command = [sys.executable, str(FAKE_SIM), f"--openGymPort={free_port}", "--simSeed=1"]
        done.append(subprocess.run(command, timeout=TIMEOUT_S, check=False).returncode)
        intruder.close()

    done: list[int] = []
    thread = threading.Thread(target=run)
    thread.start()
    descriptors = psutil.Process().num_fds()
    with Ns3Env(port=free_port, connect_timeout_s=TIMEOUT_S, step_timeout_s=TIMEOUT_S) as env:
        assert attacking.is_set()
        assert play(env) == EPISODE
        # The strangers' own ends are in this process too: those of `many` are the most.
        assert psutil.Process().num_fds() - descriptors < 60 + _MAX_CANDIDATES
    thread.join(TIMEOUT_S)
    assert done == [0]


def until_listening(port: int) -> None:
    while True:
        listening = [c for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        if any(c.laddr.port == port for c in listening):
            return


def test_strangers_that_wait_are_bounded_and_one_who_has_introduced_himself_stays() -> None:
    with closing(AgentSocket("tcp://127.0.0.1:*")) as agent, closing(Intruder(agent.endpoint, 1)) as intruder:
        intruder.say(HELLO)
        assert agent.receive_now() is None
        for _ in range(3 * _MAX_CANDIDATES):
            intruder.connect()
            assert agent.receive_now() is None
        assert len(agent.descriptors()) == 1 + _MAX_CANDIDATES
        # The first one goes on where it was.
        payload = claim(1)[len(HELLO) :]
        intruder._sockets[0].setblocking(True)
        intruder._sockets[0].sendall(payload)
        assert agent.receive(Patience(TIMEOUT_S)) == payload[4:]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_users_simulator_can_not_attach(free_port: int) -> None:
    code = (
        "import socket, sys\n"
        "made = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20)\n"
        "try:\n"
        "    made.sendall(bytes.fromhex(sys.argv[2]))\n"
        "    sys.exit(1 if made.recv(1) else 0)\n"
        "except (ConnectionResetError, BrokenPipeError):\n"
        "    pass\n"
    )
    command = ["/usr/bin/env", "python3", "-I", "-S", "-c", code, str(free_port), claim(1).hex()]
    done: list[int] = []

    def run() -> None:
        until_listening(free_port)
        done.append(subprocess.run(command, user=65534, timeout=TIMEOUT_S, check=False).returncode)

    thread = threading.Thread(target=run)
    thread.start()
    with pytest.raises(SimulatorTimeout):
        Ns3Env(port=free_port, connect_timeout_s=5)
    thread.join(TIMEOUT_S)
    assert done == [0]  # hung up on, and nothing was said


@TRANSPORTS
def test_the_kernel_says_who_is_at_the_other_end(tmp_path: Path, transport: str) -> None:
    endpoint = f"ipc://{tmp_path}/0" if transport == "ipc" else "tcp://127.0.0.1:*"
    seen: list[tuple[bool | None, bool | None, int | None]] = []

    def admits(connection: socket.socket) -> bool:
        own = os.getsid(0)
        seen.append(
            (is_of_session(connection, own), is_of_session(connection, own + 1), peer_uid(connection))
        )
        return False

    with closing(AgentSocket(endpoint, admits)) as agent, closing(Intruder(agent.endpoint, 1)) as intruder:
        intruder.connect()
        assert agent.receive_now() is None
    assert seen == [(True, False, os.getuid())]


def test_nobody_else_listens_on_the_agents_port_and_only_this_machine_reaches_it() -> None:
    with closing(AgentSocket("tcp://127.0.0.1:*")) as agent:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            for host in ("127.0.0.1", "0.0.0.0"):
                with socket.socket() as thief:
                    thief.setsockopt(socket.SOL_SOCKET, option, 1)
                    with pytest.raises(OSError, match="in use"):
                        listen(thief, host, agent.port)


def listen(thief: socket.socket, host: str, port: int) -> None:
    thief.bind((host, port))
    thief.listen()
