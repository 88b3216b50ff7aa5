"""Training in the live co-simulation: who learns, from which decisions, and what it bought."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from llm_split.quality import QualityResult
from pyagent.campaign.collect import Decision, Row, row_of
from pyagent.campaign.journal import Journal
from pyagent.envs.network import record_network
from pyagent.envs.record import DeliveryRecord
from pyagent.envs.scoring import NO_SPLIT, Score, Scorer
from pyagent.envs.simulator import Episode, State
from pyagent.learning.curve_log import CurveLog
from pyagent.learning.learners import OnlineLearner
from pyagent.learning.model_based import Key, ModelBasedLearner, Played
from pyagent.policies.base import Policy
from pyagent.reward import COMPONENTS
from pyagent.surrogate.types import Batch

SNAPSHOTS = 8
MODEL = "surrogate-thompson"
"""The model-based learner's name in decisions.parquet: what it acted by while it learned."""


@dataclass
class Trained:
    """What training made of a learner.

    Attributes:
        learner: having learned.
        snapshots: (evaluations bought, what it would do from now on) along the way.
        predictions: rows of predictions.parquet: what a model predicted before each outcome was known.
    """

    learner: OnlineLearner
    snapshots: list[tuple[int, Policy]] = field(default_factory=list)
    predictions: list[Row] = field(default_factory=list)

    @property
    def evaluations(self) -> int:
        """Bought in all."""
        return self.learner.evaluations


class _Playable(Protocol):
    def begin(self) -> State: ...
    def decide(self, action: int) -> tuple[DeliveryRecord, State, bool]: ...


@dataclass
class _Item:
    """A training decision; its score is known once it has been asked for."""

    seed: int
    previous_split: int
    decision: Decision
    score: Score | None = None


class Training:
    """A learner's live training.

    Args:
        name: of the learner, in decisions.parquet and in the journal.
        scorer: asks the language model.
        journal: keeps finished episodes; those that it holds are not played anew.
        log_dir: ns-3's output.
        curves: is told of every decision.
    """

    def __init__(
        self, name: str, scorer: Scorer, journal: Journal, log_dir: Path, curves: CurveLog | None = None
    ) -> None:
        self._name, self._scorer, self._journal, self._log_dir = name, scorer, journal, log_dir
        self._curves = curves
        self._items: list[_Item] = []
        self._past = journal.training(name)
        self._known = {place: quality for episode in self._past for place, quality in episode.answers.items()}
        self._fresh: dict[int, QualityResult] = {}

    def ask(self, key: Key) -> float:
        """The language model on a decision of this training: dNLL, clipped, nats/token."""
        return float(self._scored(key[0]).outcome[1])

    @property
    def is_past(self) -> bool:
        """True while it repeats decisions that a stopped run has played."""
        return len(self._items) <= sum(len(episode) for episode in self._past)

    def rows(self) -> list[Row]:
        """The decisions so far as in decisions.parquet; NaN where the evaluation was not bought."""
        return [
            row_of(
                "train",
                self._name,
                item.seed,
                0,
                item.decision,
                self._told(item),
                previous_split=item.previous_split,
            )
            for item in self._items
        ]

    def run(
        self, learner: OnlineLearner, *, budget: int, seeds: Iterator[int], progress: Callable[[str], None]
    ) -> Trained:
        """Let the learner play `budget` decisions and learn from each.

        Args:
            learner: untrained, and asks by :meth:`ask`.
            budget: decisions.
            seeds: of the episodes, one after another.
            progress: called after every decision with a word on it.
        """
        trained = Trained(learner)
        marks = {round(budget * (i + 1) / SNAPSHOTS) for i in range(SNAPSHOTS)}
        for number, seed in enumerate(seeds):
            if len(self._items) >= budget:
                break
            with self._episode(number, seed) as (episode, is_new):
                first, states = len(self._items), [episode.begin()]
                for after in self._play(trained, episode, states[0], seed, budget):
                    states.append(after)
                    if len(self._items) in marks:
                        trained.snapshots.append((learner.evaluations, learner.policy()))
                    self._log(trained)
                    progress(self._note(learner))
            if is_new:
                played = [item.decision for item in self._items[first:]]
                self._journal.keep_training(self._name, number, states, played, self._fresh)
            self._fresh = {}
        self._fill(trained.predictions)
        return trained

    @contextmanager
    def _episode(self, number: int, seed: int) -> Iterator[tuple[_Playable, bool]]:
        if number < len(self._past):
            yield self._past[number], False
            return
        with Episode(self._scorer.scenario, seed, 0, self._log_dir / f"seed-{seed}-0") as episode:
            yield episode, True

    def _play(
        self, trained: Trained, episode: _Playable, state: State, seed: int, budget: int
    ) -> Iterator[State]:
        """Play an episode to its end or to that of the budget, yielding the state after each decision."""
        learner, over, previous = trained.learner, False, NO_SPLIT
        while not over and len(self._items) < budget:
            action = learner.act(state.context)
            if isinstance(learner, ModelBasedLearner):
                self._predict(trained.predictions, learner, state, action)
            record, after, over = episode.decide(action)
            self._items.append(_Item(seed, previous, Decision(state, action, record)))
            learner.observe(self._played(len(self._items) - 1))
            if not over:
                learner.followed(state.context, action, after.context)
            state, previous = after, record.split
            yield after

    def _played(self, place: int) -> Played:
        """What the network tells of a decision; where that says the quality too, it costs nothing."""
        decision = self._items[place].decision
        lossy = self._scorer.must_ask(decision.record)
        score = self._scorer.unasked(decision.record) if lossy else self._scored(place)
        network = record_network(decision.record)
        return Played(decision.state.context, decision.action, score.outcome, network, lossy, (place, 0, 0))

    def _scored(self, place: int) -> Score:
        item = self._items[place]
        if item.score is None:
            record = item.decision.record
            quality = self._known.get(place)
            if quality is None:
                quality = self._scorer.evaluate(record, seed=item.seed, replicate=0, part="train")
            self._fresh[place] = quality
            item.score = self._scorer.compose(record, quality, item.previous_split)
        return item.score

    def _log(self, trained: Trained) -> None:
        if self._curves is None:
            return
        item = self._items[-1]
        score = self._told(item)
        last = trained.predictions[-len(COMPONENTS) :]
        self._curves.scalars(
            len(self._items),
            {
                "decision/reward": score.reward,
                "decision/split": item.decision.record.split,
                "decision/snr_db": item.decision.state.raw["snr_db"],
                "decision/loss": item.decision.record.loss,
                **{f"outcome/{name}": float(score.outcome[c]) for c, name in enumerate(COMPONENTS)},
                **{f"predicted/{row['component']}": row["predicted"] for row in last},
                **{f"predicted_std/{row['component']}": row["std"] for row in last},
                "learner/evaluations": trained.evaluations,
            },
        )

    def _note(self, learner: OnlineLearner) -> str:
        item = self._items[-1]
        reward = "not bought" if item.score is None else f"{item.score.reward:.2f}"
        return (
            f"SNR {item.decision.state.raw['snr_db']:.0f} dB, split {item.decision.record.split}, "
            f"reward {reward}, {learner.evaluations} evaluations bought"
        )

    def _predict(self, predictions: list[Row], learner: ModelBasedLearner, state: State, action: int) -> None:
        """Note what the model expects, before it is shown the outcome."""
        batch: Batch = Batch.of_one(state.context, action, np.zeros(len(COMPONENTS)))
        found = learner.surrogate.predict(batch.contexts, learner.encoder.encode(batch.actions))
        std = np.hypot(found.aleatoric_std[0], found.epistemic_std[0])
        predictions.extend(
            {
                "decision": len(self._items),
                "component": name,
                "predicted": float(found.mean[0, c]),
                "std": float(std[c]),
                "observed": float("nan"),
            }
            for c, name in enumerate(COMPONENTS)
        )

    def _fill(self, predictions: list[Row]) -> None:
        """Note what was observed; a quality that was not bought never was."""
        for row in predictions:
            outcome = self._told(self._items[row["decision"]]).outcome
            row["observed"] = float(outcome[COMPONENTS.index(row["component"])])

    def _told(self, item: _Item) -> Score:
        """The score as far as it is known; quality and reward are NaN where they were not bought."""
        return item.score or self._scorer.unasked(item.decision.record)
