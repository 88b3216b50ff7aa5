"""The linear surrogate against closed forms, and what a long stream does to it."""

import math

import numpy as np
import pytest
import torch

from pyagent.surrogate import Batch
from pyagent.surrogate.base import TARGETS, regression_targets
from pyagent.surrogate.linear import (
    RATE,
    SHAPE,
    SIGNAL_TO_NOISE,
    LinearSettings,
    LinearSurrogate,
    Moments,
    Posterior,
    features,
)
from pyagent.surrogate.logistic import logistic_site

from .world import DEADLINE_S, ENCODER, SCALES, SPLITS, D, collect


def make(seed=0, **settings):
    return LinearSurrogate(D, ENCODER, SCALES, seed=seed, settings=LinearSettings(**settings))


def design(batch):
    phi = features(torch.from_numpy(batch.contexts), torch.from_numpy(ENCODER.encode(batch.actions)))
    return phi.double().numpy()


def ridge(phi, y, penalty):
    """Least squares on the rows and one row per weight that pulls it to zero."""
    width = phi.shape[1]
    rows = np.vstack([phi, math.sqrt(penalty) * np.eye(width)])
    return np.linalg.lstsq(rows, np.concatenate([y, np.zeros(width)]), rcond=None)[0]


def evidence(phi, y, penalty):
    """Log density of ``y``, a multivariate Student t of 2 SHAPE degrees of freedom, without constants."""
    cover = np.eye(len(y)) + phi @ phi.T / penalty
    square = y @ np.linalg.solve(cover, y)
    return -0.5 * np.linalg.slogdet(cover)[1] - (SHAPE + len(y) / 2) * math.log(RATE + 0.5 * square)


def test_posterior_is_ridge_regression_and_its_evidence_a_student_t():
    batch = collect(1, 150)[0]
    phi, surrogate = design(batch), make()
    surrogate.update(batch, 0)
    posterior = surrogate.posterior
    targets = regression_targets(SCALES, batch.outcomes).numpy()
    for t, y in enumerate(targets):
        known = np.isfinite(y)
        rows, y = phi[known], y[known]
        penalty = float(surrogate._prior[t])
        weights = ridge(rows, y, penalty)
        np.testing.assert_allclose(posterior.mean[t], weights, atol=1e-6)
        residual = ((y - rows @ weights) ** 2).sum() + penalty * (weights**2).sum()
        assert posterior.rate[t] == pytest.approx(RATE + 0.5 * residual, rel=1e-6)
        assert posterior.shape[t] == SHAPE + known.sum() / 2
    ours, theirs = [], []
    y = targets[2][np.isfinite(targets[2])]
    for ratio in SIGNAL_TO_NOISE:
        prior = torch.full((len(TARGETS),), 1 / ratio, dtype=torch.float64)
        ours.append(float(Posterior.of(surrogate._continuous, prior).evidence[2]))
        theirs.append(evidence(phi[np.isfinite(targets[2])], y, 1 / ratio))
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-6)


def test_draws_have_the_posterior_covariance():
    surrogate = make(members=4000)
    surrogate.update(collect(1, 60)[0], 0)
    weights, _ = surrogate._draws()
    posterior = surrogate.posterior
    noise = posterior.rate / (posterior.shape - 1)
    covariance = torch.cholesky_inverse(posterior.factor[2]) * noise[2]
    drawn = torch.cov(weights[:, 2].T)
    np.testing.assert_allclose(drawn.diagonal() / covariance.diagonal(), 1.0, atol=0.15)
    np.testing.assert_allclose(weights[:, :5].mean(0), posterior.mean, atol=1e-8)


def test_features_have_unit_prior_variance_on_average():
    rng = np.random.default_rng(0)
    contexts = torch.from_numpy(rng.random((20_000, D)))
    actions = torch.from_numpy(ENCODER.encode(rng.integers(0, len(SPLITS), 20_000)).astype(np.float64))
    assert float((features(contexts, actions) ** 2).sum(1).mean()) == pytest.approx(1.0, abs=0.2)


def test_one_by_one_is_the_same_as_all_at_once():
    batch = collect(1, 120)[0]
    whole, single = make(), make()
    whole.update(batch, 0)
    for row in zip(batch.contexts, batch.actions, batch.outcomes, strict=True):
        single.update(Batch.of_one(*row), 3)
    for name, value in whole._state().items():
        np.testing.assert_allclose(single._state()[name], value, atol=1e-8, err_msg=name)


def test_logistic_site_turns_the_prior_into_the_tilted_moments():
    mean = torch.tensor([-3.0, 0.0, 2.0, 6.0], dtype=torch.float64)
    variance = torch.tensor([4.0, 1.0, 0.1, 2.0], dtype=torch.float64)
    grid = np.linspace(-40, 40, 400_001)
    for label in (0.0, 1.0):
        precision, shift = logistic_site(mean, variance, torch.full((4,), label, dtype=torch.float64))
        total = 1 / variance + precision
        for i, (m, v) in enumerate(zip(mean.tolist(), variance.tolist(), strict=True)):
            density = np.exp(-0.5 * (grid - m) ** 2 / v) / (1 + np.exp(grid if label == 0 else -grid))
            density /= density.sum()
            tilted = (density * grid).sum()
            spread = (density * (grid - tilted) ** 2).sum()
            assert float(1 / total[i]) == pytest.approx(spread, rel=1e-3)
            assert float((mean[i] / variance[i] + shift[i]) / total[i]) == pytest.approx(tilted, abs=1e-3)


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.9])
def test_failure_rate_of_a_place_is_learned(rate):
    rng, surrogate = np.random.default_rng(0), make()
    failed = (np.arange(400) < 400 * rate).astype(float)
    rng.shuffle(failed)
    outcomes = np.tile([DEADLINE_S, 1.0, 5.0, 0.0], (400, 1))
    outcomes[:, 3] = failed
    context = np.full((400, D), 0.4, np.float32)
    surrogate.update(Batch(context, np.zeros(400, np.int64), outcomes), 0)
    p = surrogate.predict(context[:1], ENCODER.encode(np.zeros(1, np.int64)))
    assert p.mean[0, 3] == pytest.approx(rate, abs=0.02 + 0.05 * rate)
    assert p.epistemic_std[0, 3] < 0.04


def test_half_life_weighs_the_past():
    moments = Moments.empty(1, 2)
    phi = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    moments.add(phi, torch.ones(1, 3).double(), torch.tensor([[2.0, 3.0, 4.0]]).double(), 0.5)
    np.testing.assert_allclose(moments.count, [1.75])
    np.testing.assert_allclose(moments.precision[0], [[1.25, 1.0], [1.0, 1.5]])
    np.testing.assert_allclose(moments.shift[0], [4.5, 5.5])
    np.testing.assert_allclose(moments.square, [0.25 * 4 + 0.5 * 9 + 16])


def test_forgetting_follows_a_change():
    before, after = collect(1, 300)[0], collect(2, 100)[0]
    shifted = Batch(after.contexts, after.actions, after.outcomes * [1, 1, 0.3, 1])
    context, action = after.contexts, ENCODER.encode(after.actions)
    errors = {}
    for half_life in (30.0, math.inf):
        surrogate = make(half_life=half_life)
        surrogate.update(before, 0)
        surrogate.update(shifted, 0)
        errors[half_life] = np.abs(surrogate.predict(context, action).mean - shifted.outcomes)[:, 2].mean()
    assert errors[30.0] < 0.5 * errors[math.inf]


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"half_life=0 must be > 0"):
        LinearSettings(half_life=0)
    with pytest.raises(ValueError, match=r"members=1 must be >= 2"):
        LinearSettings(members=1)
