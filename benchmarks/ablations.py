"""What each part of the learner is worth: one thing changed at a time, on one recorded dataset.

`python -m benchmarks.ablations` prints one JSON line per variant: share of the oracle's gain over random
after all decisions and at a quarter of them, evaluations bought, and evaluations until 95 % (null: never),
means and medians over training seeds. `--ablation` chooses: `ensemble` (members), `acquisition` (which
evaluations are bought), `rate` (how many), `exploration`. With and without the channel model, and argmax
against planner against PPO in imagination, are in `python -m benchmarks.learning`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import Any

import numpy as np

from pyagent.campaign.progress import PhaseProgress
from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.evaluation.learning_curves import Yardstick, evaluations_to, score, stratified_interval
from pyagent.evaluation.statistics import mean
from pyagent.learning.comparison import Run, curve, final_rewards, learned, yardstick
from pyagent.learning.on_table import model_based
from pyagent.learning.ranking import TARGET
from pyagent.surrogate.ensemble import STATIONARY
from pyagent.threads import one_thread

ABLATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "ensemble": {
        f"{members} members": {"settings": replace(STATIONARY, members=members)} for members in (2, 5, 10)
    },
    "acquisition": {rule: {"rule": rule} for rule in ("epistemic", "random", "round-robin", "all")},
    "rate": {f"{rate:g} per decision": {"per_decision": rate} for rate in (0.05, 0.1, 0.25)},
    "exploration": {mode: {"mode": mode} for mode in ("thompson", "greedy")},
}


def variant(dataset: Dataset, options: dict[str, Any], seeds: int, decisions: int) -> list[Run]:
    """Training runs of one variant."""
    return [
        learned(model_based(dataset, seed=seed, **options), dataset, seed, decisions) for seed in range(seeds)
    ]


def numbers(runs: list[Run], measure: Yardstick, decisions: int) -> dict[str, Any]:
    """What the JSON line says of a variant."""
    end = stratified_interval(final_rewards(runs), statistic=mean)
    early = [next(point for point in run if point.decisions >= decisions / 4) for run in runs]
    arrival = evaluations_to(TARGET, [curve(run) for run in runs], measure)
    return {
        "gain": float(score(end.estimate, measure)),
        "gain_ci": score([end.low, end.high], measure).tolist(),
        "gain_at_a_quarter": float(score([point.reward for point in early], measure).mean()),
        "evaluations": float(np.mean([run[-1].evaluations for run in runs])),
        "evaluations_to_95": arrival.median,
        "evaluations_to_95_ci": [arrival.low, arrival.high],
        "arrived": arrival.share,
        "train_wall_s": float(np.mean([run[-1].wall_s for run in runs])),
    }


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", nargs="?", default="tram-replay", help="one that ships, or a file")
    parser.add_argument("--ablation", choices=list(ABLATIONS), action="append", help="default: all")
    parser.add_argument("--seeds", type=int, default=5, help="training runs of each variant")
    parser.add_argument("--decisions", type=int, default=300)
    chosen = parser.parse_args(arguments)
    dataset = open_dataset(shipped_dataset(chosen.dataset))
    measure = yardstick(dataset)
    wanted = chosen.ablation or list(ABLATIONS)
    variants = [(a, name, options) for a in wanted for name, options in ABLATIONS[a].items()]
    with PhaseProgress() as progress, progress.phase("ablate", "Ablations", len(variants)), one_thread():
        for ablation, name, options in variants:
            runs = variant(dataset, options, chosen.seeds, chosen.decisions)
            found = numbers(runs, measure, chosen.decisions)
            about = {"benchmark": "ablations", "dataset": dataset.scenario.name, "ablation": ablation}
            print(json.dumps({**about, "variant": name, "seeds": chosen.seeds, **found}), flush=True)
            progress.advance(note=name)


if __name__ == "__main__":
    main()
