"""A Gymnasium vector environment of ns-3 simulators that share one Python process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ClosedEnvironmentError
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from pyagent.bridge.batch import batcher, unbatcher
from pyagent.bridge.group import EnvGroup, Outcome
from pyagent.checks import check_options

_Step = tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class Ns3VectorEnv(VectorEnv[Any, Any, Any]):
    """``n`` simulators behind one poll loop; ``make_vec`` makes it.

    Observations, actions and infos are batched as Gymnasium's own vector environments do it.
    ``reset(seed=s)`` gives simulator i the seed ``s + i``; without a seed each goes on by itself, see
    ``EnvGroup``.

    Autoreset is Gymnasium's: by default ``NEXT_STEP`` (the step after an episode's last one ignores the
    action, resets, and has reward 0); ``SAME_STEP`` (the last step resets at once, the last observation and
    info are ``info["final_obs"]`` and ``info["final_info"]``); ``DISABLED`` (call ``reset`` with
    ``options={"reset_mask": ...}``).

    After an error no simulator is left; ``reset()`` starts all afresh.
    """

    def __init__(self, group: EnvGroup, autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP) -> None:
        self._group = group
        self.num_envs = len(group.envs)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = group.envs[0].observation_space
        self.single_action_space = group.envs[0].action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._batch = batcher(self.single_observation_space)
        self._unbatch = unbatcher(self.single_action_space, self.num_envs)
        self._observations: list[Any] = [None] * self.num_envs
        self._over = np.zeros(self.num_envs, np.bool_)

    @property
    def simulator_pids(self) -> list[int | None]:
        """Process ids of the simulators, None where there is none."""
        return [env.simulator_pid for env in self._group.envs]

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode in every simulator, or in those of ``options["reset_mask"]``.

        Args:
            seed: of the first, the others count on; or one for each; None lets each go on by itself.
            options: None, or ``reset_mask``, a bool array.

        Raises:
            ClosedEnvironmentError: after ``close``.
            ValueError: a seed, an option or the mask is not valid.
            SimulatorDied, SimulatorTimeout, ProtocolError: see ``Ns3Env``.
        """
        self._check_open()
        mask = self._mask(options)
        found = self._group.reset({i: s for i, s in enumerate(self._seeds(seed)) if mask[i]})
        infos: dict[str, Any] = {}
        for i in sorted(found):
            self._observations[i], info = found[i]
            infos = self._add_info(infos, info, i)
        self._over[mask] = False
        return self._batched(), infos

    def step(self, actions: Any) -> _Step:
        """Step every simulator; see the class for those whose episode is over.

        Raises:
            ClosedEnvironmentError: after ``close``.
            ResetNeeded: before ``reset``, or an episode is over and autoreset disabled.
            ValueError: an action is not in the space; no episode is harmed.
            SimulatorDied, SimulatorTimeout, ProtocolError: see ``Ns3Env``.
        """
        self._check_open()
        each = self._unbatch(actions)
        resets = np.flatnonzero(self._over).tolist() if self.autoreset_mode == AutoresetMode.NEXT_STEP else []
        outcomes = self._group.step({i: a for i, a in enumerate(each) if i not in resets}, resets)
        infos: dict[str, Any] = {}
        restarted: dict[int, Any] = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            over = [i for i, outcome in outcomes.items() if outcome.over]
            restarted = self._group.reset(dict.fromkeys(over)) if over else {}
        for i in range(self.num_envs):
            outcome = outcomes[i]
            self._observations[i], info = outcome.observation, outcome.info
            if i in restarted:
                infos = self._add_info(infos, {"final_obs": outcome.observation, "final_info": info}, i)
                self._observations[i], info = restarted[i]
            infos = self._add_info(infos, info, i) if info else infos
        return self._batched(), *self._arrays(outcomes), infos

    def _arrays(
        self, outcomes: dict[int, Outcome]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        ordered = [outcomes[i] for i in range(self.num_envs)]
        terminated = np.array([outcome.terminated for outcome in ordered], np.bool_)
        truncated = np.array([outcome.truncated for outcome in ordered], np.bool_)
        if self.autoreset_mode != AutoresetMode.SAME_STEP:
            self._over = terminated | truncated
        return np.array([outcome.reward for outcome in ordered], np.float64), terminated, truncated

    def _batched(self) -> Any:
        return self._batch(self._observations)

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [(int(seed) + i) % 2**32 for i in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"seed: {len(seed)} seeds for {self.num_envs} environments")
        return list(seed)

    def _mask(self, options: dict[str, Any] | None) -> NDArray[np.bool_]:
        mask = check_options(options, ["reset_mask"]).get("reset_mask")
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(f"reset_mask: needs {self.num_envs} bools, at least one of them True")
        if any(observation is None for observation in self._observations):
            raise ValueError("reset_mask: the first reset is of all environments")
        return mask

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedEnvironmentError("this vector environment is closed")

    def close_extras(self, **kwargs: Any) -> None:
        """End all simulators; called by ``close``."""
        self._group.close()


def make_vec(
    n: int,
    executable: str | os.PathLike[str],
    args: Sequence[str] = (),
    seed: int = 1,
    autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    **options: Any,
) -> Ns3VectorEnv:
    """Start ``n`` simulators as one Gymnasium vector environment, in this process.

    Args:
        n: how many.
        executable: the simulator; see ``Ns3Env``.
        args: its arguments.
        seed: simSeed of the first simulator's first episode; see ``EnvGroup`` for the others.
        autoreset_mode: what happens at the end of an episode.
        options: further arguments of ``Ns3Env``, such as ``transport``, ``seed_argument`` and the
            timeouts.

    Raises:
        ValueError: an argument is not valid.
        FileNotFoundError, SimulatorDied, SimulatorTimeout, ProtocolError: see ``Ns3Env``.
    """
    return Ns3VectorEnv(EnvGroup(n, executable, args, seed, **options), autoreset_mode)
