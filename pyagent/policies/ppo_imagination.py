"""PPO trained in imagination: every real evaluation behind it is one that the surrogate learned from."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from safetensors.torch import load_file, save_file
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.policies import ActorCriticPolicy

from pyagent.policies.base import Context, Mask, OfflinePolicy, masked_argmax
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


@contextmanager
def isolated_torch() -> Iterator[None]:
    """One torch thread inside, and the global random states of Python, NumPy and torch as before afterwards.

    stable-baselines3 seeds those global states; a caller's own random numbers must not change because of it.
    On networks this small more threads cost time.
    """
    threads, python_state, numpy_state = torch.get_num_threads(), random.getstate(), np.random.get_state()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(python_state)
        np.random.set_state(numpy_state)


class _Reporter(BaseCallback):  # type: ignore[misc]
    """Calls ``progress`` with the finished fraction after every rollout."""

    def __init__(self, progress: Progress, total: int) -> None:
        super().__init__()
        self._progress, self._total = progress, total

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._progress(min(1.0, self.num_timesteps / self._total))


class PpoImaginationPolicy(OfflinePolicy):
    """Most probable action of a trained actor; :meth:`train` makes one.

    Args:
        actor: stable-baselines3 policy over contexts [D] and S actions.
    """

    name = "ppo-imagination"

    def __init__(self, actor: Any, hidden: tuple[int, ...]) -> None:
        self._actor, self._hidden = actor, hidden
        actor.set_training_mode(False)

    @classmethod
    def train(
        cls,
        model: ImaginedModel,
        *,
        seed: int,
        settings: PpoSettings | None = None,
        progress: Progress | None = None,
    ) -> PpoImaginationPolicy:
        """PPO on ``model``; same seed and same model give the same weights, bit for bit, on one machine.

        Args:
            model: the imagined world; not changed.
            seed: of the training.
            settings: hyper-parameters.
            progress: called with the finished fraction, 0 to 1, after every rollout.
        """
        s = settings or PpoSettings()
        with isolated_torch():
            ppo = PPO(
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
            ppo.set_logger(Logger(folder=None, output_formats=[]))  # the default one leaves a folder behind
            reporter = None if progress is None else _Reporter(progress, s.total_steps)
            ppo.learn(s.total_steps, callback=reporter)
        return cls(ppo.policy, s.hidden)

    def probabilities(self, context: Context) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Probability of each action, float64 [S], for a context [D]."""
        with torch.no_grad():
            observation = torch.as_tensor(np.asarray(context, dtype=np.float32)[None])
            distribution = self._actor.get_distribution(observation).distribution
            probs: np.ndarray[Any, np.dtype[np.float64]] = distribution.probs[0].double().numpy()
        return probs

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The most probable allowed action for a context [D]."""
        return masked_argmax(self.probabilities(context), mask)

    def save(self, folder: Path) -> None:
        """Writes ``ppo.json`` and ``ppo.safetensors`` (stable-baselines3's own format pickles)."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {k: v.detach().clone().contiguous() for k, v in self._actor.state_dict().items()}
        save_file(state, folder / "ppo.safetensors")
        about = {
            "context_dim": int(self._actor.observation_space.shape[0]),
            "actions": int(self._actor.action_space.n),
            "hidden": list(self._hidden),
        }
        (folder / "ppo.json").write_text(json.dumps(about, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> PpoImaginationPolicy:
        """The policy that :meth:`save` wrote to ``folder``."""
        about = json.loads((folder / "ppo.json").read_text())
        with isolated_torch():
            actor = ActorCriticPolicy(
                spaces.Box(0.0, 1.0, (about["context_dim"],), np.float32),
                spaces.Discrete(about["actions"]),
                lambda _: 0.0,
                net_arch=about["hidden"],
            )
        actor.load_state_dict(load_file(folder / "ppo.safetensors"))
        return cls(actor, tuple(about["hidden"]))
