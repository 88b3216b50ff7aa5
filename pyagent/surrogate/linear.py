"""Bayesian linear regression on fixed features: closed form, no steps, cheap enough for every decision.

Each target is Gaussian around ``w . phi(context, action)`` with a normal-inverse-gamma posterior over weights
and noise (Bishop, *Pattern Recognition and Machine Learning*, 2006, section 3.3; Murphy, *Machine Learning*,
2012, section 7.6.3). Failure is logistic in the same features: a straight line through 0/1 leaves [0, 1]
exactly where requests are safe or lost, and takes the same noise everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from pyagent.surrogate.base import (
    PRIOR_LOGIT,
    TARGETS,
    HeadsSurrogate,
    Settings,
    centred_normals,
    regression_targets,
)
from pyagent.surrogate.logistic import logistic_site
from pyagent.surrogate.scales import ComponentScales
from pyagent.surrogate.types import ActionEncoder, Batch

T = len(TARGETS)
SHAPE, RATE = 2.0, 0.02
"""Inverse-gamma prior of the noise variance on the model scale: mean 0.02, worth 4 observations."""
SIGNAL_TO_NOISE = (10.0, 100.0, 1e3, 1e4)
"""Prior variances of a target's function over its noise variance, of which the evidence chooses."""
LOGIT_VARIANCE = 9.0
"""Prior variance of the failure log-odds."""
_REFRESH_SHARE = 8


@dataclass(frozen=True)
class LinearSettings(Settings):
    """Hyper-parameters.

    Args:
        members: M >= 2, fixed draws of the posterior held as hypotheses.
        half_life: decisions after which a datum counts half; ``math.inf`` keeps all alike.
    """

    members: int = 16
    half_life: float = math.inf

    def __post_init__(self) -> None:
        self.require_positive("half_life")
        if self.members < 2:
            raise ValueError(f"members={self.members!r} must be >= 2")


def features(context: Tensor, action: Tensor) -> Tensor:
    """``phi`` [B, F] of contexts [B, D] in [0, 1] and encoded actions [B, S + 1].

    Blocks: constant, context, its squares (thresholds bend), depth and its square, depth x context: what all
    splits share, so that one split's data inform the others. Then the first three again for each split alone:
    what is its own. Squares are Legendre polynomials, so that on uniform contexts no block repeats another.
    Each block has the same share of the prior variance, however many features it has; ``phi . phi`` is about
    1.
    """
    x, one_hot = 2.0 * context - 1.0, action[:, :-1]
    depth = 2.0 * action[:, -1:] - 1.0
    rows, width = x.shape
    one, bent = torch.ones(rows, 1, dtype=x.dtype), 1.5 * x**2 - 0.5
    shared = [(one, 1.0), (x, width / 3), (bent, width / 5)]
    along = [(torch.cat([depth, 1.5 * depth**2 - 0.5], 1), 1 / 3 + 1 / 5), (depth * x, width / 9)]
    own = [((one_hot[:, :, None] * block[:, None]).flatten(1), square) for block, square in shared]
    blocks = [*shared, *along, *own]
    return torch.cat([block / math.sqrt(len(blocks) * square) for block, square in blocks], 1)


@dataclass
class Moments:
    """Sufficient statistics of R weighted linear regressions on F features.

    Args:
        precision: float64 [R, F, F], sum of weight x phi phi'.
        shift: [R, F], sum of weight x target x phi.
        square: [R], sum of weight x target^2.
        count: [R], sum of the rows that said something.
    """

    precision: Tensor
    shift: Tensor
    square: Tensor
    count: Tensor

    @classmethod
    def empty(cls, regressions: int, width: int) -> Moments:
        """Before any data."""
        shapes = (regressions, width, width), (regressions, width), (regressions,), (regressions,)
        return cls(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))

    def add(self, phi: Tensor, weight: Tensor, target: Tensor, keep: float) -> None:
        """Adds rows ``phi`` [B, F], oldest first, with ``weight`` and ``target`` [R, B].

        Args:
            keep: share of the past that is left after each row.
        """
        rows = len(phi)
        age = torch.arange(rows - 1, -1, -1, dtype=torch.float64)
        decay = keep**age
        weighted = (weight * decay)[:, :, None] * phi  # (R, B, F)
        for field, new in (
            (self.precision, weighted.transpose(1, 2) @ phi),
            (self.shift, (weighted * target[:, :, None]).sum(1)),
            (self.square, (weight * decay * target**2).sum(1)),
            (self.count, ((weight > 0) * decay).sum(1)),
        ):
            field.mul_(keep**rows).add_(new)


@dataclass(frozen=True)
class Posterior:
    """Normal-inverse-gamma posteriors of R regressions.

    Args:
        mean: of the weights [R, F].
        factor: lower Cholesky factor [R, F, F] of the weights' precision, in units of 1 / noise variance.
        shape, rate: of the noise variance [R].
        evidence: log marginal likelihood [R], up to a constant.
    """

    mean: Tensor
    factor: Tensor
    shape: Tensor
    rate: Tensor
    evidence: Tensor

    @classmethod
    def of(cls, moments: Moments, prior: Tensor) -> Posterior:
        """Posterior under weights ~ N(0, noise variance / ``prior`` [R])."""
        width = moments.shift.shape[1]
        eye = torch.eye(width, dtype=torch.float64)
        factor = torch.linalg.cholesky(moments.precision + prior[:, None, None] * eye)
        mean = torch.cholesky_solve(moments.shift[:, :, None], factor)[:, :, 0]
        shape = SHAPE + 0.5 * moments.count
        explained = (mean * moments.shift).sum(1)
        rate = RATE + 0.5 * (moments.square - explained).clamp(min=0.0)
        log_det = 2.0 * factor.diagonal(dim1=1, dim2=2).log().sum(1)
        evidence = 0.5 * (width * prior.log() - log_det) - shape * rate.log()
        return cls(mean, factor, shape, rate, evidence)

    def weights(self, normal: Tensor, variance: Tensor) -> Tensor:
        """Draws [M, R, F] from standard normals [M, R, F], given noise variances [M, R]."""
        upper = self.factor.transpose(1, 2)
        unit = torch.linalg.solve_triangular(upper, normal.permute(1, 2, 0), upper=True)
        spread: Tensor = variance.sqrt()[:, :, None] * unit.permute(2, 0, 1)
        return self.mean + spread - spread.mean(0)  # other noise levels would shift the members' mean

    def variances(self, normal: Tensor) -> Tensor:
        """Noise variances [M, R] at the quantiles of standard normals [M, R].

        By the cube-root approximation of chi-square (Wilson and Hilferty 1931), so that a member keeps its
        rank as data come in.
        """
        tenth = 1.0 / (9.0 * self.shape)
        gamma = self.shape * (1.0 - tenth + normal * tenth.sqrt()).clamp(min=0.1) ** 3
        drawn: Tensor = self.rate / gamma
        return drawn


class LinearSurrogate(HeadsSurrogate[LinearSettings]):
    """:class:`~pyagent.surrogate.types.Surrogate` without steps: ``update`` adds O(F^2) numbers per datum.

    The members are fixed draws of the posterior: the same standard normals, carried along as it moves.
    Solving for the posterior, O(F^3), waits until somebody asks.

    Args:
        context_dim, encoder, scales, seed, settings: see :class:`HeadsSurrogate`.
    """

    kind: ClassVar[str] = "linear"
    settings_type: ClassVar[type[Settings]] = LinearSettings

    def __init__(
        self,
        context_dim: int,
        encoder: ActionEncoder,
        scales: ComponentScales,
        *,
        seed: int,
        settings: LinearSettings | None = None,
    ) -> None:
        super().__init__(context_dim, encoder, scales, seed=seed, settings=settings)
        inputs = torch.zeros(1, context_dim), torch.zeros(1, encoder.width)
        width = features(*inputs).shape[1]
        rng = np.random.default_rng([seed, 2])
        self._weight_normals = centred_normals(rng, self.members, T + 1, width)
        self._noise_normals = torch.from_numpy(rng.standard_normal((self.members, T)))
        self._continuous, self._failure = Moments.empty(T, width), Moments.empty(1, width)
        self._prior = torch.full((T,), 1.0 / SIGNAL_TO_NOISE[1], dtype=torch.float64)
        self._cavity = self._failure_cavity()
        self._refreshed_at = 0
        self._drawn: tuple[Tensor, Tensor] | None = None

    @property
    def members(self) -> int:
        """M."""
        return self.settings.members

    @property
    def posterior(self) -> Posterior:
        """Of the regressions, in the order of ``TARGETS``."""
        return Posterior.of(self._continuous, self._prior)

    def _failure_posterior(self) -> Posterior:
        return Posterior.of(self._failure, torch.full((1,), 1.0 / LOGIT_VARIANCE, dtype=torch.float64))

    def _failure_cavity(self) -> tuple[Tensor, Tensor]:
        """Mean [F] and covariance [F, F] of the failure weights, by which the next outcome is judged."""
        posterior = self._failure_posterior()
        return posterior.mean[0].clone(), torch.cholesky_inverse(posterior.factor[0])

    def _learn(self, steps: int) -> float:
        return float("nan")

    def _take_in(self, batch: Batch) -> None:
        phi = features(*self._inputs(batch.contexts, self.encoder.encode(batch.actions)))
        targets = regression_targets(self.scales, batch.outcomes)
        failed = torch.from_numpy(batch.outcomes[:, 3].copy())
        start, rows = 0, len(phi)
        while start < rows:
            seen = self._observed + start
            stop = min(rows, start + max(1, self._next_refresh() - seen))
            self._add(phi[start:stop], targets[:, start:stop], failed[start:stop])
            start = stop
            if self._observed + start >= self._next_refresh():
                self._refresh(self._observed + start)
        self._drawn = None

    def _next_refresh(self) -> int:
        """When what costs O(F^3) is done again: ever more rarely, so that a datum costs O(F^2)."""
        window = min(float(self._refreshed_at), self.settings.half_life / math.log(2.0))
        return self._refreshed_at + 1 + int(window) // _REFRESH_SHARE

    def _refresh(self, seen: int) -> None:
        grid = [
            Posterior.of(self._continuous, torch.full((T,), 1.0 / ratio, dtype=torch.float64)).evidence
            for ratio in SIGNAL_TO_NOISE
        ]
        best = 1.0 / torch.tensor(SIGNAL_TO_NOISE, dtype=torch.float64)[torch.stack(grid).argmax(0)]
        self._prior = torch.where(self._continuous.count > 0, best, self._prior)
        self._cavity = self._failure_cavity()
        self._refreshed_at = seen

    def _add(self, phi: Tensor, targets: Tensor, failed: Tensor) -> None:
        keep = 0.5 ** (1.0 / self.settings.half_life)
        known = ~targets.isnan()
        self._continuous.add(phi, known.double(), targets.nan_to_num(0.0), keep)
        precision, target = self._failure_sites(phi, failed)
        self._failure.add(phi, precision[None], target[None], keep)

    def _failure_sites(self, phi: Tensor, failed: Tensor) -> tuple[Tensor, Tensor]:
        """Precisions and targets [B] that stand for ``failed`` [B], each judged after the ones before it.

        All at once by one posterior, a run of surprises would count as often as it is long. One pass, never
        revised: where the world changes, the outcomes after it weigh more than those before. Forgetting waits
        for the next refresh.
        """
        mean, covariance = self._cavity
        sites = []
        for row, label in zip(phi, failed, strict=True):
            along = covariance @ row
            before, variance = row @ mean, row @ along
            precision, shift = logistic_site((before + PRIOR_LOGIT)[None], variance[None], label[None])
            target = shift / precision - PRIOR_LOGIT
            gain = along * precision / (1.0 + precision * variance)
            mean += gain * (target - before)
            covariance -= torch.outer(gain, along)
            sites.append(torch.cat([precision, target]))
        precisions, targets = torch.stack(sites, 1)
        return precisions, targets

    def _draws(self) -> tuple[Tensor, Tensor]:
        """Weights [M, T + 1, F], failure last, and noise variances [M, T]."""
        if self._drawn is None:
            posterior, failure = self.posterior, self._failure_posterior()
            variances = posterior.variances(self._noise_normals)
            weights = posterior.weights(self._weight_normals[:, :T], variances)
            logit = failure.weights(
                self._weight_normals[:, T:], torch.ones(self.members, 1, dtype=torch.float64)
            )
            self._drawn = torch.cat([weights, logit], 1), variances
        return self._drawn

    def _heads(self, context: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights, variances = self._draws()
        values = features(context, action) @ weights.transpose(1, 2)  # (M, B, T + 1)
        noise = variances[:, None].expand(-1, len(context), -1)
        return values[..., :T], noise, values[..., T] + PRIOR_LOGIT

    def _state(self) -> dict[str, Tensor]:
        mean, covariance = self._cavity
        return {
            **{f"continuous.{name}": value for name, value in vars(self._continuous).items()},
            **{f"failure.{name}": value for name, value in vars(self._failure).items()},
            "prior": self._prior,
            "cavity.mean": mean,
            "cavity.covariance": covariance,
            "refreshed_at": torch.tensor(self._refreshed_at),
        }

    def _restore(self, state: dict[str, Tensor]) -> None:
        names = ("precision", "shift", "square", "count")
        self._continuous = Moments(**{name: state[f"continuous.{name}"] for name in names})
        self._failure = Moments(**{name: state[f"failure.{name}"] for name in names})
        self._prior = state["prior"]
        self._cavity = state["cavity.mean"], state["cavity.covariance"]
        self._refreshed_at = int(state["refreshed_at"])
        self._drawn = None
