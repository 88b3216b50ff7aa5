"""Model-free PPO, A2C and DQN: what learning costs where every step is a real evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from pyagent.policies.actor import Actor, ActorPolicy
from pyagent.policies.sb3 import actor_of, isolated_torch, silenced

Algorithm = Literal["ppo", "a2c", "dqn"]
GAMMA = 0.5
"""Discount: the channel hardly reacts to the split, so what matters is this request and the next switch."""

PPO_ROLLOUT, A2C_ROLLOUT = 64, 16
"""Decisions between two updates, over all environments: small, because budgets are."""


class ModelFreePolicy(ActorPolicy):
    """What one of the algorithms has learned, acting greedily.

    Args:
        algorithm: that trained it; the policy's name.
        actor: what it learned.
    """

    def __init__(self, algorithm: Algorithm, actor: Actor) -> None:
        super().__init__(actor)
        self.name: str = algorithm

    def save(self, folder: Path) -> None:
        """Writes ``NAME.json`` and ``NAME.safetensors``."""
        self.actor.save(folder, self.name)

    @classmethod
    def load(cls, folder: Path, algorithm: Algorithm) -> ModelFreePolicy:
        """The policy that :meth:`save` wrote to ``folder``."""
        return cls(algorithm, Actor.load(folder, algorithm))


def learn(
    env: VecEnv, algorithm: Algorithm, steps: int, seed: int, snapshots: Sequence[int] = ()
) -> list[tuple[int, ModelFreePolicy]]:
    """Train on any vectorised environment over contexts; same seed and environment, same weights.

    Networks have two layers of 64. PPO and A2C learn after rollouts of `PPO_ROLLOUT` and `A2C_ROLLOUT`
    decisions and never stop within one; DQN learns once per decision from its 51st on, exploring from
    all to 2 % over the first quarter.

    Args:
        env: reset here, seeded with `seed`; not closed.
        algorithm: ppo, a2c or dqn.
        steps: decisions, over all environments together; rounded up to whole rollouts.
        seed: of the training.
        snapshots: decisions after which to copy the policy as well.

    Returns:
        Decisions taken and the policy by then (which may not have learned from the last of them yet), for
        each snapshot that was reached and for the end.

    Raises:
        ValueError: unknown algorithm, or a count below 1.
    """
    if algorithm not in get_args(Algorithm):
        raise ValueError(f"algorithm={algorithm!r}; valid: {', '.join(get_args(Algorithm))}")
    if steps < 1 or any(mark < 1 for mark in snapshots):
        raise ValueError(f"steps={steps} and snapshots={list(snapshots)} must be >= 1")
    with isolated_torch():
        model = silenced(_make(env, algorithm, seed))
        camera = _Camera(algorithm, snapshots)
        model.learn(steps, callback=camera)
        return [*camera.taken, (int(model.num_timesteps), ModelFreePolicy(algorithm, actor_of(model)))]


class _Camera(BaseCallback):  # type: ignore[misc]
    """Copies the policy when a number of decisions is reached."""

    def __init__(self, algorithm: Algorithm, marks: Sequence[int]) -> None:
        super().__init__()
        self._algorithm, self._marks = algorithm, sorted(set(marks))
        self.taken: list[tuple[int, ModelFreePolicy]] = []

    def _on_step(self) -> bool:
        if self._marks and self.num_timesteps >= self._marks[0]:
            self._marks = [mark for mark in self._marks if mark > self.num_timesteps]
            policy = ModelFreePolicy(self._algorithm, actor_of(self.model))
            self.taken.append((int(self.num_timesteps), policy))
        return True


def _make(env: VecEnv, algorithm: Algorithm, seed: int) -> Any:
    common: dict[str, Any] = {
        "gamma": GAMMA,
        "seed": seed,
        "device": "cpu",
        "policy_kwargs": {"net_arch": [64, 64]},
        "learning_rate": 1e-3,
    }
    if algorithm == "ppo":
        n_steps = max(PPO_ROLLOUT // env.num_envs, 2)
        batch = min(PPO_ROLLOUT, n_steps * env.num_envs)
        return PPO("MlpPolicy", env, n_steps=n_steps, batch_size=batch, ent_coef=0.005, **common)
    if algorithm == "a2c":
        n_steps = max(A2C_ROLLOUT // env.num_envs, 1)
        return A2C("MlpPolicy", env, n_steps=n_steps, ent_coef=0.005, normalize_advantage=True, **common)
    return DQN(
        "MlpPolicy",
        env,
        buffer_size=50_000,
        learning_starts=50,
        batch_size=64,
        train_freq=1,
        gradient_steps=-1,  # as many as environments stepped
        target_update_interval=100,
        exploration_fraction=0.25,
        exploration_final_eps=0.02,
        **common,
    )
