"""From heads to what a surrogate answers; the same for every surrogate whose hypotheses are heads."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray

from pyagent.reward import FloatArray
from pyagent.surrogate.heads import CONTINUOUS, Heads
from pyagent.surrogate.scales import ComponentScales, InverseScale
from pyagent.surrogate.types import ActionEncoder, Contexts, Indices, Prediction


class AnswersFromHeads(ABC):
    """Base of surrogates whose every hypothesis is heads: predictions, draws, freezing.

    A subclass gives heads and sets the attributes.

    Attributes:
        context_dim: D.
        encoder: features of the actions.
        scales: fixed physical scales of the scenario.
    """

    context_dim: int
    encoder: ActionEncoder
    scales: ComponentScales
    _inverse: InverseScale
    _frozen: bool

    @abstractmethod
    def _heads_of(self, context: Contexts, action: NDArray[np.float32]) -> Heads:
        """Heads for contexts [B, D] and encoded actions [B, A], whose shapes fit."""

    @property
    def frozen(self) -> bool:
        """Whether updates are ignored."""
        return self._frozen

    def freeze(self) -> None:
        """Makes every later update a no-op: data are not even remembered."""
        self._frozen = True

    @torch.no_grad()
    def predict(self, context: Contexts, action: NDArray[np.float32]) -> Prediction:
        """Predicted components in physical units.

        Args:
            context: float32 [B, D].
            action: float32 [B, A], from ``encoder.encode``.

        Raises:
            ValueError: a shape does not fit.
        """
        heads = self._checked_heads(context, action)
        mean, variance = heads.moments(self._inverse, self.scales.deadline_s)
        members = mean.double().numpy()
        return Prediction(
            mean=members.mean(0),
            aleatoric_std=np.sqrt(variance.double().numpy().mean(0)),
            epistemic_std=members.std(0),
            member_means=members,
        )

    @torch.no_grad()
    def sample(
        self, context: Contexts, action: NDArray[np.float32], member: Indices, rng: np.random.Generator
    ) -> FloatArray:
        """One outcome [B, C] per row from hypothesis ``member`` [B] of that row; physical units."""
        heads, rows = self._checked_heads(context, action), len(member)
        normal = torch.from_numpy(rng.standard_normal((rows, CONTINUOUS), dtype=np.float32))
        uniform = torch.from_numpy(rng.random(rows, dtype=np.float32))
        drawn = heads.sample(
            self._inverse, self.scales.deadline_s, torch.from_numpy(member), (normal, uniform)
        )
        return np.asarray(drawn.double().numpy(), dtype=np.float64)

    def _checked_heads(self, context: Contexts, action: NDArray[np.float32]) -> Heads:
        if context.ndim != 2 or context.shape[1] != self.context_dim:
            raise ValueError(f"want contexts [B, {self.context_dim}], got {context.shape}")
        if action.shape != (len(context), self.encoder.width):
            raise ValueError(f"want actions [{len(context)}, {self.encoder.width}], got {action.shape}")
        return self._heads_of(context, action)
