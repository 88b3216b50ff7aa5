"""Neurosurgeon against arithmetic, the planner against exhaustive enumeration."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from llm_split.roofline import ComputeTables
from pyagent.envs.observation import NAMES, normalise
from pyagent.policies import (
    Link,
    NeurosurgeonPolicy,
    PlannerPolicy,
    Policy,
    RandomPolicy,
    SurrogateArgmaxPolicy,
)
from pyagent.scenario.compile import deploy
from tests.conftest import small_scenario

from .world import COMPOSER, ENCODER, SPLITS, collect, imagined_model

S = len(SPLITS)
POWER_W = 5.0


@pytest.fixture(scope="module")
def deployment():
    """4 blocks at splits 1, 2, 4; a token takes 100 bytes; the UE is ten times slower than the edge."""
    real = deploy(small_scenario())

    def tables(block_s):
        return ComputeTables([0.0] + [block_s] * 512, [0.0] + [block_s] * 600, 0.0, block_s)

    return replace(
        real,
        shape=real.shape.model_copy(update={"num_layers": 4}),
        splits=(1, 2, 4),
        ue_device=real.ue_device.model_copy(update={"compute_power_w": POWER_W}),
        ue=tables(0.010),
        edge=tables(0.001),
        fragment_bytes=(60, 40),
    )


def context_of(rate_mbps, prompt=10, output=5):
    values = {"phy_rate_mbps": rate_mbps, "prompt_tokens": prompt, "output_tokens": output}
    return normalise([values.get(name, 0.0) for name in NAMES], 4)


def by_hand(split, prompt, output, seconds_per_token):
    """All blocks cost the same at every length: a call of the UE's blocks 10 ms, of the edge's 1 ms."""
    if split == 4:
        return output * (4 + 1) * 0.010, output * (4 + 1) * 0.010 * POWER_W
    sending_s = (prompt + output - 1) * seconds_per_token
    return output * (split * 0.010 + (4 - split + 1) * 0.001) + sending_s, (
        output * split * 0.010 * POWER_W + sending_s * 2.0
    )


@pytest.mark.parametrize("rate_mbps", [0.05, 1.0, 40.0])
def test_neurosurgeon_predicts_what_arithmetic_says(deployment, rate_mbps):
    policy = NeurosurgeonPolicy(deployment, Link(0.5, 2.0, 1.0))
    assert isinstance(policy, Policy)
    predicted = policy.predict(context_of(rate_mbps))
    expected = [by_hand(split, 10, 5, 800 / (0.5e6 * rate_mbps)) for split in (1, 2, 4)]
    np.testing.assert_allclose(predicted, expected, rtol=1e-4)


def test_neurosurgeon_stays_local_on_a_slow_link_and_offloads_on_a_fast_one(deployment):
    for objective in ("latency", "energy"):
        policy = NeurosurgeonPolicy(deployment, Link(0.5, 2.0, 1.0), objective=objective)
        assert policy.act(context_of(0.02)) == 2
        assert policy.act(context_of(100.0)) == 0
        assert policy.act(context_of(100.0), np.array([False, True, True])) == 1
    # Before anything was sent the usual rate counts, or it would stay local for ever.
    assert NeurosurgeonPolicy(deployment, Link(0.5, 2.0, 50.0)).act(context_of(0.0)) == 0
    assert NeurosurgeonPolicy(deployment, Link(0.5, 2.0, 0.02)).act(context_of(0.0)) == 2


def test_neurosurgeon_fits_efficiency_and_radio_power(deployment):
    rng = np.random.default_rng(0)
    contexts, actions, outcomes = [], [], []
    for k in range(60):
        rate_mbps, prompt, output = (
            rng.uniform(0.2, 100),
            int(rng.integers(16, 500)),
            int(rng.integers(8, 60)),
        )
        action = k % 3
        latency_s, energy_j = by_hand((1, 2, 4)[action], prompt, output, 800 / (0.4e6 * rate_mbps))
        failed = k % 10 == 0
        contexts.append(context_of(rate_mbps if k % 7 else 0.0, prompt, output))
        actions.append(action)
        outcomes.append([99.0, np.nan, 99.0, 1.0] if failed else [latency_s, np.nan, energy_j, 0.0])
    link = Link.fit(deployment, np.array(contexts), np.array(actions), np.array(outcomes))
    assert link.efficiency == pytest.approx(0.4, rel=1e-3)
    assert link.radio_power_w == pytest.approx(2.0, rel=1e-3)


def test_neurosurgeon_stays_local_where_nothing_got_through_in_tuning(deployment):
    contexts = np.array([context_of(rate_mbps) for rate_mbps in (0.0, 10.0)])
    link = Link.fit(deployment, contexts, np.array([0, 1]), np.array([[99.0, np.nan, 99.0, 1.0]] * 2))
    policy = NeurosurgeonPolicy(deployment, link)
    assert [policy.act(context_of(rate_mbps)) for rate_mbps in (0.0, 100.0)] == [2, 2]
    assert policy.act(context_of(100.0), np.array([True, True, False])) in (0, 1)


@pytest.fixture(scope="module")
def model():
    found = imagined_model(400, 300)
    found.surrogate.freeze()
    return found


def test_plans_equal_exhaustive_enumeration(model):
    context, samples = collect(2, 5)[0].contexts[3], 3
    planner = PlannerPolicy(model, horizon=3, samples=samples, seed=7)
    values = {}
    for sequence in product(range(S), repeat=3):
        contexts, total = np.repeat(context[None], samples, 0), 0.0
        for step, action in enumerate(sequence):
            actions = np.full(samples, action)
            means = model.surrogate.predict(contexts, ENCODER.encode(actions)).member_means
            total += np.mean([COMPOSER.rewards(contexts, actions, m) for m in means])
            contexts = model.channel.sample(contexts, actions, np.random.default_rng([7, 0, step]))
        values[sequence] = total
    found = planner.values(context, np.arange(S))
    np.testing.assert_allclose([found[s] for s in values], list(values.values()), rtol=1e-5)
    assert planner.act(context) == max(values, key=values.get)[0]


def test_a_horizon_of_one_is_the_greedy_argmax(model):
    greedy = SurrogateArgmaxPolicy(model.surrogate, ENCODER, COMPOSER, mode="greedy")
    planner = PlannerPolicy(model, horizon=1, samples=1)
    assert all(planner.act(c) == greedy.act(c) for c in collect(2, 60)[0].contexts)


def test_planner_beats_random_follows_seed_and_mask(model):
    batch, _, tables = collect(2, 150)

    def play(seed):
        planner = PlannerPolicy(model, samples=4)
        planner.reset(seed)
        return [planner.act(c) for c in batch.contexts]

    assert play(1) == play(1)
    random = RandomPolicy(SPLITS)
    rows = np.arange(150)
    reached, chance = (
        tables[rows, play(0)].mean(),
        tables[rows, [random.act(c) for c in batch.contexts]].mean(),
    )
    assert reached > chance + 0.75 * (tables.max(1).mean() - chance)
    planner = PlannerPolicy(model, samples=2)
    for only in range(S):
        assert planner.act(batch.contexts[0], np.arange(S) == only) == only
    with pytest.raises(ValueError, match="no action"):
        planner.act(batch.contexts[0], np.zeros(S, bool))
