"""The learners of the seed's study: PPO with the published settings, and a network that predicts quality.

Published (Chen et al., arXiv 2406.02616, and their code): stable-baselines3's PPO with an MLP policy,
rollouts of 400 steps, batches of 100, its defaults otherwise, and 240,000 steps; a network with two hidden
layers of 128 that predicts quality from loss and split. How the network was fitted is not, so that is ours.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from torch import Tensor, nn

from pyagent.campaign.progress import PhaseProgress
from pyagent.envs.seed_model import RealQuality
from pyagent.envs.seed_optimum import SeedProblem
from pyagent.envs.seed_quality import MAX_LOSS, SPLITS, SeedQuality
from pyagent.envs.seed_split import FIRST_LOSS, SeedSplitEnv
from pyagent.policies.sb3 import isolated_torch
from pyagent.reward import FloatArray

PPO_STEPS = 240_000
N_STEPS, BATCH_SIZE = 400, 100
ROLLOUTS_PER_POINT = 5
"""Rollouts between two points of a learning curve."""
POINTS_HELD = 10
"""A training ends early when the goal is held over so many points, 20,000 steps."""
HIDDEN = 128
_EPOCHS, _LEARNING_RATE = 300, 1e-3


@dataclass
class Curve:
    """A training of PPO.

    Attributes:
        steps: decisions so far, at each point.
        values: what the policy then earns per episode on the measured table, taking its likeliest action.
        cpu_s, wall_s: of the training, without the evaluations for this curve.
    """

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0

    @property
    def step_cpu_s(self) -> float:
        """CPU seconds of a decision and its share of the updates."""
        return self.cpu_s / self.steps[-1]

    def steps_to(self, value: float) -> int | None:
        """Decisions until the policy first earns `value`; None: never."""
        return next((n for n, v in zip(self.steps, self.values, strict=True) if v >= value), None)


def train_ppo(
    quality: SeedQuality, problem: SeedProblem, goal: float, seed: int, steps: int, progress: PhaseProgress
) -> Curve:
    """PPO with the published settings on `SeedSplitEnv`; the same seed gives the same curve.

    Args:
        quality: what the environment rewards by.
        problem: what the policy is judged by.
        goal: value that counts as learned; see `POINTS_HELD`.
        seed: of training.
        steps: decisions at most, rounded up to whole rollouts.
        progress: advanced by every decision.
    """
    with isolated_torch():
        env = SeedSplitEnv(quality)
        ppo = PPO(
            "MlpPolicy", env, n_steps=N_STEPS, batch_size=BATCH_SIZE, seed=seed, device="cpu", verbose=0
        )
        ppo.set_logger(Logger(folder=None, output_formats=[]))
        watch = _Watch(problem, goal, progress)
        cpu, wall = time.process_time(), time.monotonic()
        ppo.learn(steps, callback=watch)
        watch.curve.cpu_s = round(time.process_time() - cpu - watch.cpu_s, 2)
        watch.curve.wall_s = round(time.monotonic() - wall - watch.wall_s, 2)
    return watch.curve


class _Watch(BaseCallback):  # type: ignore[misc]
    """Draws the learning curve, and ends the training when the goal is held."""

    def __init__(self, problem: SeedProblem, goal: float, progress: PhaseProgress) -> None:
        super().__init__()
        self._goal = goal
        self.curve, self.cpu_s, self.wall_s = Curve(), 0.0, 0.0
        self._problem, self._progress = problem, progress
        losses, splits = np.meshgrid(problem.losses, SPLITS, indexing="ij")
        self._states = np.stack([losses, splits], axis=-1).reshape(-1, 2).astype(np.float32)
        self._rollouts = 0

    def _on_step(self) -> bool:
        latest = self.curve.values[-POINTS_HELD:]
        return len(latest) < POINTS_HELD or min(latest) < self._goal

    def _on_rollout_start(self) -> None:
        """Judges the policy as the updates so far have left it."""
        if self._rollouts % ROLLOUTS_PER_POINT == 0:
            self._judge()
        self._rollouts += 1

    def _on_rollout_end(self) -> None:
        self._progress.advance(N_STEPS)

    def _on_training_end(self) -> None:
        if self.curve.steps[-1] != self.num_timesteps:
            self._judge()

    def _judge(self) -> None:
        cpu, wall = time.process_time(), time.monotonic()
        actions, _ = self.model.predict(self._states, deterministic=True)
        values = self._problem.value_of(actions.reshape(-1, len(SPLITS)))
        self.curve.steps.append(int(self.num_timesteps))
        self.curve.values.append(round(self._problem.per_episode(values), 4))
        self.cpu_s += time.process_time() - cpu
        self.wall_s += time.monotonic() - wall


@dataclass(frozen=True)
class RealSteps:
    """Real evaluations at random states, one after the other.

    Attributes:
        splits, losses, ratios: of each, [N].
        cpu_s, wall_s: mean of one; the UE half was computed before.
    """

    splits: list[int]
    losses: list[float]
    ratios: list[float]
    cpu_s: float
    wall_s: float

    @classmethod
    def take(cls, real: RealQuality, count: int, seed: int, progress: PhaseProgress) -> RealSteps:
        """`count` evaluations at states drawn evenly: loss in [0.01, 0.3], split in 1..10."""
        rng = np.random.default_rng(seed)
        for window in range(len(real.windows)):
            real.delta_nll(window, SPLITS[-1], MAX_LOSS, rng)
        splits, losses = rng.choice(SPLITS, count), rng.uniform(*FIRST_LOSS, count)
        ratios = []
        cpu, wall = time.process_time(), time.monotonic()
        for split, loss in zip(splits, losses, strict=True):
            ratios.append(real.perplexity_ratio(int(split), float(loss), rng))
            progress.advance()
        return cls(
            splits=splits.tolist(),
            losses=losses.round(5).tolist(),
            ratios=[round(ratio, 5) for ratio in ratios],
            cpu_s=round((time.process_time() - cpu) / count, 4),
            wall_s=round((time.monotonic() - wall) / count, 4),
        )


class FittedQuality:
    """A network fitted to real evaluations.

    It predicts log(PPL / PPL0) / loss: without loss the ratio is then 1, and its mean is what the table has.

    Args:
        steps: what was evaluated.
        count: only the first so many.
        seed: of the first weights.
    """

    def __init__(self, steps: RealSteps, count: int, seed: int) -> None:
        losses = np.array(steps.losses[:count])
        x = _inputs(np.array(steps.splits[:count]), losses)
        log_ratios, weights = np.log(steps.ratios[:count]), losses / MAX_LOSS
        with isolated_torch():
            torch.manual_seed(seed)
            self._network = nn.Sequential(
                nn.Linear(2, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)
            )
            _fit(self._network, x, _tensor(weights), _tensor(log_ratios))
        # The environment asks for one state at a time, so it reads a table.
        self._grid: FloatArray = np.linspace(0.0, MAX_LOSS, 61)
        self._table = self._predicted(self._grid)

    def ratios(self, losses: ArrayLike) -> FloatArray:
        """Predicted ratio of all splits at some losses [m]: [m, S]."""
        wanted = np.asarray(losses, dtype=np.float64)
        return np.stack([np.interp(wanted, self._grid, column) for column in self._table.T], axis=-1)

    def perplexity_ratio(self, split: int, loss: float, rng: np.random.Generator) -> float:
        """See `SeedQuality`; nothing is random."""
        return float(np.interp(loss, self._grid, self._table[:, split - 1]))

    def _predicted(self, losses: FloatArray) -> FloatArray:
        at, splits = np.meshgrid(losses, SPLITS, indexing="ij")
        with torch.no_grad():
            out = self._network(_inputs(splits.ravel(), at.ravel()))[:, 0].double().numpy()
        return np.asarray(np.exp(at / MAX_LOSS * out.reshape(at.shape)))


def _tensor(values: FloatArray) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)


def _inputs(splits: NDArray[Any], losses: FloatArray) -> Tensor:
    """[B, 2], about -1 to 1."""
    return _tensor(2 * np.stack([losses / MAX_LOSS, splits / SPLITS[-1]], axis=-1) - 1)


def _fit(network: nn.Sequential, x: Tensor, scale: Tensor, y: Tensor) -> None:
    """Least squares of scale * network(x) to y by Adam, all evaluations in every pass."""
    optimiser = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
    for _ in range(_EPOCHS):
        optimiser.zero_grad()
        (scale * network(x)[:, 0] - y).square().mean().backward()
        optimiser.step()
