"""Free running: equal until the first step that was damaged, and the same as stepping by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llm_split.codecs import get_codec
from llm_split.divergence import free_running
from llm_split.impairment import DeliveryMask, Impairment, apply
from llm_split.partition import SplitModel

P, N, F = 10, 8, 3
T = P + N - 1


@pytest.fixture
def prompt() -> torch.Tensor:
    return torch.randint(0, 131, (P,), generator=torch.Generator().manual_seed(2))


def by_hand(
    model: SplitModel, prompt: torch.Tensor, split: int, mask: DeliveryMask, concealment: str
) -> list[int]:
    codec, ue, edge = get_codec("int8"), model.ue_half(split), model.edge_half(split)
    received, tokens, step = torch.empty(0, model.hidden_size), [], prompt
    for _ in range(mask.generated_tokens):
        received = torch.cat([received, codec.roundtrip(ue.forward(step[None])[0], F)])
        usable = apply(received, mask, concealment)[-len(step) :]
        tokens.append(int(edge.forward(usable[None])[0, -1].argmax()))
        step = torch.tensor(tokens[-1:])
    return tokens


@pytest.mark.parametrize("concealment", ["zero", "running-mean"])
@pytest.mark.parametrize("split", [1, 3])
def test_equals_stepping_by_hand(
    tiny: SplitModel, prompt: torch.Tensor, split: int, concealment: str
) -> None:
    mask = DeliveryMask(np.random.default_rng(1).random((T, F)) >= 0.3, P, N, N)
    result = free_running(tiny, prompt, split, "int8", mask, Impairment(concealment))  # type: ignore[arg-type]
    expected = by_hand(tiny, prompt, split, mask, concealment)
    assert result.damaged.tolist() == expected
    clean = result.clean.tolist()
    assert clean == tiny.model.generate(prompt[None], max_new_tokens=N, do_sample=False)[0, P:].tolist()
    assert clean != expected
    assert result.first_difference == next(i for i in range(N) if clean[i] != expected[i])
    assert result.same_share == sum(a == b for a, b in zip(clean, expected, strict=True)) / N


def test_no_loss_no_difference(tiny: SplitModel, prompt: torch.Tensor) -> None:
    result = free_running(tiny, prompt, 2, "fp16", DeliveryMask.perfect(P, N, F))
    assert (result.first_difference, result.same_share) == (N, 1.0)


def test_what_is_lost_in_a_step_cannot_change_the_tokens_before(
    tiny: SplitModel, prompt: torch.Tensor
) -> None:
    mask = DeliveryMask.perfect(P, N, F)
    mask = mask.at(P + 2, arrived=False)  # sent in decode step 3, which gives token 3
    result = free_running(tiny, prompt, 1, "fp16", mask, Impairment("zero"))
    assert result.first_difference >= 3


def test_a_cut_request_misses_its_end(tiny: SplitModel, prompt: torch.Tensor) -> None:
    cut = DeliveryMask(np.ones((T, F), dtype=np.bool_), P, N, 3)
    result = free_running(tiny, prompt, 2, "fp16", cut)
    assert len(result.damaged) == result.first_difference == 3
    assert result.same_share == 3 / N
    none = free_running(tiny, prompt, 2, "fp16", DeliveryMask(np.ones((T, F), dtype=np.bool_), P, N, 0))
    assert (len(none.damaged), none.first_difference, none.same_share) == (0, 0, 0.0)


def test_errors_say_what_is_valid(tiny: SplitModel, prompt: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"prompt has shape \(9,\), valid: \(10,\)"):
        free_running(tiny, prompt[1:], 2, "fp16", DeliveryMask.perfect(P, N, F))
    with pytest.raises(ValueError, match="valid here: packet"):
        free_running(
            tiny, prompt, 2, "fp16", DeliveryMask.perfect(P, N, F), Impairment(channel="elementwise")
        )
