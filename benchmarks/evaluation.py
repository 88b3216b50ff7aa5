"""What it costs to learn how cuts compare under loss, against the straightforward way.

`python -m benchmarks.evaluation` prints one JSON line. Asked is, for every pair of splits and each of five
loss rates, the difference of their dNLL on requests (the second half of a window, given the first). Two ways:

- straightforward: one whole forward pass of the model, with logits at every position, for each evaluation,
  and a mask of its own each time. The windows are the same for all cells, so the text's own variance
  cancels already.
- ours: `llm_split.study`, with the same windows.

Evenly spread splits stand for all; `--splits 0` takes every one.

- `straight_evaluation_s`, `study_evaluation_s`: seconds per evaluation, the study's with its share of the
  pass that fills its window.
- `suffix_speedup`: a whole forward over one that starts at the split, both with the head where it is scored.
- `batch_speedup`: time of an evaluation alone over that of one in a batch.
- `paired_variance_ratio`: variance over windows of a difference between two splits with masks of their own,
  over that with common ones; both summed over pairs, geometric mean over loss rates. Its interval comes from
  windows drawn anew (bootstrap).
- `time_ratio`: the straightforward way's time per evaluation over the study's. For the dNLL of single cells,
  whose variance the masks' being common does not change, this is all there is.
- `speedup_equal_stderr`: `time_ratio` times `paired_variance_ratio`: how much sooner the differences between
  splits are known to one standard error, with the same number of windows for all.
- `peak_memory_bytes`: of the process when the study is done, weights included (`weight_bytes`).
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llm_split.codecs import get_codec
from llm_split.impairment import Impairment
from llm_split.models import load_quality_model
from llm_split.partition import SplitModel
from llm_split.profile import spread_splits
from llm_split.scores import head
from llm_split.study import Cell, Condition, Study
from llm_split.texts import prompt_windows

LOSSES = (0.01, 0.02, 0.05, 0.1, 0.2)
Values = dict[tuple[int, float], list[float]]
"""(split, loss) -> NLL of each window."""


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    loaded = load_quality_model(options.model)
    model = SplitModel(loaded.model)
    last = model.num_layers - 1
    splits = spread_splits(model.num_layers, options.splits or last)
    windows = prompt_windows(loaded.tokenizer, options.windows, options.window_tokens, seed=0)
    P = options.window_tokens // 2
    cells = [Cell(s, Condition("fp16", "packet", loss)) for s in splits for loss in LOSSES]
    study = Study(model, windows, P, cells, batch=options.batch)
    study.evaluate(0, cells[:2])  # warm-up

    ours: Values = {(cell.split, cell.condition.loss): [] for cell in cells}
    straight: Values = {key: [] for key in ours}
    seconds = {"study": 0.0, "straight": 0.0}
    peak_bytes = 0
    for index in range(len(windows)):
        start = time.perf_counter()
        for cell, measures in study.evaluate(index, cells).items():
            ours[cell.split, cell.condition.loss].append(float(measures[1]))
        seconds["study"] += time.perf_counter() - start
        peak_bytes = peak_bytes or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        start = time.perf_counter()
        for number, cell in enumerate(cells):
            straight[cell.split, cell.condition.loss].append(
                straightforward(study, windows[index], cell, seed=10_000 + index * len(cells) + number)
            )
        seconds["straight"] += time.perf_counter() - start

    evaluations = len(cells) * len(windows)
    time_ratio = seconds["straight"] / seconds["study"]
    variances = {name: by_loss(values, splits) for name, values in (("ours", ours), ("straight", straight))}
    pairing = paired_variance_ratio(variances)
    result = {
        "benchmark": "evaluation",
        "model": loaded.name,
        "device": str(model.device),
        "threads": options.threads,
        "splits": list(splits),
        "losses": LOSSES,
        "windows": len(windows),
        "window_tokens": options.window_tokens,
        "straight_evaluation_s": round(seconds["straight"] / evaluations, 4),
        "study_evaluation_s": round(seconds["study"] / evaluations, 4),
        "suffix_speedup": round(suffix_speedup(model, windows[0], P, splits), 2),
        "batch_speedup": round(batch_speedup(model, windows, P, cells, options.batch), 2),
        "time_ratio": round(time_ratio, 2),
        "paired_variance_ratio": round(pairing, 2),
        "paired_variance_ratio_ci": interval(ours, straight, splits),
        "speedup_equal_stderr": round(time_ratio * pairing, 2),
        "weight_bytes": sum(p.nbytes for p in loaded.model.parameters()),
        "peak_memory_bytes": peak_bytes,
    }
    sys.stdout.write(json.dumps(result) + "\n")


def arguments() -> argparse.Namespace:
    about = (__doc__ or "").split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="benchmarks.evaluation", description=about)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--splits", type=int, default=6, help="number of splits, 0 for all (default: 6)")
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--window-tokens", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


@torch.inference_mode()
def straightforward(study: Study, ids: Tensor, cell: Cell, seed: int) -> float:
    """NLL of the scored tokens by one whole forward pass with a mask of its own, as one would write it."""
    model, condition = study.split_model, cell.condition
    F = len(study.fragment_bytes(condition))
    mask = condition.mask(study.prompt_tokens, study.output_tokens, F, seed, study.spare_first_token)

    def damage(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        decoded = get_codec(condition.codec).roundtrip(args[0][0], F)
        return (Impairment().apply(decoded, mask)[None], *args[1:]), kwargs

    handle = model.blocks[cell.split].register_forward_pre_hook(damage, with_kwargs=True)
    try:
        logits = model.model(ids[None, :-1].to(model.device)).logits[0]
    finally:
        handle.remove()
    scored = slice(study.prompt_tokens - 1, None)
    targets = ids[1:][scored].to(model.device)
    return float(torch.nn.functional.cross_entropy(logits[scored].float(), targets))


def by_loss(values: Values, splits: Sequence[int]) -> dict[float, NDArray[np.float64]]:
    """loss -> variance over windows of the difference between each two splits."""
    return {
        loss: np.array(
            [
                np.var(np.subtract(values[a, loss], values[b, loss]), ddof=1)
                for a, b in itertools.combinations(splits, 2)
            ]
        )
        for loss in LOSSES
    }


def paired_variance_ratio(variances: dict[str, dict[float, NDArray[np.float64]]]) -> float:
    """Straightforward over ours, geometric mean over loss rates."""
    ratios = [variances["straight"][loss].sum() / variances["ours"][loss].sum() for loss in LOSSES]
    return float(np.exp(np.mean(np.log(ratios))))


def interval(ours: Values, straight: Values, splits: Sequence[int]) -> list[float]:
    """95 % bootstrap interval of the variance ratio over windows, which are drawn for both ways alike."""
    rng = np.random.default_rng(0)
    windows = len(next(iter(ours.values())))
    ratios = []
    for _ in range(200):
        drawn = rng.integers(0, windows, windows)
        if len(set(drawn.tolist())) < 3:
            continue
        again = [{key: [v[i] for i in drawn] for key, v in values.items()} for values in (ours, straight)]
        variances = {"ours": by_loss(again[0], splits), "straight": by_loss(again[1], splits)}
        ratios.append(paired_variance_ratio(variances))
    return [round(float(q), 2) for q in np.quantile(ratios, (0.025, 0.975))]


def rate(run: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of one call, median."""
    samples = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        samples.append(time.perf_counter() - start)
    return median(samples)


def suffix_speedup(model: SplitModel, ids: Tensor, P: int, splits: Sequence[int]) -> float:
    """Mean over splits of the time saved by not running the blocks before the split again."""
    scored = torch.arange(P - 1, len(ids) - 1)
    hidden = model.hidden_states(ids[None, :-1], [*splits, 1])

    def whole() -> object:
        states = model.hidden_states(ids[None, :-1], [model.num_layers])[model.num_layers]
        return head(model, states[0], scored)

    def suffix(split: int) -> Callable[[], object]:
        return lambda: head(model, model.continue_to_last(hidden[split], split)[0], scored)

    suffix_s = [rate(suffix(split)) for split in splits]
    return rate(whole) / (sum(suffix_s) / len(suffix_s))


def batch_speedup(model: SplitModel, windows: Tensor, P: int, cells: Sequence[Cell], batch: int) -> float:
    some = [cell for cell in cells if cell.split == cells[0].split]
    one, many = (Study(model, windows, P, some, batch=n) for n in (1, batch))
    return rate(lambda: one.evaluate(0, some)) / rate(lambda: many.evaluate(0, some))


if __name__ == "__main__":
    main()
