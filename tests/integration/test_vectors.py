"""Environments in worker processes: Gymnasium's and stable-baselines3's vectors, forked and spawned."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv
from stable_baselines3.common.vec_env import SubprocVecEnv

from pyagent.envs.scoring import Scorer
from pyagent.envs.split_inference import SplitInferenceEnv
from pyagent.scenario.schema import Scenario
from tests.conftest import small_scenario

pytestmark = [pytest.mark.ns3, pytest.mark.model, pytest.mark.timeout(300)]

LIMIT_S = 90.0
"""A step takes about a second; a worker that hangs takes for ever."""


@pytest.fixture
def weak() -> Scenario:
    """A link that loses packets, so that every request is judged by the language model."""
    return small_scenario(mobility={"position_m": [120, 0, 1.5]})


@pytest.fixture
def busy_torch() -> Iterator[None]:
    """torch with the threads of a parallel product, which a forked process has not."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    ones = torch.ones(1500, 1500)
    assert (ones @ ones).max() == 1500
    yield
    torch.set_num_threads(before)


def stepped(envs: AsyncVectorEnv, seed: int) -> np.ndarray:
    """Rewards of the first step of every environment, or TimeoutError."""
    ended = False
    try:
        envs.reset_async(seed=seed)
        envs.reset_wait(timeout=LIMIT_S)
        envs.step_async(np.zeros(envs.num_envs, np.int64))
        rewards = envs.step_wait(timeout=LIMIT_S)[1]
        ended = True
    finally:
        envs.close(terminate=not ended)
    return rewards


@pytest.mark.usefixtures("busy_torch")
def test_forked_workers_run_the_model_after_the_parent_did(weak: Scenario, small_scorer: Scorer) -> None:
    scorer = Scorer(weak, small_scorer.model)

    def make() -> SplitInferenceEnv:
        return SplitInferenceEnv(weak, scorer=scorer)

    alone = make()
    alone.reset(seed=1)
    _, expected, *_, info = alone.step(0)
    alone.close()
    assert info["score"].asked
    rewards = stepped(AsyncVectorEnv([make, make], context="fork"), seed=1)
    # The same request; with another number of threads the model's last bits may differ.
    assert rewards[0] == pytest.approx(expected, abs=1e-3)
    assert rewards[1] != pytest.approx(expected, abs=1e-3)


@pytest.mark.usefixtures("busy_torch")
@pytest.mark.parametrize("name", ["pyagent/Replay-v0", "pyagent/SeedSplit-v0"])
def test_forked_workers_of_the_other_environments_step(name: str) -> None:
    env = gymnasium.make(name)
    env.reset(seed=1)
    expected = env.step(0)[1]
    envs = gymnasium.make_vec(name, num_envs=2, vectorization_mode="async", vector_kwargs={"context": "fork"})
    assert stepped(envs, seed=1)[0] == expected


@pytest.mark.usefixtures("busy_torch")
def test_forked_workers_of_stable_baselines3_run_the_model(weak: Scenario, small_scorer: Scorer) -> None:
    scorer = Scorer(weak, small_scorer.model)
    make: list[Callable[[], gymnasium.Env]] = [lambda: SplitInferenceEnv(weak, scorer=scorer)]
    envs = SubprocVecEnv(make, start_method="fork")
    try:
        envs.seed(1)
        envs.reset()
        envs.step_async(np.zeros(1, np.int64))
        assert envs.remotes[0].poll(LIMIT_S), f"no answer in {LIMIT_S} s"
        rewards = envs.step_wait()[1]
        assert rewards[0] < 0
    except BaseException:
        envs.processes[0].kill()
        raise
    envs.close()


@pytest.mark.usefixtures("busy_torch")
def test_one_process_holds_several(weak: Scenario, small_scorer: Scorer) -> None:
    scorer = Scorer(weak, small_scorer.model)
    envs = gymnasium.vector.SyncVectorEnv([lambda: SplitInferenceEnv(weak, scorer=scorer)] * 2)
    try:
        envs.reset(seed=[1, 1], options={"replicate": 1})
        rewards = envs.step(np.zeros(2, np.int64))[1]
        assert rewards[0] == rewards[1]
    finally:
        envs.close()
    assert torch.get_num_threads() == 2
