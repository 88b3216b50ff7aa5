"""What every surrogate has in common: its interface, its predictions, its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyagent.reward import COMPONENTS, FloatArray

__all__ = ["COMPONENTS", "ActionEncoder", "Batch", "Contexts", "Indices", "Prediction", "Surrogate"]

Contexts = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Prediction:
    """Predicted components, physical units, in ``COMPONENTS`` order (C = 4).

    Args:
        mean: float64 [B, C], over members.
        aleatoric_std: float64 [B, C]; root of the members' mean variance: noise that more data won't remove.
        epistemic_std: float64 [B, C]; spread of the members' means: ignorance that more data would.
        member_means: float64 [M, B, C].
    """

    mean: FloatArray
    aleatoric_std: FloatArray
    epistemic_std: FloatArray
    member_means: FloatArray


@dataclass(frozen=True)
class Batch:
    """Decisions with their real outcomes, oldest first.

    Args:
        contexts: float32 [B, D].
        actions: int64 [B], action indices.
        outcomes: float64 [B, C], physical units, ``COMPONENTS`` order; NaN in ``delta_nll`` where the
            evaluation was not bought, so that its quality is unknown.
    """

    contexts: Contexts
    actions: Indices
    outcomes: FloatArray

    def __post_init__(self) -> None:
        rows = len(self.contexts)
        if self.contexts.ndim != 2 or self.actions.shape != (rows,):
            raise ValueError(
                f"want contexts [B, D], actions [B]; got {self.contexts.shape}, {self.actions.shape}"
            )
        if self.outcomes.shape != (rows, len(COMPONENTS)):
            raise ValueError(
                f"want outcomes [{rows}, {len(COMPONENTS)}] {COMPONENTS}, got {self.outcomes.shape}"
            )
        unknown = np.isnan(self.outcomes) & (np.arange(len(COMPONENTS)) == COMPONENTS.index("delta_nll"))
        if not (np.isfinite(self.contexts).all() and (np.isfinite(self.outcomes) | unknown).all()):
            raise ValueError(
                "contexts and outcomes must be finite; a failed request carries censored values, "
                "and only delta_nll may be NaN (not bought)"
            )
        if not np.isin(self.outcomes[:, 3], (0.0, 1.0)).all():
            raise ValueError("outcome 'failed' must be 0 or 1")

    @classmethod
    def of_one(cls, context: Contexts, action: int, outcome: FloatArray) -> Batch:
        """A batch of one decision: context [D], outcome [C]."""
        return cls(
            np.asarray(context, dtype=np.float32)[None],
            np.asarray([action], dtype=np.int64),
            np.asarray(outcome, dtype=np.float64)[None],
        )


@dataclass(frozen=True)
class ActionEncoder:
    """Features of an action: one-hot over the splits, then split / L.

    One-hot lets each split have its own behaviour (the quality curve is not monotone); the depth lets what
    was learned at one split inform its neighbours.

    Args:
        splits: blocks on the UE of each action index, strictly increasing.
        num_layers: L.
    """

    splits: tuple[int, ...]
    num_layers: int

    def __post_init__(self) -> None:
        if not self.splits or list(self.splits) != sorted(set(self.splits)):
            raise ValueError(f"splits={self.splits!r} must be non-empty and strictly increasing")
        if self.splits[0] < 0 or self.splits[-1] > self.num_layers:
            raise ValueError(f"splits={self.splits!r} must lie in [0, num_layers={self.num_layers}]")

    @property
    def width(self) -> int:
        """A, the number of action features."""
        return len(self.splits) + 1

    @property
    def depths(self) -> NDArray[np.float32]:
        """Split / L of each action, float32 [S]."""
        return np.array([split / self.num_layers for split in self.splits], dtype=np.float32)

    def encode(self, actions: Indices) -> NDArray[np.float32]:
        """Action features, float32 [B, A], of indices [B]."""
        actions = np.asarray(actions, dtype=np.int64)
        one_hot = np.eye(len(self.splits), dtype=np.float32)[actions]
        return np.concatenate([one_hot, self.depths[actions][:, None]], axis=1)

    def all_actions(self) -> Indices:
        """Every action index, int64 [S]."""
        return np.arange(len(self.splits), dtype=np.int64)


class Surrogate(Protocol):
    """A cheap stand-in for "simulate the request and run the language model on what arrived"."""

    @property
    def members(self) -> int:
        """M, how many hypotheses it holds at once."""
        ...

    @property
    def frozen(self) -> bool:
        """Whether updates are ignored."""
        ...

    @property
    def observed(self) -> int:
        """How many real decisions it has been shown."""
        ...

    def predict(self, context: Contexts, action: NDArray[np.float32]) -> Prediction:
        """Prediction for contexts [B, D] and encoded actions [B, A]."""
        ...

    def sample(
        self, context: Contexts, action: NDArray[np.float32], member: Indices, rng: np.random.Generator
    ) -> FloatArray:
        """One outcome [B, C] for each row, drawn from the hypothesis ``member`` [B] of that row."""
        ...

    def update(self, batch: Batch | None, steps: int) -> float:
        """Takes in real outcomes, then learns for ``steps`` steps; returns the mean loss (nan if none)."""
        ...

    def freeze(self) -> None:
        """Makes every later update a no-op."""
        ...

    def save(self, folder: Path) -> None:
        """Writes ``surrogate.json`` and ``surrogate.safetensors``: enough to continue bit for bit."""
        ...
