"""The model-based learner: acts by its surrogate, and buys the evaluations that teach it most."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from pyagent.learning import acquisition
from pyagent.learning.acquisition import ALL, RULES
from pyagent.learning.options import Learning
from pyagent.learning.quality import QualityModel, Record
from pyagent.learning.transitions import Transitions
from pyagent.policies.surrogate_argmax import SurrogateArgmaxPolicy, greedy_copy
from pyagent.reward import FloatArray, RewardComposer
from pyagent.surrogate.imagined import ImaginedModel
from pyagent.surrogate.registry import load_surrogate
from pyagent.surrogate.types import ActionEncoder, Batch, Contexts, Indices, Surrogate

Key = tuple[int, int, int]
"""Where an evaluation can be had: (decision, action, replicate), or what the owner means by them."""
Ask = Callable[[Key], float]
"""Asks the language model: dNLL of a decision, clipped, nats/token."""

_FILE = "learner"


@dataclass(frozen=True)
class Played:
    """A decision that the network has played.

    Attributes:
        context: float32 [D].
        action: what was done.
        outcome: float64 [C]; its dNLL counts only where nothing was lost.
        network: float64 [3], `pyagent.envs.network.NETWORK`.
        lossy: true if the dNLL takes an evaluation.
        key: how to ask it.
        cost: of asking, in any unit.
    """

    context: Contexts
    action: int
    outcome: FloatArray
    network: FloatArray
    lossy: bool
    key: Key
    cost: float = 1.0


@runtime_checkable
class Relabelled(Surrogate, Protocol):
    """A surrogate whose members can each be told another dNLL of a decision that it has seen."""

    def relabel(self, tickets: Indices, delta_nll: NDArray[np.float32]) -> None:
        """dNLLs [N, M] of the decisions that were the tickets-th [N] to be seen."""
        ...


class ModelBasedLearner:
    """Thompson sampling on a surrogate that is shown every network outcome, and of the dNLLs those it bought.

    Decisions whose evaluation was not bought are learned from with what the :class:`QualityModel` thinks of
    their record, a label per member of the surrogate; every purchase labels them anew.

    Args:
        surrogate: untrained; one that is not :class:`Relabelled` needs the rule `all`.
        encoder, composer: of the scenario.
        quality: untrained, with as many members as the surrogate.
        ask: the language model.
        rule: `epistemic`, `random`, `round-robin` or `all`.
        per_decision: evaluations that may be bought per decision played, on average; `all` takes what comes.
        most: evaluations that may be bought in all; None: no limit.
        policy: how it explores; its surrogate must be `surrogate`.
        seed: of labels and purchases.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        encoder: ActionEncoder,
        composer: RewardComposer,
        quality: QualityModel,
        ask: Ask,
        *,
        rule: str = Learning.buy,
        per_decision: float = Learning.per_decision,
        most: int | None = None,
        policy: SurrogateArgmaxPolicy | None = None,
        seed: int = 0,
    ) -> None:
        if rule not in acquisition.NAMES:
            raise ValueError(f"rule={rule!r} must be one of {', '.join(acquisition.NAMES)}")
        if rule != ALL and not isinstance(surrogate, Relabelled):
            raise ValueError(f"rule={rule!r} needs a surrogate that can be relabelled, or {ALL!r}")
        if per_decision <= 0:
            raise ValueError(f"per_decision={per_decision!r} must be > 0")
        self.surrogate, self.encoder, self.composer, self.quality = surrogate, encoder, composer, quality
        self.rule, self.per_decision, self.most = rule, per_decision, most
        self.explorer = policy or SurrogateArgmaxPolicy(surrogate, encoder, composer, seed=seed)
        self._ask = ask
        self._rng = np.random.default_rng([seed, 11])
        self._credit = 0.0
        self.decisions = 0
        self._bought_of = np.zeros(len(encoder.splits), np.int64)
        self._lossy: list[tuple[int, Played, float]] = []
        """(number, decision, its standard normal) of what could be bought, bought or not."""
        self._pending: list[int] = []
        self.transitions = Transitions()

    @property
    def evaluations(self) -> int:
        """Evaluations bought."""
        return int(self._bought_of.sum())

    def answers_from(self, ask: Ask) -> None:
        """Another language model to ask, for decisions from now on; what is pending is given up."""
        self._ask, self._pending = ask, []

    def act(self, context: Contexts) -> int:
        """What to do next, exploring."""
        return self.explorer.act(context)

    def observe(self, played: Played) -> None:
        """Learn from a decision that was played, and buy what is worth it."""
        number = self.surrogate.observed
        outcome, unknown = played.outcome.copy(), played.lossy
        if unknown and self.rule == ALL and self._may_buy():
            outcome[1], unknown = self._bought(number, played), False
        elif unknown:
            outcome[1] = np.nan
        self.decisions += 1
        self.surrogate.update(Batch.of_one(played.context, played.action, outcome), 0)
        if isinstance(self.surrogate, Relabelled):
            if unknown:
                self._lossy.append((number, played, float(self._rng.standard_normal())))
                self._pending.append(len(self._lossy) - 1)
                self._label(self.surrogate, self._lossy[-1:])
            self._buy(self.surrogate)
        self.surrogate.update(None, self.explorer.update_steps)

    def followed(self, context: Contexts, action: int, after: Contexts) -> None:
        """Note which context came after which, within an episode."""
        self.transitions.add(context, action, after)

    def _may_buy(self) -> bool:
        return self.most is None or self.evaluations < self.most

    def _bought(self, number: int, played: Played) -> float:
        """Ask the language model, and learn what it says of such records."""
        delta_nll = self._ask(played.key)
        self._bought_of[played.action] += 1
        self.quality.add(_record([(number, played, 0.0)]), np.array([delta_nll]))
        return delta_nll

    def _buy(self, surrogate: Relabelled) -> None:
        if self.rule == ALL:
            return
        self._credit = min(self._credit + self.per_decision, 1.0 + len(self._pending))
        while self._credit >= 1.0 and self._pending and self._may_buy():
            self._credit -= 1.0
            self._buy_one(surrogate)

    def _buy_one(self, surrogate: Relabelled) -> None:
        waiting = [self._lossy[i] for i in self._pending]
        costs = np.array([played.cost for _, played, _ in waiting])
        place = RULES[self.rule](self.quality, _record(waiting), costs, self._bought_of, self._rng)
        number, played, _ = self._lossy[self._pending.pop(place)]
        delta_nll = self._bought(number, played)
        surrogate.relabel(np.array([number]), np.full((1, surrogate.members), delta_nll, np.float32))
        self._label(surrogate, [self._lossy[i] for i in self._pending])

    def _label(self, surrogate: Relabelled, items: list[tuple[int, Played, float]]) -> None:
        if items:
            normals = np.array([normal for _, _, normal in items])
            labels = self.quality.sample(_record(items), normals).astype(np.float32)
            surrogate.relabel(np.array([number for number, _, _ in items]), labels)

    def policy(self) -> SurrogateArgmaxPolicy:
        """The greedy policy of what is known now; it no longer learns."""
        return greedy_copy(self.surrogate, self.encoder, self.composer)

    def imagined(self) -> ImaginedModel:
        """The imagined world, starting where real decisions were made."""
        channel, starts = self.transitions.channel(self.encoder), np.stack(self.transitions.contexts)
        return ImaginedModel(self.surrogate, channel, self.encoder, self.composer, starts)

    def save(self, folder: Path) -> None:
        """Everything that learning needs to go on bit for bit, and the channel model: safetensors, JSON."""
        self.surrogate.save(folder)
        if self.transitions.contexts:
            self.transitions.channel(self.encoder).save(folder)
        played = [item for _, item, _ in self._lossy]
        arrays = {
            "bought_of": self._bought_of,
            "pending": np.array(self._pending, dtype=np.int64),
            "number": np.array([number for number, _, _ in self._lossy], dtype=np.int64),
            "normal": np.array([normal for _, _, normal in self._lossy]),
            "context": _stack([item.context for item in played], np.float32),
            "action": np.array([item.action for item in played], dtype=np.int64),
            "outcome": _stack([item.outcome for item in played], np.float64),
            "network": _stack([item.network for item in played], np.float64),
            "key": _stack([np.array(item.key) for item in played], np.int64),
            "cost": np.array([item.cost for item in played], dtype=np.float64),
            "before": _stack(self.transitions.contexts, np.float32),
            "done": np.array(self.transitions.actions, dtype=np.int64),
            "after": _stack(self.transitions.next_contexts, np.float32),
            **{f"quality.{name}": value for name, value in self.quality.state().items()},
        }
        save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, folder / f"{_FILE}.safetensors")
        about = {
            "credit": self._credit,
            "decisions": self.decisions,
            "rng": self._rng.bit_generator.state,
            "explorer": self.explorer.state(),
        }
        (folder / f"{_FILE}.json").write_text(json.dumps(about) + "\n", encoding="utf-8")

    def restore(self, folder: Path) -> None:
        """Go on from what :meth:`save` wrote; this learner must have been made with the same arguments."""
        arrays = load_file(folder / f"{_FILE}.safetensors")
        about: dict[str, Any] = json.loads((folder / f"{_FILE}.json").read_text(encoding="utf-8"))
        self.surrogate = self.explorer.surrogate = load_surrogate(folder)
        self.quality.restore({name: arrays[f"quality.{name}"] for name in self.quality.state()})
        self._bought_of, self._pending = arrays["bought_of"], arrays["pending"].tolist()
        self._lossy = [
            (
                int(arrays["number"][i]),
                Played(
                    arrays["context"][i],
                    int(arrays["action"][i]),
                    arrays["outcome"][i],
                    arrays["network"][i],
                    True,
                    _key(arrays["key"][i].tolist()),
                    float(arrays["cost"][i]),
                ),
                float(arrays["normal"][i]),
            )
            for i in range(len(arrays["number"]))
        ]
        self.transitions = Transitions(list(arrays["before"]), arrays["done"].tolist(), list(arrays["after"]))
        self._credit, self.decisions = about["credit"], about["decisions"]
        self._rng.bit_generator.state = about["rng"]
        self.explorer.restore(about["explorer"])


def _record(items: list[tuple[int, Played, float]]) -> Record:
    played = [item for _, item, _ in items]
    return Record(
        np.array([item.action for item in played], dtype=np.int64),
        np.stack([item.network for item in played]),
        np.array([item.lossy for item in played]),
    )


def _stack(values: list[Any], dtype: Any) -> Any:
    return np.stack(values).astype(dtype) if values else np.zeros((0,), dtype)


def _key(numbers: list[int]) -> Key:
    first, second, third = numbers
    return first, second, third
