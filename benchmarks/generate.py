"""Cost of generating through two halves instead of one model.

`python -m benchmarks.generate` prints one JSON line. Greedy generation of `--tokens` tokens after a prompt,
both by the library's own `generate`: unsplit, and through a UE half and an edge half with a KV cache each.
The two take turns, so that whatever else the machine does disturbs both alike.

- `split_over_unsplit`: split -> time through the halves over unsplit time, median over the pairs.
- `unsplit_tokens_per_s`: for orientation.
- `tokens_equal`: whether every split gave the unsplit model's tokens.
- `half_weight_bytes`: split -> bytes of the weights of the UE's half and of the edge's, each loaded alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor

from llm_split.generate import generate
from llm_split.load_half import load_half
from llm_split.models import load_quality_model
from llm_split.partition import SplitModel
from llm_split.texts import prompt_windows


def timed(run: Callable[[], Tensor]) -> tuple[float, Tensor]:
    start = time.perf_counter()
    tokens = run()
    return time.perf_counter() - start, tokens


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.generate", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--splits", type=int, nargs="+", default=[1, 15, 29])
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7, help="pairs of each split (default: 7)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    loaded = load_quality_model(options.model)
    model = SplitModel(loaded.model)
    prompt = prompt_windows(loaded.tokenizer, 1, options.prompt_tokens, seed=0).to(model.device)
    settings: dict[str, Any] = {"max_new_tokens": options.tokens, "min_new_tokens": options.tokens}
    settings |= {"do_sample": False, "pad_token_id": 0}
    mask = torch.ones_like(prompt)

    def unsplit() -> Tensor:
        out: Tensor = model.model.generate(prompt, attention_mask=mask, **settings)
        return out

    def halves(split: int) -> Callable[[], Tensor]:
        return lambda: generate(model, prompt, split, **settings)

    expected = unsplit()  # warm-up
    ratios: dict[str, float] = {}
    seconds: list[float] = []
    equal = True
    for split in options.splits:
        pairs = []
        for _ in range(options.rounds):
            whole_s, _ = timed(unsplit)
            split_s, tokens = timed(halves(split))
            equal = equal and torch.equal(tokens, expected)
            pairs.append(split_s / whole_s)
            seconds.append(whole_s)
        ratios[str(split)] = round(median(pairs), 3)
    weights = {
        str(split): [load_half(options.model, role, split).weight_bytes for role in ("ue", "edge")]
        for split in options.splits
    }
    result = {
        "benchmark": "generate",
        "model": loaded.name,
        "device": str(model.device),
        "threads": options.threads,
        "tokens": options.tokens,
        "split_over_unsplit": ratios,
        "unsplit_tokens_per_s": round(options.tokens / median(seconds), 1),
        "tokens_equal": equal,
        "half_weight_bytes": weights,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
