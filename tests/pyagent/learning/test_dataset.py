"""Recorded datasets: their file, their table, and the environments that play it."""

import json
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from gymnasium.utils.env_checker import check_env

from pyagent.dataset import Dataset, DatasetError, open_dataset, shipped_dataset
from pyagent.dataset.dataset import KEY
from pyagent.dataset.record import Plan
from pyagent.envs.replay import ReplayEnv, ReplayVecEnv
from pyagent.policies import BestStaticPolicy, RandomPolicy
from pyagent.policies.base import OfflinePolicy


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset(shipped_dataset("default"))


@pytest.fixture(scope="module")
def tram() -> Dataset:
    return open_dataset(shipped_dataset("tram-replay"))


def test_shipped_datasets_are_whole_and_their_parts_share_no_seed():
    sizes = {"default": (400, 120), "factory-obstacles": (200, 40), "tram-replay": (400, 120)}
    for name, (train, test) in sizes.items():
        found = open_dataset(shipped_dataset(name))
        assert found.scenario.name == name
        assert (len(found.train), len(found.test)) == (train, test)
        assert found.test.replicates == 4
        assert not set(found.train.seeds) & set(found.test.seeds)
        assert "splitsim record" in found.about["command"]


def test_rewards_are_those_of_the_scenario_and_follow_its_weights(dataset: Dataset):
    table, weights = dataset.test, dataset.composer.weights
    clip, slo = dataset.scenario.reward.delta_nll_clip, dataset.scenario.reward.slo_s
    latency, quality, _, failed = np.moveaxis(table.components, -1, 0)
    known = (
        weights.latency * latency / slo
        + weights.quality * np.minimum(quality, clip)
        + weights.failure * failed
    )
    # What is left are energy and load.
    rest = -table.rewards - known
    assert (rest > 0).all()
    doubled = table.with_weights(dataset.composer.with_weights(replace(weights, failure=2 * weights.failure)))
    np.testing.assert_allclose(table.rewards - doubled.rewards, weights.failure * failed, atol=1e-9)


def test_only_what_lost_something_needs_the_language_model(dataset: Dataset):
    table = dataset.train
    all_local = table.actions - 1
    assert not table.lossy[:, all_local].any()
    whole = ~table.lossy & (table.network[..., 2] == 1)
    # What lost nothing costs what its split costs.
    cost = np.broadcast_to(dataset.clean_delta_nll.clip(0)[None, :, None], whole.shape)
    np.testing.assert_allclose(table.components[whole][:, 1], cost[whole], atol=1e-6)
    never = table.network[..., 2] == 0
    assert (table.components[never][:, 1] == dataset.scenario.reward.delta_nll_clip).all()
    # Neither does a codec that costs quality: what it costs without loss belongs to the split.
    tram = open_dataset(shipped_dataset("tram-replay")).train
    lost = (tram.network[..., :2] > 0).any(-1) & (tram.network[..., 2] > 0)
    np.testing.assert_array_equal(tram.lossy, lost)
    assert 0 < tram.lossy.mean() < 1


def quantised(dataset: Dataset, **about) -> Dataset:
    """The same rows as if the phone's weights had been quantised."""
    model = dataset.scenario.model.model_copy(update={"quantise": True, "codec": "fp16"})
    return Dataset(dataset.scenario.model_copy(update={"model": model}), dataset.rows, about)


def test_what_a_split_costs_without_loss_is_in_the_file(tram: Dataset, tmp_path: Path):
    clean = [0.01, -0.002, 0.06, 0.08, 0.17]
    quantised(tram, clean_delta_nll={"train": clean, "test": clean}).save(tmp_path / "a.parquet")
    assert open_dataset(tmp_path / "a.parquet").clean_delta_nll.tolist() == clean


@pytest.mark.parametrize("damaged", [{"train": [0.1]}, {"train": [0.1] * 4 + [None]}, {"test": [0.1] * 5}, 3])
def test_a_cost_without_loss_that_is_no_cost_is_refused(tram: Dataset, tmp_path: Path, damaged: object):
    quantised(tram, clean_delta_nll=damaged).save(tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=r"a\.parquet: its clean_delta_nll has .*; record it again"):
        open_dataset(tmp_path / "a.parquet")


def test_an_older_recording_was_not_quantised(tram: Dataset, tmp_path: Path):
    """Its scenario does not say so, and its codec's cost is the mean of what lost nothing."""
    tram.save(tmp_path / "old.parquet")
    table = pq.read_table(tmp_path / "old.parquet")
    about = json.loads(table.schema.metadata[KEY])
    del about["scenario"]["model"]["quantise"]
    about.pop("clean_delta_nll", None)
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(about)}), tmp_path / "old.parquet")
    old = open_dataset(tmp_path / "old.parquet")
    assert old.scenario.model.quantise is False
    rows = tram.rows[tram.rows["part"] == "train"]
    for action, clean in enumerate(old.clean_delta_nll):
        whole = rows[
            (rows["action"] == action)
            & (rows["prompt_loss"] == 0)
            & (rows["output_loss"] == 0)
            & (rows["generated_tokens"] == rows["output_tokens"])
        ]
        assert clean == pytest.approx(whole["delta_nll"].clip(lower=0).mean(), abs=5e-3)
    somewhere = np.maximum(tram.rows["prompt_loss"], 0.1 * (tram.rows["action"] == 2))
    lost = tram.rows.assign(prompt_loss=somewhere)
    with pytest.raises(ValueError, match="no clean_delta_nll, and no request at split 16 that lost nothing"):
        _ = Dataset(old.scenario, lost, {}).clean_delta_nll


def test_without_quantisation_and_with_an_exact_codec_it_is_nothing(tram: Dataset):
    model = tram.scenario.model.model_copy(update={"quantise": False, "codec": "fp16"})
    exact = Dataset(tram.scenario.model_copy(update={"model": model}), tram.rows, {})
    assert exact.clean_delta_nll.tolist() == [0.0] * 5


def test_saved_and_opened_again_it_is_the_same(dataset: Dataset, tmp_path: Path):
    dataset.save(tmp_path / "again.parquet")
    again = open_dataset(tmp_path / "again.parquet")
    assert again.scenario == dataset.scenario
    np.testing.assert_array_equal(again.test.rewards, dataset.test.rewards)
    np.testing.assert_array_equal(again.test.contexts, dataset.test.contexts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows, about: (rows.iloc[:-1], about), r"test: the table has \d+ cells; expected"),
        (lambda rows, about: (rows.drop(columns="latency_s"), about), "lacks the columns latency_s"),
        (lambda rows, about: (rows, about | {"format": 99}), "has format 99; this version reads 1"),
        (
            lambda rows, about: (rows, about | {"scenario": {"name": 3}}),
            "its scenario: .*name = 3.*; valid: a dataset recorded by this version of splitsim",
        ),
        (lambda rows, about: (rows, None), r"is no recorded dataset \(its own description is missing\)"),
    ],
)
def test_what_is_no_whole_dataset_is_refused_in_one_line(dataset: Dataset, tmp_path: Path, change, message):
    path = tmp_path / "broken.parquet"
    dataset.save(path)
    table = pq.read_table(path)
    rows, about = change(table.to_pandas(), json.loads(table.schema.metadata[KEY]))
    broken = table.from_pandas(rows, preserve_index=False).replace_schema_metadata(
        {} if about is None else {KEY: json.dumps(about).encode()}
    )
    pq.write_table(broken, path)
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)


def test_files_that_are_none_at_all(tmp_path: Path):
    with pytest.raises(DatasetError, match="no such file, and none of that name ships; valid: default"):
        shipped_dataset("nowhere")
    (tmp_path / "text.parquet").write_text("seed,reward\n")
    with pytest.raises(DatasetError, match="is no recorded dataset"):
        open_dataset(tmp_path / "text.parquet")


def test_playing_side_by_side_equals_playing_one_by_one(dataset: Dataset):
    class Rule(OfflinePolicy):
        name = "rule"

        def act(self, context, mask=None):
            return int(context[0] < 0.45) * 4 if context[16] < 0.5 else int(context[0] < 0.4) * 4

    class Batched(Rule):
        def act_batch(self, contexts):
            return np.array([self.act(context) for context in contexts])

    table = dataset.test
    one_by_one, side_by_side = table.play_all(Rule()), table.play_all(Batched())
    np.testing.assert_array_equal(one_by_one, side_by_side)
    assert len(np.unique(one_by_one)) > 1
    cost = 0.05
    np.testing.assert_allclose(
        table.replay(Rule(), 2, cost), table.rewards_of(one_by_one[:, 2], 2, cost), atol=1e-12
    )


def test_replay_env_is_a_gymnasium_env_and_plays_the_table(dataset: Dataset):
    env = gymnasium.make("pyagent/Replay-v0", dataset=dataset, part="test")
    check_env(env.unwrapped, skip_render_check=True)
    context, info = env.reset(seed=1, options={"episode": 2, "replicate": 3})
    table, rows = dataset.test, np.flatnonzero(dataset.test.seeds == info["seed"])
    cost, previous, total = dataset.scenario.reward.as_weights().switching, None, []
    for row, action in zip(rows, [0, 0, 4, 1] * 5, strict=True):
        np.testing.assert_array_equal(context, table.contexts[row, previous or 0, 3])
        context, reward, terminated, truncated, info = env.step(action)
        switched = previous is not None and action != previous
        assert reward == pytest.approx(table.rewards[row, action, 3] - cost * switched)
        np.testing.assert_array_equal(info["components"], table.components[row, action, 3])
        assert info["lossy"] == table.lossy[row, action, 3]
        previous = action
        total.append(truncated)
        assert not terminated
    assert total == [False] * 19 + [True]


def test_many_at_once_get_what_one_gets(dataset: Dataset):
    cost = dataset.scenario.reward.as_weights().switching
    env = ReplayVecEnv(dataset.train, 8, switching_cost=cost, seed=3)
    rng = np.random.default_rng(0)
    contexts = env.reset()
    assert contexts.shape == (8, 19)
    bought, rewards = 0, []
    for _ in range(45):
        row, replicate, previous = env._row.copy(), env._replicate.copy(), env._previous.copy()
        actions = rng.integers(0, 5, 8)
        contexts, got, done, infos = env.step(actions)
        cells = (row, actions, replicate)
        switched = (previous >= 0) & (previous != actions)
        np.testing.assert_allclose(got, dataset.train.rewards[cells] - cost * switched, rtol=1e-5)
        bought += int(dataset.train.lossy[cells].sum())
        rewards.append(got)
        assert [("TimeLimit.truncated" in info) for info in infos] == done.tolist()
    assert env.evaluations == bought == env.evaluations_after(env.decisions)
    assert env.decisions == 8 * 45
    again = ReplayVecEnv(dataset.train, 8, switching_cost=cost, seed=3)
    again.reset()
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(rewards, [again.step(rng.integers(0, 5, 8))[1] for _ in range(45)])


def test_random_actions_get_the_mean_of_the_table(dataset: Dataset):
    table = dataset.test
    splits = dataset.deployment.splits
    rewards = np.mean([table.replay(RandomPolicy(splits), r, 0.0).mean() for r in range(4)])
    assert rewards == pytest.approx(table.rewards.mean(), abs=0.2)
    static = table.replay(BestStaticPolicy(4, 5), 0, 1.0)
    np.testing.assert_array_equal(static, table.rewards[:, 4, 0])


def test_a_plan_names_disjoint_episodes(dataset: Dataset):
    plan = Plan(dataset.scenario, seed=4, train_seeds=3, test_seeds=2)
    episodes = plan.episodes()
    assert len({seed for _, seed, _ in episodes}) == 5
    assert [r for part, _, r in episodes if part == "test"] == [4, 4]
    assert isinstance(dataset.rows, pd.DataFrame)
    assert isinstance(ReplayEnv(dataset).table.rewards, np.ndarray)
