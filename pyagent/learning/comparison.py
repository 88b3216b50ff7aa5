"""Every policy on one recorded dataset: what it had learned by what it had bought, per training run."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from pyagent.dataset import Dataset, RecordedTable
from pyagent.envs.replay import ReplayVecEnv
from pyagent.evaluation.clairvoyant import clairvoyant
from pyagent.evaluation.cost import Cost
from pyagent.evaluation.learning_curves import Curve
from pyagent.evaluation.oracle import oracle
from pyagent.evaluation.share import Yardstick
from pyagent.learning.learners import BANDITS, BanditMaker, OnlineLearner
from pyagent.learning.on_table import Checkpoint, ask_table, judged, learn, model_based
from pyagent.learning.options import Learning
from pyagent.learning.references import CEILING, yardstick_of
from pyagent.learning.tuning import (
    TUNERS,
    Tuner,
    fit_ceiling,
    tune_static,
    tuning_cost,
    whole_cost,
)
from pyagent.policies.all_local import AllLocalPolicy
from pyagent.policies.base import Policy
from pyagent.policies.min_split import MinSplitPolicy
from pyagent.policies.model_free import Algorithm
from pyagent.policies.model_free import learn as learn_model_free
from pyagent.policies.planner import PlannerPolicy
from pyagent.policies.ppo_imagination import PpoImaginationPolicy
from pyagent.policies.random import RandomPolicy
from pyagent.reward import FloatArray
from pyagent.surrogate.imagined import ImaginedModel

MODEL_FREE_ENVS = 16
_OTHER_USES: dict[str, Callable[[ImaginedModel, int], Policy]] = {
    "planner": lambda model, seed: PlannerPolicy(model, seed=seed),
    "ppo-imagination": lambda model, seed: PpoImaginationPolicy.train(model, seed=seed),
}
"""What is made of a learned model and a seed at the end, beside the argmax on it."""
MODEL_BASED = ("surrogate-argmax", *_OTHER_USES)
"""Uses of one learned model."""

Run = list[Checkpoint]
Runs = dict[str, list[Run]]
Done = Callable[[str], None]
Contender = Callable[[Dataset, int, int], Run]
"""(dataset, training seed, decisions it may play) -> what it had learned when."""


def yardstick(dataset: Dataset) -> Yardstick:
    """What the best static split of the training part and the oracle get on the test part."""
    static = tune_static(dataset.deployment, dataset.train, dataset.composer).action
    return yardstick_of(static, dataset.test, oracle(dataset.test.rewards))


def clairvoyant_reward(dataset: Dataset) -> float:
    """What the oracle that also plans its switches gets on the test part, cross-scored."""
    table = dataset.test
    return float(clairvoyant(table.rewards, table.seeds, dataset.switching_cost).value.mean())


def curve(run: Run) -> Curve:
    """A run's curve; of checkpoints with the same number of evaluations the last."""
    last = {point.evaluations: (point.evaluations, point.wall_s, point.reward) for point in run}
    return Curve.of([last[evaluations] for evaluations in sorted(last)])


def tuning_counts(episodes: int, decisions: float) -> list[int]:
    """Numbers of training episodes that a rule is tuned on, one after another, the last one the largest.

    Args:
        episodes: of the training part.
        decisions: that a learner plays, in episodes: a rule gets as many contexts.
    """
    most = max(1, min(episodes, int(np.ceil(decisions))))
    places = np.unique(np.round(10 ** (np.arange(0, 60) / 5)).astype(int))
    return [*places[places < most].tolist(), most]


def marks_until(decisions: int) -> list[int]:
    """Where learners are judged: twelve places per factor of ten, from 20 on, and the end."""
    places = np.unique(np.round(20 * 10 ** (np.arange(0, 60) / 12)).astype(int))
    return [*places[places < decisions].tolist(), decisions]


def _fixed(make: Callable[[Dataset], Policy], dataset: Dataset, seed: int, decisions: int) -> Run:
    return [judged(make(dataset), dataset, 0, 0, 0.0)]


def tuning_tables(train: RecordedTable, seed: int, decisions: int) -> Iterator[RecordedTable]:
    """Growing parts of the training part that a rule is tuned on, the last one with `decisions` contexts.

    Args:
        train: the training part; of a part with fewer contexts than decisions the last table is all of it.
        seed: of the order of the episodes.
        decisions: that a learner plays.
    """
    order = np.random.default_rng([seed, 31]).permutation(np.unique(train.seeds))
    for count in tuning_counts(len(order), decisions * len(order) / len(train)):
        yield train.of_seeds(order[:count])


def _tuned(tune: Tuner, dataset: Dataset, seed: int, decisions: int) -> Run:
    run: Run = []
    for table in tuning_tables(dataset.train, seed, decisions):
        started = time.perf_counter()
        policy = tune(dataset.deployment, table, dataset.composer)
        wall_s = max(time.perf_counter() - started, run[-1].wall_s if run else 0.0)
        run.append(_judged_at(policy, dataset, tuning_cost(table), wall_s))
    return run


def _on_everything(tune: Tuner, dataset: Dataset, seed: int, decisions: int) -> Run:
    """A yardstick: it uses the whole training part, whatever a learner may play."""
    train, started = dataset.train, time.perf_counter()
    policy = tune(dataset.deployment, train, dataset.composer)
    return [_judged_at(policy, dataset, whole_cost(train), time.perf_counter() - started)]


def _judged_at(policy: Policy, dataset: Dataset, cost: Cost, wall_s: float) -> Checkpoint:
    decisions, evaluations, contexts = cost.known()
    return judged(policy, dataset, decisions, evaluations, wall_s, tuning_contexts=contexts)


def _bandit(make: BanditMaker, dataset: Dataset, seed: int, n: int) -> Run:
    return learned(make(dataset.scenario, ask_table(dataset.train), seed=seed), dataset, seed, n)


def learned(learner: OnlineLearner, dataset: Dataset, seed: int, decisions: int) -> Run:
    """A learner's training run, judged all along the way."""
    return learn(learner, dataset, seed=seed, decisions=decisions, marks=marks_until(decisions))


def model_based_runs(
    dataset: Dataset, seed: int, learning: Learning, names: Collection[str] = MODEL_BASED
) -> dict[str, Run]:
    """One training of the model, and what its uses make: argmax along the way, the others at the end.

    The planner's and PPO's own time comes on top of the learning that they share.
    """
    learner, decisions = model_based(dataset, seed=seed, **learning.model), learning.budget
    runs = {"surrogate-argmax": learned(learner, dataset, seed, decisions)}
    uses = [name for name in _OTHER_USES if name in names]
    if uses:
        end, model = runs["surrogate-argmax"][-1], learner.imagined()
    for name in uses:
        started = time.perf_counter()
        policy = _OTHER_USES[name](model, seed)
        wall_s = end.wall_s + time.perf_counter() - started
        runs[name] = [judged(policy, dataset, decisions, end.evaluations, wall_s)]
    return {name: runs[name] for name in names}


def _model_free(algorithm: Algorithm, dataset: Dataset, seed: int, decisions: int) -> Run:
    env = ReplayVecEnv(dataset.train, MODEL_FREE_ENVS, switching_cost=dataset.switching_cost, seed=seed)
    started = time.perf_counter()
    taken = learn_model_free(env, algorithm, decisions, seed, marks_until(decisions))
    per_step_s = (time.perf_counter() - started) / taken[-1][0]
    return [
        judged(policy, dataset, steps, env.evaluations_after(steps), steps * per_step_s)
        for steps, policy in taken
    ]


@dataclass(frozen=True)
class Entry:
    """A policy of the comparison.

    Attributes:
        play: makes one training run of it.
        seeds: whether training runs differ, so that several are worth making.
        patience: decisions that it may play, as a multiple of the model-based learner's.
        unlimited: the same where evaluations are no object; 0: no more than `patience`.
    """

    play: Contender
    seeds: bool = True
    patience: int = 1
    unlimited: int = 0

    def decisions(self, decisions: int, unlimited: bool) -> int:
        """What it may play beside a model-based learner that plays `decisions`."""
        return decisions * max(self.patience, self.unlimited if unlimited else 0)


def _fixed_entry(make: Callable[[Dataset], Policy]) -> Entry:
    return Entry(partial(_fixed, make), seeds=False)


ENTRIES: dict[str, Entry] = {
    "random": _fixed_entry(lambda d: RandomPolicy(d.deployment.splits)),
    "all-local": _fixed_entry(lambda d: AllLocalPolicy(d.deployment.splits, d.deployment.num_layers)),
    "min-split": _fixed_entry(lambda d: MinSplitPolicy(d.deployment.splits)),
    "best-static": Entry(partial(_on_everything, tune_static), seeds=False),
    CEILING: Entry(partial(_on_everything, fit_ceiling), seeds=False),
    **{name: Entry(partial(_tuned, tune)) for name, tune in TUNERS.items() if name != "best-static"},
    "linucb": Entry(partial(_bandit, BANDITS["linucb"]), patience=4),
    "gp-ucb": Entry(partial(_bandit, BANDITS["gp-ucb"])),
    "linear-thompson": Entry(partial(_bandit, BANDITS["linear-thompson"]), patience=4),
    "ppo": Entry(partial(_model_free, "ppo"), patience=60, unlimited=600),
    "a2c": Entry(partial(_model_free, "a2c"), patience=20, unlimited=50),
    "dqn": Entry(partial(_model_free, "dqn"), patience=5, unlimited=50),
}
"""Policies that learn or are tuned each by itself, by name."""

YARDSTICKS = ("best-static", "threshold", CEILING)
"""Policies of every comparison."""
POLICIES = (*ENTRIES, *MODEL_BASED)


def play(
    names: Sequence[str],
    dataset: Dataset,
    seeds: Sequence[int],
    decisions: int,
    done: Done,
    *,
    unlimited: bool = False,
    learning: Learning | None = None,
) -> Runs:
    """Training runs of policies, a single one of each that doesn't learn.

    Args:
        names: of `POLICIES`.
        dataset: to learn and to judge on.
        seeds: of the runs.
        decisions: that the model-based learner may play; others `Entry.patience` times as many.
        done: called with a name when its runs are there.
        unlimited: model-free policies play as long as is of any use, PPO the published 240,000 decisions
            beside 400 of ours.
        learning: surrogate and purchases of the model-based learner; None: the defaults.

    Raises:
        ValueError: the policy can't be had in this scenario (all-local on a phone that can't hold the model).
    """
    runs: Runs = {name: [] for name in names}
    for name in (name for name in names if name in ENTRIES):
        entry = ENTRIES[name]
        for seed in seeds if entry.seeds else seeds[:1]:
            runs[name].append(_last_policy(entry.play(dataset, seed, entry.decisions(decisions, unlimited))))
        done(name)
    ours = [name for name in names if name in MODEL_BASED]
    chosen = replace(learning or Learning(), budget=decisions)
    for seed in seeds if ours else ():
        for name, run in model_based_runs(dataset, seed, chosen, ours).items():
            runs[name].append(_last_policy(run))
    for name in ours:
        done(name)
    return runs


def _last_policy(run: Run) -> Run:
    """Policies hold everything that they have seen: only the last is kept."""
    return [*(replace(point, policy=None) for point in run[:-1]), run[-1]]


def final_rewards(runs: Sequence[Run]) -> FloatArray:
    """Mean reward of each run's last policy on each test seed, [runs, seeds]."""
    return np.stack([run[-1].per_seed for run in runs])
