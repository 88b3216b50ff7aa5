"""How much faster a recorded dataset is than the live co-simulation, and whether it tells the same.

`python -m benchmarks.replay` prints one JSON line.

- `replay_over_live`: decisions per second of 64 recorded episodes side by side (`ReplayVecEnv`) over those of
  the live environment, ns-3 and language model included, both with random actions.
- `live_minus_replay`: reward of one trained policy in the live co-simulation minus that on the dataset, on
  the same seeds and replicates, paired by decision, with its 95 % interval; `half_width_share` is the
  interval's half width over the gap between oracle and best static split (null if nothing is to gain).
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from pyagent.campaign.progress import PhaseProgress
from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.envs.replay import ReplayVecEnv
from pyagent.envs.scoring import Scorer
from pyagent.envs.split_inference import SplitInferenceEnv
from pyagent.learning.comparison import yardstick
from pyagent.learning.confirm import confirm
from pyagent.learning.on_table import learn, model_based
from pyagent.policies.base import Policy
from pyagent.threads import one_thread

ENVS = 64


def replay_rate(dataset: Dataset, steps: int = 500) -> float:
    """Recorded decisions per second."""
    env = ReplayVecEnv(dataset.train, ENVS, switching_cost=dataset.switching_cost, seed=0)
    actions = np.random.default_rng(0).integers(0, dataset.train.actions, (steps, ENVS))
    env.reset()
    started = time.perf_counter()
    for row in actions:
        env.step(row)
    return steps * ENVS / (time.perf_counter() - started)


def live_rate(dataset: Dataset, episodes: int) -> float:
    """Live decisions per second; starting ns-3 counts, loading the model doesn't."""
    scorer = Scorer(dataset.scenario)
    scorer.evaluator("train")
    env = SplitInferenceEnv(dataset.scenario, scorer=scorer)
    rng, decisions, started = np.random.default_rng(0), 0, time.perf_counter()
    try:
        for seed in range(episodes):
            env.reset(seed=3 * seed)
            over = False
            while not over:
                _, _, _, over, _ = env.step(int(rng.integers(len(env.splits))))
                decisions += 1
    finally:
        env.close()
    return decisions / (time.perf_counter() - started)


def trained(dataset: Dataset, decisions: int) -> Policy:
    """The model-based policy after some recorded decisions."""
    learner = model_based(dataset, seed=0)
    with one_thread():
        learn(learner, dataset, seed=0, decisions=decisions)
    return learner.policy()


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", nargs="?", default="default", help="one that ships, or a file")
    parser.add_argument("--decisions", type=int, default=300, help="to train the policy on")
    parser.add_argument("--replicates", type=int, default=4, help="of each test episode, live")
    parser.add_argument("--episodes", type=int, default=2, help="to measure the live rate on")
    chosen = parser.parse_args(arguments)
    dataset = open_dataset(shipped_dataset(chosen.dataset))
    rates = {"replay": replay_rate(dataset), "live": live_rate(dataset, chosen.episodes)}
    policy = trained(dataset, chosen.decisions)
    with PhaseProgress() as progress:
        found = confirm(dataset, policy, replicates=chosen.replicates, progress=progress)
    measure = yardstick(dataset)
    half_width = (found.difference.high - found.difference.low) / 2
    result = {
        "benchmark": "replay",
        "scenario": dataset.scenario.name,
        "replay_over_live": rates["replay"] / rates["live"],
        "replay_decisions_per_s": rates["replay"],
        "live_decisions_per_s": rates["live"],
        **found.to_json(),
        "half_width_share": half_width / (measure.oracle - measure.static) if measure.defined else None,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
