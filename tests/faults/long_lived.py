"""How much memory a process grows by that steps environments through many episodes.

`python -m tests.faults.long_lived --seconds S` prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import psutil

from pyagent.envs.replay import ReplayEnv
from pyagent.envs.split_inference import SplitInferenceEnv
from tests.conftest import small_scenario
from tests.faults.subjects import TINY

WARM_UP = 0.3
"""Share of the time in which caches fill and the allocator finds its size."""
_RECORDED_TO_LIVE = 20
"""Recorded episodes to each live one, which takes so much longer."""


def grown(seconds: float, live: bool) -> dict[str, Any]:
    """Step for so many seconds.

    Args:
        seconds: wall clock.
        live: ns-3 and the language model too; they must be there.

    Returns:
        `episodes`; `rss_growth_mb`, the median of the last fifth less that of the first after the warm-up.
    """
    begin, sizes_mb = time.monotonic(), []
    for _ in _episodes(live):
        passed = (time.monotonic() - begin) / seconds
        sizes_mb.append((passed, _rss_mb()))
        if passed >= 1:
            break
    told = [size for passed, size in sizes_mb if passed >= WARM_UP]
    fifth = max(1, len(told) // 5)
    growth_mb = median(told[-fifth:]) - median(told[:fifth])
    return {"episodes": len(sizes_mb), "rss_growth_mb": round(growth_mb, 2)}


def _episodes(live: bool) -> Iterator[None]:
    environments: list[Any] = [ReplayEnv("tram-replay")] * _RECORDED_TO_LIVE
    if live:
        environments.append(SplitInferenceEnv(small_scenario(**TINY)))
    seed = 0
    try:
        while True:
            for env in environments:
                seed += 1
                _play(env, seed)
                yield
    finally:
        environments[-1].close()


def _play(env: Any, seed: int) -> None:
    env.reset(seed=seed)
    env.action_space.seed(seed)
    over = False
    while not over:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        over = terminated or truncated


def _rss_mb() -> float:
    """Resident memory of this process, MB of 1e6 bytes."""
    return float(psutil.Process().memory_info().rss) / 1e6


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--live", action="store_true", help="ns-3 and the language model too")
    given = parser.parse_args()
    print(json.dumps(grown(given.seconds, given.live)))


if __name__ == "__main__":
    main()
