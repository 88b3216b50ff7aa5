"""The published environment: its dynamics, its optimum against brute force, its table against the model."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

import pyagent  # noqa: F401 (registers)
from llm_split.models import ModelNotFoundError
from llm_split.texts import text_sha256
from pyagent.envs.seed_model import RealQuality
from pyagent.envs.seed_optimum import SeedProblem
from pyagent.envs.seed_quality import LOSSES, SPLITS, QualityTable, Setup
from pyagent.envs.seed_split import MOVES, STEPS, SeedSplitEnv, moved
from pyagent.errors import UserError
from pyagent.reward import paper_reward

N = 6


def made_up_table(seed: int = 0) -> QualityTable:
    """Curves that cross, so that the best split depends on the loss, and windows that differ."""
    rng = np.random.default_rng(seed)
    slope = rng.uniform(0.2, 0.6, len(SPLITS))[:, None]
    delta = slope * np.array(LOSSES) + rng.uniform(0, 3, len(SPLITS))[:, None] * np.array(LOSSES) ** 2
    noise = rng.normal(0, 0.02, (len(SPLITS), len(LOSSES), N))
    return QualityTable(Setup(windows=N), np.array(LOSSES), np.full(N, 2.5), delta[..., None] + noise)


@pytest.fixture(scope="module")
def table() -> QualityTable:
    return made_up_table()


@pytest.fixture(scope="module")
def problem(table: QualityTable) -> SeedProblem:
    return SeedProblem(table.ratios)


def play(env: SeedSplitEnv, loss: float, split: int, actions: list[int]) -> float:
    env.reset(options={"loss": loss, "split": split})
    return sum(env.step(action)[1] for action in actions)


def test_gymnasium_accepts_what_is_registered() -> None:
    env = gymnasium.make("pyagent/SeedSplit-v0")
    check_env(env.unwrapped, skip_render_check=True)


def test_the_published_moves_and_drift() -> None:
    assert [moved(5, action)[0] - 5 for action in range(9)] == list(MOVES)
    assert [moved(5, action)[1] for action in range(9)] == [
        1.0, 1.0005, 0.9995, 1.001, 0.999, 1.0015, 0.9995, 1.002, 0.998,
    ]  # fmt: skip
    assert moved(2, 7) == (1, 1.0005)  # four down from 2 is one down
    assert moved(10, 8) == (10, 1.0)


def test_an_episode_step_by_step(table: QualityTable) -> None:
    env = SeedSplitEnv(table)
    with pytest.raises(ResetNeeded):
        env.step(0)
    observation, _ = env.reset(options={"loss": 0.2999, "split": 9})
    np.testing.assert_allclose(observation, [0.2999, 9], rtol=1e-6)
    loss = 0.2999
    for step, (action, split) in enumerate([(7, 5), (7, 1), (0, 1), (2, 2), (8, 6)]):
        loss = min(loss * moved([9, 5, 1, 1, 2][step], action)[1], 0.3)
        observation, reward, terminated, truncated, info = env.step(action)
        np.testing.assert_allclose(observation, [loss, split], rtol=1e-6)
        ratio = table.ratios([loss])[0, split - 1]
        assert info["perplexity_ratio"] == pytest.approx(ratio)
        expected = paper_reward(ratio * 12.0, split, perplexity_unimpaired=12.0, max_split=10, w_p=10, w_l=1)
        assert reward == pytest.approx(float(expected))
        assert (terminated, truncated) == (step == STEPS - 1, False)
    with pytest.raises(ResetNeeded):
        env.step(0)


def test_first_states_are_as_published(table: QualityTable) -> None:
    env = SeedSplitEnv(table)
    firsts = np.array([env.reset(seed=seed)[0] for seed in range(2000)])
    assert firsts[:, 0].min() >= 0.0099
    assert firsts[:, 0].mean() == pytest.approx(0.155, abs=0.006)
    assert np.unique(firsts[:, 1]).tolist() == list(range(1, 10))
    again = np.array([env.reset(seed=seed)[0] for seed in range(50)])
    assert np.array_equal(firsts[:50], again)


@pytest.mark.parametrize("options", [{"loss": 0.31}, {"loss": -0.1}, {"split": 0}, {"split": 11}])
def test_a_first_state_out_of_range_is_refused(table: QualityTable, options: dict[str, float]) -> None:
    name, value = next(iter(options.items()))
    with pytest.raises(UserError, match=rf"option {name} is {value}, valid: "):
        SeedSplitEnv(table).reset(options=options)


def all_returns(table: QualityTable, loss: float, split: int) -> np.ndarray:
    """Return of each of the 9**5 action sequences, in the order of `product`."""
    losses, splits, total = np.array([loss]), np.array([split]), np.zeros(1)
    for _ in range(STEPS):
        after = [[moved(s, action) for action in range(len(MOVES))] for s in splits]
        splits, factors = np.array(after).reshape(-1, 2).T
        splits = splits.astype(int)
        losses = np.minimum(np.repeat(losses, len(MOVES)) * factors, 0.3)
        ratios = table.ratios(losses)[np.arange(len(losses)), splits - 1]
        reward = paper_reward(ratios, splits, perplexity_unimpaired=1.0, max_split=10)
        total = np.repeat(total, len(MOVES)) + reward
    return total


@pytest.mark.parametrize(("loss", "split"), [(0.04, 9), (0.2, 1)])
def test_the_optimum_is_that_of_all_sequences(
    table: QualityTable, problem: SeedProblem, loss: float, split: int
) -> None:
    best = problem.optimum()
    at = np.abs(problem.losses - loss).argmin()
    every = all_returns(table, loss, split)
    assert problem.value_of(best.actions)[at, split - 1] == pytest.approx(every.max(), abs=2e-4)
    # and the environment agrees with the enumeration on the best sequence
    sequence = np.unravel_index(int(every.argmax()), (len(MOVES),) * STEPS)
    returned = play(SeedSplitEnv(table), loss, split, [int(action) for action in sequence])
    assert returned == pytest.approx(every.max())


def test_the_values_are_those_of_playing(table: QualityTable, problem: SeedProblem) -> None:
    env = SeedSplitEnv(table)
    for target, loss, split in [(1, 0.1, 9), (7, 0.27, 2), (10, 0.012, 1)]:
        policy = problem.towards(target)
        at = int(np.abs(problem.losses - loss).argmin())
        env.reset(options={"loss": problem.losses[at], "split": split})
        total = 0.0
        for _ in range(STEPS):
            total += env.step(policy[0, split - 1])[1]
            split = env._split
        first = {1: 9, 7: 2, 10: 1}[target]
        assert problem.value_of(policy)[at, first - 1] == pytest.approx(total, abs=2e-3)


def test_random_play_earns_its_value(table: QualityTable, problem: SeedProblem) -> None:
    env, rng = SeedSplitEnv(table), np.random.default_rng(1)
    returns = []
    for seed in range(1500):
        env.reset(seed=seed)
        returns.append(sum(env.step(action)[1] for action in rng.integers(0, 9, STEPS)))
    error = np.std(returns) / np.sqrt(len(returns))
    assert abs(np.mean(returns) - problem.random()) < 3.5 * error


def test_a_finer_grid_changes_nothing(table: QualityTable, problem: SeedProblem) -> None:
    finer = SeedProblem(table.ratios, points=1501)
    assert problem.optimum().value == pytest.approx(finer.optimum().value, abs=1e-3)
    assert problem.best_threshold().value == pytest.approx(finer.best_threshold().value, abs=1e-3)
    assert problem.random() == pytest.approx(finer.random(), abs=1e-3)


def test_the_best_threshold_is_that_of_all_rules(table: QualityTable) -> None:
    coarse = SeedProblem(table.ratios, points=31)
    found, statics = coarse.best_threshold(), coarse.statics()

    def value(limit: float, below: int, above: int) -> float:
        chosen = np.where(coarse.losses < limit, statics[:, below - 1], statics[:, above - 1])
        return coarse.per_episode(np.repeat(chosen[:, None], len(SPLITS), axis=1))

    every = [value(*rule) for rule in product([*coarse.losses, np.inf], SPLITS, SPLITS)]
    assert found.value == pytest.approx(max(every))
    assert found.value == pytest.approx(coarse.threshold_value(found))


def test_better_rules_earn_more(problem: SeedProblem) -> None:
    ladder = [
        problem.random(),
        problem.best_static().value,
        problem.best_threshold().value,
        problem.optimum().value,
    ]
    assert ladder == sorted(ladder)
    assert len(set(ladder)) == len(ladder)


def test_a_table_survives_its_file(table: QualityTable, tmp_path: Path) -> None:
    table.save(tmp_path / "table.json")
    again = QualityTable.load(tmp_path / "table.json")
    assert again.setup == table.setup
    np.testing.assert_allclose(again.delta_nll, table.delta_nll, atol=5.1e-5)


def test_a_table_that_is_none_is_refused(table: QualityTable, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="quality table"):
        QualityTable.load(tmp_path / "missing.json")
    with pytest.raises(UserError, match="delta_nll has shape"):
        replace(table, delta_nll=table.delta_nll[:3])
    with pytest.raises(UserError, match="losses is"):
        replace(table, losses=table.losses[::-1])


def test_ratios_between_the_losses(table: QualityTable) -> None:
    at = table.ratios([0.0, 0.05, 0.075, 0.1])
    np.testing.assert_allclose(at[0], 1.0)
    np.testing.assert_allclose(at[1], table.text_ratio[:, 0])
    np.testing.assert_allclose(at[2], np.sqrt(at[1] * at[3]))
    assert table.perplexity_ratio(3, 0.075, np.random.default_rng(0)) == pytest.approx(at[2, 2])


MEASURED_ON = "4a864d4933a43345944dbe51fd46cf59fc8f4ce8dd4db6adc4f41f1c232c2cf3"
"""SHA-256 of the test part of `python-docs` of Python 3.11.7, which the shipped table was measured on."""


@pytest.mark.model
def test_the_model_gives_what_the_table_says() -> None:
    table = QualityTable.load()
    if text_sha256(table.setup.text) != MEASURED_ON:
        pytest.skip(f"the table was measured on {table.setup.text} of Python 3.11.7, this Python has another")
    try:
        real = RealQuality.load(replace(table.setup, windows=2))
    except ModelNotFoundError as error:
        pytest.skip(str(error))
    column = LOSSES.index(0.2)
    for window, split in product(range(2), (1, 10)):
        # The study's own random numbers for this window, so the very mask that the table was measured with.
        luck = np.random.default_rng(table.setup.seed * 1_000_003 + window)
        found = real.delta_nll(window, split, 0.2, luck)
        assert found == pytest.approx(table.delta_nll[split - 1, column, window], abs=1e-3)
    # A new mask: another value, in the range of the table's windows.
    ratio = real.perplexity_ratio(10, 0.2, np.random.default_rng(7))
    seen = table.delta_nll[9, column]
    assert np.abs(seen - np.log(ratio)).min() > 1e-4
    assert abs(np.log(ratio) - seen.mean()) < 4 * seen.std(ddof=1)
    assert real.evaluations == 5
