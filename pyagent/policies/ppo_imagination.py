"""PPO trained in imagination: every real evaluation behind it is one that the surrogate learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback

from pyagent.policies.actor import Actor, ActorPolicy
from pyagent.policies.base import Context
from pyagent.policies.sb3 import actor_of, isolated_torch, silenced
from pyagent.reward import FloatArray
from pyagent.surrogate.imagined import ImaginedModel, ImaginedVecEnv

Progress = Callable[[float], None]


@dataclass(frozen=True)
class PpoSettings:
    """Hyper-parameters of the training in imagination.

    The discount is small because the channel hardly reacts to the split: what the policy can influence is
    this request, the next one's switching cost, and little else.

    Args:
        total_steps: imagined decisions, rounded up to whole rollouts.
        n_envs, n_steps: rollout shape; a rollout holds ``n_envs * n_steps`` decisions.
        batch_size, n_epochs, learning_rate, gamma, gae_lambda, entropy: as in stable-baselines3.
        hidden: widths of the policy and of the value network.
    """

    total_steps: int = 24_576
    n_envs: int = 64
    n_steps: int = 16
    batch_size: int = 256
    n_epochs: int = 6
    learning_rate: float = 1e-3
    gamma: float = 0.5
    gae_lambda: float = 0.9
    entropy: float = 0.005
    hidden: tuple[int, ...] = (64, 64)


class _Reporter(BaseCallback):  # type: ignore[misc]
    """Calls ``progress`` with the finished fraction after every rollout."""

    def __init__(self, progress: Progress, total: int) -> None:
        super().__init__()
        self._progress, self._total = progress, total

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._progress(min(1.0, self.num_timesteps / self._total))


class PpoImaginationPolicy(ActorPolicy):
    """Most probable action of a trained actor; :meth:`train` makes one."""

    name = "ppo-imagination"

    @classmethod
    def train(
        cls,
        model: ImaginedModel,
        *,
        seed: int,
        settings: PpoSettings | None = None,
        progress: Progress | None = None,
    ) -> PpoImaginationPolicy:
        """Maskable PPO on ``model``: what its mask forbids is never tried there (Huang and Ontanon 2022).

        Same seed and same model give the same weights, bit for bit, on one machine.

        Args:
            model: the imagined world; not changed.
            seed: of the training.
            settings: hyper-parameters.
            progress: called with the finished fraction, 0 to 1, after every rollout.
        """
        s = settings or PpoSettings()
        with isolated_torch():
            ppo = MaskablePPO(
                "MlpPolicy",
                ImaginedVecEnv(model, s.n_envs, seed=seed),
                n_steps=s.n_steps,
                batch_size=s.batch_size,
                n_epochs=s.n_epochs,
                learning_rate=s.learning_rate,
                gamma=s.gamma,
                gae_lambda=s.gae_lambda,
                ent_coef=s.entropy,
                policy_kwargs={"net_arch": list(s.hidden)},
                seed=seed,
                device="cpu",
            )
            reporter = None if progress is None else _Reporter(progress, s.total_steps)
            silenced(ppo).learn(s.total_steps, callback=reporter)
        return cls(actor_of(ppo))

    def probabilities(self, context: Context) -> FloatArray:
        """Probability of each action, float64 [S], for a context [D]."""
        logits = self.actor.scores(context)
        shares = np.exp(logits - logits.max())
        return np.asarray(shares / shares.sum())

    def save(self, folder: Path) -> None:
        """Writes ``ppo.json`` and ``ppo.safetensors``."""
        self.actor.save(folder, "ppo")

    @classmethod
    def load(cls, folder: Path) -> PpoImaginationPolicy:
        """The policy that :meth:`save` wrote to ``folder``."""
        return cls(Actor.load(folder, "ppo"))
