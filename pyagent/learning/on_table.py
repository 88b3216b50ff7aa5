"""Learning on a recorded dataset: what each learner has learned after how many real evaluations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyagent.dataset import Dataset, RecordedTable
from pyagent.evaluation.summary import split_shares
from pyagent.learning.learners import OnlineLearner, make_model_based
from pyagent.learning.model_based import Key, ModelBasedLearner, Played
from pyagent.policies.base import Policy
from pyagent.reward import FloatArray
from pyagent.surrogate.types import Indices


@dataclass(frozen=True)
class Checkpoint:
    """A learner at one moment.

    Attributes:
        decisions: simulated decisions whose outcome it used so far.
        evaluations: of the language model, so far.
        wall_s: spent learning, judging not counted.
        reward: mean on the test table.
        per_seed: mean reward of each test seed, float64 [seeds].
        split_shares: of the test decisions, see `pyagent.evaluation.summary.split_shares`.
        policy: what was judged; None where it is not kept.
        tuning_contexts: contexts at which it used the outcome of every action; 0 for who tries one action at
            each decision.
    """

    decisions: int
    evaluations: int
    wall_s: float
    reward: float
    per_seed: FloatArray
    split_shares: dict[str, float]
    policy: Policy | None = None
    tuning_contexts: int = 0


def ask_table(table: RecordedTable) -> Callable[[Key], float]:
    """The language model's answers as they were recorded."""
    return lambda key: float(table.components[key][1])


def model_based(dataset: Dataset, **options: Any) -> ModelBasedLearner:
    """The default learner for a dataset's scenario, untrained; it buys the answers that were recorded.

    Args:
        dataset: gives scenario, splits and the answers of the language model.
        options: of `pyagent.learning.learners.make_model_based`.
    """
    made = {"clean_delta_nll": dataset.clean_delta_nll} | options
    return make_model_based(dataset.scenario, ask_table(dataset.train), **made)


def episodes(table: RecordedTable, seed: int) -> Iterator[tuple[range, int]]:
    """Recorded episodes without end, as (rows, replicate): all in random order, then all again."""
    rng = np.random.default_rng([seed, 21])
    starts = np.flatnonzero(table.first_of_seed)
    ends = np.append(starts[1:], len(table))
    while True:
        for replicate in rng.permutation(table.replicates):
            for i in rng.permutation(len(starts)):
                yield range(int(starts[i]), int(ends[i])), int(replicate)


def play_episode(learner: OnlineLearner, table: RecordedTable, rows: range, replicate: int) -> Iterator[int]:
    """Let a learner decide the recorded requests of an episode, yielding the action after each."""
    previous = 0
    for row in rows:
        context = table.contexts[row, previous, replicate]
        action = learner.act(context)
        cell = (row, action, replicate)
        learner.observe(
            Played(
                context, action, table.components[cell], table.network[cell], bool(table.lossy[cell]), cell
            )
        )
        if row + 1 < rows.stop:
            learner.followed(context, action, table.contexts[row + 1, action, replicate])
        previous = action
        yield action


def learn(
    learner: OnlineLearner, dataset: Dataset, *, seed: int, decisions: int, marks: Sequence[int] = ()
) -> list[Checkpoint]:
    """Let a learner play the training part, and judge it on the test part at each of the marks.

    Args:
        learner: changed in place.
        dataset: what is played and judged on.
        seed: of the order of the episodes.
        decisions: to play in all.
        marks: numbers of decisions after which it is judged.
    """
    found: list[Checkpoint] = []
    played, wall_s, since = 0, 0.0, time.perf_counter()
    for rows, replicate in episodes(dataset.train, seed):
        for _ in play_episode(learner, dataset.train, rows, replicate):
            played += 1
            if played in marks:
                wall_s += time.perf_counter() - since
                found.append(judged(learner.policy(), dataset, played, learner.evaluations, wall_s))
                since = time.perf_counter()
            if played >= decisions:
                return found
    return found


def judged(
    policy: Policy,
    dataset: Dataset,
    decisions: int,
    evaluations: int,
    wall_s: float,
    *,
    tuning_contexts: int = 0,
) -> Checkpoint:
    """What a policy is worth on the test part, after what it cost."""
    actions = dataset.test.play_all(policy)
    shares = split_shares(np.asarray(dataset.deployment.splits)[actions])
    reward, per_seed = _earned(actions, dataset)
    return Checkpoint(decisions, evaluations, wall_s, reward, per_seed, shares, policy, tuning_contexts)


def judge(policy: Policy, dataset: Dataset) -> tuple[float, FloatArray]:
    """Mean reward of a policy on all replicates of the test part, and of each seed [seeds]."""
    return _earned(dataset.test.play_all(policy), dataset)


def _earned(actions: Indices, dataset: Dataset) -> tuple[float, FloatArray]:
    """Mean reward of actions [K, R] on the test part, and of each seed [seeds]."""
    table = dataset.test
    rewards = table.rewards_of_all(actions, dataset.switching_cost)
    return float(rewards.mean()), means_per_seed(rewards, table.seeds)


def means_per_seed(rewards: FloatArray, seeds: Indices) -> FloatArray:
    """Mean reward [seeds] of each seed, in the order of the table.

    Args:
        rewards: [K] or [K, R].
        seeds: of the decisions [K].
    """
    return np.array([rewards[seeds == seed].mean() for seed in dict.fromkeys(seeds.tolist())])
