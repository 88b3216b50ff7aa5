"""The decision problem on a recorded dataset: the same spaces as live, thousands of decisions per second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from pyagent.batched import BatchedVecEnv, Step, truncated
from pyagent.checks import check_action, check_options, check_render_mode, check_whole
from pyagent.dataset import Dataset, RecordedTable, open_dataset, shipped_dataset
from pyagent.dataset.table import Part
from pyagent.envs.observation import FEATURES
from pyagent.surrogate.types import Indices

NO_ACTION = -1
"""What stands for the action before the first decision."""


class ReplayVecEnv(BatchedVecEnv):
    """``n`` recorded episodes at once, for stable-baselines3.

    An episode is one seed of the table on one replicate, both drawn at random. The context of a decision is
    that of the run of the action taken before; see `RecordedTable.replay` for what that leaves out.

    Attributes:
        decisions: taken so far.
        evaluations: of them, those whose reward only a language model could tell.
    """

    def __init__(self, table: RecordedTable, n: int, *, switching_cost: float, seed: int) -> None:
        shape = (table.contexts.shape[-1],)
        super().__init__(
            n, spaces.Box(0.0, 1.0, shape, np.float32), spaces.Discrete(table.actions), seed=seed
        )
        self.table, self._cost = table, switching_cost
        self._starts = np.flatnonzero(table.first_of_seed)
        self._last = np.append(self._starts[1:], len(table)) - 1
        self.decisions = self.evaluations = 0
        self._bought: list[int] = [0]
        self._begin()

    def evaluations_after(self, decisions: int) -> int:
        """Evaluations among the first `decisions`, whole steps of all environments counted."""
        return self._bought[-(-decisions // int(self.num_envs))]

    def _draw(self, count: int) -> tuple[Indices, Indices, Indices]:
        """First row, last row and replicate [count] of new episodes."""
        episode = self._rng.integers(0, len(self._starts), count)
        return self._starts[episode], self._last[episode], self._rng.integers(0, self.table.replicates, count)

    def _begin(self) -> NDArray[np.float32]:
        self._row, self._end, self._replicate = self._draw(self.num_envs)
        # Staggered starts, so that the episodes do not all end in the same step.
        self._row = self._row + np.arange(self.num_envs) % (self._end - self._row + 1)
        self._previous = np.full(self.num_envs, NO_ACTION)
        return self._contexts()

    def _contexts(self) -> NDArray[np.float32]:
        return np.array(self.table.contexts[self._row, np.maximum(self._previous, 0), self._replicate])

    def _advance(self, actions: Indices) -> Step:
        cells = (self._row, actions, self._replicate)
        switched = (self._previous != NO_ACTION) & (actions != self._previous)
        rewards = self.table.rewards[cells] - self._cost * switched
        self.decisions += self.num_envs
        self.evaluations += int(self.table.lossy[cells].sum())
        self._bought.append(self.evaluations)
        dones = self._row == self._end
        self._row, self._previous = self._row + ~dones, actions.copy()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(dones)
        if len(ended):
            # The state at the end of simulated time is not recorded: the last decision's stands for it.
            final = self._contexts()
            for i in ended:
                infos[i] = truncated(final[i])
            self._row[ended], self._end[ended], self._replicate[ended] = self._draw(len(ended))
            self._previous[ended] = NO_ACTION
        return self._contexts(), rewards.astype(np.float32), dones, infos


class ReplayEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """`SplitInference-v0` on a recorded dataset, without ns-3 and without a model.

    ### Observation, Action, Reward
    As in `SplitInferenceEnv`; the switching cost is the scenario's.

    ### Start
    `reset(seed=s)` draws one recorded episode; `options={"episode": e, "replicate": r}` chooses it.

    ### End
    Truncated after the episode's last request; never terminated.

    ### Info
    After a step `components` (float64 [C]: latency_s, delta_nll, ue_energy_j, failed), `network` (float64
    [3]: prompt_loss, output_loss, generated_share) and `lossy`, whether only a language model could tell the
    dNLL. Always `seed` (of the recorded episode) and `replicate`.

    ### Version history
    v0: initial.

    Args:
        dataset: a file, the name of a dataset that ships, or an open `Dataset`.
        part: which of its episodes.
        render_mode: only None.

    Raises:
        DatasetError: there is no such dataset.
        InvalidArgumentError: `render_mode` is not None.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (as Gymnasium declares it)

    def __init__(
        self,
        dataset: str | Path | Dataset = "default",
        part: Part = "train",
        render_mode: str | None = None,
    ) -> None:
        check_render_mode(render_mode)
        self.dataset = (
            dataset if isinstance(dataset, Dataset) else open_dataset(shipped_dataset(str(dataset)))
        )
        self.table: RecordedTable = getattr(self.dataset, part)
        self.splits = self.dataset.deployment.splits
        self.observation_space = spaces.Box(0.0, 1.0, (len(FEATURES),), np.float32)
        self.action_space = spaces.Discrete(len(self.splits))
        self._cost = self.dataset.switching_cost
        self._starts = np.flatnonzero(self.table.first_of_seed)
        self._row: int | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode; see the class.

        Raises:
            InvalidArgumentError: an option is unknown or its value is not valid.
        """
        chosen = check_options(options, ["episode", "replicate"])
        super().reset(seed=seed)
        counts = {"episode": len(self._starts), "replicate": self.table.replicates}
        episode, replicate = (
            check_whole(f"option {name}", chosen.get(name, self.np_random.integers(count)), 0, count - 1)
            for name, count in counts.items()
        )
        self._row, self._replicate, self._previous = int(self._starts[episode]), replicate, NO_ACTION
        return self._context(), self._info()

    def step(self, action: np.int64 | int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Play one recorded request.

        Raises:
            ResetNeeded: no episode is running.
            InvalidArgumentError: the action is not in the action space; the episode goes on.
        """
        if self._row is None:
            raise ResetNeeded("call reset() before step(): no episode is running")
        action = check_action(action, len(self.splits))
        row, cell = self._row, (self._row, action, self._replicate)
        switched = self._previous not in (NO_ACTION, action)
        reward = float(self.table.rewards[cell]) - self._cost * switched
        info = self._info() | {
            "components": self.table.components[cell].copy(),
            "network": self.table.network[cell].copy(),
            "lossy": bool(self.table.lossy[cell]),
        }
        self._previous = action
        over = row + 1 == len(self.table) or bool(self.table.first_of_seed[row + 1])
        self._row = row if over else row + 1
        context = self._context()
        if over:
            self._row = None
        return context, reward, False, over, info

    def _context(self) -> NDArray[np.float32]:
        return np.array(self.table.contexts[self._row, max(self._previous, 0), self._replicate])

    def _info(self) -> dict[str, Any]:
        assert self._row is not None
        return {"seed": int(self.table.seeds[self._row]), "replicate": self._replicate}
