"""From raw network outputs to distributions over the physical components.

A member's hypothesis is a two-branch mixture: with probability p the request fails. Each branch has a
Gaussian per continuous component on the model scale; a failed request's latency is the deadline by
definition, so no smooth curve has to bridge the gap between "answered" and "cut".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pyagent.surrogate.scales import InverseScale

CONTINUOUS = 3
OUTPUTS = 2 * 2 * CONTINUOUS + 1
LOG_VARIANCE_BOUNDS = (-7.0, 1.0)  # std 0.03 to 1.6 of a model range of about 4
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_BETA = 0.5


@dataclass(frozen=True)
class Heads:
    """Distributions of M members for B inputs; axis 2 is the branch: 0 answered, 1 failed.

    Args:
        mean: model scale [M, B, 2, 3].
        log_variance: [M, B, 2, 3], within ``LOG_VARIANCE_BOUNDS``.
        logit: of failure [M, B].
    """

    mean: Tensor
    log_variance: Tensor
    logit: Tensor

    @classmethod
    def from_outputs(cls, outputs: Tensor) -> Heads:
        """Heads of raw outputs [M, B, OUTPUTS].

        The log-variance is bounded smoothly as in PETS (Chua et al. 2018, appendix A.1), so that it neither
        collapses on a lucky stretch nor explodes away from the data.
        """
        gaussian = outputs[..., :-1].reshape(*outputs.shape[:2], 2, 2, CONTINUOUS)  # (M, B, 2, 2, 3)
        low, high = LOG_VARIANCE_BOUNDS
        log_variance = high - F.softplus(high - (gaussian[:, :, 1] - 2.0))
        log_variance = low + F.softplus(log_variance - low)
        # -1: before any failure is seen, assume that most requests succeed.
        return cls(gaussian[:, :, 0], log_variance, outputs[..., -1] - 1.0)

    def loss(self, targets: Tensor, failed: Tensor, weights: Tensor) -> Tensor:
        """Sum over members of the weighted mean negative log-likelihood.

        Gaussian terms carry the factor ``variance^beta`` without gradient (Seitzer et al. 2022), which keeps
        the means learning where the predicted variance is large.

        Args:
            targets: model scale [M, B, 3]; NaN where a member is not to learn from it.
            failed: 0 or 1 [B].
            weights: bootstrap counts [M, B].
        """
        present = torch.stack([1.0 - failed, failed], -1)[..., None].repeat(1, 1, CONTINUOUS)  # (B, 2, 3)
        present[:, 1, 0] = 0.0  # the latency of a failed request is known
        known = ~torch.isnan(targets)
        present = present * known[:, :, None]
        variance = self.log_variance.exp()
        square = (torch.where(known, targets, 0.0)[:, :, None] - self.mean) ** 2 / variance
        nll = 0.5 * (self.log_variance + square) * variance.detach() ** _BETA
        gaussian = (nll * present).sum((-1, -2))  # (M, B)
        bernoulli = F.binary_cross_entropy_with_logits(
            self.logit, failed.expand_as(self.logit), reduction="none"
        )
        return (weights * (gaussian + bernoulli)).mean(1).sum()

    def moments(self, inverse: InverseScale, deadline_s: float) -> tuple[Tensor, Tensor]:
        """Mean and variance of the physical components, both [M, B, 4].

        The bounded, bent Gaussian is integrated by Gauss-Hermite quadrature; the branches are joined by the
        law of total variance.
        """
        nodes = torch.tensor(_NODES, dtype=torch.float32)[:, None, None, None, None]
        mass = torch.tensor(_NODE_WEIGHTS / _NODE_WEIGHTS.sum(), dtype=torch.float32)
        physical = inverse(self.mean + (0.5 * self.log_variance).exp() * nodes)  # (Q, M, B, 2, 3)
        first = torch.tensordot(mass, physical, 1)
        second = torch.tensordot(mass, (physical - first) ** 2, 1)
        first[:, :, 1, 0], second[:, :, 1, 0] = deadline_s, 0.0
        p = torch.sigmoid(self.logit)[..., None]  # (M, B, 1)
        mean = (1 - p) * first[:, :, 0] + p * first[:, :, 1]
        within = (1 - p) * second[:, :, 0] + p * second[:, :, 1]
        between = p * (1 - p) * (first[:, :, 0] - first[:, :, 1]) ** 2
        return torch.cat([mean, p], -1), torch.cat([within + between, p * (1 - p)], -1)

    def sample(
        self,
        inverse: InverseScale,
        deadline_s: float,
        member: Tensor,
        noise: tuple[Tensor, Tensor],
    ) -> Tensor:
        """One outcome [B, 4] per row from hypothesis ``member`` [B].

        Args:
            noise: standard normals [B, 3] and uniforms [B].
        """
        rows = torch.arange(len(member))
        normal, uniform = noise
        failed = uniform < torch.sigmoid(self.logit[member, rows])
        branch = failed.long()
        spread = (0.5 * self.log_variance[member, rows, branch]).exp()
        physical = inverse(self.mean[member, rows, branch] + spread * normal)  # (B, 3)
        physical[failed, 0] = deadline_s
        return torch.cat([physical, failed.float()[:, None]], 1)
