"""Policies that are tuned on every split's runs of the same episodes, by name.

All of them see the tuning episodes only. `threshold` and `two-threshold` may cut on any feature of the
observation; the feature is the one whose best rule earns most when it plays the tuning episodes with its own
history and pays for its switches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from pyagent.dataset.table import RecordedTable
from pyagent.evaluation.cost import Cost
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.policies.causal_ceiling import CausalCeilingPolicy, Forest
from pyagent.policies.neurosurgeon import Link, NeurosurgeonPolicy, request_size
from pyagent.policies.steps import StepPolicy
from pyagent.policies.threshold import ThresholdPolicy
from pyagent.policies.two_threshold import TwoThresholdPolicy
from pyagent.reward import FloatArray, RewardComposer
from pyagent.scenario.compile import Deployment
from pyagent.surrogate.types import Contexts

FOLDS = 5
"""Folds of the cross-validation over episodes."""
FORESTS = (Forest("extra", 1), Forest("extra", 4), Forest("extra", 10), Forest("random", 4))
"""Forests that the causal ceiling chooses from by cross-validation."""
USUAL_FOREST = Forest("extra", 4)
"""Its settings where one episode leaves nothing to validate on."""
VALIDATION_TREES = 20

Tuner = Callable[[Deployment, RecordedTable, RewardComposer], Policy]
"""(deployment, table of the tuning episodes, the scenario's reward) -> the tuned policy."""
Rule = TypeVar("Rule", bound=StepPolicy)


def tuning_contexts(table: RecordedTable) -> Contexts:
    """Contexts [K, D] of the smallest split's runs: it always uses the link, so they show what there is."""
    return np.asarray(table.contexts[:, 0, 0])


def tuning_rewards(table: RecordedTable) -> FloatArray:
    """Rewards [K, S] of the first replicate."""
    return np.asarray(table.rewards[:, :, 0])


def tuning_cost(table: RecordedTable) -> Cost:
    """Cost of these rewards: every action at every context, once."""
    return whole_cost(_first_replicates(table, 1))


def whole_cost(table: RecordedTable) -> Cost:
    """Cost of a table with all of its replicates."""
    return Cost(int(table.lossy.size), int(table.lossy.sum()), len(table))


def tune_static(deployment: Deployment, table: RecordedTable, composer: RewardComposer) -> BestStaticPolicy:
    """The split with the best mean reward, over all replicates."""
    return BestStaticPolicy.tune(table.rewards)


def tune_threshold(deployment: Deployment, table: RecordedTable, composer: RewardComposer) -> ThresholdPolicy:
    """The best single cut on any feature."""
    return _tune_rule(ThresholdPolicy, table, composer)


def _two_threshold(deployment: Deployment, table: RecordedTable, composer: RewardComposer) -> Policy:
    return _tune_rule(TwoThresholdPolicy, table, composer)


def _tune_rule(kind: type[Rule], table: RecordedTable, composer: RewardComposer) -> Rule:
    """The best rule of every feature, and of these the one that earns most on the tuning episodes."""
    contexts, rewards = tuning_contexts(table), tuning_rewards(table)
    rules = [kind.tune(contexts, rewards, feature) for feature in range(contexts.shape[1])]
    return max(rules, key=lambda rule: earned(rule, table, composer, replicates=1))


def earned(
    policy: Policy, table: RecordedTable, composer: RewardComposer, *, replicates: int | None = None
) -> float:
    """Mean reward of a policy that plays a table's episodes with its own history and pays for switches.

    Args:
        policy: no longer learns.
        table: whose episodes are played.
        composer: gives the price of a switch.
        replicates: to play, the first ones; None: all.
    """
    played = table if replicates is None else _first_replicates(table, replicates)
    rewards = played.rewards_of_all(played.play_all(policy), composer.weights.switching)
    return float(np.mean([column.mean() for column in rewards.T]))


def _first_replicates(table: RecordedTable, count: int) -> RecordedTable:
    cells = ("contexts", "rewards", "components", "network", "lossy")
    return replace(table, **{name: getattr(table, name)[:, :, :count] for name in cells})


def fit_ceiling(
    deployment: Deployment, table: RecordedTable, composer: RewardComposer, *, seed: int = 0
) -> Policy:
    """The causal ceiling of a training table, its model chosen by cross-validation over the episodes.

    The models are the forests of `FORESTS`, and for tables that are too small for them the rules with one and
    two cuts and the best static split. A model's worth is the mean reward that its policy earns in the
    episodes that it was not fitted to.

    Args:
        deployment: not used; the same arguments as every `Tuner`.
        table: every action's outcomes in the training episodes, all replicates.
        composer: of the scenario.
        seed: of folds and trees.
    """
    policy = _made(_best_model(table, composer, seed), table, composer, seed)
    # A rule that is the ceiling stands in tables as the ceiling.
    policy.name = CausalCeilingPolicy.name
    return policy


Ceiling = CausalCeilingPolicy | StepPolicy | BestStaticPolicy
Simple = Callable[[RecordedTable, RewardComposer], StepPolicy | BestStaticPolicy]
Model = Forest | Simple
_SIMPLE: tuple[Simple, ...] = (
    partial(_tune_rule, ThresholdPolicy),
    partial(_tune_rule, TwoThresholdPolicy),
    lambda table, composer: BestStaticPolicy.tune(table.rewards),
)


def _made(model: Model, table: RecordedTable, composer: RewardComposer, seed: int) -> Ceiling:
    if isinstance(model, Forest):
        return CausalCeilingPolicy.fit(table.contexts, table.rewards, composer, model, seed=seed)
    return model(table, composer)


def _best_model(table: RecordedTable, composer: RewardComposer, seed: int) -> Model:
    episodes = np.random.default_rng([seed, 41]).permutation(np.unique(table.seeds))
    if len(episodes) < 2:
        return USUAL_FOREST
    worth: dict[Model, float] = dict.fromkeys((*FORESTS, *_SIMPLE), 0.0)
    for fold in np.array_split(episodes, min(FOLDS, len(episodes))):
        kept, held_out = table.of_seeds(np.setdiff1d(episodes, fold)), table.of_seeds(fold)
        for model in worth:
            small = model._replace(trees=VALIDATION_TREES) if isinstance(model, Forest) else model
            policy = _made(small, kept, composer, seed)
            worth[model] += earned(policy, held_out, composer) * len(held_out)
    return max(worth, key=lambda model: worth[model])


def _neurosurgeon(deployment: Deployment, table: RecordedTable, composer: RewardComposer) -> Policy:
    K, S = len(table), table.actions
    actions = np.tile(np.arange(S), K)
    contexts = table.contexts[:, :, 0].reshape(K * S, -1)
    link = Link.fit(deployment, contexts, actions, table.components[:, :, 0].reshape(K * S, -1))
    sizes = np.array([request_size(deployment, context) for context in tuning_contexts(table)])
    prompt, output = np.median(sizes, axis=0).astype(int).tolist()
    return NeurosurgeonPolicy(deployment, link, typical=(prompt, output))


TUNERS: Mapping[str, Tuner] = MappingProxyType(
    {
        "best-static": tune_static,
        "threshold": tune_threshold,
        "two-threshold": _two_threshold,
        "neurosurgeon": _neurosurgeon,
    }
)
"""How each is tuned."""
