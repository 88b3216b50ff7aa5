"""Two thresholds and the clairvoyant path, each against exhaustive search."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from pyagent.evaluation import best_path, clairvoyant, oracle
from pyagent.evaluation.oracle import balanced_halves
from pyagent.policies import ThresholdPolicy, TwoThresholdPolicy


@pytest.mark.parametrize("seed", range(12))
def test_two_threshold_tuning_equals_exhaustive_search(seed):
    rng = np.random.default_rng(seed)
    contexts = rng.integers(0, 6, (14, 2)).astype(np.float32)  # with ties
    rewards = rng.normal(size=(14, 3))
    tuned = TwoThresholdPolicy.tune(contexts, rewards, 1)
    reached = sum(rewards[k, tuned.act(c)] for k, c in enumerate(contexts))
    best = -np.inf
    for low, high in combinations_with_replacement(np.arange(-0.5, 7), 2):
        piece = (contexts[:, 1] >= low).astype(int) + (contexts[:, 1] >= high)
        for choices in product(range(3), repeat=3):
            best = max(best, rewards[np.arange(14), np.array(choices)[piece]].sum())
    assert reached == pytest.approx(best)
    one = ThresholdPolicy.tune(contexts, rewards, 1)
    assert reached >= sum(rewards[k, one.act(c)] for k, c in enumerate(contexts)) - 1e-12


def test_two_thresholds_find_the_feature_with_a_middle():
    rng = np.random.default_rng(1)
    contexts = rng.random((200, 3)).astype(np.float32)
    piece = (contexts[:, 2] > 0.3).astype(int) + (contexts[:, 2] > 0.6)
    rewards = np.eye(4)[np.array([2, 0, 3])[piece]]
    tuned = TwoThresholdPolicy.tune(contexts, np.stack([rewards, rewards], 2), 0, 1, 2)
    assert (tuned.feature, tuned.choices) == (2, (2, 0, 3))
    assert tuned.thresholds == pytest.approx((0.3, 0.6), abs=0.02)
    assert tuned.act(np.array([0, 0, 0.9], np.float32), np.array([True, True, False, False])) == 1


def test_neighbouring_float32_values_are_told_apart():
    low = np.float32(0.7)
    high = np.nextafter(low, np.float32(1))
    contexts = np.array([[low], [high]])
    for swap in (False, True):
        rewards = np.eye(2)[::-1] if swap else np.eye(2)
        tuned = ThresholdPolicy.tune(contexts, rewards, 0)
        assert [tuned.act(c) for c in contexts] == ([1, 0] if swap else [0, 1])


def test_tuning_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        TwoThresholdPolicy.tune(np.zeros((3, 2), np.float32), np.zeros((3, 2)), 2)


def _value(rewards, path, cost):
    return sum(rewards[k, a] - cost * (k > 0 and a != path[k - 1]) for k, a in enumerate(path))


@pytest.mark.parametrize("cost", [0.0, 0.3, 1.0, 50.0])
def test_best_path_equals_exhaustive_search(cost):
    rng = np.random.default_rng(3)
    for _ in range(8):
        rewards = rng.normal(size=(6, 3))
        best = max(_value(rewards, path, cost) for path in product(range(3), repeat=6))
        assert _value(rewards, best_path(rewards, cost), cost) == pytest.approx(best)


def test_clairvoyant_without_cost_is_the_oracle_and_with_a_huge_one_static():
    rng = np.random.default_rng(4)
    rewards, seeds = rng.normal(size=(12, 3, 4)), np.repeat([5, 2, 9], 4)
    np.testing.assert_allclose(clairvoyant(rewards, seeds, 0.0).value, oracle(rewards).value)
    static = clairvoyant(rewards, seeds, 1e6)
    assert all(len(set(part)) == 1 for part in np.split(static.action, 3))  # may change between seeds
    assert np.abs(static.value).max() < 100


def test_clairvoyant_chooses_on_one_half_and_pays_on_the_other():
    rng = np.random.default_rng(5)
    rewards, cost = rng.normal(size=(5, 2, 4)), 0.4
    seeds = np.array([1, 1, 1, 2, 2])
    expected = 0.0
    halves = list(balanced_halves(4))
    for choose, score in halves:
        for rows in (slice(0, 3), slice(3, 5)):
            chosen, scored = (rewards[rows][:, :, half].mean(2) for half in (choose, score))
            path = max(product(range(2), repeat=len(chosen)), key=lambda p: _value(chosen, p, cost))
            expected += _value(scored, path, cost)
    assert clairvoyant(rewards, seeds, cost).value.sum() == pytest.approx(expected / len(halves))


def test_pure_noise_is_worth_nothing_to_the_clairvoyant():
    rewards = np.random.default_rng(6).normal(size=(2000, 5, 4))
    assert abs(clairvoyant(rewards, np.repeat(np.arange(100), 20), 0.0).value.mean()) < 0.05


@pytest.mark.parametrize(
    ("rewards", "seeds", "cost", "what"),
    [
        (np.zeros((4, 2, 3)), np.zeros(4, int), 0.1, "even number"),
        (np.zeros((4, 2, 4)), np.zeros(3, int), 0.1, "want seeds"),
        (np.zeros((4, 2, 4)), np.array([0, 1, 0, 1]), 0.1, "neighbours"),
        (np.zeros((4, 2, 4)), np.zeros(4, int), -0.1, "switching_cost"),
        (np.full((4, 2, 4), np.nan), np.zeros(4, int), 0.1, "finite"),
    ],
)
def test_clairvoyant_refuses_what_does_not_fit(rewards, seeds, cost, what):
    with pytest.raises(ValueError, match=what):
        clairvoyant(rewards, seeds, cost)
