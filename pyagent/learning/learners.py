"""Who learns decision by decision, on a dataset or in the live co-simulation alike."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from pyagent.envs.observation import NAMES
from pyagent.envs.scoring import make_composer, make_scales
from pyagent.learning.acquisition import check_rule
from pyagent.learning.model_based import Ask, ModelBasedLearner, Played
from pyagent.learning.options import Learning, check_choice
from pyagent.learning.quality import QualityModel
from pyagent.policies.base import Policy
from pyagent.policies.gp_ucb import gp_ucb_policy
from pyagent.policies.linear_thompson import LinearThompsonPolicy
from pyagent.policies.linucb import LinUcbPolicy
from pyagent.policies.surrogate_argmax import Mode, SurrogateArgmaxPolicy, greedy_copy
from pyagent.reward import FloatArray
from pyagent.scenario.compile import deploy
from pyagent.scenario.schema import Scenario
from pyagent.surrogate.ensemble import STATIONARY, EnsembleSettings, EnsembleSurrogate
from pyagent.surrogate.registry import ENSEMBLE, make_surrogate
from pyagent.surrogate.types import ActionEncoder, Contexts, Surrogate


class OnlineLearner(Protocol):
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

    def followed(self, context: Contexts, action: int, after: Contexts) -> None:
        """Which context came after which, within an episode."""
        ...

    def policy(self) -> Policy:
        """What it would do from now on, no longer learning."""
        ...


class BanditLearner:
    """A policy that learns from whole outcomes: every evaluation is bought.

    Args:
        policy: with `observe` and `copy`-able.
        freeze: makes the policy that is judged.
        ask: the language model.
    """

    def __init__(self, policy: Policy, freeze: Callable[[Policy], Policy], ask: Ask) -> None:
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

    def followed(self, context: Contexts, action: int, after: Contexts) -> None:
        """Ignored: a bandit has no idea of what comes next."""

    def policy(self) -> Policy:
        """A frozen copy."""
        return self._freeze(self._policy)


class BanditMaker(Protocol):
    """Makes an untrained bandit for a scenario."""

    def __call__(self, scenario: Scenario, ask: Ask, *, seed: int) -> BanditLearner:
        """``ask`` is the language model, ``seed`` that of everything random in it."""
        ...


def _encoder(scenario: Scenario) -> ActionEncoder:
    deployment = deploy(scenario)
    return ActionEncoder(deployment.splits, deployment.num_layers)


def _linear(make: Callable[..., Policy]) -> BanditMaker:
    def learner(scenario: Scenario, ask: Ask, *, seed: int) -> BanditLearner:
        policy = make(_encoder(scenario), make_composer(scenario), seed=seed)
        return BanditLearner(policy, _frozen, ask)

    return learner


def _gp_ucb(scenario: Scenario, ask: Ask, *, seed: int) -> BanditLearner:
    scales, composer = make_scales(scenario), make_composer(scenario)
    policy = gp_ucb_policy(len(NAMES), _encoder(scenario), scales, composer, seed=seed)
    return BanditLearner(policy, _frozen_surrogate, ask)


def _frozen(policy: Any) -> Policy:
    frozen: Policy = copy.deepcopy(policy)
    frozen.freeze()  # type: ignore[attr-defined]
    return frozen


def _frozen_surrogate(policy: Any) -> Policy:
    return greedy_copy(policy.surrogate, policy.encoder, policy.composer)


BANDITS: Mapping[str, BanditMaker] = MappingProxyType(
    {
        "linucb": _linear(LinUcbPolicy),
        "linear-thompson": _linear(LinearThompsonPolicy),
        "gp-ucb": _gp_ucb,
    }
)
"""Bandits by name."""


def make_model_based(
    scenario: Scenario,
    ask: Ask,
    *,
    clean_delta_nll: FloatArray,
    seed: int,
    surrogate: str = Learning.surrogate,
    rule: str = Learning.buy,
    per_decision: float = Learning.per_decision,
    most: int | None = None,
    settings: EnsembleSettings | None = None,
    mode: Mode = "thompson",
) -> ModelBasedLearner:
    """The default learner for a scenario, untrained.

    Args:
        scenario: what is learned.
        ask: the language model.
        clean_delta_nll: float64 [S], of each split without loss, nats/token.
        seed: of everything random in it.
        surrogate: one of `pyagent.surrogate.registry.SURROGATES`.
        rule, per_decision, most: see `ModelBasedLearner`.
        settings: of the ensemble.
        mode: of exploration.

    Raises:
        UserError: there is no such rule, the surrogate can't be had, or can't choose what to buy.
    """
    check_rule(rule)
    check_choice(surrogate, rule)
    encoder, composer = _encoder(scenario), make_composer(scenario)
    model = _surrogate(surrogate, scenario, encoder, seed, settings)
    quality = QualityModel(
        len(encoder.splits),
        model.members,
        delta_nll_clip=scenario.reward.delta_nll_clip,
        clean_delta_nll=clean_delta_nll,
        seed=seed,
    )
    explorer = SurrogateArgmaxPolicy(model, encoder, composer, mode=mode, seed=seed)
    return ModelBasedLearner(
        model,
        encoder,
        composer,
        quality,
        ask,
        rule=rule,
        per_decision=per_decision,
        most=most,
        policy=explorer,
        seed=seed,
    )


def _surrogate(
    name: str, scenario: Scenario, encoder: ActionEncoder, seed: int, settings: EnsembleSettings | None
) -> Surrogate:
    scales = make_scales(scenario)
    if name == ENSEMBLE:
        chosen = settings or STATIONARY
        return EnsembleSurrogate(len(NAMES), encoder, scales, seed=seed, settings=chosen)
    return make_surrogate(name, len(NAMES), encoder, scales, seed=seed)
