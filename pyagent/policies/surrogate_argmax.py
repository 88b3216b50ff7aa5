"""The split that the surrogate likes best, learned online."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from pyagent.policies.base import Context, Mask, allowed_actions, masked_argmax
from pyagent.reward import FloatArray, RewardComposer
from pyagent.surrogate.types import ActionEncoder, Batch, Contexts, Indices, Surrogate

Mode = Literal["greedy", "thompson", "ucb"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass
class SurrogateArgmaxPolicy:
    """Argmax of the composed reward of the predicted components.

    ``thompson`` asks one random member per decision, so an action is tried as often as the members believe in
    it; ``greedy`` asks their mean; ``ucb`` takes the mean plus ``beta`` standard deviations over members,
    "optimism in the face of uncertainty" (Srinivas et al. 2010).

    Args:
        surrogate: outcome model; :meth:`observe` updates it unless it is frozen.
        encoder: features of the actions.
        composer: components to reward; replace it to act on other weights at once, without retraining.
        mode: one of ``MODES``.
        update_steps: gradient steps per observed decision.
        warmup_rounds: the first decisions try every action this often, in random order, because an untrained
            surrogate's preferences mean nothing; counted on ``surrogate.observed``, skipped when it is
            frozen.
        probe_rate: share of ``thompson`` decisions spent on a uniformly random action while the surrogate
            learns. All members are sure of an action that they have not tried for long; without probes a
            change that makes it good is never seen.
        seed: until the first :meth:`reset`.
        beta: of ``ucb``, >= 0, multiplies the deviation: the root of Srinivas et al.'s ``beta_t``. Theirs,
            ``2 ln(S t^2 pi^2 / (6 delta))`` for S actions, grows with the decisions t; with S = 5, t = 100,
            delta = 0.1 and the factor of 1/5 that served them best, its root is 2.3.
        label: ``name`` in tables and files; empty: ``surrogate-`` and the mode.
    """

    surrogate: Surrogate
    encoder: ActionEncoder
    composer: RewardComposer
    mode: Mode = "thompson"
    update_steps: int = 4
    warmup_rounds: int = 2
    probe_rate: float = 0.02
    seed: int = 0
    beta: float = 2.0
    label: str = ""
    _rng: np.random.Generator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode={self.mode!r} must be one of {', '.join(MODES)}")
        if not 0 <= self.probe_rate <= 1:
            raise ValueError(f"probe_rate={self.probe_rate!r} must be in [0, 1]")
        if not self.beta >= 0:
            raise ValueError(f"beta={self.beta!r} must be >= 0")
        self.reset(self.seed)

    @property
    def name(self) -> str:
        """``label``, or ``surrogate-`` and the mode."""
        return self.label or f"surrogate-{self.mode}"

    def reset(self, seed: int) -> None:
        """Restarts the policy's random numbers; the surrogate keeps what it knows."""
        self._rng = np.random.default_rng(seed)
        self._untried: list[int] = []

    def state(self) -> dict[str, Any]:
        """Where its random numbers are, as JSON; the surrogate is saved apart."""
        return {"rng": self._rng.bit_generator.state, "untried": self._untried}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self._rng.bit_generator.state = state["rng"]
        self._untried = list(state["untried"])

    def scores(self, context: Context) -> FloatArray:
        """Composed reward of each action by each member, float64 [M, S], for a context [D]."""
        actions = self.encoder.all_actions()
        contexts = np.repeat(np.asarray(context, dtype=np.float32)[None], len(actions), 0)
        means = self.surrogate.predict(contexts, self.encoder.encode(actions)).member_means
        return self.composer.rewards(contexts, actions, means)

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """Action index for a context [D]."""
        if self._warming_up():
            return self._next_untried(allowed_actions(len(self.encoder.splits), mask).tolist())
        if self._probes():
            return int(self._rng.choice(allowed_actions(len(self.encoder.splits), mask)))
        return masked_argmax(self._preferences(self.scores(context)), mask)

    def _preferences(self, scores: FloatArray) -> FloatArray:
        """What the mode makes of scores [M, S]: one number for each action, [S]."""
        if self.mode == "thompson":
            chosen: FloatArray = scores[self._rng.integers(len(scores))]
            return chosen
        optimism = self.beta if self.mode == "ucb" else 0.0
        return np.asarray(scores.mean(0) + optimism * scores.std(0), dtype=np.float64)

    def act_batch(self, contexts: Contexts) -> Indices:
        """Greedy actions [B] for contexts [B, D], all allowed; for policies that no longer learn."""
        S = len(self.encoder.splits)
        actions = np.tile(self.encoder.all_actions(), len(contexts))
        repeated = np.repeat(np.asarray(contexts, dtype=np.float32), S, 0)
        means = self.surrogate.predict(repeated, self.encoder.encode(actions)).member_means
        scores = self.composer.rewards(repeated, actions, means).mean(0).reshape(len(contexts), S)
        return np.asarray(scores.argmax(1), dtype=np.int64)

    def _warming_up(self) -> bool:
        needed = self.warmup_rounds * len(self.encoder.splits)
        return not self.surrogate.frozen and self.surrogate.observed < needed

    def _probes(self) -> bool:
        if self.mode != "thompson" or self.surrogate.frozen or self.probe_rate == 0:
            return False
        return bool(self._rng.random() < self.probe_rate)

    def _next_untried(self, allowed: list[int]) -> int:
        choices = [a for a in self._untried if a in allowed]
        if not choices:
            self._untried = self._rng.permutation(len(self.encoder.splits)).tolist()
            choices = [a for a in self._untried if a in allowed]
        self._untried.remove(choices[0])
        return choices[0]

    def observe(self, context: Context, action: int, outcome: FloatArray) -> None:
        """Learns from the real outcome [C] of one decision."""
        self.surrogate.update(Batch.of_one(context, action, outcome), self.update_steps)


def greedy_copy(
    surrogate: Surrogate, encoder: ActionEncoder, composer: RewardComposer
) -> SurrogateArgmaxPolicy:
    """The greedy policy of what a surrogate knows now; it no longer learns."""
    frozen = copy.deepcopy(surrogate)
    frozen.freeze()
    return SurrogateArgmaxPolicy(frozen, encoder, composer, mode="greedy", warmup_rounds=0)
