"""What element-wise loss at a cut costs in perplexity, as a table that was measured once.

The channel is the published one (Chen et al., arXiv 2406.02616): every single value of the hidden states is
zeroed independently with probability `loss`, the first token's too. Quality is the ratio of the perplexity
under loss to that without. As published, perplexity is that of a whole text, so the ratio is exp of the mean
dNLL over its windows. (The ratios of single windows scatter: losing one of the few huge values of the first
token can cost as much as all else, so their mean would tell of the worst windows alone.)

Symbols: S splits, G loss rates, n windows, W window length, P prompt tokens (not scored).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyagent.errors import UserError, reading
from pyagent.reward import FloatArray

MAX_LOSS = 0.3
SPLITS = tuple(range(1, 11))
LOSSES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
"""Loss rates that the table is measured at; without loss nothing is to be measured, the ratio is 1."""
TABLE_FILE = Path(__file__).with_name("seed_split.json")
"""The table that ships; `python -m benchmarks.seed_study measure` makes it."""


class SeedQuality(Protocol):
    """Perplexity ratio of one request."""

    def perplexity_ratio(self, split: int, loss: float, rng: np.random.Generator) -> float:
        """PPL / PPL0 at `split` in 1..10 blocks and `loss` in [0, 0.3]; what is random comes from `rng`."""
        ...


@dataclass(frozen=True)
class Setup:
    """What quality is measured on.

    Attributes:
        model: name, folder or hub id; more than 10 blocks.
        text: name or path; the windows come from its test part.
        windows: n.
        window_tokens, prompt_tokens: W and P; the W - P tokens after the prompt are scored.
        seed: of the choice of windows and of the table's losses.
    """

    model: str = "smollm2-135m"
    text: str = "python-docs"
    windows: int = 24
    window_tokens: int = 96
    prompt_tokens: int = 32
    seed: int = 0


@dataclass(frozen=True)
class QualityTable:
    """A measured table, and the quality that it gives: that of its windows together, without noise.

    Between loss rates the logarithm of the ratio is linear in the loss, down to 0 without loss.

    Attributes:
        setup: what it was measured on.
        losses: increasing, > 0, [G].
        reference_nll: of each window without loss, nats/token, [n].
        delta_nll: [S, G, n], nats/token; splits are 1..S.
    """

    setup: Setup
    losses: FloatArray
    reference_nll: FloatArray
    delta_nll: FloatArray

    def __post_init__(self) -> None:
        want = (len(SPLITS), len(self.losses), len(self.reference_nll))
        if self.delta_nll.shape != want or not np.isfinite(self.delta_nll).all():
            raise UserError(f"delta_nll has shape {self.delta_nll.shape}, valid: {want}, all finite")
        if not (len(self.losses) and (np.diff(self.losses, prepend=0.0) > 0).all()):
            raise UserError(f"losses is {self.losses.tolist()}, valid: increasing, > 0")

    @property
    def text_ratio(self) -> FloatArray:
        """PPL / PPL0 of all windows together, exp of the mean dNLL, [S, G]."""
        return np.asarray(np.exp(self.delta_nll.mean(axis=-1)))

    @property
    def ratio_stderr(self) -> FloatArray:
        """Standard error of `text_ratio` by the delta method, [S, G]."""
        n = self.delta_nll.shape[-1]
        return np.asarray(self.text_ratio * self.delta_nll.std(axis=-1, ddof=1) / np.sqrt(n))

    @property
    def reference_perplexity(self) -> float:
        """exp of the mean NLL without loss."""
        return float(np.exp(self.reference_nll.mean()))

    def ratios(self, losses: ArrayLike) -> FloatArray:
        """Ratio of all splits at some losses [m]: [m, S]; beyond the last loss as at the last."""
        wanted = np.asarray(losses, dtype=np.float64)
        return np.exp(np.stack([np.interp(wanted, *curve) for curve in self._curves], axis=-1))

    def perplexity_ratio(self, split: int, loss: float, rng: np.random.Generator) -> float:
        """See `SeedQuality`; nothing is random."""
        return float(np.exp(np.interp(loss, *self._curves[split - 1])))

    @cached_property
    def _curves(self) -> list[tuple[FloatArray, FloatArray]]:
        """Of each split: loss rates from 0 on, and the logarithm of the ratio there."""
        at = np.concatenate([[0.0], self.losses])
        return [(at, row) for row in np.pad(self.delta_nll.mean(axis=-1), ((0, 0), (1, 0)))]

    def of_windows(self, chosen: NDArray[np.int64]) -> QualityTable:
        """The table that some of its windows give, a window as often as it is chosen."""
        return replace(self, reference_nll=self.reference_nll[chosen], delta_nll=self.delta_nll[..., chosen])

    def save(self, path: Path) -> None:
        """Write as JSON, to 1e-4 nats/token."""
        data = {
            "setup": asdict(self.setup),
            "losses": self.losses.tolist(),
            "reference_nll": self.reference_nll.round(4).tolist(),
            "delta_nll": self.delta_nll.round(4).tolist(),
        }
        text = json.dumps(data)
        for opening in ('"losses"', '"reference_nll"', '"delta_nll"', "[["):
            text = text.replace(f" {opening}", f"\n{opening}")
        path.write_text(text.replace("], [", "],\n[") + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path = TABLE_FILE) -> QualityTable:
        """Read what `save` wrote.

        Raises:
            UserError: no such file, or not a table.
        """
        with reading(f"quality table {path}"):
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            arrays = (
                np.array(data[name], dtype=np.float64) for name in ("losses", "reference_nll", "delta_nll")
            )
            return cls(Setup(**data["setup"]), *arrays)
