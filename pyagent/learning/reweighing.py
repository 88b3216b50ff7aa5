"""Policies of a recorded comparison, re-read at other weights of the reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pyagent.dataset import Dataset, RecordedTable
from pyagent.evaluation.weights import Reading, Rereading, reread
from pyagent.policies.base import Policy
from pyagent.reward import COMPONENTS, TERMS, FloatArray, RewardComposer
from pyagent.surrogate.types import Indices

_FAILED = COMPONENTS.index("failed")


def reread_policies(
    dataset: Dataset, policies: Mapping[str, Sequence[Policy]], readings: Sequence[Reading]
) -> Rereading:
    """Let policies play the test part once, and read their decisions at every weighting.

    Args:
        dataset: its test part is judged, its training part tunes the best static split.
        policies: name -> one policy of each training run; their rewards are averaged.
        readings: the first one is `pyagent.evaluation.weights.AS_RUN`.
    """
    test, train = _Cells(dataset, dataset.test), _Cells(dataset, dataset.train)
    judged = [
        test.rows(dataset.test.play_all(policy), name, run)
        for name, runs in policies.items()
        for run, policy in enumerate(runs)
    ]
    return reread(
        pd.concat(judged, ignore_index=True),
        test.static(),
        train.static(),
        dataset.composer.weights,
        readings,
    )


class _Cells:
    """Every term of every cell of a table.

    Args:
        dataset: gives splits and reward.
        table: one of its parts: K decisions, S actions, R replicates.
    """

    def __init__(self, dataset: Dataset, table: RecordedTable) -> None:
        self._table, self._cost = table, dataset.switching_cost
        self._splits = np.asarray(dataset.deployment.splits)
        self._terms = _terms(dataset.composer, table)

    def static(self) -> pd.DataFrame:
        """Rows of every split played alone."""
        K = len(self._table)
        frames = [
            self._frame(np.full(K, action), np.zeros(K, bool), replicate).assign(replicate=replicate)
            for action in range(self._table.actions)
            for replicate in range(self._table.replicates)
        ]
        return pd.concat(frames, ignore_index=True)

    def rows(self, actions: Indices, policy: str, run: int) -> pd.DataFrame:
        """Rows of a policy's actions [K, R], switching charged within episodes."""
        R, frames = self._table.replicates, []
        for replicate in range(R):
            chosen = actions[:, replicate]
            frame = self._frame(chosen, self._table.switched(chosen), replicate)
            frames.append(frame.assign(replicate=run * R + replicate))
        return pd.concat(frames, ignore_index=True).assign(policy=policy)

    def _frame(self, actions: Indices, switched: np.ndarray, replicate: int) -> pd.DataFrame:
        table, rows = self._table, np.arange(len(self._table))
        terms = self._terms[:, rows, actions, replicate].copy()
        terms[TERMS.index("switching")] = -self._cost * switched
        return pd.DataFrame(
            {
                "seed": table.seeds,
                "decision": table.decisions,
                "split": self._splits[actions],
                "failed": table.components[rows, actions, replicate, _FAILED] > 0,
                "reward": table.rewards[rows, actions, replicate] - self._cost * switched,
                **{f"term_{name}": values for name, values in zip(TERMS, terms, strict=True)},
            }
        )


def _terms(composer: RewardComposer, table: RecordedTable) -> FloatArray:
    """Terms [len(TERMS), K, S, R] of a table's cells, as a static policy pays them."""
    K, S, R, D = table.contexts.shape
    actions = np.broadcast_to(np.arange(S)[None, :, None], (K, S, R)).reshape(-1)
    static = composer.with_weights(replace(composer.weights, switching=0.0))
    components = table.components.reshape(-1, len(COMPONENTS))
    _, terms = static.composed(table.contexts.reshape(-1, D), actions, components)
    return np.stack([terms[name].reshape(K, S, R) for name in TERMS])
