"""One exact Gaussian process on (context, action): kernel, evidence, and posterior functions.

Rasmussen and Williams, *Gaussian Processes for Machine Learning*, 2006: posterior (2.23) and (2.24),
evidence (5.8).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyagent.errors import UserError

_JITTER = 1e-8
_NOISE_FLOOR = 1e-4
_MATERN_NU = 2.5
_LEARNING_RATE = 0.1
_PRIOR_STD = (1.0, 2.0, 2.0)
"""Of the mean, the log noise variance and the log kernel variance."""


def import_gpytorch() -> ModuleType:
    """gpytorch, an optional dependency.

    Raises:
        UserError: it is not installed.
    """
    try:
        import gpytorch
    except ImportError as error:
        raise UserError(
            "the gp surrogate needs gpytorch, which is not installed: pip install 'ns3-llm-split[gp]'"
        ) from error
    module: ModuleType = gpytorch
    return module


def _stationary(kind: str, dims: int, length: float, **options: Any) -> Any:
    """A gpytorch kernel with a length for each of ``dims`` inputs, that starts at ``length``.

    The lengths' prior grows with the root of the number of inputs, as distances do (Hvarfner, Hellsten and
    Nardi 2024): without it, dozens of lengths fit the noise of a few data.
    """
    gpytorch = import_gpytorch()
    prior = gpytorch.priors.LogNormalPrior(math.sqrt(2.0) + 0.5 * math.log(dims), math.sqrt(3.0))
    kernel = getattr(gpytorch.kernels, kind)(ard_num_dims=dims, lengthscale_prior=prior, **options)
    kernel.lengthscale = length
    return kernel.double()


class GpRegression(torch.nn.Module):
    """Kernel, noise variance and constant mean of one target.

    The kernel is a Matern 5/2 over the context times a squared exponential over the action. The product lets
    every split have its own curve; the action's lengths say how much splits have in common.

    Args:
        context_dim, action_width: D, A.
        mean: of the prior; learned, with a normal prior around this value.
        noise: variance; learned, like the kernel's variance with a wide log-normal prior.
    """

    start: Tensor

    def __init__(self, context_dim: int, action_width: int, *, mean: float, noise: float) -> None:
        super().__init__()
        self.context_dim = context_dim
        root = math.sqrt(context_dim)
        self.context = _stationary("MaternKernel", context_dim, 0.5 * root, nu=_MATERN_NU)
        self.action = _stationary("RBFKernel", action_width, 1.0)
        start = torch.tensor([mean, math.log(noise), 0.0], dtype=torch.float64)
        self.register_buffer("start", start)
        self.plain = torch.nn.Parameter(start.clone())

    @property
    def mean(self) -> Tensor:
        """Of the prior, a scalar."""
        return self.plain[0]

    @property
    def noise(self) -> Tensor:
        """Noise variance, a scalar."""
        return self.plain[1].exp() + _NOISE_FLOOR

    @property
    def variance(self) -> Tensor:
        """Of the prior, a scalar."""
        return self.plain[2].exp()

    def covariance(self, left: Tensor, right: Tensor) -> Tensor:
        """Kernel matrix [P, Q] of inputs [P, D + A] and [Q, D + A].

        The kernels' own ``forward``: their lazy matrices cost more than these small products.
        """
        d = self.context_dim
        by_context: Tensor = self.context.forward(left[:, :d], right[:, :d])
        by_action: Tensor = self.action.forward(left[:, d:], right[:, d:])
        return self.variance * by_context * by_action

    def factor(self, inputs: Tensor) -> Tensor:
        """Lower Cholesky factor of the noisy kernel matrix of inputs [N, D + A]."""
        diagonal = (self.noise + _JITTER) * torch.eye(len(inputs), dtype=torch.float64)
        lower: Tensor = torch.linalg.cholesky(self.covariance(inputs, inputs) + diagonal)
        return lower

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Minus the log posterior of the hyper-parameters per datum, up to a constant."""
        factor = self.factor(inputs)
        white = torch.linalg.solve_triangular(factor, (targets - self.mean)[:, None], upper=False)
        evidence = -0.5 * (white**2).sum() - factor.diagonal().log().sum()
        prior = -0.5 * (((self.plain - self.start) / torch.tensor(_PRIOR_STD)) ** 2).sum()
        for kernel in (self.context, self.action):
            prior = prior + kernel.lengthscale_prior.log_prob(kernel.lengthscale).sum()
        per_datum: Tensor = -(evidence + prior) / len(targets)
        return per_datum

    def fit(self, inputs: Tensor, targets: Tensor, steps: int) -> float:
        """``steps`` of Adam on :meth:`loss`, from where the last fit ended; returns the mean loss."""
        optimizer = torch.optim.Adam(self.parameters(), lr=_LEARNING_RATE)
        losses = []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = self.loss(inputs, targets)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(float(loss.detach()))
        return float(np.mean(losses))

    def frequencies(self, basis: FourierBasis) -> Tensor:
        """Angular frequencies [D + A, R] of the kernel's spectral density at the present lengths."""
        lengths = torch.cat([self.context.lengthscale[0], self.action.lengthscale[0]])
        return basis.unit / lengths[:, None].detach()


@dataclass(frozen=True)
class FourierBasis:
    """Random frequencies at unit length, and phases; functions drawn with them approximate the prior's.

    Args:
        unit: [D + A, R]; Student t of 2 nu degrees over the context, normal over the action: the spectral
            densities of the two kernels (Rahimi and Recht 2007; Rasmussen and Williams 2006, section 4.2).
        phase: [R], uniform on a turn.
    """

    unit: Tensor
    phase: Tensor

    @classmethod
    def draw(cls, rng: np.random.Generator, context_dim: int, action_width: int, size: int) -> FourierBasis:
        """A basis of ``size`` functions."""
        degrees = 2.0 * _MATERN_NU
        normal = rng.standard_normal((context_dim + action_width, size))
        normal[:context_dim] *= np.sqrt(degrees / rng.chisquare(degrees, size))
        return cls(torch.from_numpy(normal), torch.from_numpy(rng.uniform(0.0, 2.0 * np.pi, size)))

    def __call__(self, inputs: Tensor, frequencies: Tensor) -> Tensor:
        """Basis functions [N, R] at inputs [N, D + A], of mean square 1 / R."""
        return math.sqrt(2.0 / len(self.phase)) * torch.cos(inputs @ frequencies + self.phase)


@dataclass(frozen=True)
class PosteriorFunctions:
    """M functions drawn from a posterior, callable anywhere: a prior draw each, corrected by the data.

    Matheron's rule (Wilson et al. 2020, "Efficiently sampling functions from Gaussian process posteriors"):
    ``f(x) + k(x, X) (K + noise)^-1 (y - f(X) - e)`` with f from the prior and e from the noise.

    Args:
        process: hyper-parameters.
        inputs: X [N, D + A].
        correction: ``(K + noise)^-1 (y - f(X) - e)`` [N, M].
        basis, frequencies: of the prior draws.
        weights: of the prior draws [R, M], scaled to the kernel.
    """

    process: GpRegression
    inputs: Tensor
    correction: Tensor
    basis: FourierBasis
    frequencies: Tensor
    weights: Tensor

    @classmethod
    def of(
        cls,
        process: GpRegression,
        basis: FourierBasis,
        data: tuple[Tensor, Tensor],
        normals: tuple[Tensor, Tensor],
    ) -> PosteriorFunctions:
        """Functions given inputs [N, D + A] and targets [N], from standard normals [M, R] and [M, N]."""
        (inputs, targets), (prior, noise) = data, normals
        weights = prior.T * process.variance.sqrt()
        frequencies = process.frequencies(basis)
        drawn = process.mean + basis(inputs, frequencies) @ weights + noise.T * process.noise.sqrt()
        correction = torch.cholesky_solve(targets[:, None] - drawn, process.factor(inputs))
        return cls(process, inputs, correction, basis, frequencies, weights)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Values [M, B] at inputs [B, D + A]."""
        prior = self.basis(inputs, self.frequencies) @ self.weights
        shift = self.process.covariance(inputs, self.inputs) @ self.correction
        return (self.process.mean + prior + shift).T
