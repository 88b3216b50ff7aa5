"""Environments in processes of a Ray cluster, for stable-baselines3: one simulator and one model each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env import VecEnv

import pyagent  # noqa: F401 (registers the environments)
from pyagent.plugins import VARIABLE, load_plugins


class _Remote:
    """One environment, in a process of its own; restarts itself after the last step of an episode."""

    def __init__(self, name: str, options: dict[str, Any], plugins: str) -> None:
        os.environ[VARIABLE] = plugins  # processes of a cluster have its environment, not the caller's
        load_plugins()
        self._env = gymnasium.make(name, **options)

    def spaces(self) -> tuple[Any, Any]:
        return self._env.observation_space, self._env.action_space

    def reset(self, seed: int | None) -> tuple[Any, dict[str, Any]]:
        observation, _ = self._env.reset(seed=seed)
        return observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, _ = self._env.step(action)
        # What an environment tells beside that (a delivery record) is not for the learner, and large.
        info: dict[str, Any] = {}
        if terminated or truncated:
            info = {"terminal_observation": observation, "TimeLimit.truncated": truncated and not terminated}
            observation, _ = self._env.reset()
        return observation, float(reward), terminated or truncated, info

    def attribute(self, name: str) -> Any:
        return getattr(self._env.unwrapped, name)


class RayVecEnv(VecEnv):  # type: ignore[misc]
    """``n`` environments of one kind, stepped at the same time wherever the cluster has a core for them.

    Args:
        name: of a registered environment.
        n: how many; each waits until the cluster has a core for it.
        options: of the environment.
    """

    def __init__(self, name: str, n: int, **options: Any) -> None:
        import ray

        self._ray = ray
        actor = ray.remote(num_cpus=1)(_Remote)
        plugins = os.environ.get(VARIABLE, "")
        self._envs = [actor.remote(name, options, plugins) for _ in range(n)]
        self._pending: list[Any] = []
        super().__init__(n, *ray.get(self._envs[0].spaces.remote()))

    def reset(self) -> Any:
        """Start an episode in each; the batch of first observations."""
        found = self._ray.get([e.reset.remote(s) for e, s in zip(self._envs, self._seeds, strict=True)])
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = [info for _, info in found]
        return np.stack([observation for observation, _ in found])

    def step_async(self, actions: Any) -> None:
        """Send each its action."""
        self._pending = [env.step.remote(a) for env, a in zip(self._envs, actions, strict=True)]

    def step_wait(self) -> Any:
        """Wait for all; observations, rewards, whether episodes ended, infos."""
        observations, rewards, over, infos = zip(*self._ray.get(self._pending), strict=True)
        return np.stack(observations), np.array(rewards, np.float32), np.array(over), list(infos)

    def close(self) -> None:
        """End the processes, and with them their simulators."""
        for env in self._envs:
            self._ray.kill(env)

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """An attribute of each environment."""
        chosen = [self._envs[i].attribute.remote(attr_name) for i in self._get_indices(indices)]
        found: list[Any] = self._ray.get(chosen)
        return found

    def set_attr(self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None) -> None:
        """Not supported: the environments are made with their options."""
        raise NotImplementedError("set_attr: give options to RayVecEnv instead")

    def env_method(
        self, method_name: str, *args: Any, indices: int | Iterable[int] | None = None, **kwargs: Any
    ) -> list[Any]:
        """Not supported: the environments only step and reset."""
        raise NotImplementedError(f"env_method: {method_name} can't be called from afar")

    def env_is_wrapped(
        self, wrapper_class: type[Any], indices: int | Iterable[int] | None = None
    ) -> list[bool]:
        """Never: the learner's wrappers go around this one."""
        return [False for _ in self._get_indices(indices)]
