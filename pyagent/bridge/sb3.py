"""The simulators of ``make_vec`` as stable-baselines3's own kind of vector environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from pyagent.bridge.env import Ns3Env
from pyagent.bridge.group import EnvGroup


class Ns3SB3VecEnv(VecEnv):  # type: ignore[misc]
    """``n`` simulators behind one poll loop, for stable-baselines3; ``make_sb3_vec`` makes it.

    An episode that ends is reset in the same step; its last observation is ``info["terminal_observation"]``.
    Observation spaces with nested Dict or Tuple are beyond stable-baselines3.
    """

    def __init__(self, group: EnvGroup) -> None:
        self._group = group
        self._actions: dict[int, Any] = {}
        first = group.envs[0]
        super().__init__(len(group.envs), first.observation_space, first.action_space)

    def reset(self) -> Any:
        """Start an episode in every simulator; returns the batch of first observations."""
        found = self._group.reset({i: self._seeds[i] for i in range(self.num_envs)})
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = [found[i][1] for i in range(self.num_envs)]
        return self._batched([found[i][0] for i in range(self.num_envs)])

    def step_async(self, actions: Any) -> None:
        """Note the actions; they are sent in ``step_wait``."""
        self._actions = dict(enumerate(actions))

    def step_wait(self) -> Any:
        """Send the actions; returns observations, rewards, whether episodes ended, infos."""
        outcomes = self._group.step(self._actions)
        over = [i for i, outcome in outcomes.items() if outcome.over]
        restarted = self._group.reset(dict.fromkeys(over)) if over else {}
        observations, infos = [], []
        for i in range(self.num_envs):
            outcome = outcomes[i]
            observation, info = outcome.observation, outcome.info
            if i in restarted:
                info["TimeLimit.truncated"] = outcome.truncated and not outcome.terminated
                info["terminal_observation"] = observation
                observation, self.reset_infos[i] = restarted[i]
            observations.append(observation)
            infos.append(info)
        rewards = np.array([outcomes[i].reward for i in range(self.num_envs)], np.float32)
        return self._batched(observations), rewards, np.isin(range(self.num_envs), over), infos

    def _batched(self, observations: list[Any]) -> Any:
        if isinstance(self.observation_space, spaces.Dict):
            return {key: np.stack([o[key] for o in observations]) for key in self.observation_space.spaces}
        if isinstance(self.observation_space, spaces.Tuple):
            return tuple(np.stack(parts) for parts in zip(*observations, strict=True))
        return np.stack(observations)

    def close(self) -> None:
        """End all simulators."""
        self._group.close()

    def _chosen(self, indices: int | Iterable[int] | None) -> list[Ns3Env]:
        return [self._group.envs[i] for i in self._get_indices(indices)]

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """An attribute of each environment."""
        return [getattr(env, attr_name) for env in self._chosen(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None) -> None:
        """Set an attribute of each environment."""
        for env in self._chosen(indices):
            setattr(env, attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: int | Iterable[int] | None = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of each environment."""
        return [getattr(env, method_name)(*args, **kwargs) for env in self._chosen(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[Any], indices: int | Iterable[int] | None = None
    ) -> list[bool]:
        """Never: the environments are bare."""
        return [False for _ in self._chosen(indices)]


def make_sb3_vec(
    n: int,
    executable: str | os.PathLike[str],
    args: Sequence[str] = (),
    seed: int = 1,
    **options: Any,
) -> Ns3SB3VecEnv:
    """Start ``n`` simulators as a stable-baselines3 VecEnv, in this process; arguments as ``make_vec``."""
    return Ns3SB3VecEnv(EnvGroup(n, executable, args, seed, **options))
