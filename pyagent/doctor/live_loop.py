"""Two seconds of the real thing: ns-3 started, asked, answered and ended."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyagent.doctor.examination import Finding, fail, ok
from pyagent.errors import UserError
from pyagent.temporary import TemporaryFolder

LIVE_S = 2.0
"""Wall-clock time that is played."""
ANSWER_S = 20.0
"""How long ns-3 may take for one answer."""
# One phone beside its access point: every packet arrives.
SCENARIO: dict[str, Any] = {
    "name": "doctor",
    "mobility": {"model": "constant", "position_m": [5, 0, 1.5]},
    "requests": {"count": 1000, "prompt_tokens": [8, 16], "output_tokens": [3, 6], "mean_extra_gap_s": 0.1},
}


def live_loop() -> Finding:
    """Play the smallest split for two seconds; every fragment must arrive."""
    from pyagent.bridge.errors import BridgeError
    from pyagent.envs.record import Outcome
    from pyagent.paths import SimulatorNotFoundError

    try:
        wall_s, outcomes = _play()
    except SimulatorNotFoundError:
        return fail("no simulator to play", "see simulator above")
    except (BridgeError, UserError, OSError) as error:
        lines = str(error).splitlines()
        said = " | ".join(dict.fromkeys((lines[0], lines[-1])))  # what happened, and ns-3's last word
        return fail(said, "see ns-3 and simulator above; build it anew")
    sent = sum(outcome.size for outcome in outcomes)
    arrived = sum(int((outcome == Outcome.DELIVERED).sum()) for outcome in outcomes)
    found = f"{len(outcomes)} decisions in {wall_s:.1f} s, {arrived} of {sent} fragments arrived"
    return ok(found) if 0 < sent == arrived else fail(found, "build the simulator anew")


def _play() -> tuple[float, list[NDArray[np.uint8]]]:
    """Seconds of play, and what became of each decision's fragments, [T, F]."""
    from pyagent.bridge import Ns3Env
    from pyagent.envs.record import DeliveryRecord
    from pyagent.paths import simulator_executable
    from pyagent.scenario.compile import write_simulator_config
    from pyagent.scenario.load import parse_scenario

    program = simulator_executable()
    outcomes: list[NDArray[np.uint8]] = []
    with TemporaryFolder() as folder:
        config = write_simulator_config(parse_scenario(SCENARIO), folder / "scenario.json")
        with Ns3Env(
            program,
            args=[f"--config={config}"],
            connect_timeout_s=ANSWER_S,
            step_timeout_s=ANSWER_S,
            stop_timeout_s=1.0,
        ) as env:
            env.reset()
            started = time.monotonic()
            over = False
            while not over and time.monotonic() - started < LIVE_S:
                *_, terminated, truncated, info = env.step(0)
                outcomes.append(DeliveryRecord.from_json(info["record"]).outcome)
                over = terminated or truncated
            wall_s = time.monotonic() - started
    return wall_s, outcomes
