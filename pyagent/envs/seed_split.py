"""The decision problem of the published code, on the quality of a real model: no network, no ns-3."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from pyagent.checks import check_action, check_number, check_options, check_render_mode, check_whole
from pyagent.envs.seed_quality import MAX_LOSS, SPLITS, QualityTable, SeedQuality
from pyagent.reward import FloatArray, paper_reward

MOVES = (0, -1, 1, -2, 2, -3, 3, -4, 4)
"""Change of the split by each action."""
LOSS_FACTORS = {
    -4: 1.002,
    -3: 1.0015,
    -2: 1.001,
    -1: 1.0005,
    0: 1.0,
    1: 0.9995,
    2: 0.999,
    3: 0.9995,
    4: 0.998,
}
"""What the loss is multiplied by when the split really changes by so much (+3 as published, odd as it is)."""
STEPS = 5
FIRST_LOSS = (0.01, 0.3)
"""Bounds of an episode's first loss, uniform between them."""
FIRST_SPLITS = SPLITS[:-1]
"""An episode's first split is one of these, equally likely."""


def moved(split: int, action: int) -> tuple[int, float]:
    """Split after an action, kept within 1..10, and what the loss is multiplied by."""
    after = min(max(split + MOVES[action], SPLITS[0]), SPLITS[-1])
    return after, LOSS_FACTORS[after - split]


def seed_reward(perplexity_ratio: FloatArray | float, split: NDArray[np.int64] | int) -> FloatArray:
    """The published reward, w_p = 10 and w_l = 1, of PPL / PPL0; see `paper_reward`."""
    return paper_reward(perplexity_ratio, split, perplexity_unimpaired=1.0, max_split=SPLITS[-1])


class SeedSplitEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """At which of the first ten layers to split, given how much is lost.

    The environment of Chen et al. ("Adaptive layer splitting for wireless large language model inference in
    edge computing", arXiv 2406.02616) as their code has it: states, moves, first states, drift of the loss,
    length and reward weights are published. The quality behind the reward is ours: that of a real model.

    ### Observation
    `Box([0, 1], [0.3, 10], (2,), float32)`

    | Num | Observation | Min | Max | Unit                            |
    |-----|-------------|-----|-----|---------------------------------|
    | 0   | loss        | 0   | 0.3 | share of values that are zeroed |
    | 1   | split       | 1   | 10  | blocks on the UE                |

    ### Action
    `Discrete(9)`: the split stays (0), or moves by -1, +1, -2, +2, -3, +3, -4, +4 (1 to 8). A move beyond 1
    or 10 ends there.

    ### Dynamics
    The loss is multiplied by 1.0005 for each block that the split went down and by 0.9995 for each that it
    went up (+4: 0.998; +3: 0.9995, as published), and kept to at most 0.3. So within an episode it changes by
    about 1 %.

    ### Reward
    `10 (PPL0 - PPL) / PPL0 + (10 - split) / 10` at the new loss and split; see `paper_reward`.

    ### Start
    Loss uniform in [0.01, 0.3], split uniform in 1 to 9. `options={"loss": x, "split": s}` sets either.

    ### End
    Terminated after 5 steps; never truncated.

    ### Info
    After a step: `perplexity_ratio`, PPL / PPL0.

    ### Version history
    v0: initial.

    Args:
        quality: perplexity ratio of a split under a loss. None: the table that ships, measured on
            SmolLM2-135M (no model is loaded). `RealQuality` runs the model in every step.
        render_mode: only None.

    Raises:
        InvalidArgumentError: `render_mode` is not None.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (as Gymnasium declares it)

    def __init__(self, quality: SeedQuality | None = None, render_mode: str | None = None) -> None:
        check_render_mode(render_mode)
        self.quality: SeedQuality = quality or QualityTable.load()
        low, high = ([0.0, SPLITS[0]], [MAX_LOSS, SPLITS[-1]])
        self.observation_space = spaces.Box(
            np.array(low, dtype=np.float32), np.array(high, dtype=np.float32), dtype=np.float32
        )
        self.action_space = spaces.Discrete(len(MOVES))
        self._loss, self._split = 0.0, SPLITS[0]
        self._steps_left = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode; see the class.

        Raises:
            InvalidArgumentError: an option is unknown or its value is not valid.
        """
        chosen = check_options(options, ["loss", "split"])
        super().reset(seed=seed)
        first = {"loss": self.np_random.uniform(*FIRST_LOSS), "split": self.np_random.choice(FIRST_SPLITS)}
        first |= chosen
        self._loss = check_number("option loss", first["loss"], 0, MAX_LOSS)
        self._split = check_whole("option split", first["split"], SPLITS[0], SPLITS[-1])
        self._steps_left = STEPS
        return self._observation(), {}

    def step(self, action: np.int64 | int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Move, and run a request.

        Raises:
            ResetNeeded: no episode is running.
            InvalidArgumentError: the action is not in the action space; the episode goes on.
        """
        if not self._steps_left:
            raise ResetNeeded("call reset() before step(): no episode is running")
        action = check_action(action, len(MOVES))
        self._steps_left -= 1
        self._split, factor = moved(self._split, action)
        self._loss = min(self._loss * factor, MAX_LOSS)
        ratio = self.quality.perplexity_ratio(self._split, self._loss, self.np_random)
        reward = float(seed_reward(ratio, self._split))
        return self._observation(), reward, not self._steps_left, False, {"perplexity_ratio": ratio}

    def _observation(self) -> NDArray[np.float32]:
        return np.array([self._loss, self._split], dtype=np.float32)
