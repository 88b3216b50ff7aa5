"""stable-baselines3's vector environment for episodes that advance together as arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from pyagent.checks import check_actions

Step = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]


class BatchedVecEnv(VecEnv):  # type: ignore[misc]
    """``n`` episodes in one batch; a subclass says how they begin and advance.

    Episodes end as truncations (``TimeLimit.truncated``) and restart at once. With :meth:`seed` before
    :meth:`reset` the same numbers come every time.
    """

    render_mode: str | None = None

    def __init__(
        self, n: int, observations: spaces.Space[Any], actions: spaces.Space[Any], *, seed: int
    ) -> None:
        super().__init__(n, observations, actions)
        self._rng = np.random.default_rng(seed)
        self._actions: NDArray[np.int64] = np.zeros(n, np.int64)

    @abstractmethod
    def _begin(self) -> NDArray[np.float32]:
        """All episodes anew; first contexts [n, D]."""

    @abstractmethod
    def _advance(self, actions: NDArray[np.int64]) -> Step:
        """Contexts [n, D], rewards [n], dones [n], infos; what is done has begun again."""

    def reset(self) -> NDArray[np.float32]:
        """First contexts [n, D]."""
        if self._seeds[0] is not None:
            self._rng = np.random.default_rng(self._seeds[0])
        self._reset_seeds()
        self._reset_options()
        return self._begin()

    def step_async(self, actions: NDArray[Any]) -> None:
        """Takes the actions [n] of the next :meth:`step_wait`.

        Raises:
            InvalidArgumentError: another shape, no integers, or an action out of range.
        """
        self._actions = check_actions(actions, self.num_envs, int(self.action_space.n))

    def step_wait(self) -> Step:
        """Contexts [n, D], rewards float32 [n], dones [n], infos."""
        return self._advance(self._actions)

    def close(self) -> None:
        """Nothing to release."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute of this object, once per chosen environment."""
        return [getattr(self, attr_name)] * self._count(indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Not supported: the environments share one state."""
        raise NotImplementedError(
            f"{type(self).__name__} holds all episodes in one batch; set_attr has no meaning"
        )

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Not supported: there are no separate environments."""
        raise NotImplementedError(
            f"{type(self).__name__} has no separate environments to call {method_name} on"
        )

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Never wrapped."""
        return [False] * self._count(indices)

    def _count(self, indices: int | Sequence[int] | None) -> int:
        return len(list(self._get_indices(indices)))


def truncated(final: NDArray[np.float32]) -> dict[str, Any]:
    """What stable-baselines3 wants to know of an episode cut at its last context [D]."""
    return {"terminal_observation": final.copy(), "TimeLimit.truncated": True}
