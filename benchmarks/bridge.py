"""Speed of the bridge: steps with ns-3, against bare ZeroMQ round trips of the same bytes.

`python -m benchmarks.bridge` prints one JSON line. It needs the example programs of the tests' build
(`make build-tests`, or `ninja -C build/ns3 splitsim-examples`). The simulator does nothing but speak: each
way travels a Dict of Discrete(5) and five unsigned integers.

Single-environment figures are medians over rounds in which bare round trips and steps take turns, so that
another program on the machine disturbs both alike.

- `steps_per_s`: one `Ns3Env`, ipc transport.
- `raw_round_trips_per_s`: REP in Python and REQ in C++ over an ipc socket, messages of the same sizes.
- `vector_steps_per_s`: environment steps of all simulators together, by their number.
- `bridge_share_of_default_decision`: time of a bridge step over that of one decision of the scenario
  `default` with the simulator alone (no language model, which would only make the share smaller); null if
  the simulator is not built.
- `one_core_steps_per_s`: agent and simulator pinned to one core.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import zmq

from pyagent.bridge import Ns3Env, make_vec
from pyagent.bridge.codec import act_encoder
from pyagent.paths import simulator_executable

VECTOR_SIZES = (1, 2, 4, 8)
_WAIT_MS = 10_000
_WARM_UP = 200


def example(name: str) -> Path:
    path = simulator_executable().parent / "examples" / name
    if not path.exists():
        sys.exit(f"{path}: not built; run `make build-tests`")
    return path


def an_action() -> dict[str, Any]:
    return {"box": np.array([1, 2, 3, 4, 5], np.uint32), "discrete": 3}


class RawPeer:
    """Bare ZeroMQ round trips with a C++ program, of the given sizes."""

    def __init__(self, state_bytes: int, action_bytes: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pyagent-raw-")
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.REP)
        self._socket.setsockopt(zmq.RCVTIMEO, _WAIT_MS)
        self._socket.setsockopt(zmq.LINGER, 1000)
        endpoint = f"ipc://{self._folder.name}/0"
        self._socket.bind(endpoint)
        self._answer = b"x" * action_bytes
        self._process = subprocess.Popen([str(example("raw-peer")), endpoint, str(state_bytes)])
        self._socket.recv()
        self.rate(_WARM_UP)

    def rate(self, count: int) -> float:
        """Round trips per second."""
        socket, answer = self._socket, self._answer
        start = time.perf_counter()
        for _ in range(count):
            socket.send(answer)
            socket.recv()
        return count / (time.perf_counter() - start)

    def close(self) -> None:
        self._socket.send(b"")
        try:
            self._process.wait(_WAIT_MS / 1000)
        finally:
            self._process.kill()
            self._context.destroy()
            self._folder.cleanup()


def step_rate(env: Ns3Env, count: int) -> float:
    action = an_action()
    start = time.perf_counter()
    for _ in range(count):
        env.step(action)
    return count / (time.perf_counter() - start)


def echo_env() -> Ns3Env:
    env = Ns3Env(example("bridge-echo"))
    env.reset()
    step_rate(env, _WARM_UP)
    return env


def message_bytes(env: Ns3Env) -> tuple[int, int]:
    """Sizes of a state and of an action as they travel."""
    assert env.session is not None
    env.send(env.encode(an_action()))
    state = len(env.session.collect())
    env.reset()
    return state, len(act_encoder(env.action_space)(an_action()))


def single(rounds: int, count: int) -> dict[str, Any]:
    with echo_env() as env:
        state_bytes, action_bytes = message_bytes(env)
        raw = RawPeer(state_bytes, action_bytes)
        try:
            pairs = [(raw.rate(count), step_rate(env, count)) for _ in range(rounds)]
        finally:
            raw.close()
    return {
        "steps_per_s": round(median(steps for _, steps in pairs)),
        "raw_round_trips_per_s": round(median(bare for bare, _ in pairs)),
        "ratio_to_raw": round(median(steps / bare for bare, steps in pairs), 3),
        "state_bytes": state_bytes,
        "action_bytes": action_bytes,
    }


def vector_rate(n: int, rounds: int, count: int) -> int:
    envs = make_vec(n, example("bridge-echo"))
    actions = {"box": np.tile(an_action()["box"], (n, 1)), "discrete": np.full(n, 3)}
    rates = []
    try:
        envs.reset()
        for number in itertools.chain([_WARM_UP], [count // n] * rounds):
            start = time.perf_counter()
            for _ in range(number):
                envs.step(actions)
            rates.append(n * number / (time.perf_counter() - start))
    finally:
        envs.close()
    return round(median(rates[1:]))


def one_core_rate(rounds: int, count: int) -> int:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})  # ZeroMQ's thread and the simulator inherit it
    try:
        with echo_env() as env:
            rates = [step_rate(env, count) for _ in range(rounds)]
    finally:
        os.sched_setaffinity(0, allowed)
    return round(median(rates))


def default_decision_s() -> float | None:
    """Wall-clock seconds of one decision of the scenario `default`, in the simulator alone."""
    from pyagent.envs.simulator import Episode
    from pyagent.scenario.load import load_scenario

    if not simulator_executable().exists():
        return None
    with Episode(load_scenario("default"), seed=1) as episode:
        episode.begin()
        start, decisions, over = time.perf_counter(), 0, False
        while not over and decisions < 20:
            _, _, over = episode.decide(0)
            decisions += 1
        return (time.perf_counter() - start) / decisions


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.bridge", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7, help="samples of each figure (default: 7)")
    parser.add_argument("--count", type=int, default=3000, help="steps of a sample (default: 3000)")
    options = parser.parse_args()
    result = single(options.rounds, options.count)
    result["vector_steps_per_s"] = {
        str(n): vector_rate(n, options.rounds, options.count) for n in VECTOR_SIZES
    }
    decision_s = default_decision_s()
    share = None if decision_s is None else round(1 / result["steps_per_s"] / decision_s, 5)
    result["bridge_share_of_default_decision"] = share
    result["one_core_steps_per_s"] = one_core_rate(options.rounds, options.count)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
