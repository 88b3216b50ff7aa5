"""The quality behind `SeedSplitEnv` measured on the real split model: as a table, or anew in every step.

Symbols: S splits, G loss rates, n windows, W window length, P prompt tokens (not scored), d hidden size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from llm_split.codecs import get_codec
from llm_split.impairment import erase_elements
from llm_split.models import load_quality_model
from llm_split.partition import SplitModel
from llm_split.scores import head, negative_log_likelihood
from llm_split.study import Cell, Condition, Study, Table
from llm_split.texts import text_windows
from pyagent.envs.seed_quality import LOSSES, SPLITS, QualityTable, Setup
from pyagent.errors import UserError
from pyagent.threads import model_threads

CODEC = "fp16"
"""The published model computes, and so sends, in float16."""


def load_setup(setup: Setup) -> tuple[SplitModel, Tensor]:
    """The model, and the windows int64 [n, W].

    Raises:
        NotFetchedError: model or text is not there.
        UserError: the model has too few blocks.
    """
    with model_threads():
        loaded = load_quality_model(setup.model)
    if loaded.num_layers <= SPLITS[-1]:
        raise UserError(f"model {setup.model} has {loaded.num_layers} blocks, valid: more than {SPLITS[-1]}")
    tokens = text_windows(loaded.tokenizer, setup.text, setup.windows, setup.window_tokens, seed=setup.seed)
    return SplitModel(loaded.model), tokens


def measure_table(
    setup: Setup, losses: tuple[float, ...] = LOSSES, progress: Callable[[], None] = lambda: None
) -> QualityTable:
    """Run every cell on every window; all cells see the same windows and the same random numbers.

    Args:
        setup: what to measure on.
        losses: loss rates, [G].
        progress: called after every window.
    """
    split_model, windows = load_setup(setup)
    cells = [Cell(split, Condition(CODEC, "elementwise", loss)) for split in SPLITS for loss in losses]
    study = Study(split_model, windows, setup.prompt_tokens, cells, seed=setup.seed, spare_first_token=False)
    table = Table(study.cells)
    for index in range(len(windows)):
        for cell, measures in study.evaluate(index, study.cells).items():
            table.add(cell, measures)
        progress()
    delta = np.array([table.values(cell, "delta_nll") for cell in cells])  # (S * G, n)
    reference = table.values(cells[0], "nll") - delta[0]
    return QualityTable(setup, np.array(losses), reference, delta.reshape(len(SPLITS), len(losses), -1))


class RealQuality:
    """Runs the split model: every call is one pass of the edge half, on a random window, with a fresh mask.

    The mean of its logarithm is the table's. The ratio itself scatters, and is larger on average.

    The UE half is the same for every call on a window, so its hidden states are computed once and kept
    (4 W d bytes for each split and window that was asked for).

    Attributes:
        evaluations: passes of the edge half so far.

    Args:
        split_model: more than 10 blocks.
        windows: int64 [n, W].
        prompt_tokens: P.
    """

    def __init__(self, split_model: SplitModel, windows: Tensor, prompt_tokens: int) -> None:
        self.split_model, self.windows = split_model, windows
        self.evaluations = 0
        self._scored = torch.arange(prompt_tokens - 1, windows.shape[1] - 1)
        self._sent: dict[int, dict[int, Tensor]] = {}
        self._reference_nll: dict[int, float] = {}

    @classmethod
    def load(cls, setup: Setup | None = None) -> RealQuality:
        """On the shipped table's model and windows by default."""
        chosen = setup or QualityTable.load().setup
        return cls(*load_setup(chosen), chosen.prompt_tokens)

    def perplexity_ratio(self, split: int, loss: float, rng: np.random.Generator) -> float:
        """See `SeedQuality`: window and mask are random."""
        return float(np.exp(self.delta_nll(int(rng.integers(len(self.windows))), split, loss, rng)))

    @torch.inference_mode()
    def delta_nll(self, window: int, split: int, loss: float, rng: np.random.Generator) -> float:
        """NLL under loss minus NLL without, nats/token, mean over the scored tokens of a window."""
        with model_threads():
            sent = self._hidden(window)[split]
            received = erase_elements(sent, np.full(len(sent), loss), rng)
            last = self.split_model.continue_to_last(received[None], split)[0]
            self.evaluations += 1
            return self._nll(window, last) - self._reference_nll[window]

    def _hidden(self, window: int) -> dict[int, Tensor]:
        if window not in self._sent:
            L = self.split_model.num_layers
            hidden = self.split_model.hidden_states(self.windows[window][None, :-1], {*SPLITS, L})
            self._reference_nll[window] = self._nll(window, hidden[L][0])
            codec = get_codec(CODEC)
            self._sent[window] = {split: codec.roundtrip(hidden[split][0], 1) for split in SPLITS}
        return self._sent[window]

    def _nll(self, window: int, last: Tensor) -> float:
        logits = head(self.split_model, last, self._scored)
        return float(negative_log_likelihood(logits, self.windows[window][self._scored + 1]).mean())
