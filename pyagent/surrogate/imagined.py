"""Imagined environments: the surrogate answers instead of the simulator and the language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from pyagent.batched import BatchedVecEnv, Step, truncated
from pyagent.reward import FloatArray, RewardComposer
from pyagent.surrogate.channel import Channel
from pyagent.surrogate.types import ActionEncoder, Contexts, Indices, Surrogate


@dataclass(frozen=True)
class ImaginedModel:
    """Everything that an imagined decision needs.

    Args:
        surrogate: outcome of a decision.
        channel: the context after it.
        encoder: features of the actions.
        composer: components to reward.
        start_contexts: float32 [K, D], where episodes begin; real contexts.
        horizon: decisions per episode; short, because model errors add up.
        pessimism: epistemic standard deviations of the reward that are subtracted; 0 relies on the variety of
            members alone (each episode lives in one member's world).
        mask: bool [S], True where the action is allowed; None allows all.
    """

    surrogate: Surrogate
    channel: Channel
    encoder: ActionEncoder
    composer: RewardComposer
    start_contexts: Contexts
    horizon: int = 10
    pessimism: float = 0.0
    mask: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.start_contexts.ndim != 2 or len(self.start_contexts) == 0:
            raise ValueError(f"start_contexts must be [K >= 1, D], got {self.start_contexts.shape}")
        if self.horizon < 1 or self.pessimism < 0:
            raise ValueError(f"want horizon >= 1, pessimism >= 0; got {self.horizon}, {self.pessimism}")
        if self.encoder.splits != self.composer.splits:
            raise ValueError(f"encoder and composer differ: {self.encoder.splits}, {self.composer.splits}")
        if self.mask is not None and (self.mask.shape != (len(self.encoder.splits),) or not self.mask.any()):
            raise ValueError(
                f"mask must be [{len(self.encoder.splits)}] and allow something, got {self.mask}"
            )

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """The mask, bool [S], all True where there is none."""
        return np.ones(len(self.encoder.splits), bool) if self.mask is None else self.mask.copy()

    @property
    def observation_space(self) -> spaces.Box:
        """Contexts: float32 [D] in [0, 1]."""
        return spaces.Box(0.0, 1.0, (self.start_contexts.shape[1],), np.float32)

    @property
    def action_space(self) -> spaces.Discrete[Any]:
        """Action indices."""
        return spaces.Discrete(len(self.encoder.splits))

    def start(self, count: int, rng: np.random.Generator) -> tuple[Contexts, Indices]:
        """First contexts [count, D] and the member [count] whose world each episode lives in."""
        rows = rng.integers(0, len(self.start_contexts), count)
        return np.asarray(self.start_contexts[rows]), rng.integers(0, self.surrogate.members, count)

    def member_rewards(self, contexts: Contexts, actions: Indices) -> FloatArray:
        """Reward that each member expects, [M, B], of B decisions."""
        means = self.surrogate.predict(contexts, self.encoder.encode(actions)).member_means
        return self.composer.rewards(contexts, actions, means)

    def expected_rewards(self, contexts: Contexts, actions: Indices) -> FloatArray:
        """Mean over members [B] of B decisions, less what pessimism takes off."""
        rewards = self.member_rewards(contexts, actions)
        return np.asarray(rewards.mean(0) - self.pessimism * rewards.std(0))

    def advance(
        self, contexts: Contexts, actions: Indices, member: Indices, rng: np.random.Generator
    ) -> tuple[Contexts, FloatArray, FloatArray]:
        """Next contexts [B, D], rewards [B] and sampled components [B, C] of B decisions at once."""
        encoded = self.encoder.encode(actions)
        components = self.surrogate.sample(contexts, encoded, member, rng)
        rewards = self.composer.rewards(contexts, actions, components)
        if self.pessimism > 0:
            rewards = rewards - self.pessimism * self.member_rewards(contexts, actions).std(0)
        return self.channel.sample(contexts, actions, rng), rewards, components


class ImaginedVecEnv(BatchedVecEnv):
    """stable-baselines3 view: ``n`` imagined episodes advance in one batched call.

    Observation: float32 [n, D] in [0, 1]. Action: index into the splits. Reward: composed from *sampled*
    components. Episodes end at the horizon.
    """

    def __init__(self, model: ImaginedModel, n: int, *, seed: int) -> None:
        super().__init__(n, model.observation_space, model.action_space, seed=seed)
        self.model = model
        self._begin()

    def _begin(self) -> Contexts:
        self._contexts, self._member = self.model.start(self.num_envs, self._rng)
        # Staggered starts, so that the episodes do not all end in the same step.
        self._elapsed = np.arange(self.num_envs) % self.model.horizon
        return np.array(self._contexts, dtype=np.float32)

    def _advance(self, actions: Indices) -> Step:
        following, rewards, _ = self.model.advance(self._contexts, actions, self._member, self._rng)
        self._elapsed = self._elapsed + 1
        dones = self._elapsed >= self.model.horizon
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(dones)
        for i in ended:
            infos[i] = truncated(following[i])
        if len(ended):
            following[ended], self._member[ended] = self.model.start(len(ended), self._rng)
            self._elapsed[ended] = 0
        self._contexts = following
        return following.copy(), rewards.astype(np.float32), dones, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are allowed, bool [n, S]."""
        return np.tile(self.model.allowed, (self.num_envs, 1))

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Only ``action_masks``, which maskable algorithms ask for: there are no separate environments."""
        if method_name == "action_masks":
            return list(self.action_masks()[list(self._get_indices(indices))])
        return super().env_method(method_name, *args, indices=indices, **kwargs)


class ImaginedEnv(gym.Env[Contexts, Any]):
    """Gymnasium view of one imagined episode at a time.

    Observation: ``Box(0, 1, (D,), float32)``, the normalised context. Action: ``Discrete(S)``, index into the
    splits.
    Reward: <= 0, composed from sampled components. Start: a real context and a random ensemble member. End:
    truncation after ``horizon`` decisions; never termination. ``info``: the sampled ``components`` [C] and
    the ``member``.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, model: ImaginedModel) -> None:
        self.model = model
        self.observation_space: spaces.Space[Contexts] = cast(spaces.Space[Contexts], model.observation_space)
        self.action_space = model.action_space
        self._contexts: Contexts | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Contexts, dict[str, Any]]:
        """First context [D]; the same one for the same ``seed``."""
        super().reset(seed=seed)
        self._contexts, self._member = self.model.start(1, self.np_random)
        self._elapsed = 0
        return self._contexts[0].copy(), {"member": int(self._member[0])}

    def step(self, action: Any) -> tuple[Contexts, float, bool, bool, dict[str, Any]]:
        """One imagined decision.

        Raises:
            RuntimeError: before :meth:`reset`.
        """
        if self._contexts is None:
            raise RuntimeError("ImaginedEnv.step before reset")
        actions = np.asarray([action], dtype=np.int64)
        self._contexts, rewards, components = self.model.advance(
            self._contexts, actions, self._member, self.np_random
        )
        self._elapsed += 1
        info = {"components": components[0], "member": int(self._member[0])}
        return self._contexts[0].copy(), float(rewards[0]), False, self._elapsed >= self.model.horizon, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are allowed, bool [S]."""
        return self.model.allowed
