"""Learned channel model: the next context, given this one and the action taken.

A ridge regression carries the mean (exactly linear for an AR(1) trend or for "previous split"), and whole
residual vectors of similar past transitions are drawn on top: correlations between features, skew and
state-dependent noise come from the data instead of from a distribution family (the local bootstrap of
Paparoditis and Politis 2002).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from llm_split.plain import one_line
from pyagent.errors import reading
from pyagent.surrogate.types import ActionEncoder, Contexts, Indices

Float32 = NDArray[np.float32]


class Channel(Protocol):
    """Whoever says which context comes next."""

    def sample(self, contexts: Contexts, actions: Indices, rng: np.random.Generator) -> Contexts:
        """Next contexts, float32 [B, D] in [0, 1], for contexts [B, D] and action indices [B]."""
        ...


class IndependentContexts:
    """No channel model: the next context is any real one, whatever this one is and whatever was done.

    Args:
        encoder: features of the actions.
        contexts: float32 [K, D], real ones.
        previous_split: index of the feature that says which split was taken before; set by the action.
    """

    def __init__(self, encoder: ActionEncoder, contexts: Contexts, previous_split: int) -> None:
        self._encoder, self._contexts, self._previous_split = encoder, contexts, previous_split

    def sample(self, contexts: Contexts, actions: Indices, rng: np.random.Generator) -> Contexts:
        """Next contexts, float32 [B, D]."""
        following = self._contexts[rng.integers(0, len(self._contexts), len(actions))]
        following[:, self._previous_split] = self._encoder.depths[actions]
        return following


class ChannelModel:
    """Samples next contexts in [0, 1].

    Args:
        encoder: features of the actions.
        neighbours: similar transitions that a residual is drawn from.
        ridge: penalty on the regression weights, relative to one transition.
        max_transitions: most recent transitions kept as neighbours; bounds the cost of a sample.
        previous_split: index of the feature that says which split was taken before, as a share of L. It is
            set by the action, so there is nothing to predict; None: there is no such feature.
    """

    def __init__(
        self,
        encoder: ActionEncoder,
        *,
        neighbours: int = 16,
        ridge: float = 0.1,
        max_transitions: int = 1024,
        previous_split: int | None = None,
    ) -> None:
        if neighbours < 1 or max_transitions < 1 or ridge <= 0:
            raise ValueError(
                f"want neighbours, max_transitions >= 1, ridge > 0; got {neighbours, max_transitions, ridge}"
            )
        self.encoder, self.neighbours, self.ridge = encoder, neighbours, ridge
        self.max_transitions, self.previous_split = max_transitions, previous_split
        self._weights: Float32 = np.zeros((0, 0), np.float32)
        self._anchors: Float32 = np.zeros((0, 0), np.float32)
        self._residuals: Float32 = np.zeros((0, 0), np.float32)

    @property
    def context_dim(self) -> int:
        """D, of the contexts that it was fitted to; 0 before."""
        return int(self._weights.shape[1])

    @property
    def fitted(self) -> bool:
        """Whether :meth:`fit` has been called."""
        return len(self._anchors) > 0

    def fit(self, contexts: Contexts, actions: Indices, next_contexts: Contexts) -> None:
        """Learns from transitions, oldest first; replaces what was learned before.

        Args:
            contexts: float32 [N, D].
            actions: int64 [N], action indices.
            next_contexts: float32 [N, D], the context of the decision after. Leave out pairs that straddle
                the end of an episode.

        Raises:
            ValueError: shapes differ or there is no transition.
        """
        if len(contexts) == 0 or contexts.shape != next_contexts.shape or actions.shape != (len(contexts),):
            raise ValueError(
                f"want N >= 1 transitions; got {contexts.shape}, {actions.shape}, {next_contexts.shape}"
            )
        x = self._features(contexts, actions).astype(np.float64)
        gram = x.T @ x + self.ridge * np.eye(x.shape[1])
        change = (next_contexts - contexts).astype(np.float64)  # shrinks towards "stays as it is"
        self._weights = np.linalg.solve(gram, x.T @ change).astype(np.float32)
        keep = slice(-self.max_transitions, None)
        self._anchors = x[keep].astype(np.float32)
        self._residuals = (change - x @ self._weights)[keep].astype(np.float32)

    def _features(self, contexts: Contexts, actions: Indices) -> Float32:
        # No separate intercept: the one-hot part of the action features sums to one.
        return np.concatenate([contexts, self.encoder.encode(actions)], 1).astype(np.float32)

    def sample(self, contexts: Contexts, actions: Indices, rng: np.random.Generator) -> Contexts:
        """Next contexts, float32 [B, D] in [0, 1], for contexts [B, D] and action indices [B].

        Raises:
            RuntimeError: called before :meth:`fit`.
        """
        if not self.fitted:
            raise RuntimeError("ChannelModel.sample before fit: no transition has been seen")
        x = self._features(contexts, actions)
        k = min(self.neighbours, len(self._anchors))
        distance = (self._anchors**2).sum(1) - 2.0 * (x @ self._anchors.T)  # (B, N), up to |x|^2
        nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
        chosen = nearest[np.arange(len(x)), rng.integers(0, k, len(x))]
        proposal = contexts + x @ self._weights + self._residuals[chosen]
        following = np.clip(proposal, 0.0, 1.0).astype(np.float32)
        if self.previous_split is not None:
            following[:, self.previous_split] = self.encoder.depths[actions]
        return following

    def save(self, folder: Path) -> None:
        """Writes ``channel.json`` and ``channel.safetensors``."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"weights": self._weights, "anchors": self._anchors, "residuals": self._residuals}
        save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, folder / "channel.safetensors")
        about = {
            "encoder": asdict(self.encoder),
            "neighbours": self.neighbours,
            "ridge": self.ridge,
            "max_transitions": self.max_transitions,
            "previous_split": self.previous_split,
        }
        (folder / "channel.json").write_text(json.dumps(about, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> ChannelModel:
        """The model that :meth:`save` wrote to ``folder``.

        Raises:
            DamagedFileError: a file is missing or damaged.
        """
        with reading(folder / "channel.json"):
            return cls._load(folder)

    @classmethod
    def _load(cls, folder: Path) -> ChannelModel:
        about = json.loads((folder / "channel.json").read_text(encoding="utf-8"))
        for name in ("neighbours", "max_transitions", "previous_split"):
            # Not 1.0 and not true, which equal 1 and are no index.
            if type(about[name]) is not int and (name, about[name]) != ("previous_split", None):
                raise ValueError(f"{name} = {one_line(repr(about[name]))}; valid: a whole number")
        encoder = ActionEncoder(tuple(about["encoder"]["splits"]), about["encoder"]["num_layers"])
        model = cls(
            encoder,
            neighbours=about["neighbours"],
            ridge=about["ridge"],
            max_transitions=about["max_transitions"],
            previous_split=about["previous_split"],
        )
        arrays = load_file(folder / "channel.safetensors")
        model._weights, model._anchors, model._residuals = (
            arrays[k] for k in ("weights", "anchors", "residuals")
        )
        model._require_whole()
        return model

    def _require_whole(self) -> None:
        """Raise ValueError unless all arrays fit together and are finite."""
        (rows, inputs), (width, outputs) = self._anchors.shape, self._weights.shape
        if self.fitted and (
            inputs != width
            or width != outputs + self.encoder.width
            or self._residuals.shape != (rows, outputs)
            or not (self.previous_split is None or 0 <= self.previous_split < outputs)
        ):
            raise ValueError(f"weights {width, outputs}, {rows} transitions of {inputs} do not fit together")
        for array in (self._weights, self._anchors, self._residuals):
            if array.dtype != np.float32 or not np.isfinite(array).all():
                raise ValueError("an array is not of finite float32 numbers")
