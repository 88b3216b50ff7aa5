"""Channel model and imagined environments."""

import json
from dataclasses import replace

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from pyagent.errors import DamagedFileError
from pyagent.surrogate import ChannelModel, ImaginedEnv, ImaginedVecEnv

from .world import COMPOSER, ENCODER, LAYERS, PREVIOUS, SNR, SPLITS, collect, imagined_model


@pytest.fixture(scope="module")
def model():
    return imagined_model(500, 200, horizon=10)


def test_channel_matches_held_out_transitions(model):
    batch, following, _ = collect(2, 2000)
    drawn = model.channel.sample(batch.contexts, batch.actions, np.random.default_rng(0))
    assert drawn.dtype == np.float32
    assert ((drawn >= 0) & (drawn <= 1)).all()
    # AR(1): the change regresses on the state with slope 0.92 - 1 (less where it was clipped).
    slope = np.polyfit(batch.contexts[:, SNR], drawn[:, SNR], 1)[0]
    true_slope = np.polyfit(batch.contexts[:, SNR], following[:, SNR], 1)[0]
    assert slope == pytest.approx(true_slope, abs=0.06)
    residual = (drawn - batch.contexts)[:, SNR].std()
    assert residual == pytest.approx((following - batch.contexts)[:, SNR].std(), rel=0.15)
    # Feature 2 is a fresh uniform draw every time.
    assert abs(np.corrcoef(batch.contexts[:, 2], drawn[:, 2])[0, 1]) < 0.1
    assert drawn[:, 2].std() == pytest.approx(12**-0.5, rel=0.1)


def test_channel_follows_the_action(model):
    batch, _, _ = collect(2, 500)
    drawn = model.channel.sample(batch.contexts, batch.actions, np.random.default_rng(0))
    truth = np.asarray(SPLITS)[batch.actions] / LAYERS
    np.testing.assert_allclose(drawn[:, PREVIOUS], truth, atol=0.02)


def test_channel_is_deterministic_and_survives_disk(model, tmp_path):
    batch, _, _ = collect(2, 50)
    model.channel.save(tmp_path)
    restored = ChannelModel.load(tmp_path)
    draws = [
        c.sample(batch.contexts, batch.actions, np.random.default_rng(s)).tobytes()
        for c, s in ((model.channel, 1), (model.channel, 1), (restored, 1), (restored, 2))
    ]
    assert draws[0] == draws[1] == draws[2] != draws[3]


@pytest.mark.parametrize(
    ("field", "value"), [("neighbours", 2.5), ("max_transitions", True), ("previous_split", 1.0)]
)
def test_a_channel_file_with_no_whole_number_is_refused(model, tmp_path, field, value):
    model.channel.save(tmp_path)
    about = json.loads((tmp_path / "channel.json").read_text())
    (tmp_path / "channel.json").write_text(json.dumps(about | {field: value}))
    with pytest.raises(DamagedFileError, match=f"{field} = {value}; valid: a whole number"):
        ChannelModel.load(tmp_path)


def test_channel_before_fit_says_so():
    with pytest.raises(RuntimeError, match="before fit"):
        ChannelModel(ENCODER).sample(
            np.zeros((1, 5), np.float32), np.zeros(1, np.int64), np.random.default_rng(0)
        )


def test_gym_view_passes_the_checkers(model):
    check_env(ImaginedEnv(model), skip_render_check=True)
    sb3_check_env(ImaginedEnv(model))


def test_gym_view_truncates_at_the_horizon(model):
    env = ImaginedEnv(model)
    env.reset(seed=0)
    ends = [env.step(k % len(SPLITS))[2:4] for k in range(10)]
    assert ends == [(False, False)] * 9 + [(False, True)]


def test_vec_env_episodes_and_determinism(model):
    histories = []
    for _ in range(2):
        env = ImaginedVecEnv(model, 7, seed=3)
        observations, rewards, ends = [env.reset()], [], []
        for k in range(40):
            following, reward, done, infos = env.step(np.full(7, k % len(SPLITS)))
            observations.append(following)
            rewards.append(reward)
            ends.append(done)
            for i in np.flatnonzero(done):
                assert infos[i]["TimeLimit.truncated"]
                assert infos[i]["terminal_observation"].shape == following[i].shape
                assert (infos[i]["terminal_observation"] != following[i]).any()
        histories.append(np.concatenate([np.ravel(observations), np.ravel(rewards)]))
    assert histories[0].tobytes() == histories[1].tobytes()
    gaps = [np.diff(np.flatnonzero(column)) for column in np.array(ends).T]
    assert all((gap == 10).all() and len(gap) for gap in gaps)
    assert (np.array(rewards) <= 0).all()
    assert np.isin(observations[0], model.start_contexts).all()


def test_vec_env_seed_restarts_the_same_world(model):
    env = ImaginedVecEnv(model, 4, seed=0)
    env.seed(11)
    first = env.reset()
    env.step(np.zeros(4, int))
    env.seed(11)
    np.testing.assert_array_equal(env.reset(), first)


def test_imagined_rewards_match_the_truth_on_average(model):
    batch, _, tables = collect(2, 800)
    rows = np.tile(np.arange(800), 5)
    rng = np.random.default_rng(0)
    _, rewards, _ = model.advance(
        batch.contexts[rows], batch.actions[rows], rng.integers(0, 5, len(rows)), rng
    )
    imagined = rewards.reshape(5, 800).mean(0)
    truth = tables[np.arange(800), batch.actions]
    assert imagined.mean() == pytest.approx(truth.mean(), abs=0.15)
    for a in range(len(SPLITS)):
        chosen = batch.actions == a
        assert imagined[chosen].mean() == pytest.approx(truth[chosen].mean(), abs=0.3), SPLITS[a]


def test_pessimism_lowers_rewards_by_the_members_disagreement(model):
    batch, _, _ = collect(2, 100)
    member = np.zeros(100, np.int64)
    plain, careful = (
        replace(model, pessimism=p).advance(batch.contexts, batch.actions, member, np.random.default_rng(0))[
            1
        ]
        for p in (0.0, 2.0)
    )
    means = model.surrogate.predict(batch.contexts, ENCODER.encode(batch.actions)).member_means
    spread = np.array([COMPOSER.rewards(batch.contexts, batch.actions, m) for m in means]).std(0)
    np.testing.assert_allclose(plain - careful, 2 * spread, rtol=1e-6, atol=1e-9)
