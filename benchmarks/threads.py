"""Steps per second of the live environment by the number of threads of the language model.

`python -m benchmarks.threads` prints one JSON line. It needs the simulator and the model, and takes at most
four minutes.

- `steps_per_s`: by load and setting, one over the median time of a step. A step is a decision over a weak
  link: ns-3 simulates it and the language model is run. Starting ns-3 and loading the model are not counted.
  Loads: `idle`, nothing beside; `busy`, beside a spinning process that is part of the benchmark. Settings:
  `ours`, what `pyagent.threads` chooses; `one`, OMP_NUM_THREADS=1; `library`, what torch does by itself (all
  cores, threads that spin); `late`, what `pyagent.threads` chooses if torch was loaded before pyagent.
- `ours_over_best`: `ours` over the best of `ours`, `one` and `library`, the smaller one of both loads.
- `threads`: of the language model, by setting.
- `load_average`: of the last minute, at the start and at the end. Other programs disturb the measurement.

Every setting is a process of its own. They take turns, a step each, so that what other programs do hits all
alike; only one works at a time. The n-th step is the same request in all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

SETTINGS = ("ours", "one", "library", "late")
LOADS = ("idle", "busy")
COMPARED = ("ours", "one", "library")
UNDEFINED_SPINS = "300000"
"""GOMP_SPINCOUNT as libgomp has it where nothing is set."""
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SCENARIO: dict[str, Any] = {
    "name": "threads",
    "mobility": {"model": "constant", "position_m": [55, 0, 1.5]},
    "requests": {"count": 20, "prompt_tokens": [48, 64], "output_tokens": [8, 16]},
}
WORKER_LIMIT_S = 120.0


class Worker:
    """A process with one setting; it plays an episode when asked."""

    def __init__(self, setting: str) -> None:
        env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        if setting == "one":
            env["OMP_NUM_THREADS"] = "1"
        if setting == "library":
            env["GOMP_SPINCOUNT"] = UNDEFINED_SPINS
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.threads", "--worker", setting],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )

    def ask(self) -> None:
        """Let it play a step; `answer` waits for it."""
        assert self._process.stdin is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, float]:
        """`step_s` and `threads`."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended with status {self._process.wait(WORKER_LIMIT_S)}")
        answer: dict[str, float] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(WORKER_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def work(setting: str) -> None:
    """The worker: play a step for each line that comes, write what was measured."""
    if setting == "late":
        import torch  # noqa: F401 (before pyagent can say how its threads wait)
    from pyagent.envs.split_inference import SplitInferenceEnv
    from pyagent.scenario.load import parse_scenario
    from pyagent.threads import choose_threads

    count = len(os.sched_getaffinity(0)) if setting == "library" else None
    env = SplitInferenceEnv(parse_scenario(SCENARIO), threads=count)
    seed, over = 0, True
    for _ in sys.stdin:
        if over:
            seed += 1
            env.reset(seed=seed)
        started = time.perf_counter()
        *_, over, _ = env.step(0)
        step_s = time.perf_counter() - started
        print(json.dumps({"step_s": step_s, "threads": choose_threads(count).count}), flush=True)
    env.close()


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """A process that keeps one core busy inside; it ends with its parent's end of the pipe."""
    spin = "import select, sys\nwhile not select.select([sys.stdin], [], [], 0)[0]: sum(range(100_000))"
    process = subprocess.Popen([sys.executable, "-c", spin], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(rounds: int, limit_s: float) -> tuple[dict[str, dict[str, float]], dict[str, float], int]:
    """`steps_per_s` and `threads` as in the module's docstring, and the rounds that were played."""
    began = time.monotonic()
    times_s: dict[str, dict[str, list[float]]] = {load: {name: [] for name in SETTINGS} for load in LOADS}
    workers = {name: Worker(name) for name in SETTINGS}
    threads: dict[str, float] = {}
    done, round_s = 0, 0.0
    try:
        for worker in workers.values():  # load the model, all at once
            worker.ask()
        for worker in workers.values():
            worker.answer()
        while done < rounds and (not done or time.monotonic() - began + round_s < limit_s):
            round_began = time.monotonic()
            # The order turns, so that no setting is always the one after the pause.
            first = done % len(SETTINGS)
            for load in LOADS:
                with busy_core() if load == "busy" else contextlib.nullcontext():
                    for name in SETTINGS[first:] + SETTINGS[:first]:
                        workers[name].ask()
                        answer = workers[name].answer()
                        times_s[load][name].append(answer["step_s"])
                        threads[name] = answer["threads"]
            done, round_s = done + 1, max(round_s, time.monotonic() - round_began)
    finally:
        for worker in workers.values():
            worker.close()
    rates = {
        load: {name: 1 / statistics.median(steps_s) for name, steps_s in settings.items()}
        for load, settings in times_s.items()
    }
    return rates, threads, done


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="steps of each setting under each load")
    parser.add_argument("--limit-s", type=float, default=220.0, help="no round begins that would end later")
    parser.add_argument("--worker", choices=SETTINGS, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.worker:
        work(chosen.worker)
        return
    load_average = [os.getloadavg()[0]]
    rates, threads, rounds = measure(chosen.rounds, chosen.limit_s)
    ratios = {load: rates[load]["ours"] / max(rates[load][name] for name in COMPARED) for load in LOADS}
    result = {
        "benchmark": "threads",
        "cores": len(os.sched_getaffinity(0)),
        "rounds": rounds,
        "steps_per_s": {load: {n: round(r, 3) for n, r in rates[load].items()} for load in LOADS},
        "ours_over_best": round(min(ratios.values()), 3),
        "threads": threads,
        "load_average": [round(load, 2) for load in (*load_average, os.getloadavg()[0])],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
