"""Policies by stable-baselines3: model-free learning, masks in imagination, and the actor that comes away."""

import random
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from pyagent.policies import ModelFreePolicy, Policy, PpoImaginationPolicy, PpoSettings, RandomPolicy
from pyagent.policies.actor import Actor
from pyagent.policies.model_free import learn
from pyagent.policies.sb3 import actor_of, isolated_torch
from pyagent.surrogate import ImaginedVecEnv

from .world import COMPOSER, SPLITS, D, World, collect, imagined_model

S = len(SPLITS)
ALGORITHMS = ("ppo", "a2c", "dqn")


class WorldEnv(gym.Env):
    """The synthetic cell as it really is, 20 decisions at a time."""

    observation_space = gym.spaces.Box(0, 1, (D,), np.float32)
    action_space = gym.spaces.Discrete(S)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.world = World(int(self.np_random.integers(2**31)))
        return self.world.context.copy(), {}

    def step(self, action):
        context = self.world.context
        outcome = self.world.outcome(context, int(action))
        reward = COMPOSER.rewards(context[None], np.array([action]), outcome[None])[0]
        self.world.advance(int(action))
        return self.world.context.copy(), float(reward), False, self.world.time >= 20, {}


def world_env():
    return DummyVecEnv([WorldEnv for _ in range(4)])


def score(policy):
    batch, _, tables = collect(2, 400)
    return np.mean([tables[k, policy.act(c)] for k, c in enumerate(batch.contexts)])


# Part of the way from random to the oracle; A2C learns little from so few decisions.
@pytest.mark.parametrize(
    ("algorithm", "total", "share"), [("ppo", 1200, 0.4), ("a2c", 2000, 0.15), ("dqn", 1000, 0.4)]
)
def test_model_free_learning_beats_random(algorithm, total, share, tmp_path):
    taken = learn(world_env(), algorithm, total, 0, snapshots=(100, 500))
    steps, policies = zip(*taken, strict=True)
    assert steps[0] == 100
    assert steps[1] == 500
    assert total <= steps[2] < total + 64
    oracle, chance = collect(2, 400)[2].max(1).mean(), score(RandomPolicy(SPLITS))
    assert score(policies[-1]) > chance + share * (oracle - chance)
    policy = policies[-1]
    assert isinstance(policy, Policy)
    assert policy.name == algorithm
    for only in range(S):
        assert policy.act(np.zeros(D, np.float32), np.arange(S) == only) == only
    policy.save(tmp_path)
    restored = ModelFreePolicy.load(tmp_path, algorithm)
    contexts = collect(2, 20)[0].contexts
    assert all(np.array_equal(restored.actor.scores(c), policy.actor.scores(c)) for c in contexts)
    assert not all(np.array_equal(policies[0].actor.scores(c), policy.actor.scores(c)) for c in contexts)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_model_free_learning_repeats_and_leaves_global_state_alone(algorithm):
    results = []
    for attempt in range(2):
        torch.manual_seed(attempt)
        np.random.seed(attempt)
        random.seed(attempt)
        before = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())
        policy = learn(world_env(), algorithm, 200, 5)[-1][1]
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1] == before[1]).all()
        assert random.getstate() == before[2]
        results.append(b"".join(w.tobytes() + b.tobytes() for w, b in policy.actor.layers))
    assert results[0] == results[1]


def test_model_free_learning_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="valid: ppo, a2c, dqn"):
        learn(world_env(), "sac", 10, 0)
    with pytest.raises(ValueError, match=">= 1"):
        learn(world_env(), "ppo", 0, 0)


@pytest.mark.parametrize("kind", [PPO, A2C, DQN])
def test_the_actor_agrees_with_stable_baselines3(kind):
    with isolated_torch():
        arch = [24, 40] if kind is DQN else {"pi": [24, 40], "vf": [8]}
        model = kind("MlpPolicy", world_env(), policy_kwargs={"net_arch": arch}, seed=1, device="cpu")
    actor = actor_of(model)
    assert (actor.context_dim, actor.actions) == (D, S)
    for context in collect(2, 30)[0].contexts:
        tensor = torch.as_tensor(context[None])
        with torch.no_grad():
            if kind is DQN:
                expected = model.policy.q_net(tensor)[0].numpy()
            else:
                expected = model.policy.get_distribution(tensor).distribution.logits[0].numpy()
        scores = actor.scores(context)
        shift = 0.0 if kind is DQN else (scores - expected).mean()  # logits are known up to a constant
        np.testing.assert_allclose(scores - shift, expected, atol=1e-5)


def test_files_of_another_format_are_refused(tmp_path):
    (tmp_path / "ppo.json").write_text('{"context_dim": 5, "actions": 5, "hidden": [64, 64]}')
    with pytest.raises(ValueError, match="format = None; valid: 2"):
        Actor.load(tmp_path, "ppo")


@pytest.fixture(scope="module")
def model():
    return imagined_model(200, 50)


def test_masked_actions_are_never_tried_in_imagination(model, monkeypatch):
    tried = []
    take = ImaginedVecEnv.step_async
    monkeypatch.setattr(ImaginedVecEnv, "step_async", lambda env, a: (tried.extend(a), take(env, a))[1])
    mask = np.array([True, False, True, True, False])
    settings = PpoSettings(total_steps=2048)
    PpoImaginationPolicy.train(replace(model, mask=mask), seed=0, settings=settings)
    assert len(tried) == 2048
    assert set(tried) == {0, 2, 3}
    tried.clear()
    PpoImaginationPolicy.train(model, seed=0, settings=settings)
    assert set(tried) == set(range(S))


def test_masks_of_imagined_environments(model):
    mask = np.array([True, False, True, True, False])
    env = ImaginedVecEnv(replace(model, mask=mask), 3, seed=0)
    assert env.has_attr("action_masks")
    assert np.array_equal(np.stack(env.env_method("action_masks")), np.tile(mask, (3, 1)))
    with pytest.raises(NotImplementedError):
        env.env_method("render")
    with pytest.raises(ValueError, match="allow something"):
        replace(model, mask=np.zeros(S, bool))
