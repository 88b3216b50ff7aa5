"""A synthetic cell with known truth: AR(1) contexts, outcomes with noise around a known function."""

import math
from dataclasses import dataclass

import numpy as np

from pyagent.reward import RewardComposer, RewardContext, RewardWeights, feature_decoder
from pyagent.surrogate import (
    ActionEncoder,
    Batch,
    ChannelModel,
    ComponentScales,
    EnsembleSettings,
    EnsembleSurrogate,
    ImaginedModel,
)

SPLITS = (1, 8, 16, 24, 32)
LAYERS = 32
D = 5  # snr, load, prompt, output, previous split
SNR, PREVIOUS = 0, 4
DEADLINE_S = 6.0
CLIP = 3.0
ALL_LOCAL_J = 10.0
SENSITIVITY = np.array([1.0, 0.5, 0.9, 0.3, 0.0])  # not monotone, like real models

REWARD = RewardContext(slo_s=2.0, delta_nll_clip=CLIP, num_layers=LAYERS)
ENCODER = ActionEncoder(SPLITS, LAYERS)
SCALES = ComponentScales.from_reward(REWARD, deadline_s=DEADLINE_S, ue_energy_all_local_j=ALL_LOCAL_J)
COMPOSER = RewardComposer(
    weights=RewardWeights(),
    context=REWARD,
    splits=SPLITS,
    previous_split=feature_decoder(PREVIOUS, 0.0, LAYERS),
    ue_energy_all_local_j=lambda contexts: np.full(len(contexts), ALL_LOCAL_J),
)


def make_surrogate(seed: int, **settings) -> EnsembleSurrogate:
    return EnsembleSurrogate(D, ENCODER, SCALES, seed=seed, settings=EnsembleSettings(**settings))


@dataclass
class World:
    """AR(1) contexts; after ``change_at`` the splits behave in reverse order."""

    seed: int
    change_at: int = 10**9

    def __post_init__(self):
        self.rng = np.random.default_rng([self.seed, 77])
        self.time = 0
        self.context = self.rng.random(D).astype(np.float32)

    def answered(self, contexts, actions, time):
        """Mean latency, quality loss and energy of answered requests, and the failure probability."""
        role = np.where(np.asarray(time) >= self.change_at, len(SPLITS) - 1 - actions, actions)
        snr, load, prompt = contexts[:, 0], contexts[:, 1], contexts[:, 2]
        depth = np.asarray(SPLITS)[role] / LAYERS
        sends = depth < 1
        latency = (2.2 * depth + (1 - depth) * (0.3 + 0.6 * load)) * (0.7 + 0.6 * prompt)
        latency = latency + sends * 0.12 / (snr + 0.15)
        quality = sends * SENSITIVITY[role] * 1.6 * (1 - snr) ** 2
        energy = 1.0 + 9.0 * depth
        failure = sends * 0.6 / (1 + np.exp(16 * (snr - 0.25)))
        return latency, quality, energy, failure

    def expected_rewards(self, context, time):
        """Exact expected reward of every action [S]."""
        actions = ENCODER.all_actions()
        contexts = np.repeat(context[None], len(actions), 0)
        latency, quality, energy, p = self.answered(contexts, actions, time)
        mean = np.stack([(1 - p) * latency + p * DEADLINE_S, (1 - p) * quality + p * CLIP, energy, p], 1)
        return COMPOSER.rewards(contexts, actions, mean)

    def outcome(self, context, action):
        latency, quality, energy, p = (
            float(v[0]) for v in self.answered(context[None], np.array([action]), self.time)
        )
        noise = self.rng.uniform(0.8, 1.2, 3)
        failed = self.rng.random() < p
        return np.array(
            [
                DEADLINE_S if failed else latency * noise[0],
                CLIP if failed else quality * noise[1],
                energy * noise[2],
                float(failed),
            ]
        )

    def advance(self, action):
        steps = self.rng.normal(0, [0.12, 0.1, 1, 1, 0])
        following = self.context + steps
        following[:2] = 0.5 + 0.92 * (self.context[:2] - 0.5) + steps[:2]
        following[2:4] = self.rng.random(2)
        following[PREVIOUS] = SPLITS[action] / LAYERS
        self.context = np.clip(following, 0, 1).astype(np.float32)
        self.time += 1


def run(world, policy, decisions):
    """Plays ``decisions``; returns the regret of each against the best expected reward, and the rewards."""
    regrets, rewards = np.zeros(decisions), np.zeros(decisions)
    for k in range(decisions):
        context = world.context.copy()
        action = policy.act(context)
        values = world.expected_rewards(context, world.time)
        regrets[k], rewards[k] = values.max() - values[action], values[action]
        policy.observe(context, action, world.outcome(context, action))
        world.advance(action)
    return regrets, rewards


def collect(seed, decisions):
    """Random behaviour: a batch, the contexts after each decision, and the expected rewards [K, S]."""
    world, rng = World(seed), np.random.default_rng([seed, 5])
    rows = []
    for _ in range(decisions):
        context, action = world.context.copy(), int(rng.integers(len(SPLITS)))
        outcome, table = world.outcome(context, action), world.expected_rewards(context, 0)
        world.advance(action)
        rows.append((context, action, outcome, world.context.copy(), table))
    contexts, actions, outcomes, following, tables = (np.array(x) for x in zip(*rows, strict=True))
    return Batch(contexts, actions.astype(np.int64), outcomes), following, tables


def imagined_model(decisions: int, steps: int, **options) -> ImaginedModel:
    """The world as a surrogate and a channel model know it after some random decisions."""
    batch, following, _ = collect(1, decisions)
    surrogate = make_surrogate(0, half_life=math.inf)
    surrogate.update(batch, steps)
    channel = ChannelModel(ENCODER)
    channel.fit(batch.contexts, batch.actions, following)
    return ImaginedModel(surrogate, channel, ENCODER, COMPOSER, batch.contexts, **options)
