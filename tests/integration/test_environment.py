"""The Gymnasium environment: real ns-3, real model."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

from pyagent.envs.scoring import Scorer
from pyagent.envs.split_inference import SplitInferenceEnv
from pyagent.paths import SimulatorNotFoundError
from tests.conftest import small_scenario

pytestmark = [pytest.mark.ns3, pytest.mark.model]


def test_gymnasium_makes_it_and_its_checker_passes() -> None:
    env = gymnasium.make("pyagent/SplitInference-v0", scenario=small_scenario())
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_the_checker_of_stable_baselines3_passes(small_scorer: Scorer) -> None:
    env = SplitInferenceEnv(small_scenario(), scorer=small_scorer)
    check_env_for_sb3(env)
    env.close()


def play(env: SplitInferenceEnv, seed: int, actions: list[int]) -> list[tuple[bytes, float]]:
    observation, _ = env.reset(seed=seed)
    steps = [(observation.tobytes(), 0.0)]
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        assert not terminated
        assert reward == pytest.approx(sum(info["terms"].values()))
        assert reward <= 0
        steps.append((observation.tobytes(), reward))
    assert truncated
    return steps


def test_one_seed_is_one_episode_to_the_bit(small_scorer: Scorer) -> None:
    env = SplitInferenceEnv(small_scenario(), scorer=small_scorer)
    first, again = play(env, 5, [0, 1, 2, 0]), play(env, 5, [0, 1, 2, 0])
    other = play(env, 6, [0, 1, 2, 0])
    env.close()
    assert first == again
    assert first != other


def test_the_first_observation_does_not_depend_on_the_replicate(small_scorer: Scorer) -> None:
    env = SplitInferenceEnv(small_scenario(), scorer=small_scorer)
    _, first = env.reset(seed=5)
    _, other = env.reset(seed=5, options={"replicate": 1})
    env.close()
    a, b = first["state"], other["state"]
    assert (a.sim_time_s, a.position_m) == (b.sim_time_s, b.position_m)
    assert a.raw["prompt_tokens"] == b.raw["prompt_tokens"]


def test_a_step_without_reset_is_refused(small_scorer: Scorer) -> None:
    env = SplitInferenceEnv(small_scenario(), scorer=small_scorer)
    with pytest.raises(ResetNeeded):
        env.step(0)
    env.reset(seed=1)
    env.close()
    with pytest.raises(ResetNeeded):
        env.step(0)


def test_a_missing_simulator_is_named(monkeypatch: pytest.MonkeyPatch, small_scorer: Scorer) -> None:
    monkeypatch.setenv("SPLITSIM_NS3", "/nowhere/splitsim-ns3")
    env = SplitInferenceEnv(small_scenario(), scorer=small_scorer)
    with pytest.raises(SimulatorNotFoundError, match="make build"):
        env.reset(seed=1)


def test_next_to_the_access_point_only_quantised_weights_cost_quality(small_scorer: Scorer) -> None:
    env = SplitInferenceEnv(small_scenario(), scorer=small_scorer)
    clean = small_scorer.clean_delta_nll("train")
    env.reset(seed=9)
    for action in (0, 2, 0, 2):
        *_, info = env.step(action)
        assert not info["record"].failed
        assert info["score"].quality.delta_nll == pytest.approx(clean[action], abs=1e-12)
        assert not info["score"].asked
        if action == 2:
            assert clean[action] > 0.05
            assert info["record"].uplink_packets == 0
    env.close()


def test_without_quantisation_all_local_costs_no_quality(small_scorer: Scorer) -> None:
    scenario = small_scenario(model={"quantise": False})
    env = SplitInferenceEnv(scenario, scorer=Scorer(scenario, small_scorer.model))
    env.reset(seed=9)
    for action in (0, 2):
        *_, info = env.step(action)
        assert not info["record"].failed
        assert abs(info["score"].quality.delta_nll) <= 0.02  # fp16 codec, nothing lost
    assert info["score"].quality.delta_nll == 0
    env.close()


def test_ns3_leaves_its_output_where_asked(tmp_path: Path, small_scorer: Scorer) -> None:
    env = SplitInferenceEnv(small_scenario(), scorer=small_scorer, log_dir=tmp_path)
    env.reset(seed=3)
    env.close()
    names = {path.name for path in (tmp_path / "seed-3-0").iterdir()}
    assert {"scenario.json", "sim-seed3.stderr.log", "sim-seed3.stdout.log"} <= names


def test_the_observation_stays_in_its_space(small_scorer: Scorer) -> None:
    env = SplitInferenceEnv(small_scenario(), scorer=small_scorer)
    observation, _ = env.reset(seed=11)
    rng = np.random.default_rng(0)
    over = False
    while not over:
        assert env.observation_space.contains(observation)
        observation, _, _, over, _ = env.step(int(rng.integers(3)))
    env.close()
