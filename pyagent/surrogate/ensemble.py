"""Bootstrapped probabilistic ensemble, learned online.

Deep ensembles (Lakshminarayanan et al. 2017) with bootstrap counts and randomised prior functions (Osband et
al. 2018): members agree where there are data and keep their different priors where there are none.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from pyagent.surrogate.heads import OUTPUTS, Heads
from pyagent.surrogate.hypotheses import AnswersFromHeads
from pyagent.surrogate.network import EnsembleLayout
from pyagent.surrogate.replay import BUFFERED, ReplayBuffer
from pyagent.surrogate.scales import ComponentScales, InverseScale
from pyagent.surrogate.types import ActionEncoder, Batch, Contexts, Indices

_FORMAT = 2
_CONTINUOUS = slice(0, 3)


@dataclass(frozen=True)
class EnsembleSettings:
    """Hyper-parameters.

    Args:
        members: M, hypotheses held at once.
        hidden: widths of the hidden layers.
        learning_rate: of Adam.
        batch_size: decisions per gradient step.
        half_life: decisions after which a datum is drawn half as often; small follows change, large averages
            noise. ``math.inf`` draws all alike, for a recorded data set that does not change.
        capacity: decisions remembered.
        prior_scale: size of the fixed random prior, in model-scale units; 0 turns it off.
    """

    members: int = 5
    hidden: tuple[int, ...] = (64, 64)
    learning_rate: float = 3e-3
    batch_size: int = 64
    half_life: float = 128.0
    capacity: int = 8192
    prior_scale: float = 0.5

    def __post_init__(self) -> None:
        for name in ("members", "learning_rate", "batch_size", "half_life", "capacity"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)!r} must be > 0")
        if self.prior_scale < 0:
            raise ValueError(f"prior_scale={self.prior_scale!r} must be >= 0")

    def to_json(self) -> dict[str, Any]:
        """Plain values; JSON knows no infinity, so an infinite half-life becomes null."""
        values = asdict(self)
        return values | {"half_life": None if math.isinf(self.half_life) else self.half_life}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> EnsembleSettings:
        """What :meth:`to_json` wrote."""
        half_life = math.inf if values["half_life"] is None else values["half_life"]
        return cls(**{**values, "hidden": tuple(values["hidden"]), "half_life": half_life})


STATIONARY = EnsembleSettings(members=10, half_life=400.0)
"""For a scenario whose statistics do not change while it is learned: more hypotheses, a longer memory.

Chosen on three training runs on the recorded default scenario (docs/learning.md).
"""


class EnsembleSurrogate(AnswersFromHeads):
    """Default :class:`~pyagent.surrogate.types.Surrogate`.

    Args:
        context_dim: D; features are expected in [0, 1].
        encoder: features of the actions.
        scales: fixed physical scales of the scenario.
        seed: of everything random here: initial weights, prior, bootstrap counts, minibatches. The global
            random states of torch and NumPy are neither read nor changed.
        settings: hyper-parameters.
    """

    def __init__(
        self,
        context_dim: int,
        encoder: ActionEncoder,
        scales: ComponentScales,
        *,
        seed: int,
        settings: EnsembleSettings | None = None,
    ) -> None:
        self.context_dim, self.encoder, self.scales, self.seed = context_dim, encoder, scales, seed
        self.settings = settings or EnsembleSettings()
        s = self.settings
        inputs = context_dim + encoder.width
        self._layout = EnsembleLayout(s.members, (inputs, *s.hidden, OUTPUTS))
        self._prior_layout = EnsembleLayout(s.members, (inputs, 32, OUTPUTS))
        generator = torch.Generator().manual_seed(seed)
        self._flat = self._layout.initial(generator, output_gain=0.1).requires_grad_()
        self._prior = self._prior_layout.initial(generator, output_gain=1.0)
        self._optimizer = torch.optim.Adam([self._flat], lr=s.learning_rate)
        self._rng = np.random.default_rng([seed, 1])
        self._inverse = InverseScale(scales)
        self._buffer = ReplayBuffer(s.capacity, context_dim, s.members)
        self._frozen = False

    @property
    def members(self) -> int:
        """M."""
        return self.settings.members

    @property
    def observed(self) -> int:
        """Real decisions seen so far."""
        return self._buffer.total

    @property
    def memory(self) -> Batch:
        """The remembered decisions, oldest first."""
        return self._buffer.ordered()

    def _heads_of(self, context: Contexts, action: NDArray[np.float32]) -> Heads:
        x = torch.from_numpy(np.concatenate([2.0 * context - 1.0, action], 1).astype(np.float32))
        outputs = self._layout.forward(self._flat, x)
        if self.settings.prior_scale > 0:
            prior = self._prior_layout.forward(self._prior, x)
            prior[..., 6:12] = 0.0  # a random prior on the noise level would only slow learning
            outputs = outputs + self.settings.prior_scale * prior
        return Heads.from_outputs(outputs)

    def update(self, batch: Batch | None, steps: int) -> float:
        """Remembers ``batch`` (if any), then takes ``steps`` gradient steps on minibatches of the memory.

        Returns:
            Mean loss per member over the steps; nan when frozen, without data or with ``steps`` = 0.
        """
        if self._frozen:
            return float("nan")
        if batch is not None:
            self._buffer.append(batch, self._rng)
        if steps <= 0 or not len(self._buffer):
            return float("nan")
        return float(np.mean([self._step() for _ in range(steps)])) / self.members

    def _step(self) -> float:
        s, buffer = self.settings, self._buffer
        slots = buffer.sample(s.batch_size, s.half_life, self._rng)
        outcomes = buffer.outcomes[slots]
        wanted = np.repeat(outcomes[None, :, _CONTINUOUS], self.members, 0)  # (M, B, 3)
        wanted[..., 1] = buffer.quality[slots].T
        targets = torch.from_numpy(self.scales.to_model(wanted).astype(np.float32))
        failed = torch.from_numpy(outcomes[:, 3].astype(np.float32))
        weights = torch.from_numpy(buffer.counts[slots].T.copy())  # (M, B)
        heads = self._heads_of(buffer.contexts[slots], self.encoder.encode(buffer.actions[slots]))
        loss = heads.loss(targets, failed, weights)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return float(loss.detach())

    def relabel(self, tickets: Indices, delta_nll: NDArray[np.float32]) -> None:
        """Other quality losses for remembered decisions, a column per member; nothing when frozen.

        Args:
            tickets: int64 [N], what `observed` was before each decision.
            delta_nll: float32 [N, M], nats/token; NaN: not known.
        """
        if not self._frozen:
            self._buffer.relabel(tickets, delta_nll)

    def save(self, folder: Path) -> None:
        """Writes ``surrogate.json`` and ``surrogate.safetensors``: enough to continue bit for bit."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self._tensors(), folder / "surrogate.safetensors")
        about: dict[str, Any] = {
            "format": _FORMAT,
            "context_dim": self.context_dim,
            "encoder": asdict(self.encoder),
            "scales": asdict(self.scales),
            "seed": self.seed,
            "settings": self.settings.to_json(),
            "frozen": self._frozen,
            "observed": self._buffer.total,
            "rng": self._rng.bit_generator.state,
        }
        (folder / "surrogate.json").write_text(json.dumps(about, indent=2) + "\n")

    def _tensors(self) -> dict[str, Tensor]:
        state = self._optimizer.state[self._flat]
        adam = {f"adam.{k}": state[k].clone() for k in ("step", "exp_avg", "exp_avg_sq")} if state else {}
        used = len(self._buffer)
        buffer = {f"buffer.{k}": torch.from_numpy(getattr(self._buffer, k)[:used].copy()) for k in BUFFERED}
        return {"flat": self._flat.detach().clone(), "prior": self._prior.clone(), **adam, **buffer}

    @classmethod
    def load(cls, folder: Path) -> EnsembleSurrogate:
        """The surrogate that :meth:`save` wrote to ``folder``.

        Raises:
            FileNotFoundError: one of the two files is missing.
            ValueError: it was written by another format version.
        """
        about = json.loads((folder / "surrogate.json").read_text())
        if about["format"] != _FORMAT:
            raise ValueError(f"{folder}: surrogate format {about['format']}, this version reads {_FORMAT}")
        encoder = ActionEncoder(tuple(about["encoder"]["splits"]), about["encoder"]["num_layers"])
        surrogate = cls(
            about["context_dim"],
            encoder,
            ComponentScales(**about["scales"]),
            seed=about["seed"],
            settings=EnsembleSettings.from_json(about["settings"]),
        )
        surrogate._restore(load_file(folder / "surrogate.safetensors"), about["observed"])
        surrogate._rng.bit_generator.state = about["rng"]
        surrogate._frozen = about["frozen"]
        return surrogate

    def _restore(self, tensors: dict[str, Tensor], observed: int) -> None:
        with torch.no_grad():
            self._flat.copy_(tensors["flat"])
        self._prior = tensors["prior"]
        adam = {k.removeprefix("adam."): v for k, v in tensors.items() if k.startswith("adam.")}
        if adam:
            self._optimizer.state[self._flat] = adam
        for name in BUFFERED:
            rows = tensors[f"buffer.{name}"].numpy()
            getattr(self._buffer, name)[: len(rows)] = rows
        self._buffer.total = observed
