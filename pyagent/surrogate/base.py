"""What the surrogates without a network have in common: targets, predictions from heads, files."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from pyagent.reward import FloatArray
from pyagent.surrogate.heads import CONTINUOUS, Heads
from pyagent.surrogate.hypotheses import AnswersFromHeads
from pyagent.surrogate.scales import ComponentScales, InverseScale
from pyagent.surrogate.types import ActionEncoder, Batch, Contexts
from pyagent.threads import one_torch_thread

if TYPE_CHECKING:
    from typing import Self

_FORMAT = 1
_ABOUT, _TENSORS = "surrogate.json", "surrogate.safetensors"

TARGETS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2))
"""(branch, component) of each regression, T = 5; the latency of a failed request is the deadline."""

PRIOR_LOGIT = -1.0
"""Of failure: before any is seen, assume that most requests succeed."""


def regression_targets(scales: ComponentScales, outcomes: FloatArray) -> Tensor:
    """Targets on the model scale, float64 [T, B]; NaN where a row says nothing about a target.

    That is the branch that did not happen, and the quality that was not bought.

    Args:
        scales: of the scenario.
        outcomes: float64 [B, C], as in :class:`Batch`.
    """
    model = scales.to_model(outcomes[:, :CONTINUOUS])
    failed = outcomes[:, 3]
    return torch.from_numpy(np.stack([np.where(failed == b, model[:, c], np.nan) for b, c in TARGETS]))


def centred_normals(rng: np.random.Generator, members: int, *shape: int) -> Tensor:
    """Standard normals, float64 [members, ...], that sum to 0 over members.

    What is linear in them then has exactly the posterior mean as the members' mean; scaled so that their
    variance over members is still 1 in expectation.
    """
    normal = rng.standard_normal((members, *shape))
    return torch.from_numpy((normal - normal.mean(0)) * math.sqrt(members / (members - 1)))


@dataclass(frozen=True)
class Settings:
    """Base of hyper-parameters that are plain numbers."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; JSON knows no infinity, so it becomes null."""
        return {k: None if v == math.inf else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What :meth:`to_json` wrote."""
        return cls(**{k: math.inf if v is None else v for k, v in values.items()})

    def require_positive(self, *names: str) -> None:
        """Raises ValueError unless the named ones are > 0."""
        for name in names:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)!r} must be > 0")


SettingsT = TypeVar("SettingsT", bound=Settings)


class HeadsSurrogate(AnswersFromHeads, Generic[SettingsT]):
    """Base of surrogates whose every hypothesis is one Gaussian per target and a failure probability.

    A subclass names its ``kind`` and ``settings_type``, takes data in, gives heads, and names its state.

    Args:
        context_dim: D; features are expected in [0, 1].
        encoder: features of the actions.
        scales: fixed physical scales of the scenario.
        seed: of all that is random here; global random states are neither read nor changed.
        settings: hyper-parameters.
    """

    kind: ClassVar[str]
    settings_type: ClassVar[type[Settings]]

    def __init__(
        self,
        context_dim: int,
        encoder: ActionEncoder,
        scales: ComponentScales,
        *,
        seed: int,
        settings: SettingsT | None = None,
    ) -> None:
        self.context_dim, self.encoder, self.scales, self.seed = context_dim, encoder, scales, seed
        self.settings: SettingsT = settings or self.settings_type()  # type: ignore[assignment]
        self._inverse = InverseScale(scales)
        self._frozen = False
        self._observed = 0

    @property
    @abstractmethod
    def members(self) -> int:
        """M."""

    @abstractmethod
    def _take_in(self, batch: Batch) -> None:
        """Learns what can be learned of ``batch`` without steps; ``_observed`` is counted by the caller."""

    @abstractmethod
    def _learn(self, steps: int) -> float:
        """Takes at most ``steps`` steps; returns the mean loss, nan without steps."""

    @abstractmethod
    def _heads(self, context: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Means [M, B, T], noise variances [M, B, T] and failure logits [M, B]; all float64.

        Args:
            context: float64 [B, D].
            action: float64 [B, A].
        """

    @abstractmethod
    def _state(self) -> dict[str, Tensor]:
        """All that :meth:`_restore` needs beside the arguments and ``observed``."""

    @abstractmethod
    def _restore(self, state: dict[str, Tensor]) -> None:
        """Takes over what :meth:`_state` gave; ``_observed`` is already set."""

    @property
    def observed(self) -> int:
        """Real decisions seen so far."""
        return self._observed

    def update(self, batch: Batch | None, steps: int) -> float:
        """Takes in ``batch`` (if any), then learns for at most ``steps`` steps.

        Returns:
            Mean loss over the steps taken; nan when there were none.
        """
        if self._frozen:
            return float("nan")
        with one_torch_thread():
            if batch is not None and len(batch.actions):
                self._take_in(batch)
                self._observed += len(batch.actions)
            return self._learn(steps) if self._observed else float("nan")

    def _heads_of(self, context: Contexts, action: NDArray[np.float32]) -> Heads:
        with one_torch_thread():
            means, variances, logits = self._heads(*self._inputs(context, action))
        return _assembled(means.float(), variances.log().float(), logits.float())

    def _inputs(self, context: Contexts, action: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        return (
            torch.from_numpy(context.astype(np.float64)),
            torch.from_numpy(action.astype(np.float64)),
        )

    def save(self, folder: Path) -> None:
        """Writes ``surrogate.json`` and ``surrogate.safetensors``: enough to continue bit for bit."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: v.contiguous().clone() for k, v in self._state().items()}, folder / _TENSORS)
        about: dict[str, Any] = {
            "format": _FORMAT,
            "kind": self.kind,
            "context_dim": self.context_dim,
            "encoder": asdict(self.encoder),
            "scales": asdict(self.scales),
            "seed": self.seed,
            "settings": self.settings.to_json(),
            "frozen": self._frozen,
            "observed": self._observed,
        }
        (folder / _ABOUT).write_text(json.dumps(about, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The surrogate that :meth:`save` wrote to ``folder``.

        Raises:
            FileNotFoundError: one of the two files is missing.
            ValueError: it holds another kind of surrogate, or was written by another format version.
        """
        about = json.loads((folder / _ABOUT).read_text())
        found = (about.get("kind"), about["format"])
        if found != (cls.kind, _FORMAT):
            raise ValueError(f"{folder}: surrogate kind, format {found}, this reads {(cls.kind, _FORMAT)}")
        surrogate = cls(
            about["context_dim"],
            ActionEncoder(tuple(about["encoder"]["splits"]), about["encoder"]["num_layers"]),
            ComponentScales(**about["scales"]),
            seed=about["seed"],
            settings=cls.settings_type.from_json(about["settings"]),  # type: ignore[arg-type]
        )
        surrogate._observed, surrogate._frozen = about["observed"], about["frozen"]
        surrogate._restore(load_file(folder / _TENSORS))
        return surrogate


def _assembled(means: Tensor, log_variances: Tensor, logits: Tensor) -> Heads:
    """Heads of the targets [M, B, T]; the latency of the failed branch, which heads ignore, is 0."""
    shape = (*logits.shape, 2, CONTINUOUS)
    mean, log_variance = torch.zeros(shape), torch.zeros(shape)
    for t, (branch, component) in enumerate(TARGETS):
        mean[..., branch, component] = means[..., t]
        log_variance[..., branch, component] = log_variances[..., t]
    return Heads(mean, log_variance, logits)
