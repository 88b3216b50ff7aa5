"""Answers that were damaged on the way to ns-3. What the agent makes of such frames: tests/fuzz."""

import random
import subprocess
from typing import Any

import pytest
import zmq
from test_bridge_examples import example

from pyagent.bridge.codec import act_encoder, neutral_value
from tests.fuzz.mutate import damaged


def drive(process: subprocess.Popen[str], socket: Any, answers: list[bytes]) -> None:
    """Answer the simulator as long as it asks."""
    for answer in answers:
        while not socket.poll(50):
            if process.poll() is not None:
                return
        socket.recv()
        socket.send(answer)


def outcome(answers: list[bytes]) -> tuple[int, str]:
    """Exit status and stderr's lines other than the scenario's own log."""
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        argv = [str(example("every-space")), f"--openGymPort={port}", "--maxSteps=4"]
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                drive(process, socket, answers)
                _, stderr = process.communicate(timeout=20)
            finally:
                process.kill()
    own = ("MyExecuteActions", "MyGetObservationSpace")
    return process.returncode, "\n".join(line for line in stderr.splitlines() if not line.startswith(own))


GREETING = b"\x08\x01"
STOP = b"\x10\x01"


def good_action() -> bytes:
    from pyagent.bridge import Ns3Env

    with Ns3Env(example("every-space"), transport="tcp") as env:
        return act_encoder(env.action_space)(neutral_value(env.action_space))


@pytest.mark.ns3
def test_scenario_without_a_try_ends_with_one_line() -> None:
    good = good_action()
    assert outcome([GREETING, good, STOP]) == (0, "")
    assert outcome([GREETING, b"\xff\xff"]) == (
        2,
        "ns3-gym bridge: the agent's answer is no valid EnvActMsg (2 bytes)",
    )
    assert outcome([b"\xff"])[0] == 2
    assert outcome([GREETING, b""])[1].startswith("ns3-gym bridge: the action has no readable value")
    # A sound message of the wrong type.
    discrete = bytes.fromhex(
        "0a3e0801123a0a34747970652e676f6f676c65617069732e636f6d2f6e73336f70656e67796d2e"
        "446973637265746544617461436f6e7461696e657212020803"
    )
    assert outcome([GREETING, discrete]) == (2, "ns3-gym bridge: action is no Dict of 4")


@pytest.mark.ns3
def test_scenario_and_mutated_actions() -> None:
    rng, good = random.Random(2), good_action()
    ends = {outcome([GREETING, damaged(good, rng), STOP])[0] for _ in range(20)}
    assert ends <= {0, 2}
    assert 2 in ends
