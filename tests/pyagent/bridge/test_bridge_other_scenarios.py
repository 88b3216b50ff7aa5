"""Scenarios of others, written for ns3-gym and not changed, where a folder of them is at hand.

    SPLITSIM_OTHER_SCENARIOS=FOLDER .venv/bin/pytest tests/pyagent/bridge/test_bridge_other_scenarios.py

Each folder in FOLDER that has a sim.cc is compiled against our C++ side, played by ``Ns3Env`` and then by a
plain REP socket that follows ns3-gym's protocol. Not for scenarios with several agents.
"""

import os
import subprocess
from pathlib import Path

import pytest
import zmq

from pyagent.bridge import Ns3Env, wire
from pyagent.bridge.codec import act_encoder, neutral_value
from pyagent.bridge.spaces import decode_space
from pyagent.paths import REPOSITORY, simulator_executable

FOLDER = Path(os.environ.get("SPLITSIM_OTHER_SCENARIOS", "/nonexistent"))
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/sim.cc"))
STEPS = 20

pytestmark = [pytest.mark.ns3, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def programs() -> Path:
    build = simulator_executable().parent
    configure = ["cmake", "-S", str(REPOSITORY / "ns3_scenarios"), "-B", str(build)]
    subprocess.run([*configure, f"-DOTHER_SCENARIOS={FOLDER}"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", str(build), "other-scenarios"], check=True, stdout=subprocess.DEVNULL)
    return build / "other"


@pytest.mark.parametrize("name", NAMES)
def test_our_agent_plays_it(programs: Path, name: str) -> None:
    with Ns3Env(programs / name, transport="tcp") as env:
        for _ in range(2):
            env.reset()
            over, steps = False, 0
            while not over and steps < STEPS:
                _, _, terminated, truncated, _ = env.step(env.action_space.sample())
                over, steps = terminated or truncated, steps + 1
            assert steps > 1


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_agent_plays_it(programs: Path, name: str) -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        socket.setsockopt(zmq.RCVTIMEO, 20_000)
        with subprocess.Popen(
            [programs / name, f"--openGymPort={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            space = decode_space(wire.SimInitMsg.FromString(socket.recv()).actSpace)
            socket.send(wire.SimInitAck(done=True).SerializeToString())
            action = act_encoder(space)(neutral_value(space))
            over, steps = False, 0
            while not over and steps < STEPS:
                over, steps = wire.EnvStateMsg.FromString(socket.recv()).isGameOver, steps + 1
                socket.send(wire.EnvActMsg(stopSimReq=True).SerializeToString() if over else action)
            if not over:
                socket.recv()
                socket.send(wire.EnvActMsg(stopSimReq=True).SerializeToString())
            assert process.wait(20) == 0
    assert steps > 1
