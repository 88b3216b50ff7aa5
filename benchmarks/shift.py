"""A learner where things are not as it learned them: another scenario, or a change in mid-run.

`python -m benchmarks.shift` prints one JSON line.

- `transfer`: trained on the row's dataset, judged on the column's test episodes with the column's prices:
  share of what the oracle gains over the best static split there, mean over
  training seeds.
- `change`: after learning on the first dataset the statistics become those of the second, unannounced, and
  learning goes on. Share on the second right after the change and after more decisions, for a long
  memory (half-life 400 decisions), a short one (64), and a learner that begins anew at the change.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyagent.campaign.progress import PhaseProgress
from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.evaluation.share import Yardstick, score
from pyagent.learning.comparison import yardstick
from pyagent.learning.model_based import ModelBasedLearner
from pyagent.learning.on_table import ask_table, judge, learn, model_based
from pyagent.surrogate.ensemble import STATIONARY
from pyagent.threads import one_thread

AFTER = (0, 20, 50, 100, 200)


def share(learner: ModelBasedLearner, dataset: Dataset, measure: Yardstick) -> float:
    """Share of the oracle's gain on a dataset's test episodes, at its prices; NaN if nothing is to gain."""
    reward, _ = judge(replace(learner.policy(), composer=dataset.composer), dataset)
    return float(score(reward, measure))


def _known(share: float) -> float | None:
    """For JSON, which has no NaN."""
    return None if math.isnan(share) else float(share)


def play(learner: ModelBasedLearner, dataset: Dataset, seed: int, decisions: int) -> None:
    """Let a learner play a dataset's training part at its prices."""
    learner.composer = learner.explorer.composer = dataset.composer
    learner.answers_from(ask_table(dataset.train))
    learn(learner, dataset, seed=seed, decisions=decisions)


def transfer(
    datasets: Sequence[Dataset], seeds: int, decisions: int, progress: PhaseProgress
) -> dict[str, Any]:
    """Share on each dataset after training on each."""
    found: dict[str, Any] = {}
    measures = [yardstick(dataset) for dataset in datasets]
    with progress.phase("transfer", "Training on each dataset", len(datasets) * seeds):
        for source in datasets:
            shares = []
            for seed in range(seeds):
                learner = model_based(source, seed=seed)
                play(learner, source, seed, decisions)
                pairs = zip(datasets, measures, strict=True)
                shares.append([share(learner, target, measure) for target, measure in pairs])
                progress.advance(note=source.scenario.name)
            means = np.mean(shares, axis=0).tolist()
            found[source.scenario.name] = {
                target.scenario.name: _known(value) for target, value in zip(datasets, means, strict=True)
            }
    return found


def change(
    first: Dataset, second: Dataset, seeds: int, decisions: int, progress: PhaseProgress
) -> dict[str, dict[str, float | None]]:
    """Share on the second dataset at moments after the change, per memory."""
    memories = {"long memory": 400.0, "short memory": 64.0, "begins anew": math.nan}
    found: dict[str, dict[str, float | None]] = {}
    measure = yardstick(second)
    with progress.phase("change", "Changing in mid-run", len(memories) * seeds):
        for name, half_life in memories.items():
            shares = np.zeros((seeds, len(AFTER)))
            for seed in range(seeds):
                anew = math.isnan(half_life)
                settings = STATIONARY if anew else replace(STATIONARY, half_life=half_life)
                learner = model_based(second if anew else first, seed=seed, settings=settings)
                if not anew:
                    play(learner, first, seed, decisions)
                for i, (now, until) in enumerate(zip((0, *AFTER), AFTER, strict=False)):
                    if until > now:
                        play(learner, second, seed * 100 + i, until - now)
                    shares[seed, i] = share(learner, second, measure)
                progress.advance(note=name)
            found[name] = {str(n): _known(value) for n, value in zip(AFTER, shares.mean(0), strict=True)}
    return found


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["default", "factory-obstacles", "tram-replay"])
    parser.add_argument("--change", nargs=2, default=["default", "tram-replay"], metavar=("FIRST", "SECOND"))
    parser.add_argument("--seeds", type=int, default=3, help="training runs")
    parser.add_argument("--decisions", type=int, default=300, help="before a judgement or the change")
    chosen = parser.parse_args(arguments)
    datasets = [open_dataset(shipped_dataset(name)) for name in chosen.datasets]
    first, second = (open_dataset(shipped_dataset(name)) for name in chosen.change)
    with PhaseProgress() as progress, one_thread():
        moved = transfer(datasets, chosen.seeds, chosen.decisions, progress)
        changed = change(first, second, chosen.seeds, chosen.decisions, progress)
    about = {"benchmark": "shift", "seeds": chosen.seeds, "decisions": chosen.decisions}
    print(json.dumps({**about, "transfer": moved, "change": {"from": chosen.change, **changed}}))


if __name__ == "__main__":
    main()
