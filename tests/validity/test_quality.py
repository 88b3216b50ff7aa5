"""Perplexity of the real model against transformers' own loss."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from llm_split.codecs import get_codec
from llm_split.impairment import DeliveryMask, Impairment
from llm_split.models import ModelNotFoundError, load_quality_model
from llm_split.partition import SplitModel
from llm_split.quality import QualityEvaluator
from llm_split.texts import prompt_windows
from tests.agreement import Agreement

pytestmark = [pytest.mark.model, pytest.mark.slow]

P, N, SPLIT = 40, 24, 12
IGNORED = -100


def test_perplexity_is_that_of_transformers(agree: Agreement) -> None:
    """Without loss: labels of the prompt are ignored. With a lost token: the block's input is damaged by a
    hook of torch's, and the model is otherwise left alone."""
    try:
        real = load_quality_model()
    except ModelNotFoundError as error:
        pytest.skip(str(error))
    windows = prompt_windows(real.tokenizer, 2, P + N, seed=3, part="train")
    evaluator = QualityEvaluator(SplitModel(real.model), windows, [SPLIT])
    whole = DeliveryMask.perfect(P, N, 1)
    labels = windows.clone()
    labels[:, :P] = IGNORED

    def loss(index: int) -> float:
        with torch.inference_mode():
            ids, wanted = windows[index, None], labels[index, None]
            return float(real.model(input_ids=ids, labels=wanted).loss)

    agree(
        "perplexity without loss",
        [evaluator.evaluate(i, SPLIT, "fp16", whole).reference_ppl for i in range(2)],
        [math.exp(loss(i)) for i in range(2)],
        share=1e-4,
        origin="loss of transformers' model, prompt ignored",
    )

    delivered = np.ones((P + N - 1, 1), dtype=np.bool_)
    delivered[[5, P - 1, P + 3]] = False

    def damage(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden = get_codec("fp16").roundtrip(inputs[0])
        hidden[:, [5, P - 1, P + 3]] = 0
        return hidden, *inputs[1:]

    zeroing = QualityEvaluator(
        SplitModel(real.model), windows, [SPLIT], impairment=Impairment("zero"), delta_nll_clip=100.0
    )
    found = [zeroing.evaluate(i, SPLIT, "fp16", DeliveryMask(delivered, P, N, N)).ppl for i in range(2)]
    hook = real.model.model.layers[SPLIT].register_forward_pre_hook(damage)
    try:
        expected = [math.exp(loss(i)) for i in range(2)]
    finally:
        hook.remove()
    assert min(expected) > 1.01 * min(math.exp(loss(i)) for i in range(2))
    agree(
        "perplexity with three tokens lost",
        found,
        expected,
        share=1e-3,
        origin="loss of transformers' model, its hidden states zeroed by a hook",
    )
