"""The simulator's own ZMTP end, against agents of libzmq (by pyzmq) and against agents that misbehave.

What ZMTP's bytes must be is in ns3_scenarios/test/zmtp-request-test.cc; here whole programs talk.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq
from test_bridge_examples import example

from pyagent.bridge import wire
from pyagent.bridge.codec import act_encoder, neutral_value
from pyagent.bridge.spaces import decode_space
from pyagent.bridge.zmtp import ReqPeer

pytestmark = pytest.mark.ns3
GO_ON = wire.SimInitAck(done=True).SerializeToString()
STOP = wire.EnvActMsg(stopSimReq=True).SerializeToString()
TRANSPORTS = pytest.mark.parametrize("transport", ["ipc", "tcp"])


@contextmanager
def simulator(*args: str, name: str = "bridge-echo") -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [str(example(name)), *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and stderr, but for the scenario's own log."""
    _, stderr = process.communicate(timeout=20)
    return process.returncode, "\n".join(line for line in stderr.splitlines() if not line.startswith("My"))


def bound(agent: Any, transport: str, folder: Path) -> str:
    """Bind an agent of libzmq; the simulator's argument that leads to it."""
    agent.setsockopt(zmq.RCVTIMEO, 20_000)
    agent.setsockopt(zmq.LINGER, 5_000)
    if transport == "tcp":
        return f"--openGymPort={agent.bind_to_random_port('tcp://*')}"
    agent.bind(f"ipc://{folder}/0")
    return f"--openGymEndpoint=ipc://{folder}/0"


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    """A bare socket in an agent's place."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener, f"--openGymPort={listener.getsockname()[1]}"


def accepted(listener: socket.socket) -> ReqPeer:
    peer = ReqPeer(listener.accept()[0])
    peer.greet()
    return peer


def hear(peer: ReqPeer) -> bytes:
    while (request := peer.receive()) is None:
        pass
    return request


@TRANSPORTS
@pytest.mark.parametrize("heartbeat_ms", [0, 1])
def test_rep_of_libzmq(tmp_path: Path, transport: str, heartbeat_ms: int) -> None:
    """Heartbeats are sent once a millisecond: some PINGs come while an answer is due."""
    with zmq.Context() as context, context.socket(zmq.REP) as agent:
        agent.setsockopt(zmq.HEARTBEAT_IVL, heartbeat_ms)
        agent.setsockopt(zmq.HEARTBEAT_TIMEOUT, 10_000)
        with simulator(bound(agent, transport, tmp_path)) as process:
            space = decode_space(wire.SimInitMsg.FromString(agent.recv()).actSpace)
            agent.send(GO_ON)
            action = act_encoder(space)({**neutral_value(space), "discrete": 3})
            state = wire.EnvStateMsg.FromString(agent.recv())
            for step in range(200):
                assert state.simTimeS[0] == pytest.approx(step / 1000)
                agent.send(action)
                state = wire.EnvStateMsg.FromString(agent.recv())
            agent.send(STOP)
            assert end_of(process) == (0, "")


@TRANSPORTS
def test_router_of_libzmq(tmp_path: Path, transport: str) -> None:
    """An agent that serves by hand: who asks, an empty frame, the request."""
    with (
        zmq.Context() as context,
        context.socket(zmq.ROUTER) as agent,
        simulator(bound(agent, transport, tmp_path)) as process,
    ):
        for answer in (GO_ON, STOP):
            who, empty, _ = agent.recv_multipart()
            assert empty == b""
            agent.send_multipart([who, b"", answer])
        assert end_of(process) == (0, "")


@TRANSPORTS
def test_agent_that_listens_later(tmp_path: Path, transport: str) -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as first, context.socket(zmq.REP) as agent:
        where = bound(first, transport, tmp_path)
        first.close()
        with simulator(where) as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)  # nobody is there yet
            if transport == "tcp":
                agent.bind(f"tcp://*:{where.rpartition('=')[2]}")
            else:
                agent.bind(where.partition("=")[2])
            agent.setsockopt(zmq.RCVTIMEO, 20_000)
            for answer in (GO_ON, STOP):
                agent.recv()
                agent.send(answer)
            assert end_of(process) == (0, "")


def test_handshake_that_breaks_off_is_tried_again() -> None:
    """As the backlog of an agent that ends: the simulator waits for the next one."""
    with listening() as (listener, where), simulator(where) as process:
        listener.accept()[0].close()
        connection = listener.accept()[0]
        connection.sendall(b"\xff\0\0")
        connection.close()
        peer = accepted(listener)
        for answer in (GO_ON, STOP):
            hear(peer)
            peer.reply(answer, 20)
        assert end_of(process) == (0, "")
        peer.close()


def test_stop_from_an_agent_that_closes_at_once() -> None:
    for _ in range(20):
        with listening() as (listener, where), simulator(where) as process:
            peer = accepted(listener)
            for answer in (GO_ON, STOP):
                hear(peer)
                peer.reply(answer, 20)
            peer.close()
            assert end_of(process) == (0, "")


@pytest.mark.parametrize("states", [0, 1])
def test_agent_that_closes_while_an_answer_is_due(states: int) -> None:
    with listening() as (listener, where), simulator(where) as process:
        peer = accepted(listener)
        for _ in range(states):
            hear(peer)
            peer.reply(GO_ON, 20)
        hear(peer)
        peer.close()
        complaint = "ns3-gym bridge: the agent closed the connection and left a message unanswered"
        assert end_of(process) == (2, complaint)


@pytest.mark.parametrize("heard", [True, False])
def test_agent_that_closes_before_the_last_state_is_answered(heard: bool) -> None:
    """By the protocol the answer to SimulationEnd means nothing: an agent need not wait for it."""
    with (
        listening() as (listener, where),
        simulator(where, "--maxSteps=2", name="every-space") as process,
    ):
        peer = accepted(listener)
        space = decode_space(wire.SimInitMsg.FromString(hear(peer)).actSpace)
        action = act_encoder(space)(neutral_value(space))
        peer.reply(GO_ON, 20)
        for _ in range(2):
            hear(peer)
            peer.reply(action, 20)
        if heard:
            assert wire.EnvStateMsg.FromString(hear(peer)).isGameOver
        peer.close()
        assert end_of(process) == (0, "")


def test_answer_above_64_mib() -> None:
    with listening() as (listener, where), simulator(where) as process:
        peer = accepted(listener)
        hear(peer)
        peer._write(b"\1\0\2" + (2**26 + 1).to_bytes(8, "big"), 20)
        complaint = "ns3-gym bridge: an answer of 67108865 bytes; those above 64 MiB are refused"
        assert end_of(process) == (2, complaint)
        peer.close()


def test_no_endpoint() -> None:
    with simulator("--openGymEndpoint=inproc://x") as process:
        assert end_of(process) == (
            2,
            "ns3-gym bridge: can't connect to inproc://x: valid are tcp://HOST:PORT with a port from 1 to "
            "65535 and ipc://PATH",
        )


def test_wait_for_nobody_ends_with_the_agent(tmp_path: Path) -> None:
    """The agent never listens where it sent the simulator; its end is the end of the pipe that it holds."""
    agent = (
        "import os, subprocess, sys\n"
        "end, _ = os.pipe()\n"
        "process = subprocess.Popen(sys.argv[1:], pass_fds=[end],\n"
        "    env={**os.environ, 'PYAGENT_PARENT_FD': str(end)})\n"
        "print(process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", agent, str(example("bridge-echo")), f"--openGymEndpoint=ipc://{tmp_path}/0"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        waiting = psutil.Process(int(process.stdout.readline()))
        process.kill()
        waiting.wait(5)
