"""The Gaussian process surrogate against closed forms, its memory and its fits."""

import math

import numpy as np
import pytest
import torch

from pyagent.surrogate import Batch, GaussianProcessSurrogate, GpSettings
from pyagent.surrogate.base import centred_normals, regression_targets
from pyagent.surrogate.gp_regression import FourierBasis, GpRegression, PosteriorFunctions

from .world import ENCODER, SCALES, D, collect

A = ENCODER.width
CONTEXT_LENGTHS = np.array([0.4, 0.8, 1.5, 3.0, 5.0])
ACTION_LENGTHS = np.linspace(0.5, 2.0, A)


def make(seed=0, **settings):
    return GaussianProcessSurrogate(D, ENCODER, SCALES, seed=seed, settings=GpSettings(**settings))


def kernel(left, right, variance):
    """Matern 5/2 over the context times squared exponential over the action."""
    difference = left[:, None] - right[None]
    near = np.sqrt(5 * ((difference[..., :D] / CONTEXT_LENGTHS) ** 2).sum(-1))
    alike = ((difference[..., D:] / ACTION_LENGTHS) ** 2).sum(-1)
    return variance * (1 + near + near**2 / 3) * np.exp(-near) * np.exp(-0.5 * alike)


@pytest.fixture
def process():
    process = GpRegression(D, A, mean=0.3, noise=0.05)
    process.context.lengthscale = torch.from_numpy(CONTEXT_LENGTHS)
    process.action.lengthscale = torch.from_numpy(ACTION_LENGTHS)
    return process


def inputs(batch):
    return np.concatenate([batch.contexts, ENCODER.encode(batch.actions)], 1).astype(np.float64)


def test_functions_have_the_posterior_mean_and_covariance(process):
    batch, members, size = collect(1, 40)[0], 3000, 1500
    seen, new = inputs(batch), inputs(collect(2, 8)[0])
    y = regression_targets(SCALES, batch.outcomes)[2].nan_to_num(0.0)
    rng = np.random.default_rng(0)
    basis = FourierBasis.draw(rng, D, A, size)
    normals = centred_normals(rng, members, size), centred_normals(rng, members, len(seen))
    with torch.no_grad():
        functions = PosteriorFunctions.of(process, basis, (torch.from_numpy(seen), y), normals)
        drawn = functions(torch.from_numpy(new)).numpy()
        noise, variance = float(process.noise), float(process.variance)
    cover = kernel(seen, seen, variance) + noise * np.eye(len(seen))
    across = kernel(new, seen, variance)
    mean = 0.3 + across @ np.linalg.solve(cover, y.numpy() - 0.3)
    covariance = kernel(new, new, variance) - across @ np.linalg.solve(cover, across.T)
    np.testing.assert_allclose(drawn.mean(0), mean, atol=1e-6)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.08 * covariance.diagonal().max())


def test_fit_raises_the_evidence_and_finds_the_noise(process):
    rng = np.random.default_rng(0)
    batch = collect(1, 120)[0]
    seen = torch.from_numpy(inputs(batch))
    y = torch.from_numpy(np.sin(3 * batch.contexts[:, 0].astype(np.float64)) + 0.4 * rng.standard_normal(120))
    losses = [process.fit(seen, y, 15) for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    assert math.sqrt(float(process.noise.detach())) == pytest.approx(0.4, abs=0.1)
    lengths = process.context.lengthscale[0].detach()
    assert (lengths[0] < lengths[1:]).all()  # only the first feature matters


def test_only_the_latest_decisions_count():
    old, new = collect(1, 30)[0], collect(2, 40)[0]
    with_old, without = make(capacity=40), make(capacity=40)
    with_old.update(old, 0)
    for surrogate in (with_old, without):
        surrogate.update(new, 0)
    context, action = new.contexts[:5], ENCODER.encode(new.actions[:5])
    predictions = [s.predict(context, action) for s in (with_old, without)]
    # The same data in other slots of the ring: the means are equal, the noise draws are not.
    means = [s._heads(*s._inputs(context, action))[0].mean(0).detach() for s in (with_old, without)]
    np.testing.assert_allclose(means[0], means[1], atol=1e-8)
    assert (predictions[0].member_means != predictions[1].member_means).any()
    assert (with_old.observed, without.observed) == (70, 40)


def test_fits_come_at_intervals_and_take_the_steps_saved_up():
    batch, surrogate = collect(1, 24)[0], make(refit_every=10, refit_steps=3)
    taken = []
    for row in zip(batch.contexts, batch.actions, batch.outcomes, strict=True):
        taken.append(surrogate.update(Batch.of_one(*row), 1))
    assert np.flatnonzero(np.isfinite(taken)).tolist() == [9, 19]
    idle = make(refit_every=10)
    assert math.isnan(idle.update(batch, 0))  # no step was granted
    before = [p.plain.clone() for p in idle._processes]
    assert math.isfinite(idle.update(None, 1))
    assert any((p.plain != b).any() for p, b in zip(idle._processes, before, strict=True))


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"capacity=0 must be > 0"):
        GpSettings(capacity=0)
    with pytest.raises(ValueError, match=r"members=1 must be >= 2"):
        GpSettings(members=1)
