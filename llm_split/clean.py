"""Quality of a split when nothing is lost, measured once and kept on disk.

Coding and quantised weights cost quality over a perfect link, too. That cost belongs to the split and not to
the request: it is measured on some windows, and every request that loses nothing is charged their mean.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from llm_split.codecs import get_codec
from llm_split.files import write_whole
from llm_split.impairment import DeliveryMask
from llm_split.packages import cache_folder, locked
from llm_split.quality import Clean, QualityEvaluator, QualityResult
from llm_split.weights import FORMATS, GROUP, weights_fingerprint

VERSION = 1
"""Of the measurement; files of another version are measured anew."""
WINDOWS = 32
"""Windows that a mean is over, at most."""
FOLDER = "clean-quality"
_MEASURES = ("delta_nll", "stderr", "kl", "top1_agreement")

Progress = Callable[[], None]
"""Called after each evaluation."""


@dataclass(frozen=True)
class CleanSource:
    """Loss-free quality of an evaluator's splits, from the cache or measured.

    Args:
        evaluator: the model, the widths of its weights, and the windows; the first `windows` are used.
        codec_name: how hidden states travel.
        fragments: packets of a token.
        prompt_tokens: P; what is predicted at the positions from P-1 on is scored.
        cache_dir: None: `llm_split.packages.default_cache_dir`.
    """

    evaluator: QualityEvaluator
    codec_name: str
    fragments: int
    prompt_tokens: int
    cache_dir: Path | None = None

    @property
    def windows(self) -> int:
        """Number of windows that a mean is over."""
        return min(WINDOWS, len(self.evaluator.prompts))

    def known(self, split: int) -> Clean | None:
        """The value in the cache; None if there is none, or the file is damaged or of another measurement."""
        return _read(self._file(split), self._identity(split))

    def get(self, splits: Iterable[int], progress: Progress = lambda: None) -> dict[int, Clean]:
        """Loss-free quality of some of the evaluator's splits, by split.

        Two processes that need the same values measure them once: the second waits for the first. A cache
        that can't be written to is not used.
        """
        wanted = sorted(set(splits))
        found = {split: clean for split in wanted if (clean := self.known(split)) is not None}
        if len(found) == len(wanted):
            return found
        with ExitStack() as stack:
            with suppress(OSError):
                self._lock.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self._lock))
            found = {split: clean for split in wanted if (clean := self.known(split)) is not None}
            measured = self.measure([split for split in wanted if split not in found], progress)
            for split, clean in measured.items():
                with suppress(OSError):
                    entry = {"identity": self._identity(split), **asdict(clean)}
                    write_whole(self._file(split), json.dumps(entry, indent=1) + "\n")
        return found | measured

    def measure(self, splits: Sequence[int], progress: Progress = lambda: None) -> dict[int, Clean]:
        """Measure the loss-free quality of some splits: one evaluation for each window and split."""
        results: dict[int, list[QualityResult]] = {split: [] for split in splits}
        with self.evaluator.references_kept():
            for index in range(self.windows if results else 0):
                for split, of_split in results.items():
                    mask = self._mask(split)
                    of_split.append(self.evaluator.evaluate(index, split, self.codec_name, mask))
                    progress()
        return {split: _mean(of_split) for split, of_split in results.items()}

    def _mask(self, split: int) -> DeliveryMask:
        fragments = self.fragments if split < self.evaluator.num_layers else 0
        output_tokens = self.evaluator.prompts.shape[1] - self.prompt_tokens
        return DeliveryMask.perfect(self.prompt_tokens, output_tokens, fragments)

    def _file(self, split: int) -> Path:
        return self._named(split, "json")

    @property
    def _lock(self) -> Path:
        """Held while splits of these windows, weights and codec are measured; others don't wait for them."""
        return self._named(0, "lock")

    def _named(self, split: int, suffix: str) -> Path:
        text = json.dumps(self._identity(split), sort_keys=True)
        return cache_folder(self.cache_dir) / FOLDER / f"{_digest(text.encode())[:32]}.{suffix}"

    def _identity(self, split: int) -> dict[str, Any]:
        """Everything that the value depends on; of what is all local, neither codec nor edge."""
        is_local = split == self.evaluator.num_layers
        return {
            "version": VERSION,
            "model": self._model_id,
            "windows": self._windows_id,
            "prompt_tokens": self.prompt_tokens,
            "split": split,
            "ue": _format(self.evaluator.ue_bits),
            "edge": "" if is_local else _format(self.evaluator.edge_bits),
            "codec": "" if is_local else self._codec_id,
        }

    @cached_property
    def _model_id(self) -> str:
        model = self.evaluator.split_model.model
        config = model.config.to_dict()
        kept = {k: v for k, v in config.items() if k[0] != "_" and k != "transformers_version"}
        text = json.dumps(kept, sort_keys=True, default=str)
        return _digest(f"{weights_fingerprint(model)} {self.evaluator.split_model.dtype} {text}".encode())

    @cached_property
    def _windows_id(self) -> str:
        return _digest(self.evaluator.prompts[: self.windows].numpy().tobytes())

    @cached_property
    def _codec_id(self) -> str:
        """By what it does to an example: a codec of the user's may change and keep its name."""
        parts = self.evaluator.impairment.coded_parts(self.fragments)
        example = torch.sin(torch.arange(4.0 * self.evaluator.split_model.hidden_size)).reshape(4, -1)
        coded = get_codec(self.codec_name).roundtrip(example, parts)
        return f"{self.codec_name} {parts} {_digest(coded.float().numpy().tobytes())}"


def _mean(results: list[QualityResult]) -> Clean:
    deltas = np.array([result.delta_nll for result in results])
    return Clean(
        delta_nll=float(deltas.mean()),
        stderr=float(deltas.std(ddof=1) / math.sqrt(len(deltas))) if len(deltas) > 1 else math.nan,
        kl=float(np.mean([result.kl for result in results])),
        top1_agreement=float(np.mean([result.top1_agreement for result in results])),
        windows=len(results),
    )


def _format(bits: int) -> str:
    return f"{FORMATS[bits]}/{GROUP}" if bits in FORMATS else ""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(file: Path, identity: dict[str, Any]) -> Clean | None:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if data["identity"] != identity:
            return None
        measures = {name: float(data[name]) for name in _MEASURES}
        windows = int(data["windows"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    if not all(map(math.isfinite, measures.values())):
        return None
    return Clean(**measures, windows=windows)
