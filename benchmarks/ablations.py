"""What each part of the learner is worth: one thing changed at a time, on one recorded dataset.

`python -m benchmarks.ablations` prints one JSON line per variant: share of what the oracle gains over the
best static split (null: nothing to gain) after all decisions and at a quarter of them, evaluations bought,
and evaluations until a share of 95 % (null: not reached), means and medians over training seeds.
`--ablation` chooses: `ensemble` (members), `acquisition` (which evaluations are bought), `rate` (how many),
`exploration`, `use`: what is made of one learned model at the end of the training, argmax, planner or PPO in
imagination, the last two also without the channel model (the next context is then any that was seen).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pyagent.campaign.progress import PhaseProgress
from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.envs.observation import NAMES
from pyagent.evaluation.learning_curves import evaluations_to, stratified_interval
from pyagent.evaluation.share import Yardstick
from pyagent.evaluation.statistics import mean
from pyagent.learning.comparison import Run, curve, final_rewards, learned, yardstick
from pyagent.learning.model_based import ModelBasedLearner
from pyagent.learning.on_table import judge, learn, model_based
from pyagent.learning.ranking import TARGET
from pyagent.policies.base import Policy
from pyagent.policies.planner import PlannerPolicy
from pyagent.policies.ppo_imagination import PpoImaginationPolicy
from pyagent.reward import FloatArray
from pyagent.surrogate.channel import IndependentContexts
from pyagent.surrogate.ensemble import STATIONARY
from pyagent.surrogate.imagined import ImaginedModel
from pyagent.threads import one_thread

ABLATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "ensemble": {
        f"{members} members": {"settings": replace(STATIONARY, members=members)} for members in (2, 5, 10)
    },
    "acquisition": {rule: {"rule": rule} for rule in ("epistemic", "random", "round-robin", "all")},
    "rate": {f"{rate:g} per decision": {"per_decision": rate} for rate in (0.05, 0.1, 0.25)},
    "exploration": {mode: {"mode": mode} for mode in ("thompson", "greedy")},
}


Use = Callable[[ModelBasedLearner, int], Policy]


def _without_channel(model: ImaginedModel) -> ImaginedModel:
    previous = NAMES.index("previous_split")
    return replace(model, channel=IndependentContexts(model.encoder, model.start_contexts, previous))


USES: dict[str, Use] = {
    "argmax": lambda learner, seed: learner.policy(),
    "planner": lambda learner, seed: PlannerPolicy(learner.imagined(), seed=seed),
    "planner without the channel model": lambda learner, seed: PlannerPolicy(
        _without_channel(learner.imagined()), seed=seed
    ),
    "PPO in imagination": lambda learner, seed: PpoImaginationPolicy.train(learner.imagined(), seed=seed),
    "PPO without the channel model": lambda learner, seed: PpoImaginationPolicy.train(
        _without_channel(learner.imagined()), seed=seed
    ),
}


def uses(
    dataset: Dataset, measure: Yardstick, seeds: int, decisions: int, done: Callable[[], None]
) -> dict[str, dict[str, Any]]:
    """What is made of the same trainings: share at the end, and what making it cost."""
    rewards: dict[str, list[FloatArray]] = {name: [] for name in USES}
    seconds: dict[str, list[float]] = {name: [] for name in USES}
    for seed in range(seeds):
        learner = model_based(dataset, seed=seed)
        learn(learner, dataset, seed=seed, decisions=decisions)
        for name, make in USES.items():
            started = time.perf_counter()
            policy = make(learner, seed)
            seconds[name].append(time.perf_counter() - started)
            rewards[name].append(judge(policy, dataset)[1])
            done()
    return {
        name: _share(np.stack(rewards[name]), measure) | {"make_wall_s": float(np.mean(seconds[name]))}
        for name in USES
    }


def _share(rewards: FloatArray, measure: Yardstick) -> dict[str, Any]:
    end = stratified_interval(rewards, statistic=mean)
    return {
        "share": measure.share(end.estimate),
        "share_ci": [measure.share(end.low), measure.share(end.high)],
    }


def variant(dataset: Dataset, options: dict[str, Any], seeds: int, decisions: int) -> list[Run]:
    """Training runs of one variant."""
    return [
        learned(model_based(dataset, seed=seed, **options), dataset, seed, decisions) for seed in range(seeds)
    ]


def numbers(runs: list[Run], measure: Yardstick, decisions: int) -> dict[str, Any]:
    """What the JSON line says of a variant."""
    early = [next(point for point in run if point.decisions >= decisions / 4) for run in runs]
    arrival = evaluations_to(TARGET, [curve(run) for run in runs], measure)
    return {
        **_share(final_rewards(runs), measure),
        "share_at_a_quarter": measure.share(float(np.mean([point.reward for point in early]))),
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
    parser.add_argument("--ablation", choices=[*ABLATIONS, "use"], action="append", help="default: all")
    parser.add_argument("--seeds", type=int, default=5, help="training runs of each variant")
    parser.add_argument("--decisions", type=int, default=300)
    chosen = parser.parse_args(arguments)
    dataset = open_dataset(shipped_dataset(chosen.dataset))
    measure = yardstick(dataset)
    wanted = chosen.ablation or [*ABLATIONS, "use"]

    def say(ablation: str, name: str, found: dict[str, Any]) -> None:
        about = {"benchmark": "ablations", "dataset": dataset.scenario.name, "ablation": ablation}
        print(json.dumps({**about, "variant": name, "seeds": chosen.seeds, **found}), flush=True)

    variants = [(a, name, o) for a in wanted if a in ABLATIONS for name, o in ABLATIONS[a].items()]
    total = len(variants) + ("use" in wanted) * chosen.seeds * len(USES)
    with PhaseProgress() as progress, progress.phase("ablate", "Ablations", total), one_thread():
        for ablation, name, options in variants:
            runs = variant(dataset, options, chosen.seeds, chosen.decisions)
            say(ablation, name, numbers(runs, measure, chosen.decisions))
            progress.advance(note=name)
        if "use" in wanted:
            for name, found in uses(
                dataset, measure, chosen.seeds, chosen.decisions, progress.advance
            ).items():
                say("use", name, found)


if __name__ == "__main__":
    main()
