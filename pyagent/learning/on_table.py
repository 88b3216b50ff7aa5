"""Learning on a recorded dataset: what each learner has learned after how many real evaluations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pyagent.dataset import Dataset, RecordedTable
from pyagent.learning.model_based import Key, ModelBasedLearner, Played
from pyagent.learning.quality import QualityModel
from pyagent.policies.base import Policy
from pyagent.policies.surrogate_argmax import SurrogateArgmaxPolicy
from pyagent.reward import FloatArray
from pyagent.surrogate.ensemble import STATIONARY, EnsembleSettings, EnsembleSurrogate
from pyagent.surrogate.scales import ComponentScales
from pyagent.surrogate.types import ActionEncoder, Contexts


class TableLearner(Protocol):
    """Whoever learns decision by decision."""

    @property
    def evaluations(self) -> int:
        """Language-model evaluations bought so far."""
        ...

    def act(self, context: Contexts) -> int:
        """What to do, exploring."""
        ...

    def observe(self, played: Played) -> None:
        """What came of it."""
        ...

    def policy(self) -> Policy:
        """What it would do from now on, no longer learning."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """A learner at one moment.

    Attributes:
        decisions, evaluations: so far.
        wall_s: spent learning, judging not counted.
        reward: mean on the test table.
        per_seed: mean reward of each test seed, float64 [seeds].
        policy: what was judged; None where it is not kept.
    """

    decisions: int
    evaluations: int
    wall_s: float
    reward: float
    per_seed: FloatArray
    policy: Policy | None = None


class BanditLearner:
    """A policy that learns from whole outcomes: every evaluation is bought.

    Args:
        policy: with `observe` and `copy`-able.
        freeze: makes the policy that is judged.
        ask: the language model.
    """

    def __init__(
        self, policy: Policy, freeze: Callable[[Policy], Policy], ask: Callable[[Key], float]
    ) -> None:
        self._policy, self._freeze, self._ask = policy, freeze, ask
        self.evaluations = 0

    def act(self, context: Contexts) -> int:
        """What to do, exploring."""
        return self._policy.act(context)

    def observe(self, played: Played) -> None:
        """Buys the evaluation where there is one, and learns."""
        outcome = played.outcome.copy()
        if played.lossy:
            outcome[1] = self._ask(played.key)
            self.evaluations += 1
        self._policy.observe(played.context, played.action, outcome)

    def policy(self) -> Policy:
        """A frozen copy."""
        return self._freeze(self._policy)


def ask_table(table: RecordedTable) -> Callable[[Key], float]:
    """The language model's answers as they were recorded."""
    return lambda key: float(table.components[key][1])


def model_based(
    dataset: Dataset,
    *,
    seed: int,
    rule: str = "epistemic",
    per_decision: float = 0.25,
    most: int | None = None,
    settings: EnsembleSettings | None = None,
    mode: str = "thompson",
    table: RecordedTable | None = None,
) -> ModelBasedLearner:
    """The default learner for a dataset's scenario, untrained.

    Args:
        dataset: gives scenario, splits and the answers of the language model.
        seed: of everything random in it.
        rule, per_decision, most: see `ModelBasedLearner`.
        settings: of the ensemble.
        mode: of exploration.
        table: what is learned on; None: the dataset's training part.
    """
    scenario, deployment = dataset.scenario, dataset.deployment
    encoder = ActionEncoder(deployment.splits, deployment.num_layers)
    scales = scales_of(dataset)
    learned_on = table or dataset.train
    dim = learned_on.contexts.shape[-1]
    surrogate = EnsembleSurrogate(dim, encoder, scales, seed=seed, settings=settings or STATIONARY)
    quality = QualityModel(
        len(deployment.splits),
        surrogate.members,
        delta_nll_clip=scenario.reward.delta_nll_clip,
        exact_codec=dataset.exact_codec,
        seed=seed,
    )
    explorer = SurrogateArgmaxPolicy(surrogate, encoder, dataset.composer, mode=mode, seed=seed)  # type: ignore[arg-type]
    return ModelBasedLearner(
        surrogate,
        encoder,
        dataset.composer,
        quality,
        ask_table(learned_on),
        rule=rule,
        per_decision=per_decision,
        most=most,
        policy=explorer,
        seed=seed,
    )


def scales_of(dataset: Dataset) -> ComponentScales:
    """The surrogates' scales of a dataset's scenario."""
    requests = dataset.scenario.requests
    return ComponentScales.from_reward(
        dataset.composer.context,
        deadline_s=requests.deadline_s,
        ue_energy_all_local_j=dataset.deployment.all_local_energy_j(
            requests.prompt_tokens[1], requests.output_tokens[1]
        ),
    )


def episodes(table: RecordedTable, seed: int) -> Iterator[tuple[range, int]]:
    """Recorded episodes without end, as (rows, replicate): all in random order, then all again."""
    rng = np.random.default_rng([seed, 21])
    starts = np.flatnonzero(table.first_of_seed)
    ends = np.append(starts[1:], len(table))
    while True:
        for replicate in rng.permutation(table.replicates):
            for i in rng.permutation(len(starts)):
                yield range(int(starts[i]), int(ends[i])), int(replicate)


def play_one(learner: TableLearner, table: RecordedTable, row: int, previous: int, replicate: int) -> int:
    """Let a learner decide one recorded request; returns the action."""
    context = table.contexts[row, max(previous, 0), replicate]
    action = learner.act(context)
    cell = (row, action, replicate)
    learner.observe(
        Played(context, action, table.components[cell], table.network[cell], bool(table.lossy[cell]), cell)
    )
    return action


def learn(
    learner: TableLearner,
    table: RecordedTable,
    test: RecordedTable,
    *,
    seed: int,
    decisions: int,
    marks: Sequence[int],
    switching_cost: float,
) -> list[Checkpoint]:
    """Let a learner play, and judge it on the test table at each of the marks.

    Args:
        learner: changed in place.
        table: what is played.
        test: what it is judged on.
        seed: of the order of the episodes.
        decisions: to play in all.
        marks: numbers of decisions after which it is judged.
        switching_cost: of the scenario.
    """
    wanted, found, played, wall_s = set(marks), [], 0, 0.0
    for rows, replicate in episodes(table, seed):
        previous = -1
        for row in rows:
            started = time.perf_counter()
            action = play_one(learner, table, row, previous, replicate)
            if isinstance(learner, ModelBasedLearner) and row + 1 < rows.stop:
                before = table.contexts[row, max(previous, 0), replicate]
                learner.followed(before, action, table.contexts[row + 1, action, replicate])
            wall_s += time.perf_counter() - started
            previous, played = action, played + 1
            if played in wanted:
                policy = learner.policy()
                reward, per_seed = judge(policy, test, switching_cost)
                found.append(Checkpoint(played, learner.evaluations, wall_s, reward, per_seed, policy))
            if played >= decisions:
                return found
    return found


def judge(policy: Policy, table: RecordedTable, switching_cost: float) -> tuple[float, FloatArray]:
    """Mean reward of a policy on all replicates of a table, and of each seed [seeds]."""
    actions = table.play_all(policy)
    rewards = np.stack(
        [table.rewards_of(actions[:, r], r, switching_cost) for r in range(table.replicates)], axis=1
    )
    seeds = dict.fromkeys(table.seeds.tolist())
    per_seed = np.array([rewards[table.seeds == seed].mean() for seed in seeds])
    return float(rewards.mean()), per_seed
