"""The fixed scale on which each continuous component is modelled.

The constants come from the scenario (deadline, clip, device), never from data, so nothing of later decisions
leaks into earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pyagent.reward import FloatArray, RewardContext

_CENTRE, _GAIN = 0.5, 4.0  # [0, 1] -> [-2, 2]: roughly unit variance over the whole physical range


@dataclass(frozen=True)
class ComponentScales:
    """Physical value x to model scale ``z = 4 (asinh(x / s) / asinh(high / s) - 1/2)``.

    ``asinh`` is linear below ``s`` and logarithmic above, like ``log1p``, but also takes the slightly
    negative quality losses that sampling noise produces.

    Args:
        deadline_s: latency of a failed request, seconds, > 0.
        delta_nll_clip: largest quality loss, nats/token, > 0.
        energy_max_j: more than any request can cost the UE, joules, > 0; predictions are bounded by it.
        latency_knee_s, delta_nll_knee, energy_knee_j: s, where linear turns into logarithmic, > 0.
    """

    deadline_s: float
    delta_nll_clip: float
    energy_max_j: float
    latency_knee_s: float
    delta_nll_knee: float
    energy_knee_j: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name}={value!r} must be finite and > 0")

    @classmethod
    def from_reward(
        cls, context: RewardContext, *, deadline_s: float, ue_energy_all_local_j: float
    ) -> ComponentScales:
        """Scales of a scenario; ``ue_energy_all_local_j`` is that of a large request."""
        return cls(
            deadline_s=deadline_s,
            delta_nll_clip=context.delta_nll_clip,
            energy_max_j=4.0 * ue_energy_all_local_j,
            latency_knee_s=0.5 * context.slo_s,
            delta_nll_knee=0.05 * context.delta_nll_clip,
            energy_knee_j=0.25 * ue_energy_all_local_j,
        )

    @property
    def knees(self) -> FloatArray:
        """s of (latency, delta_nll, energy), [3]."""
        return np.array([self.latency_knee_s, self.delta_nll_knee, self.energy_knee_j])

    @property
    def highs(self) -> FloatArray:
        """Upper bounds of (latency, delta_nll, energy), [3]."""
        return np.array([self.deadline_s, self.delta_nll_clip, self.energy_max_j])

    @property
    def lows(self) -> FloatArray:
        """Lower bounds of (latency, delta_nll, energy), [3]; only quality may be better than unimpaired."""
        return np.array([0.0, -self.delta_nll_clip, 0.0])

    def to_model(self, physical: FloatArray) -> FloatArray:
        """Model scale of physical values [..., 3]."""
        unit = np.arcsinh(physical / self.knees) / np.arcsinh(self.highs / self.knees)
        return np.asarray((unit - _CENTRE) * _GAIN, dtype=np.float64)


class InverseScale:
    """Model scale back to physical values in torch; its constants are built once."""

    def __init__(self, scales: ComponentScales) -> None:
        self._knees = torch.tensor(scales.knees, dtype=torch.float32)
        self._stretch = torch.tensor(np.arcsinh(scales.highs / scales.knees) / _GAIN, dtype=torch.float32)
        self._highs = torch.tensor(scales.highs, dtype=torch.float32)
        self._lows = torch.tensor(scales.lows, dtype=torch.float32)

    def __call__(self, z: Tensor) -> Tensor:
        """Physical values [..., 3] of ``z`` [..., 3], bounded to the possible range."""
        physical = self._knees * torch.sinh((z + _CENTRE * _GAIN) * self._stretch)
        return torch.minimum(torch.maximum(physical, self._lows), self._highs)
