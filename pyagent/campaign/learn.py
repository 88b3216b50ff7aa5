"""The model-based agent's training in the live co-simulation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pyagent.campaign.collect import Decision, Row, row_of
from pyagent.envs.observation import NAMES
from pyagent.envs.scoring import NO_SPLIT, Scorer, make_composer, make_scales
from pyagent.envs.simulator import State
from pyagent.envs.split_inference import SplitInferenceEnv
from pyagent.learning.transitions import Transitions
from pyagent.policies.surrogate_argmax import SurrogateArgmaxPolicy, greedy_copy
from pyagent.reward import COMPONENTS, RewardComposer
from pyagent.surrogate.ensemble import STATIONARY, EnsembleSurrogate
from pyagent.surrogate.imagined import ImaginedModel
from pyagent.surrogate.types import ActionEncoder, Batch

SNAPSHOTS = 8


@dataclass
class Learner:
    """What training makes.

    Attributes:
        surrogate: learned outcome model, updated after every decision.
        snapshots: (evaluations bought, copy of the surrogate) along the way.
        rows: the training decisions, as in decisions.parquet.
        predictions: rows of predictions.parquet: what was predicted before each outcome was known.
    """

    encoder: ActionEncoder
    composer: RewardComposer
    surrogate: EnsembleSurrogate
    transitions: Transitions = field(default_factory=Transitions)
    snapshots: list[tuple[int, EnsembleSurrogate]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    predictions: list[Row] = field(default_factory=list)

    def argmax_policy(self, surrogate: EnsembleSurrogate | None = None) -> SurrogateArgmaxPolicy:
        """The greedy policy of a surrogate (default: the final one); it no longer learns."""
        return greedy_copy(surrogate or self.surrogate, self.encoder, self.composer)

    def imagined(self) -> ImaginedModel:
        """The imagined world: surrogate and channel model, starting where real decisions were made."""
        channel, starts = self.transitions.channel(self.encoder), np.stack(self.transitions.contexts)
        return ImaginedModel(self.surrogate, channel, self.encoder, self.composer, starts)

    def save(self, folder: Path) -> None:
        """The learned model as safetensors and JSON; see `splitsim imagine`."""
        self.surrogate.save(folder)
        if self.transitions.contexts:
            self.transitions.channel(self.encoder).save(folder)


def make_learner(scorer: Scorer, seed: int) -> Learner:
    """An untrained learner for the scorer's scenario."""
    scenario, deployment = scorer.scenario, scorer.deployment
    encoder = ActionEncoder(deployment.splits, deployment.num_layers)
    surrogate = EnsembleSurrogate(len(NAMES), encoder, make_scales(scenario), seed=seed, settings=STATIONARY)
    return Learner(encoder, make_composer(scenario), surrogate)


def train(
    learner: Learner,
    scorer: Scorer,
    *,
    budget: int,
    seeds: Iterator[int],
    seed: int,
    log_dir: Path,
    progress: Callable[[str], None],
) -> None:
    """Buy `budget` real decisions by Thompson sampling and learn from each.

    Args:
        learner: changed in place; holds what was finished also when this raises.
        scorer: runs the language model.
        budget: decisions, each with a real evaluation.
        seeds: of the training episodes, one after another.
        seed: of the exploration.
        log_dir: ns-3's output.
        progress: called after every decision with a word on it.
    """
    policy = SurrogateArgmaxPolicy(
        learner.surrogate, learner.encoder, learner.composer, mode="thompson", seed=seed
    )
    marks = {round(budget * (i + 1) / SNAPSHOTS) for i in range(SNAPSHOTS)}
    env = SplitInferenceEnv(scorer.scenario, part="train", scorer=scorer, log_dir=log_dir)
    try:
        while len(learner.rows) < budget:
            _episode(learner, env, policy, next(seeds), budget, marks, progress)
    finally:
        env.close()


def _episode(
    learner: Learner,
    env: SplitInferenceEnv,
    policy: SurrogateArgmaxPolicy,
    seed: int,
    budget: int,
    marks: set[int],
    progress: Callable[[str], None],
) -> None:
    context, info = env.reset(seed=seed)
    over, previous = False, NO_SPLIT
    while not over and len(learner.rows) < budget:
        state: State = info["state"]
        action = policy.act(context)
        _predict(learner, context, action)
        after, reward, _, over, info = env.step(action)
        score, record = info["score"], info["record"]
        _observed(learner, score.outcome)
        policy.observe(context, action, score.outcome)
        decision = Decision(state, action, record)
        learner.rows.append(
            row_of("train", "surrogate-thompson", seed, 0, decision, score, previous_split=previous)
        )
        previous = record.split
        if not over:
            learner.transitions.add(context, action, after)
        if len(learner.rows) in marks:
            learner.snapshots.append((len(learner.rows), copy.deepcopy(learner.surrogate)))
        progress(f"SNR {state.raw['snr_db']:.0f} dB, split {record.split}, reward {reward:.2f}")
        context = after


def _predict(learner: Learner, context: np.ndarray, action: int) -> None:
    """Note what the surrogate expects, before it is shown the outcome."""
    batch: Batch = Batch.of_one(context, action, np.zeros(len(COMPONENTS)))
    prediction = learner.surrogate.predict(batch.contexts, learner.encoder.encode(batch.actions))
    std = np.hypot(prediction.aleatoric_std[0], prediction.epistemic_std[0])
    learner.predictions.extend(
        {
            "decision": len(learner.rows),
            "component": name,
            "predicted": float(prediction.mean[0, c]),
            "std": float(std[c]),
            "observed": float("nan"),
        }
        for c, name in enumerate(COMPONENTS)
    )


def _observed(learner: Learner, outcome: np.ndarray) -> None:
    for row, value in zip(learner.predictions[-len(COMPONENTS) :], outcome, strict=True):
        row["observed"] = float(value)
