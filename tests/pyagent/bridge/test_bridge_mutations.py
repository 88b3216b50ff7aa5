"""Frames that were damaged on the way: a clear error or a sound value, never anything else."""

import random
import subprocess
import warnings
from typing import Any

import numpy as np
import pytest
import zmq
from test_bridge_examples import example
from test_bridge_spaces import random_description

from pyagent.bridge import ProtocolError, wire
from pyagent.bridge.codec import act_encoder, decoder, encode_data, neutral_value
from pyagent.bridge.spaces import decode_space

FRAMES = 10_000


def mutated(frame: bytes, rng: random.Random) -> bytes:
    """One to four bytes changed, removed, repeated or inserted, or the end cut off."""
    data = bytearray(frame)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        how = rng.randrange(4)
        if how == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif how == 1:
            del data[at : at + rng.randint(1, 3)]
        elif how == 2:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start : start + rng.randrange(16)]
        else:
            del data[at:]
    return bytes(data)


def a_space(seed: int) -> tuple[Any, Any]:
    description = random_description(np.random.default_rng(seed), depth=3)
    return description, decode_space(description)


def test_mutated_spaces_and_observations() -> None:
    """Nothing but ProtocolError, and what is accepted is a value of the space's types."""
    rng = random.Random(1)
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(FRAMES):
            if number % 100 == 0:
                description, space = a_space(number)
                init = wire.SimInitMsg(obsSpace=description, actSpace=description).SerializeToString()
                value = encode_data(space, neutral_value(space))
                state = wire.EnvStateMsg(obsData=value, reward=1, info='{"a": 1}').SerializeToString()
                decode = decoder(space)
            try:
                if number % 2:
                    got = decode(wire.parse(wire.EnvStateMsg, mutated(state, rng)).obsData)
                    assert got is not None
                else:
                    decode_space(wire.parse(wire.SimInitMsg, mutated(init, rng)).obsSpace)
            except ProtocolError:
                refused += 1
    assert FRAMES / 5 < refused < FRAMES


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
    ends = {outcome([GREETING, mutated(good, rng), STOP])[0] for _ in range(20)}
    assert ends <= {0, 2}
    assert 2 in ends
