"""Actions, reset options and render modes that an environment must refuse, in all of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3.common.env_util import make_vec_env

import pyagent  # noqa: F401 (registers)
from pyagent.bridge import Ns3Env
from pyagent.bridge import make_vec as make_simulators
from pyagent.dataset import open_dataset, shipped_dataset
from pyagent.envs.replay import ReplayEnv, ReplayVecEnv
from pyagent.envs.seed_split import SeedSplitEnv
from pyagent.envs.split_inference import SplitInferenceEnv
from pyagent.errors import UserError
from tests.conftest import small_scenario

FAKE_SIM = Path(__file__).parents[1] / "bridge" / "fake_sim.py"
IDS = ("pyagent/SplitInference-v0", "pyagent/Replay-v0", "pyagent/SeedSplit-v0")
NO_ACTIONS = [
    1.5,
    1.0,
    np.float32(1),
    math.nan,
    True,
    np.bool_(False),
    -1,
    np.int64(-1),
    99,
    None,
    "0",
    np.array([0]),
    np.array([0, 1]),
    np.array(0.5),
]


@pytest.fixture(scope="module", params=[ReplayEnv, SeedSplitEnv], ids=lambda kind: kind.__name__)
def recorded(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.mark.parametrize("action", NO_ACTIONS, ids=repr)
def test_an_action_outside_the_space_is_refused_and_the_episode_goes_on(recorded: Any, action: Any) -> None:
    count = int(recorded.action_space.n)
    recorded.reset(seed=1)
    with pytest.raises(UserError, match=rf"^action is .*, valid: a whole number, 0\.\.{count - 1}$") as told:
        recorded.step(action)
    assert isinstance(told.value, ValueError)  # as Gymnasium's own checks
    after = recorded.step(1)
    recorded.reset(seed=1)
    np.testing.assert_array_equal(recorded.step(1)[0], after[0])


@pytest.mark.parametrize("action", [1, np.int64(1), np.uint8(1), np.array(1)], ids=repr)
def test_every_integer_is_an_action(recorded: Any, action: Any) -> None:
    recorded.reset(seed=1)
    expected = recorded.step(1)[1]
    recorded.reset(seed=1)
    assert recorded.step(action)[1] == expected


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (ReplayEnv, {"episodes": 1}, "options has 'episodes', valid: episode, replicate"),
        (ReplayEnv, {"episode": 1.5}, r"option episode is 1\.5, valid: a whole number, 0\.\."),
        (ReplayEnv, {"replicate": -1}, r"option replicate is -1, valid: a whole number, 0\.\."),
        (ReplayEnv, {"episode": True}, "option episode is True, valid"),
        (ReplayEnv, ["episode"], r"options is \['episode'\], valid: a dict or None"),
        (SeedSplitEnv, {"seed": 1}, "options has 'seed', valid: loss, split"),
        (SeedSplitEnv, {"loss": math.nan}, r"option loss is nan, valid: 0\.\.0\.3"),
        (SeedSplitEnv, {"loss": "0.1"}, r"option loss is '0\.1', valid: 0\.\.0\.3"),
        (SeedSplitEnv, {"split": 2.5}, r"option split is 2\.5, valid: a whole number, 1\.\.10"),
    ],
)
def test_an_option_that_is_unknown_or_out_of_range_is_refused(
    make: Callable[[], Any], options: Any, message: str
) -> None:
    env = make()
    with pytest.raises(UserError, match=message):
        env.reset(options=options)
    assert env.observation_space.contains(env.reset(options={})[0])


@pytest.mark.filterwarnings("ignore:.*render_mode='human'")
@pytest.mark.parametrize("name", IDS)
def test_a_render_mode_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="render_mode is 'human', valid: None"):
        gymnasium.make(name, render_mode="human")


@pytest.mark.filterwarnings("ignore:.*render_mode='rgb_array'")
def test_stable_baselines3_makes_a_vector_by_name() -> None:
    """`make_vec_env` asks for "rgb_array" first, and goes on without after a TypeError."""
    envs = make_vec_env("pyagent/Replay-v0", n_envs=2, seed=1)
    assert envs.reset().shape == (2, 19)
    envs.close()


@pytest.mark.parametrize("threads", [0, 1.5, True, "2"])
def test_a_number_of_threads_that_is_none_is_refused(threads: Any) -> None:
    with pytest.raises(UserError, match=f"threads is {threads!r}, valid: a whole number, 1 or more"):
        SplitInferenceEnv(small_scenario(), threads=threads)


@pytest.mark.ns3
def test_the_live_environment_refuses_the_same(small_scorer: Any) -> None:
    env = SplitInferenceEnv(small_scenario(), scorer=small_scorer)
    try:
        for options in ({"replicates": 1}, {"replicate": -1}, {"replicate": 0.5}, {"replicate": 2**31}):
            with pytest.raises(UserError, match="option"):
                env.reset(seed=5, options=options)
        env.reset(seed=5)
        for action in NO_ACTIONS:
            with pytest.raises(UserError, match=r"^action is .*, valid: a whole number, 0\.\.2$"):
                env.step(action)
        *_, info = env.step(2)
        assert info["record"].request == 0  # none of these was played
    finally:
        env.close()


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([1.5, 0.0], "array of float64 and shape"),
        ([True, False], "array of bool and shape"),
        ([0], r"shape \(1,\), valid: whole numbers of shape \(2,\)"),
        ([[0], [1]], r"shape \(2, 1\)"),
        ([0, -1], r"actions has -1, valid: whole numbers, 0\.\.4"),
        ([5, 0], r"actions has 5, valid: whole numbers, 0\.\.4"),
    ],
)
def test_a_vector_of_recorded_episodes_refuses_them_too(actions: Any, message: str) -> None:
    table = open_dataset(shipped_dataset("default")).train
    envs = ReplayVecEnv(table, 2, switching_cost=0.0, seed=0)
    envs.reset()
    with pytest.raises(UserError, match=message):
        envs.step(np.array(actions))
    assert envs.decisions == 0


@pytest.fixture
def fake() -> Iterator[Ns3Env]:
    env = Ns3Env(sys.executable, [str(FAKE_SIM)], connect_timeout_s=20, step_timeout_s=20)
    yield env
    env.close()


def test_the_bridge_has_no_options_and_no_render_mode(fake: Ns3Env) -> None:
    with pytest.raises(UserError, match="options has 'replicate', valid: no options"):
        fake.reset(options={"replicate": 1})
    for seed in (-1, 2**32, 1.5, True):
        with pytest.raises(UserError, match=rf"seed is {seed}, valid: a whole number, 0\.\.4294967295"):
            fake.reset(seed=seed)  # type: ignore[arg-type]
    fake.reset(options={})
    with pytest.raises(UserError, match="render_mode is 'ansi'"):
        Ns3Env(sys.executable, [str(FAKE_SIM)], render_mode="ansi")


def test_a_vector_of_simulators_knows_one_option() -> None:
    envs = make_simulators(1, sys.executable, [str(FAKE_SIM)], connect_timeout_s=20, step_timeout_s=20)
    with pytest.raises(UserError, match="options has 'mask', valid: reset_mask"):
        envs.reset(options={"mask": [True]})
    envs.close()
