"""A 0/1 outcome as Gaussian evidence about its log-odds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_NODES, _MASS = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(32))

_LEAST_PRECISION = 1e-9  # far in a tail the likelihood is straight; rounding must not make it negative


def logistic_site(mean: Tensor, variance: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """The Gaussian factor that stands for one Bernoulli outcome, by assumed-density filtering.

    The log-odds, N(mean, variance) before, are multiplied by the logistic likelihood; the factor is what
    turns the prior into the Gaussian with the product's mean and variance (Minka, "A family of algorithms for
    approximate Bayesian inference", 2001, section 3.2). Unlike a Newton step on the likelihood it does not
    overshoot when a sure prediction fails. Integrals by Gauss-Hermite quadrature.

    Args:
        mean, variance: of the log-odds, float64 [B], variance > 0.
        label: 0 or 1, float64 [B].

    Returns:
        Precision (> 0) and precision times mean of the factor, both [B].
    """
    std = variance.sqrt()
    odds = mean[:, None] + std[:, None] * _NODES  # (B, Q)
    sign = 2.0 * label[:, None] - 1.0
    mass = _MASS.log() + torch.nn.functional.logsigmoid(sign * odds)
    mass = torch.softmax(mass, 1)
    first = (mass * odds).sum(1)
    second = (mass * (odds - first[:, None]) ** 2).sum(1)
    precision = (1.0 / second - 1.0 / variance).clamp(min=_LEAST_PRECISION)
    return precision, precision * first + (first - mean) / variance
