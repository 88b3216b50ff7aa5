"""Policies: the simple ones exactly, the learning ones against the truth of a synthetic cell."""

import math
import random
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from pyagent.policies import (
    AllLocalPolicy,
    BestStaticPolicy,
    MinSplitPolicy,
    Policy,
    PpoImaginationPolicy,
    PpoSettings,
    RandomPolicy,
    SurrogateArgmaxPolicy,
    ThresholdPolicy,
)
from pyagent.reward import RewardWeights
from pyagent.surrogate import ChannelModel, ImaginedModel

from .world import COMPOSER, ENCODER, LAYERS, SNR, SPLITS, D, collect, make_surrogate

S = len(SPLITS)
NOWHERE = np.zeros(D, np.float32)


@pytest.fixture(scope="module")
def trained():
    surrogate = make_surrogate(0, half_life=math.inf)
    surrogate.update(collect(1, 600)[0], 400)
    surrogate.freeze()
    return surrogate


@pytest.fixture(scope="module")
def imagined(trained):
    batch, following, _ = collect(1, 600)
    channel = ChannelModel(ENCODER)
    channel.fit(batch.contexts, batch.actions, following)
    return ImaginedModel(trained, channel, ENCODER, COMPOSER, batch.contexts)


@pytest.fixture(scope="module")
def ppo(imagined):
    return PpoImaginationPolicy.train(imagined, seed=0)


def score(policy, seed=2, decisions=1000):
    """Mean expected reward on contexts that nothing was tuned on."""
    batch, _, tables = collect(seed, decisions)
    policy.reset(0)
    return np.mean([tables[k, policy.act(batch.contexts[k])] for k in range(decisions)])


def test_all_follow_the_protocol_and_respect_masks(trained, ppo):
    table = collect(1, 50)
    policies = [
        RandomPolicy(SPLITS),
        AllLocalPolicy(SPLITS, LAYERS),
        MinSplitPolicy(SPLITS),
        BestStaticPolicy.tune(table[2]),
        ThresholdPolicy.tune(table[0].contexts, table[2], SNR),
        SurrogateArgmaxPolicy(trained, ENCODER, COMPOSER),
        SurrogateArgmaxPolicy(make_surrogate(0), ENCODER, COMPOSER),
        ppo,
    ]
    assert len({p.name for p in policies}) == len(policies) - 1
    for policy in policies:
        assert isinstance(policy, Policy)
        policy.reset(1)
        for only in range(S):
            assert policy.act(NOWHERE, np.arange(S) == only) == only, policy.name
        with pytest.raises(ValueError, match="no action"):
            policy.act(NOWHERE, np.zeros(S, bool))


def test_static_policies():
    assert AllLocalPolicy(SPLITS, LAYERS).act(NOWHERE) == S - 1
    assert MinSplitPolicy(SPLITS).act(NOWHERE) == 0
    with pytest.raises(ValueError, match="all-local"):
        AllLocalPolicy((1, 8), LAYERS)
    rewards = np.zeros((3, 4, 2))
    rewards[:, 2] = [[1, 0], [-1, 2], [1, 1]]
    assert BestStaticPolicy.tune(rewards).act(NOWHERE) == 2


def test_random_is_uniform_over_the_mask_and_reset_repeats_it():
    policy, mask = RandomPolicy(SPLITS), np.array([True, False, True, True, False])
    runs = []
    for _ in range(2):
        policy.reset(9)
        runs.append([policy.act(NOWHERE, mask) for _ in range(3000)])
    assert runs[0] == runs[1]
    np.testing.assert_allclose(
        np.bincount(runs[0], minlength=S) / 3000, [1 / 3, 0, 1 / 3, 1 / 3, 0], atol=0.04
    )


def test_threshold_tuning_equals_exhaustive_search():
    rng = np.random.default_rng(0)
    for _ in range(20):
        contexts = rng.integers(0, 6, (15, 2)).astype(np.float32)  # with ties
        rewards = rng.normal(size=(15, 3))
        tuned = ThresholdPolicy.tune(contexts, rewards, 1)
        reached = np.mean([rewards[k, tuned.act(c)] for k, c in enumerate(contexts)])
        best = max(
            np.where(contexts[:, 1] < t, rewards[:, a], rewards[:, b]).mean()
            for t, a, b in product(np.arange(-0.5, 7), range(3), range(3))
        )
        assert reached == pytest.approx(best)


def test_threshold_tuning_takes_the_feature_that_tells_most_and_the_first_of_equals():
    rng = np.random.default_rng(1)
    contexts = rng.random((40, 4)).astype(np.float32)
    contexts[:, 3] = contexts[:, 2]
    good = contexts[:, 2] > 0.4
    rewards = np.stack([np.where(good, 0.0, 1.0), np.where(good, 1.0, 0.0)], axis=1)
    tuned = ThresholdPolicy.tune(contexts, rewards, 0, 1, 2, 3)
    assert tuned.feature == 2
    assert [tuned.act(context) for context in contexts] == good.astype(int).tolist()


def test_warmup_tries_every_action_equally():
    policy = SurrogateArgmaxPolicy(make_surrogate(0), ENCODER, COMPOSER, warmup_rounds=3)
    batch = collect(1, 3 * S)[0]
    tried = []
    for context, outcome in zip(batch.contexts, batch.outcomes, strict=True):
        tried.append(policy.act(context))
        policy.observe(context, tried[-1], outcome)
    assert np.bincount(tried).tolist() == [3] * S


def test_surrogate_argmax_is_close_to_the_oracle(trained):
    tables = collect(2, 1000)[2]
    oracle, static = tables.max(1).mean(), tables.mean(0).max()
    for mode in ("greedy", "thompson"):
        reached = score(SurrogateArgmaxPolicy(trained, ENCODER, COMPOSER, mode=mode))
        assert reached > static + 0.8 * (oracle - static), mode


def test_new_weights_need_no_retraining(trained):
    """The same frozen surrogate serves other prices at once, and serves them well."""
    contexts = collect(2, 300)[0].contexts
    contexts = contexts[contexts[:, SNR] < 0.8]  # on a perfect link all splits are equally safe
    only_energy = RewardWeights(quality=0, latency=0, energy=1, load=0, failure=0, switching=0)
    only_safety = RewardWeights(quality=1, latency=0, energy=0, load=0, failure=1, switching=0)
    policy = SurrogateArgmaxPolicy(trained, ENCODER, COMPOSER, mode="greedy")
    choices = {}
    for name, weights in (("energy", only_energy), ("safety", only_safety)):
        policy.composer = COMPOSER.with_weights(weights)
        choices[name] = np.array([policy.act(c) for c in contexts])
    assert (choices["energy"] == 0).mean() > 0.95  # the fewest blocks on the UE
    assert (choices["safety"] == S - 1).mean() > 0.95  # nothing is sent, nothing is lost


def test_thompson_explores_where_members_disagree_and_reset_repeats_it():
    surrogate = make_surrogate(0)
    surrogate.update(collect(1, 2 * S)[0], 20)
    surrogate.freeze()
    policy = SurrogateArgmaxPolicy(surrogate, ENCODER, COMPOSER)
    contexts = collect(3, 60)[0].contexts
    runs = []
    for _ in range(2):
        policy.reset(5)
        runs.append([policy.act(c) for c in contexts])
    assert runs[0] == runs[1]
    best = np.array([policy.scores(c).argmax(1) for c in contexts])  # (K, M)
    assert (best[:, :1] != best).any()
    assert all(a in row for a, row in zip(runs[0], best, strict=True))
    assert len({tuple(row == a) for a, row in zip(runs[0], best, strict=True)}) > 1


def test_ppo_in_imagination_beats_random_and_best_static(ppo):
    train_tables, test_tables = collect(1, 600)[2], collect(2, 1000)[2]
    static = score(BestStaticPolicy.tune(train_tables))
    oracle = test_tables.max(1).mean()
    reached = score(ppo)
    assert reached > score(RandomPolicy(SPLITS))
    assert reached > static + 0.7 * (oracle - static)


def test_ppo_trains_to_the_same_bits_and_leaves_global_state_alone(imagined):
    quick = PpoSettings(total_steps=2048)
    contexts = collect(2, 50)[0].contexts
    results, fractions = [], []
    for seed in (1, 1, 2):
        torch.manual_seed(len(results))
        np.random.seed(len(results))
        random.seed(len(results))
        before = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())
        policy = PpoImaginationPolicy.train(imagined, seed=seed, settings=quick, progress=fractions.append)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1] == before[1]).all()
        assert random.getstate() == before[2]
        results.append(np.array([policy.probabilities(c) for c in contexts]))
    assert results[0].tobytes() == results[1].tobytes() != results[2].tobytes()
    assert fractions == [0.5, 1.0] * 3


def test_ppo_save_and_load(ppo, tmp_path):
    ppo.save(tmp_path)
    restored = PpoImaginationPolicy.load(tmp_path)
    for context in collect(2, 20)[0].contexts:
        np.testing.assert_array_equal(restored.probabilities(context), ppo.probabilities(context))


def test_mismatched_splits_are_refused(imagined):
    with pytest.raises(ValueError, match="differ"):
        replace(imagined, composer=replace(COMPOSER, splits=(1, 2)))
