"""LinUCB and linear Thompson sampling: the posterior against lstsq, the policies against chance."""

import numpy as np
import pytest

from pyagent.policies import LinearThompsonPolicy, LinUcbPolicy, Policy, RandomPolicy
from pyagent.policies.linear import PairFeatures, RidgePosterior

from .world import COMPOSER, ENCODER, LAYERS, PREVIOUS, SPLITS, D, World, collect, run

S = len(SPLITS)
BANDITS = (LinUcbPolicy, LinearThompsonPolicy)


def test_posterior_equals_ridge_by_least_squares():
    rng = np.random.default_rng(0)
    x, ridge = rng.normal(size=(60, 7)), 0.7
    y = x @ rng.normal(size=7) + 0.3 * rng.normal(size=60)
    posterior = RidgePosterior(7, ridge=ridge, noise_std=0.5)
    for features, value in zip(x, y, strict=True):
        posterior.observe(features, value)
    # Ridge is ordinary least squares with sqrt(ridge) I as further rows.
    rows, values = np.r_[x, np.sqrt(ridge) * np.eye(7)], np.r_[y, np.zeros(7)]
    weights, squares, *_ = np.linalg.lstsq(rows, values, rcond=None)
    np.testing.assert_allclose(posterior.mean, weights, rtol=1e-9)
    noise = np.sqrt((0.5**2 + squares[0]) / 61)
    assert posterior.noise_std == pytest.approx(noise)
    covariance = noise**2 * np.linalg.inv(rows.T @ rows)
    new = rng.normal(size=(5, 7))
    np.testing.assert_allclose(posterior.spread(new), np.sqrt(np.einsum("bi,ij,bj->b", new, covariance, new)))
    draws = np.array([posterior.sample(rng) for _ in range(4000)])
    np.testing.assert_allclose(draws.mean(0), weights, atol=4 * np.sqrt(covariance.max() / 4000))
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.1 * covariance.max())


def test_features_share_depth_and_know_a_switch():
    context = np.full(D, 0.5, np.float32)
    context[PREVIOUS] = SPLITS[1] / LAYERS
    features = PairFeatures(ENCODER, COMPOSER).of(context)
    assert features.shape == (S, (3 + S) * (1 + D) + 1)
    assert features[:, -1].tolist() == [1, 0, 1, 1, 1]
    assert np.linalg.matrix_rank(features) == S


@pytest.mark.parametrize("kind", BANDITS)
def test_bandits_learn_what_random_does_not(kind):
    regrets = []
    for seed in range(3):
        policy = kind(ENCODER, COMPOSER, seed=seed)
        assert isinstance(policy, Policy)
        regret, _ = run(World(seed), policy, 300)
        policy.freeze()
        chance, _ = run(World(seed + 50), RandomPolicy(SPLITS, seed=seed), 300)
        tested, _ = run(World(seed + 50), policy, 300)
        regrets.append((regret[150:].mean(), tested.mean(), chance.mean()))
    late, tested, chance = np.mean(regrets, 0)
    assert late < 0.4 * chance, regrets
    assert tested < 0.3 * chance, regrets


@pytest.mark.parametrize("kind", BANDITS)
def test_masks_determinism_and_freezing(kind):
    batch, _, _ = collect(1, 30)

    def play():
        policy = kind(ENCODER, COMPOSER, seed=3)
        return policy, run(World(4), policy, 30)[0].tobytes()

    (policy, first), (_, second) = play(), play()
    assert first == second
    for only in range(S):
        assert policy.act(batch.contexts[0], np.arange(S) == only) == only
    with pytest.raises(ValueError, match="no action"):
        policy.act(batch.contexts[0], np.zeros(S, bool))
    policy.freeze()
    choices = [policy.act(c) for c in batch.contexts]
    policy.observe(batch.contexts[0], choices[0], np.array([6.0, 3.0, 100.0, 1.0]))
    assert [policy.act(c) for c in batch.contexts] == choices


@pytest.mark.parametrize("kind", BANDITS)
def test_a_decision_without_quality_is_refused(kind):
    with pytest.raises(ValueError, match=r"delta_nll of the outcome is not finite.*evaluated"):
        kind(ENCODER, COMPOSER).observe(np.zeros(D, np.float32), 0, np.array([1.0, np.nan, 1.0, 0.0]))
