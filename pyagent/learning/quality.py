"""How much quality a delivery record costs, learned from the evaluations that were bought.

The language model is asked about a *record*: which split, and what of prompt and output went missing. That
is a smooth function of few numbers, so some dozens of evaluations tell it, and it then says for every
decision that was played what its evaluation would have said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyagent.reward import FloatArray
from pyagent.surrogate.types import Indices

BASIS = 4
NOISE_FLOOR = 0.02
"""Share of the noise variance that is there without any loss: prompts differ."""


@dataclass(frozen=True)
class Record:
    """What is known of N decisions before any evaluation.

    Attributes:
        actions: int64 [N].
        network: float64 [N, 3], `pyagent.envs.network.NETWORK`.
        lossy: bool [N], where the dNLL takes an evaluation.
    """

    actions: Indices
    network: FloatArray
    lossy: NDArray[np.bool_]


class QualityModel:
    """Bayesian linear regression of dNLL per generated token on a record, a hypothesis per member.

    A basis of sqrt(loss) and loss of prompt and output, once shared by all splits and once for each, with
    Gaussian weights, on top of the split's dNLL without loss, which is known; the noise grows with the loss.
    Tokens that never came cost the clip, which needs no learning.

    Args:
        actions: S.
        members: M; member m's hypothesis is one draw from the posterior, the same draw of a standard normal
            at every refit, so that it moves no more than the data make it.
        delta_nll_clip: of a token that was not generated, nats.
        clean_delta_nll: float64 [S], of each split without loss, nats/token.
        seed: of the draws.
    """

    def __init__(
        self, actions: int, members: int, *, delta_nll_clip: float, clean_delta_nll: FloatArray, seed: int
    ) -> None:
        self.actions, self.members, self.clip = actions, members, delta_nll_clip
        self.clean = np.asarray(clean_delta_nll, dtype=np.float64)
        if self.clean.shape != (actions,):
            raise ValueError(f"clean_delta_nll has shape {self.clean.shape}, valid: ({actions},)")
        self._width = (actions + 1) * BASIS
        self._draws = np.random.default_rng([seed, 3]).standard_normal((self._width, members))
        # What is shared may cost up to the clip; what is a split's own is a part of that.
        spread = np.repeat([delta_nll_clip] + [0.5 * delta_nll_clip] * actions, BASIS)
        self._prior = np.diag(1.0 / spread**2)
        self._features = np.zeros((0, self._width))
        self._targets, self._noise = np.zeros(0), np.zeros(0)
        self._fit()

    @property
    def bought(self) -> int:
        """Evaluations seen."""
        return len(self._targets)

    def add(self, record: Record, delta_nll: FloatArray) -> None:
        """Learn from evaluations; those of records that generated nothing teach nothing.

        Args:
            record: N decisions.
            delta_nll: float64 [N], clipped.
        """
        generated = record.network[:, 2]
        useful = generated > 0
        per_token = (delta_nll[useful] - self.clip * (1 - generated[useful])) / generated[useful]
        self._features = np.concatenate([self._features, self._encode(record)[useful]])
        excess = per_token - self.clean[record.actions[useful]]
        self._targets = np.concatenate([self._targets, excess])
        # Few tokens make a noisy mean.
        self._noise = np.concatenate([self._noise, _noise_shape(record)[useful] / generated[useful]])
        self._fit()

    def _encode(self, record: Record) -> FloatArray:
        losses = record.network[:, :2]
        basis = np.concatenate([np.sqrt(losses), losses], axis=1)
        own = np.eye(self.actions)[record.actions][:, :, None] * basis[:, None, :]
        return np.concatenate([basis, own.reshape(len(basis), -1)], axis=1)

    def _fit(self) -> None:
        self._scale = (0.3 * self.clip) ** 2
        self._condition()
        if self.bought > 2:
            # The noise by the residuals of a first fit, then the posterior with it.
            residual = self._targets - self._features @ self._mean
            self._scale = (self._scale + float((residual**2 / self._noise).sum())) / (1 + self.bought)
            self._condition()
        self._weights = self._mean[:, None] + np.linalg.solve(self._factor.T, self._draws)

    def _condition(self) -> None:
        weights = 1.0 / (self._noise * self._scale)
        precision = self._prior + self._features.T @ (self._features * weights[:, None])
        self._factor = np.linalg.cholesky(precision)
        moment = self._features.T @ (weights * self._targets)
        self._mean = np.linalg.solve(self._factor.T, np.linalg.solve(self._factor, moment))

    def state(self) -> dict[str, FloatArray]:
        """The evaluations seen; all else follows from them."""
        return {"features": self._features, "targets": self._targets, "noise": self._noise}

    def restore(self, state: dict[str, FloatArray]) -> None:
        """Go on from :meth:`state`."""
        self._features, self._targets, self._noise = (state[k] for k in ("features", "targets", "noise"))
        self._fit()

    def predict(self, record: Record) -> FloatArray:
        """Expected dNLL [N, M] by each member, nats/token, in [0, clip]; known where nothing was lost."""
        excess = self._encode(record) @ self._weights
        excess[~record.lossy] = 0.0
        per_token = np.clip(self.clean[record.actions][:, None] + excess, 0.0, self.clip)
        generated = record.network[:, 2:3]
        return np.asarray(per_token * generated + self.clip * (1 - generated))

    def sample(self, record: Record, normals: FloatArray) -> FloatArray:
        """Outcomes [N, M] that an evaluation might show: `predict` with its noise.

        Args:
            normals: standard normals [N], kept with each decision, so that its label does not flicker.
        """
        spread = np.sqrt(self._scale * _noise_shape(record)) * np.sqrt(record.network[:, 2]) * record.lossy
        noisy = self.predict(record) + (spread * normals)[:, None]
        return np.clip(noisy, 0.0, self.clip)

    def variance(self, record: Record) -> FloatArray:
        """Epistemic variance [N] of the expected dNLL, (nats/token)^2; 0 where nothing was lost."""
        half = np.linalg.solve(self._factor, self._encode(record).T)
        return np.asarray((half**2).sum(0) * record.network[:, 2] ** 2 * record.lossy)

    def value(self, candidates: Record, relevant: Record) -> FloatArray:
        """What buying each candidate [N] is expected to teach about the relevant decisions [K].

        The mean reduction of their epistemic variance by one more evaluation: for a linear model it does not
        depend on what the evaluation will say (Cohn, Ghahramani and Jordan 1996).
        """
        mine = np.linalg.solve(self._factor, self._encode(candidates).T)
        theirs = np.linalg.solve(self._factor, self._encode(relevant).T)
        scale = relevant.network[:, 2] * relevant.lossy
        shared = (theirs.T @ mine) * scale[:, None]  # (K, N)
        noise = self._scale * _noise_shape(candidates) / np.maximum(candidates.network[:, 2], 1e-3)
        return np.asarray((shared**2).mean(0) / (noise + (mine**2).sum(0)) * candidates.lossy)


def _noise_shape(record: Record) -> FloatArray:
    """Noise variance [N] in units of the scale."""
    return np.asarray(NOISE_FLOOR + record.network[:, :2].max(1))
