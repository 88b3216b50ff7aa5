"""Exact Gaussian processes, one for each target, on the latest decisions. Needs gpytorch.

The members are functions drawn from the posterior, the same draws carried along as data come in. Failure is
regression on 0/1, cut to [0, 1] (least-squares classification: Rasmussen and Williams 2006, section 6.5):
exact and right in the mean, but it takes the noise of a coin of p = 0.01 for that of p = 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from pyagent.surrogate.gp_regression import FourierBasis, GpRegression, PosteriorFunctions
from pyagent.surrogate.replay import ReplayBuffer
from pyagent.surrogate.scales import ComponentScales
from pyagent.surrogate.types import ActionEncoder, Batch

T = len(TARGETS)
_NOISE = 0.02
_FAILURE_NOISE = 0.05
_SURE = 1e-3
_LEAST_DATA = 4


@dataclass(frozen=True)
class GpSettings(Settings):
    """Hyper-parameters.

    Args:
        members: M >= 2, posterior functions held as hypotheses.
        capacity: N, latest decisions conditioned on; the cost per decision grows with its cube.
        refit_every: decisions between fits of kernel and noise.
        refit_steps: most steps of one fit.
        basis: random Fourier features of each member's prior function.
    """

    members: int = 16
    capacity: int = 512
    refit_every: int = 32
    refit_steps: int = 20
    basis: int = 256

    def __post_init__(self) -> None:
        self.require_positive("capacity", "refit_every", "refit_steps", "basis")
        if self.members < 2:
            raise ValueError(f"members={self.members!r} must be >= 2")


class GaussianProcessSurrogate(HeadsSurrogate[GpSettings]):
    """:class:`~pyagent.surrogate.types.Surrogate` that conditions exactly on the latest N decisions.

    ``update``'s steps are saved up until a fit of the hyper-parameters is due; the data count at once.

    Args:
        context_dim, encoder, scales, seed, settings: see :class:`HeadsSurrogate`.

    Raises:
        UserError: gpytorch is not installed.
    """

    kind: ClassVar[str] = "gp"
    settings_type: ClassVar[type[Settings]] = GpSettings

    def __init__(
        self,
        context_dim: int,
        encoder: ActionEncoder,
        scales: ComponentScales,
        *,
        seed: int,
        settings: GpSettings | None = None,
    ) -> None:
        super().__init__(context_dim, encoder, scales, seed=seed, settings=settings)
        s, width = self.settings, encoder.width
        failure = 1.0 / (1.0 + np.exp(-PRIOR_LOGIT))
        starts = [(0.0, _NOISE)] * T + [(failure, _FAILURE_NOISE)]
        self._processes = [GpRegression(context_dim, width, mean=m, noise=n) for m, n in starts]
        rng = np.random.default_rng([seed, 3])
        self._basis = FourierBasis.draw(rng, context_dim, width, s.basis)
        self._prior_normals = centred_normals(rng, s.members, T + 1, s.basis)
        self._noise_normals = centred_normals(rng, s.members, T + 1, s.capacity)
        self._buffer = ReplayBuffer(s.capacity, context_dim, 0)
        self._fitted_at = self._credit = 0
        self._functions: Sequence[PosteriorFunctions] | None = None

    @property
    def members(self) -> int:
        """M."""
        return self.settings.members

    def _take_in(self, batch: Batch) -> None:
        self._buffer.append(batch, np.random.default_rng(0))  # draws nothing: there are no bootstrap counts
        self._functions = None

    def _learn(self, steps: int) -> float:
        self._credit += steps
        if self._observed - self._fitted_at < self.settings.refit_every or self._credit <= 0:
            return float("nan")
        steps = min(self._credit, self.settings.refit_steps)
        inputs, targets = self._data()
        losses = []
        for process, target in zip(self._processes, targets, strict=True):
            known = ~target.isnan()
            if int(known.sum()) >= _LEAST_DATA:
                losses.append(process.fit(inputs[known], target[known], steps))
        self._fitted_at, self._credit, self._functions = self._observed, 0, None
        return float(np.mean(losses)) if losses else float("nan")

    def _data(self) -> tuple[Tensor, Tensor]:
        """Inputs [N, D + A] and targets [T + 1, N], failure last; rows in the order of the buffer's slots."""
        used, buffer = len(self._buffer), self._buffer
        action = self.encoder.encode(buffer.actions[:used])
        inputs = torch.cat(self._inputs(buffer.contexts[:used], action), 1)
        outcomes = buffer.outcomes[:used]
        failed = torch.from_numpy(outcomes[:, 3].copy())
        return inputs, torch.cat([regression_targets(self.scales, outcomes), failed[None]])

    @torch.no_grad()
    def _conditioned(self) -> Sequence[PosteriorFunctions]:
        if self._functions is None:
            inputs, targets = self._data()
            known = ~targets.isnan()
            self._functions = [
                PosteriorFunctions.of(
                    process,
                    self._basis,
                    (inputs[known[t]], targets[t, known[t]]),
                    (self._prior_normals[:, t], self._noise_normals[:, t, : len(inputs)][:, known[t]]),
                )
                for t, process in enumerate(self._processes)
            ]
        return self._functions

    def _heads(self, context: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inputs = torch.cat([context, action], 1)
        values = torch.stack([function(inputs) for function in self._conditioned()], -1)  # (M, B, T + 1)
        noise = torch.stack([process.noise for process in self._processes[:T]])
        failure = values[..., T].clamp(_SURE, 1.0 - _SURE)
        return values[..., :T], noise.expand(*failure.shape, T), torch.logit(failure)

    def _state(self) -> dict[str, Tensor]:
        used = len(self._buffer)
        fields = ("contexts", "actions", "outcomes")
        return {
            **{f"buffer.{k}": torch.from_numpy(getattr(self._buffer, k)[:used]) for k in fields},
            **{
                f"process{t}.{name}": value.detach()
                for t, process in enumerate(self._processes)
                for name, value in process.named_parameters()
            },
            "counters": torch.tensor([self._fitted_at, self._credit]),
        }

    def _restore(self, state: dict[str, Tensor]) -> None:
        for name in ("contexts", "actions", "outcomes"):
            rows = state[f"buffer.{name}"].numpy()
            getattr(self._buffer, name)[: len(rows)] = rows
        self._buffer.total = self._observed
        with torch.no_grad():
            for t, process in enumerate(self._processes):
                for name, value in process.named_parameters():
                    value.copy_(state[f"process{t}.{name}"])
        self._fitted_at, self._credit = (int(n) for n in state["counters"])
        self._functions = None
