"""From heads to what a surrogate answers; the same for every surrogate whose hypotheses are heads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from pyagent.reward import FloatArray
from pyagent.surrogate.heads import CONTINUOUS, Heads
from pyagent.surrogate.scales import InverseScale
from pyagent.surrogate.types import Contexts, Indices, Prediction


def check_inputs(context: Contexts, action: NDArray[np.float32], context_dim: int, action_width: int) -> None:
    """Raises ValueError unless contexts are [B, D] and encoded actions [B, A]."""
    if context.ndim != 2 or context.shape[1] != context_dim:
        raise ValueError(f"want contexts [B, {context_dim}], got {context.shape}")
    if action.shape != (len(context), action_width):
        raise ValueError(f"want actions [{len(context)}, {action_width}], got {action.shape}")


def predict(heads: Heads, inverse: InverseScale, deadline_s: float) -> Prediction:
    """Moments over members, physical units."""
    mean, variance = heads.moments(inverse, deadline_s)
    members = mean.double().numpy()
    return Prediction(
        mean=members.mean(0),
        aleatoric_std=np.sqrt(variance.double().numpy().mean(0)),
        epistemic_std=members.std(0),
        member_means=members,
    )


def draw(
    heads: Heads, inverse: InverseScale, deadline_s: float, member: Indices, rng: np.random.Generator
) -> FloatArray:
    """One outcome [B, C] per row from hypothesis ``member`` [B] of that row; physical units."""
    rows = len(member)
    normal = torch.from_numpy(rng.standard_normal((rows, CONTINUOUS), dtype=np.float32))
    uniform = torch.from_numpy(rng.random(rows, dtype=np.float32))
    drawn = heads.sample(inverse, deadline_s, torch.from_numpy(member), (normal, uniform))
    return np.asarray(drawn.double().numpy(), dtype=np.float64)
