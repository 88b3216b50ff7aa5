"""Many cuts under many kinds of loss, evaluated for the price of few.

What makes it cheap, against one full forward pass for each evaluation with masks of its own:

- the hidden states of a window at all cuts come from one pass, and only the blocks behind a cut run again;
- the head runs for the scored positions only, and the reference's probabilities are computed once a window;
- several masks go through the blocks as one batch;
- all cuts, codecs and loss rates see the same windows and the same random numbers, so that differences
  between them need far fewer windows (`difference`);
- a cell that is known well enough (`stderr`) is not evaluated any more.

Memory beyond the weights, in bytes, for W tokens a window, d channels, V words, S cuts, N scored positions,
a batch of M masks and float32: 4 W d (S + 1) for the hidden states, 8 N V for the reference, 4 M W d times
about ten inside a block, and some four pieces of logits of at most `LOGIT_BYTES` each. Of a window that is
done only `MEASURES` are kept for each cell.

Symbols: W window length, P prompt tokens, N output tokens, F fragments per token, d hidden size,
V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_split.channels import Bernoulli, GilbertElliott, draw_mask
from llm_split.codecs import get_codec, require_finite
from llm_split.impairment import DeliveryMask, Impairment, apply, erase_elements
from llm_split.partition import SplitModel
from llm_split.scores import Reference, Scores, compare, head, negative_log_likelihood, reference

LOGIT_BYTES = 128 * 2**20
"""Bound of one piece of logits."""
MEASURES = ("delta_nll", "nll", "kl", "top1_agreement", "lost")
LEAST_WINDOWS = 4
_CHANNELS = ("none", "packet", "burst", "elementwise", "first-token")


@dataclass(frozen=True)
class Condition:
    """What lies between the halves.

    Attributes:
        codec: see `llm_split.codecs`.
        channel: `none` loses nothing; `packet` loses packets independently; `burst` in bursts
            (Gilbert-Elliott); `elementwise` zeroes single values as the published code does; `first-token`
            loses nothing but position 0, always (`loss` is 1).
        loss: share of packets or values lost, 0..1.
        burst: mean burst length in packets, for `burst`.
        impairment: concealment and interleaving of lost packets.
    """

    codec: str = "fp16"
    channel: str = "none"
    loss: float = 0.0
    burst: float = 8.0
    impairment: Impairment = field(default_factory=Impairment)

    def __post_init__(self) -> None:
        get_codec(self.codec)
        if self.channel not in _CHANNELS:
            raise ValueError(f"channel is {self.channel!r}, valid: {', '.join(_CHANNELS)}")
        if not 0 <= self.loss <= 1:
            raise ValueError(f"loss is {self.loss}, valid: 0..1")
        if (self.channel == "none") != (self.loss == 0):
            raise ValueError(
                f"loss is {self.loss}, valid for channel {self.channel!r}: " + self._valid_loss()
            )
        if self.channel == "burst":
            GilbertElliott(self.loss, self.burst)

    def _valid_loss(self) -> str:
        return "0" if self.channel == "none" else "> 0"

    def mask(
        self, prompt_tokens: int, output_tokens: int, fragments: int, seed: int, spare: bool
    ) -> DeliveryMask:
        """Which coded parts of each token arrive; `elementwise` has no packets, so it is as `none`.

        Args:
            prompt_tokens, output_tokens: P, N.
            fragments: packets per token.
            seed: of the losses and of random interleaving.
            spare: position 0 always arrives.
        """
        mask = DeliveryMask.perfect(prompt_tokens, output_tokens, fragments)
        if self.channel in ("packet", "burst"):
            bursty = self.channel == "burst"
            loss = GilbertElliott(self.loss, self.burst) if bursty else Bernoulli(self.loss)
            mask = draw_mask(loss, prompt_tokens, output_tokens, fragments, seed)
        mask = self.impairment.spread(mask, seed)
        if self.channel == "first-token":
            return mask.at(0, arrived=False)
        return mask.at(0, arrived=True) if spare else mask

    def lost(self, mask: DeliveryMask) -> float:
        """Share of parts lost in `mask`; of `elementwise` the share it zeroes on average."""
        return self.loss if self.channel == "elementwise" else 1.0 - float(mask.delivered.mean())

    def received(self, decoded: Tensor, mask: DeliveryMask, seed: int, spare: bool) -> Tensor:
        """What the edge computes with, for decoded hidden states [t, d] and what `mask` gave."""
        if self.channel != "elementwise":
            return apply(decoded, mask, self.impairment.concealment)
        loss = np.full(len(decoded), self.loss)
        loss[0] = 0.0 if spare else self.loss
        return erase_elements(decoded, loss, np.random.default_rng(seed))


class Cell(NamedTuple):
    """One thing to evaluate."""

    split: int
    condition: Condition


class Estimate(NamedTuple):
    """A mean over windows and its standard error (nan with fewer than two)."""

    mean: float
    stderr: float
    windows: int


@dataclass
class Table:
    """Results of a study: for each cell, its windows in order, float64 [n, len(MEASURES)]."""

    cells: tuple[Cell, ...]
    rows: dict[Cell, list[NDArray[np.float64]]] = field(default_factory=dict)

    def add(self, cell: Cell, measures: NDArray[np.float64]) -> None:
        self.rows.setdefault(cell, []).append(measures)

    def values(self, cell: Cell, measure: str) -> NDArray[np.float64]:
        """One number per window, [n]."""
        rows = self.rows.get(cell, [])
        return np.array([row[MEASURES.index(measure)] for row in rows])

    def telling_windows(self, cell: Cell) -> int:
        """Windows in which something was lost; all of them where nothing is to be lost."""
        lost = self.values(cell, "lost")
        return len(lost) if cell.condition.channel == "none" else int((lost > 0).sum())

    def estimate(self, cell: Cell, measure: str = "delta_nll") -> Estimate:
        """Mean over windows."""
        return _estimate(self.values(cell, measure))

    def difference(self, cell: Cell, other: Cell, measure: str = "delta_nll") -> Estimate:
        """Mean difference over the windows that both have, paired."""
        a, b = self.values(cell, measure), self.values(other, measure)
        n = min(len(a), len(b))
        return _estimate(a[:n] - b[:n])

    def perplexity(self, cell: Cell) -> Estimate:
        """exp of the mean NLL; its standard error by the delta method."""
        nll = self.estimate(cell, "nll")
        ppl = math.exp(nll.mean) if nll.mean < 700 else math.inf
        return Estimate(ppl, ppl * nll.stderr, nll.windows)


class Study:
    """Evaluates cells window by window.

    Args:
        split_model: the model.
        windows: int64 [n, W], in the order in which they are used.
        prompt_tokens: P, the positions before the scored ones; N = W - P tokens are scored.
        cells: what to evaluate.
        payload_bytes: of a packet; with the codec it says how many fragments a token has.
        deployed_hidden_size: width that is sent instead of the model's own; fragments then stand for the same
            share of channels. None: the model's own.
        seed: of all losses.
        spare_first_token: position 0 always arrives (its loss is a study of its own, see `docs/profile.md`).
        batch: masks in one pass.
        ue_bits, edge_bits: width of the linear weights of the blocks on each side, one of
            `llm_split.weights.BITS`; 16 leaves them as they were loaded. The reference is not quantised.
    """

    def __init__(
        self,
        split_model: SplitModel,
        windows: Tensor,
        prompt_tokens: int,
        cells: Sequence[Cell],
        payload_bytes: int = 1400,
        deployed_hidden_size: int | None = None,
        seed: int = 0,
        spare_first_token: bool = True,
        batch: int = 4,
        ue_bits: int = 16,
        edge_bits: int = 16,
    ) -> None:
        if windows.ndim != 2 or windows.dtype != torch.long:
            raise ValueError(f"windows are {windows.dtype} {tuple(windows.shape)}, valid: int64 [n, W]")
        if not 1 <= prompt_tokens < windows.shape[1]:
            raise ValueError(f"prompt_tokens is {prompt_tokens}, valid: 1..{windows.shape[1] - 1}")
        if batch < 1:
            raise ValueError(f"batch is {batch}, valid: >= 1")
        for cell in cells:
            split_model._checked(cell.split)
        self.split_model, self.windows, self.prompt_tokens = split_model, windows, prompt_tokens
        self.output_tokens = windows.shape[1] - prompt_tokens
        self.cells = tuple(dict.fromkeys(cells))
        self.payload_bytes, self.seed, self.spare_first_token = payload_bytes, seed, spare_first_token
        self.sent_hidden_size = deployed_hidden_size or split_model.hidden_size
        self.batch = batch
        self.ue_bits, self.edge_bits = ue_bits, edge_bits

    def fragment_bytes(self, condition: Condition) -> list[int]:
        """Payload bytes of each of the F packets of a token."""
        parts = condition.impairment.parts_of_fragment
        return get_codec(condition.codec).fragment_bytes(self.sent_hidden_size, self.payload_bytes, parts)

    def run(
        self, stderr: float | None = None, least_windows: int = LEAST_WINDOWS
    ) -> Iterator[tuple[int, Table]]:
        """Evaluate window after window; yields its number and the table so far.

        Args:
            stderr: see `unknown`. None uses all windows for all cells.
            least_windows: that every cell gets, >= 2.
        """
        table = Table(self.cells)
        for index in range(len(self.windows)):
            wanted = self.cells if stderr is None else self.unknown(table, stderr, least_windows)
            if not wanted:
                return
            for cell, measures in self.evaluate(index, wanted).items():
                table.add(cell, measures)
            yield index, table

    def unknown(self, table: Table, stderr: float, least_windows: int = LEAST_WINDOWS) -> list[Cell]:
        """The cells whose mean `delta_nll` is not known well enough.

        Args:
            table: what is known.
            stderr: a standard error of at most this is good enough, nats/token. As with any sequential rule,
                an error that is underestimated stops too early; `least_windows` bounds that.
            least_windows: without that many nothing is known, >= 2; where losses are rare, without that many
                in which something was lost (windows that all went well have no spread, and say nothing).
        """
        if least_windows < 2:
            raise ValueError(f"least_windows is {least_windows}, valid: >= 2")
        estimates = ((cell, table.estimate(cell)) for cell in self.cells)
        return [
            cell
            for cell, estimate in estimates
            if table.telling_windows(cell) < least_windows or not estimate.stderr <= stderr
        ]

    @torch.inference_mode()
    def evaluate(self, index: int, cells: Sequence[Cell]) -> dict[Cell, NDArray[np.float64]]:
        """Some cells on one window: cell -> float64 [len(MEASURES)]."""
        ids = self.windows[index]
        L = self.split_model.num_layers
        hidden = self.split_model.hidden_states(ids[None], {cell.split for cell in cells} | {L})
        references, clean_nll = self._unimpaired(hidden[L][0], ids)
        if self.ue_bits != 16:
            with self.split_model.quantised(range(L), self.ue_bits):
                hidden = self.split_model.hidden_states(ids[None], {cell.split for cell in cells})
        found: dict[Cell, NDArray[np.float64]] = {}
        for split in sorted({cell.split for cell in cells}):
            sent = require_finite(hidden[split][0, :-1], f"hidden states at split {split}")
            group = [cell for cell in cells if cell.split == split]
            for start in range(0, len(group), self.batch):
                part = group[start : start + self.batch]
                masks = [self._mask(cell.condition, index) for cell in part]
                received = torch.stack(
                    [self._received(sent, c.condition, m, index) for c, m in zip(part, masks, strict=True)]
                )
                with self.split_model.quantised(range(split, L), self.edge_bits):
                    outputs = self.split_model.continue_to_last(received, split)
                for cell, mask, output in zip(part, masks, outputs, strict=True):
                    measures = self._measures(output, references, clean_nll, ids)
                    found[cell] = np.array([*measures, cell.condition.lost(mask)])
        return found

    def _mask(self, condition: Condition, index: int) -> DeliveryMask:
        F = len(self.fragment_bytes(condition))
        tokens = (self.prompt_tokens, self.output_tokens)
        return condition.mask(*tokens, F, self._luck(index), self.spare_first_token)

    def _received(self, sent: Tensor, condition: Condition, mask: DeliveryMask, index: int) -> Tensor:
        """sent [W-1, d] -> what the edge computes with."""
        decoded = get_codec(condition.codec).roundtrip(sent, mask.fragments)
        return condition.received(decoded, mask, self._luck(index), self.spare_first_token)

    def _luck(self, index: int) -> int:
        """The seed of a window: the same for all its cells."""
        return self.seed * 1_000_003 + index

    def _positions(self) -> Tensor:
        return torch.arange(self.prompt_tokens - 1, self.windows.shape[1] - 1)

    def _pieces(self) -> tuple[Tensor, ...]:
        rows = LOGIT_BYTES // (4 * int(self.split_model.config.vocab_size))
        return torch.split(self._positions(), max(1, rows))

    def _unimpaired(self, last: Tensor, ids: Tensor) -> tuple[list[Reference], float]:
        """From the last block's unimpaired output [W, d]: the reference in pieces, and its mean NLL."""
        pieces = self._pieces()
        references = [reference(head(self.split_model, last, p)) for p in pieces]
        nll = [
            negative_log_likelihood(clean.logits, ids[p + 1])
            for p, clean in zip(pieces, references, strict=True)
        ]
        return references, float(torch.cat(nll).mean())

    def _measures(
        self, output: Tensor, references: list[Reference], clean_nll: float, ids: Tensor
    ) -> list[float]:
        pieces = zip(self._pieces(), references, strict=True)
        scores = Scores.joined(
            [compare(head(self.split_model, output, p), clean, ids[p + 1]) for p, clean in pieces]
        )
        nll, kl, agree = (float(column.mean()) for column in scores)
        return [nll - clean_nll, nll, kl, agree]


def _estimate(values: NDArray[np.float64]) -> Estimate:
    n = len(values)
    mean = float(values.mean()) if n else math.nan
    spread = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Estimate(mean, spread, n)
