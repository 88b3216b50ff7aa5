"""Short-horizon planning: every sequence of the next few splits, tried in the learned model."""

from __future__ import annotations

import numpy as np

from pyagent.policies.base import Context, Mask, OfflinePolicy, allowed_actions
from pyagent.reward import FloatArray
from pyagent.surrogate.imagined import ImaginedModel
from pyagent.surrogate.types import Contexts, Indices


class PlannerPolicy(OfflinePolicy):
    """First action of the sequence with the highest expected sum of composed rewards, planned anew each time.

    Contexts after this one come from a few samples of the channel model, the same random numbers for every
    sequence, so that sequences are compared and not their luck. All S^H sequences are tried: meant for a
    horizon H of 2 or 3. The same (seed, decision) gives the same plan.

    Args:
        model: surrogate, channel and reward; its pessimism counts here too. Not changed, it does not learn.
        horizon: H, decisions ahead with this one, >= 1; 1 is the surrogate's greedy argmax.
        samples: futures per sequence, >= 1.
        seed: until the first :meth:`reset`.
    """

    name = "planner"

    def __init__(self, model: ImaginedModel, *, horizon: int = 2, samples: int = 8, seed: int = 0) -> None:
        if horizon < 1 or samples < 1:
            raise ValueError(f"want horizon, samples >= 1; got {horizon}, {samples}")
        self._model, self._horizon, self._samples = model, horizon, samples
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Restarts the count of decisions that the random numbers follow from."""
        self._seed, self._decision = seed, 0

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """First action of the best plan from a context [D]; the mask holds for the whole plan."""
        allowed = allowed_actions(len(self._model.encoder.splits), mask)
        values = self.values(context, allowed)
        self._decision += 1
        return int(allowed[np.argmax(values.reshape(len(allowed), -1).max(1))])

    def values(self, context: Context, allowed: Indices) -> FloatArray:
        """Expected sum of rewards of each sequence over the A allowed actions, float64 [A] * H."""
        contexts = np.repeat(np.asarray(context, dtype=np.float32)[None, None], self._samples, 1)
        values = np.zeros(1)
        for step in range(self._horizon):
            values = (values[:, None] + self._rewards(contexts, allowed).mean(1)).ravel()
            if step + 1 < self._horizon:
                contexts = self._following(contexts, allowed, step)
        return values.reshape((len(allowed),) * self._horizon)

    def _rewards(self, contexts: Contexts, allowed: Indices) -> FloatArray:
        """Expected rewards [prefixes, samples, A] at contexts [prefixes, samples, D]."""
        rows = np.repeat(contexts.reshape(-1, contexts.shape[-1]), len(allowed), 0)
        actions = np.tile(allowed, len(rows) // len(allowed))
        return self._model.expected_rewards(rows, actions).reshape(*contexts.shape[:2], len(allowed))

    def _following(self, contexts: Contexts, allowed: Indices, step: int) -> Contexts:
        """Contexts [prefixes * A, samples, D] one decision later."""
        return np.stack(
            [
                self._model.channel.sample(
                    prefix,
                    np.full(self._samples, action, dtype=np.int64),
                    np.random.default_rng([self._seed, self._decision, step]),
                )
                for prefix in contexts
                for action in allowed
            ]
        )
