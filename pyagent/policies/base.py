"""What every policy has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyagent.evaluation.rules import StepRule
from pyagent.reward import FloatArray

if TYPE_CHECKING:
    from pyagent.scenario.compile import Deployment

Context = NDArray[np.float32]
Mask = NDArray[np.bool_]


@runtime_checkable
class Policy(Protocol):
    """Chooses the split of one request after the other.

    ``reset`` begins a run; a policy that has learned keeps what it learned. ``observe`` reports the real
    outcome of an action, in the order of the decisions; policies that don't learn ignore it.
    """

    @property
    def name(self) -> str:
        """Identifier in tables and files: lower case, digits, hyphens."""
        ...

    def reset(self, seed: int) -> None:
        """Begins a run; all randomness after it follows from ``seed``."""
        ...

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """Action index for the normalised context, float32 [D].

        Args:
            mask: bool [S], True where the action is allowed; None allows all.
        """
        ...

    def observe(self, context: Context, action: int, outcome: FloatArray) -> None:
        """Real outcome [C] of an action: latency_s, delta_nll, ue_energy_j, failed."""
        ...


class OfflinePolicy:
    """Base of policies that neither draw random numbers nor learn while they act."""

    def reset(self, seed: int) -> None:
        """Nothing to reset."""

    def observe(self, context: Context, action: int, outcome: FloatArray) -> None:
        """Ignored."""

    def rule(self, deployment: Deployment) -> StepRule | None:
        """The policy as thresholds on one feature; None: it is no such rule.

        Args:
            deployment: gives the splits of the actions.
        """
        return None

    def describe(self, deployment: Deployment) -> str:
        """The policy's rule in one line, in physical units; empty where it has none that short."""
        rule = self.rule(deployment)
        return "" if rule is None else str(rule)


def allowed_actions(actions: int, mask: Mask | None) -> NDArray[np.int64]:
    """Indices of the allowed ones of ``actions`` actions.

    Raises:
        ValueError: the mask has another length or allows nothing.
    """
    if mask is None:
        return np.arange(actions)
    if mask.shape != (actions,):
        raise ValueError(f"mask must be [{actions}], got {mask.shape}")
    allowed = np.flatnonzero(mask)
    if not len(allowed):
        raise ValueError("the mask allows no action")
    return allowed


def masked_argmax(scores: ArrayLike, mask: Mask | None) -> int:
    """The allowed action of the highest score [S]; the lowest index on ties."""
    values = np.asarray(scores, dtype=np.float64)
    allowed = allowed_actions(len(values), mask)
    return int(allowed[np.argmax(values[allowed])])


def nearest_allowed(action: int, actions: int, mask: Mask | None) -> int:
    """``action``, or the allowed one closest to it, the smaller index on ties."""
    allowed = allowed_actions(actions, mask)
    return int(allowed[np.argmin(np.abs(allowed - action))])


def checked_table(rewards: FloatArray) -> FloatArray:
    """A tuning table [K, S] or [K, S, R] as [K, S], replicates averaged.

    Raises:
        ValueError: another shape, empty or not finite.
    """
    if rewards.ndim not in (2, 3) or rewards.size == 0:
        raise ValueError(f"want a reward table [K, S] or [K, S, R], got {rewards.shape}")
    if not np.isfinite(rewards).all():
        raise ValueError("the reward table holds values that are not finite")
    return np.asarray(rewards if rewards.ndim == 2 else rewards.mean(2), dtype=np.float64)
