"""Quality benchmark: cost of an evaluation, and quality against loss for cuts and concealments.

`python -m benchmarks.quality` prints one JSON line. Fragments are lost independently, at every position but
the first; a token is one fragment (SmolLM2 in fp16) or six (Llama-2-7B in fp16). Few prompts, so noisy:
raise `--prompts` for figures to publish.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from statistics import median
from typing import Any, get_args

import numpy as np
import torch

from llm_split.impairment import Concealment, DeliveryMask, Impairment
from llm_split.models import load_quality_model
from llm_split.partition import SplitModel
from llm_split.quality import QualityEvaluator
from llm_split.texts import prompt_windows

SPLITS = (1, 12, 20, 29)
LOSS_RATES = (0.05, 0.2)


def random_mask(rng: np.random.Generator, P: int, N: int, fragments: int, loss: float) -> DeliveryMask:
    delivered = rng.random((P + N - 1, fragments)) >= loss
    delivered[0] = True
    return DeliveryMask(delivered, P, N, N)


def timings(evaluator: QualityEvaluator, P: int, N: int) -> dict[str, Any]:
    """Seconds of the window cache and of one impaired evaluation per split, median of 3."""
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    evaluator.reference_nll(0)
    cache_s = time.perf_counter() - start
    per_split_s: dict[str, float] = {}
    for split in SPLITS:
        samples = []
        for _ in range(3):
            mask = random_mask(rng, P, N, 1, 0.1)
            start = time.perf_counter()
            evaluator.evaluate(0, split, "fp16", mask)
            samples.append(time.perf_counter() - start)
        per_split_s[str(split)] = round(median(samples), 4)
    return {"window_cache_s": round(cache_s, 4), "impaired_evaluation_s": per_split_s}


def loss_table(
    evaluator: QualityEvaluator, prompts: int, P: int, N: int, fragments: int
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """concealment -> loss rate -> split -> [mean dNLL, PPL, mean clipped dNLL]; same masks for all."""
    table: dict[str, dict[str, dict[str, list[float]]]] = {}
    for concealment in get_args(Concealment):
        evaluator.impairment = Impairment(concealment)
        table[concealment] = {}
        for loss in LOSS_RATES:
            row: dict[str, list[float]] = {}
            for split in SPLITS:
                results = [
                    evaluator.evaluate(
                        i, split, "fp16", random_mask(np.random.default_rng(i), P, N, fragments, loss)
                    )
                    for i in range(prompts)
                ]
                deltas = np.array([r.delta_nll for r in results])
                ppl = float(np.exp(np.mean(np.log([r.ppl for r in results]))))
                clipped = float(np.minimum(deltas, evaluator.delta_nll_clip).mean())
                row[str(split)] = [round(float(deltas.mean()), 4), round(ppl, 2), round(clipped, 4)]
            table[concealment][str(loss)] = row
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument("--prompt-tokens", type=int, default=96)
    parser.add_argument("--output-tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    P, N = options.prompt_tokens, options.output_tokens
    quality = load_quality_model(options.model)
    windows = prompt_windows(quality.tokenizer, options.prompts, P + N, seed=0, part="train")
    evaluator = QualityEvaluator(SplitModel(quality.model), windows, SPLITS)
    result: dict[str, Any] = {"benchmark": "quality", "model": quality.name, "threads": options.threads}
    result |= {"machine": platform.machine(), "torch": torch.__version__, "prompts": options.prompts}
    result |= {"prompt_tokens": P, "output_tokens": N}
    result |= timings(evaluator, P, N)
    references = [evaluator.reference_nll(i)[P - 1 :].mean() for i in range(options.prompts)]
    result["reference_ppl"] = round(float(torch.stack(references).mean().exp()), 2)
    result["whole_tokens_lost"] = loss_table(evaluator, options.prompts, P, N, 1)
    result["sixths_of_tokens_lost"] = loss_table(evaluator, options.prompts, P, N, 6)
    result["evaluations"] = evaluator.evaluations
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
