"""Imagined against real trajectories on the synthetic cell: right models are borne out, wrong ones caught."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pyagent.surrogate import Batch, ChannelModel, ImaginedModel
from pyagent.surrogate.trajectories import (
    MAX_STARTS,
    OUTCOMES,
    RealEpisode,
    TrackedFeature,
    crps,
    imagine_episode,
    lead_skill,
)

from .world import COMPOSER, ENCODER, SNR, SPLITS, World, make_surrogate

HORIZON, DRAWS = 6, 60
TRACKED = (
    TrackedFeature("snr_db", SNR, lambda share: 40 * share - 10),
    TrackedFeature("prompt_tokens", 2, lambda share: 512 * share),
)


def play(seed, decisions=40):
    world, rng = World(seed), np.random.default_rng([seed, 6])
    contexts, actions, outcomes = [], rng.integers(0, len(SPLITS), decisions), []
    for action in actions:
        contexts.append(world.context.copy())
        outcomes.append(world.outcome(world.context, int(action)))
        world.advance(int(action))
    contexts, outcomes = np.array(contexts), np.array(outcomes)
    rewards = np.array(
        [
            COMPOSER.rewards(c[None], a[None], o[None])[0]
            for c, a, o in zip(contexts, actions, outcomes, strict=True)
        ]
    )
    return RealEpisode(seed, contexts, actions, outcomes, rewards)


@pytest.fixture(scope="module")
def seen():
    return [play(seed) for seed in range(25)]


@pytest.fixture(scope="module")
def unseen():
    return [play(seed) for seed in range(100, 115)]


def transitions(episodes):
    return (
        np.concatenate([e.contexts[:-1] for e in episodes]),
        np.concatenate([e.actions[:-1] for e in episodes]),
        np.concatenate([e.contexts[1:] for e in episodes]),
    )


@pytest.fixture(scope="module")
def model(seen):
    surrogate = make_surrogate(0, half_life=math.inf)
    contexts, actions, outcomes = (
        np.concatenate([getattr(e, name) for e in seen]) for name in ("contexts", "actions", "outcomes")
    )
    surrogate.update(Batch(contexts, actions, outcomes), 250)
    channel = ChannelModel(ENCODER)
    channel.fit(*transitions(seen))
    return ImaginedModel(surrogate, channel, ENCODER, COMPOSER, contexts)


@pytest.fixture(scope="module")
def skills(model, unseen, seen):
    return lead_skill(model, unseen, seen, TRACKED, horizon=HORIZON, draws=DRAWS)


def test_a_right_model_is_calibrated(skills):
    assert list(skills) == ["snr_db", "prompt_tokens", *OUTCOMES]
    for name, skill in skills.items():
        assert skill.coverage_90.mean() == pytest.approx(0.9, abs=0.08), name
        assert skill.coverage_50.mean() == pytest.approx(0.5, abs=0.12), name


def test_leads_of_features_begin_at_1_and_those_of_outcomes_at_0(skills):
    assert skills["snr_db"].leads.tolist() == list(range(1, HORIZON + 1))
    assert skills["latency_s"].leads.tolist() == list(range(HORIZON + 1))
    for skill in skills.values():
        assert {len(v) for v in vars(skill).values()} == {len(skill.leads)}


def test_what_lasts_can_be_foreseen_and_what_is_drawn_afresh_cannot(skills):
    snr, prompt = skills["snr_db"], skills["prompt_tokens"]
    assert snr.skill[0] > 0.3  # one step of an AR(1) of 0.92
    assert snr.skill[0] > snr.skill[-1] + 0.1
    assert snr.horizon is None or snr.horizon > 2
    assert prompt.horizon == 1
    assert abs(prompt.skill).max() < 0.15
    # At lead 0 the context is known and only the surrogate is asked.
    assert skills["latency_s"].skill[0] > skills["latency_s"].skill[4]
    assert skills["latency_s"].skill[0] > 0.15


def test_a_channel_that_moves_in_another_way_is_caught(model, seen, unseen, skills):
    contexts, actions, following = transitions(seen)
    still = ChannelModel(ENCODER)
    still.fit(contexts, actions, contexts + 0.1 * (following - contexts))
    wrong = lead_skill(replace(model, channel=still), unseen, seen, TRACKED, horizon=HORIZON, draws=DRAWS)[
        "snr_db"
    ]
    assert wrong.coverage_90.mean() < 0.4
    assert (wrong.skill < skills["snr_db"].skill).all()


def test_a_surrogate_of_another_world_is_caught(model, seen, unseen, skills):
    def turned(episode):
        return replace(episode, actions=len(SPLITS) - 1 - episode.actions)

    surrogate = make_surrogate(0, half_life=math.inf)
    other = [turned(episode) for episode in seen]
    batch = Batch(
        *(np.concatenate([getattr(e, n) for e in other]) for n in ("contexts", "actions", "outcomes"))
    )
    surrogate.update(batch, 250)
    wrong = lead_skill(replace(model, surrogate=surrogate), unseen, seen, TRACKED, horizon=2, draws=DRAWS)
    for name in ("latency_s", "ue_energy_j"):
        assert wrong[name].coverage_90[0] < 0.6, name
        assert wrong[name].skill[0] < 0, name
        assert wrong[name].horizon == 0, name
    # Energy depends on the action alone, so only the context-dependent one can beat its own marginal.
    assert skills["latency_s"].horizon != 0


def test_bands_of_an_episode(model, unseen):
    bands = imagine_episode(model, unseen[0], TRACKED, draws=200)
    snr = bands["snr_db"]
    assert (snr.imagined.shape, snr.real.shape) == ((5, 40), (40,))
    np.testing.assert_allclose(snr.real, 40 * unseen[0].contexts[:, SNR] - 10, rtol=1e-6)
    np.testing.assert_allclose(snr.imagined[:, 0], snr.real[0], rtol=1e-6)  # it begins at the real context
    width = snr.imagined[4] - snr.imagined[0]
    assert width[1] < width[5] < 1.2 * width[20]
    assert all((np.diff(b.imagined, axis=0) >= 0).all() for b in bands.values())
    assert all(b.coverage(0.9) >= b.coverage(0.5) for b in bands.values())
    again = imagine_episode(model, unseen[0], TRACKED, draws=200)
    assert all((again[name].imagined == bands[name].imagined).all() for name in bands)
    assert (
        imagine_episode(model, unseen[0], TRACKED, draws=200, seed=1)["snr_db"].imagined != snr.imagined
    ).any()


def test_bands_hold_90_percent_of_many_episodes(model, unseen):
    found = [imagine_episode(model, episode, TRACKED, draws=DRAWS) for episode in unseen]
    for name in ("snr_db", "latency_s", "reward"):
        assert np.mean([bands[name].coverage(0.9) for bands in found]) == pytest.approx(0.9, abs=0.09), name


def test_imagination_is_not_pessimistic_when_compared(model, unseen):
    plain = imagine_episode(model, unseen[0], TRACKED, draws=20)["reward"].imagined
    careful = imagine_episode(replace(model, pessimism=3.0), unseen[0], TRACKED, draws=20)["reward"].imagined
    np.testing.assert_array_equal(plain, careful)


def test_what_was_not_measured_is_left_out(model, unseen, seen):
    def holed(episode, every):
        outcomes, rewards = episode.outcomes.copy(), episode.rewards.copy()
        outcomes[::every, 1] = rewards[::every] = np.nan
        return replace(episode, outcomes=outcomes, rewards=rewards)

    some = [holed(e, 2) for e in unseen]
    skills = lead_skill(model, some, [holed(e, 3) for e in seen], TRACKED, horizon=2, draws=50)
    for name in ("delta_nll", "reward"):
        assert np.isfinite(skills[name].skill).all()
        assert skills[name].coverage_90.min() > 0.6
    none = lead_skill(model, [holed(e, 1) for e in unseen], seen, TRACKED, horizon=2, draws=50)["delta_nll"]
    assert np.isnan(none.skill).all()
    assert none.horizon == 0
    bands = imagine_episode(model, holed(unseen[0], 1), TRACKED, draws=50)
    assert math.isnan(bands["delta_nll"].coverage(0.9))


def test_crps_by_its_definition():
    rng = np.random.default_rng(0)
    draws, observed = rng.normal(size=(7, 3)), rng.normal(size=3)
    pairs = np.abs(draws[:, None] - draws[None]).sum((0, 1)) / (7 * 6)
    expected = np.abs(draws - observed).mean(0) - pairs / 2
    np.testing.assert_allclose(crps(draws, observed), expected)
    # Fair: for any number of draws its mean is that of the normal distribution, 2 phi(0) - 1 / sqrt(pi).
    for count in (2, 50):
        mean = crps(rng.normal(size=(count, 40_000)), np.zeros(40_000)).mean()
        assert mean == pytest.approx(2 * 0.398942 - math.pi**-0.5, abs=0.01)


def test_beginnings_are_spread_over_everything_and_bounded(unseen):
    from pyagent.surrogate.trajectories import _starts

    starts = _starts(unseen, HORIZON)
    assert len(starts) == len(set(starts)) == MAX_STARTS
    assert {e for e, _ in starts} == set(range(len(unseen)))
    assert all(t + HORIZON < 40 for _, t in starts)
    seeds = [unseen[e].seed for e, _ in starts]
    assert all(a <= b for a, b in pairwise(seeds))


def test_what_cannot_be_compared_is_said(model, unseen, seen):
    with pytest.raises(ValueError, match=r"horizon = 40; the longest has 40 decisions"):
        lead_skill(model, unseen, seen, TRACKED, horizon=40)
    with pytest.raises(ValueError, match="got 0 and 200"):
        lead_skill(model, unseen, seen, TRACKED, horizon=0)
    with pytest.raises(ValueError, match="an episode at least"):
        lead_skill(model, unseen, [], TRACKED, horizon=2, draws=10)
    with pytest.raises(ValueError, match="T >= 1"):
        replace(unseen[0], rewards=np.zeros(3))
