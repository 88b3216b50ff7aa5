"""Concealment against a slow, plain restatement of its rule, and against the future."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llm_split.codecs import channel_bounds
from llm_split.impairment import CONCEALMENTS, DeliveryMask, apply

P, N, F, D = 9, 8, 3, 20
T = P + N - 1


def random_mask(seed: int, loss: float = 0.4) -> DeliveryMask:
    delivered = np.random.default_rng(seed).random((T, F)) >= loss
    return DeliveryMask(delivered, P, N, N)


def hidden(seed: int = 0) -> torch.Tensor:
    return torch.randn(T, D, generator=torch.Generator().manual_seed(seed))


def slow(x: torch.Tensor, mask: DeliveryMask, concealment: str) -> torch.Tensor:
    result = x.clone()
    for j, (start, end) in enumerate(channel_bounds(D, F)):
        for t in range(len(x)):
            if mask.delivered[t, j]:
                continue
            earlier = [x[s, start:end] for s in range(1, t) if mask.delivered[s, j]]
            substitute = torch.zeros(end - start)
            if earlier and concealment == "previous-token":
                substitute = earlier[-1]
            elif earlier and concealment == "running-mean":
                substitute = torch.stack(earlier).double().mean(0).float()
            result[t, start:end] = substitute
    return result


@pytest.mark.parametrize("concealment", CONCEALMENTS)
@pytest.mark.parametrize("seed", range(5))
def test_rule(concealment: str, seed: int) -> None:
    mask = random_mask(seed)
    assert not mask.complete
    x = hidden(seed)
    assert torch.allclose(apply(x, mask, concealment), slow(x, mask, concealment), atol=1e-6)


@pytest.mark.parametrize("concealment", CONCEALMENTS)
def test_what_arrived_is_untouched_and_the_input_too(concealment: str) -> None:
    mask, x = random_mask(1), hidden()
    before = x.clone()
    result = apply(x, mask, concealment)
    assert torch.equal(x, before)
    for j, (start, end) in enumerate(channel_bounds(D, F)):
        arrived = torch.from_numpy(mask.delivered[:, j].copy())
        assert torch.equal(result[arrived, start:end], x[arrived, start:end])


@pytest.mark.parametrize("concealment", CONCEALMENTS)
def test_the_future_and_the_lost_values_do_not_matter(concealment: str) -> None:
    mask, x = random_mask(2), hidden()
    expected = apply(x, mask, concealment)
    other = x.clone()
    other[12:] += 5
    assert torch.equal(apply(other, mask, concealment)[:12], expected[:12])
    assert torch.equal(apply(x[:12], mask, concealment), expected[:12])
    lost = x.clone()
    for j, (start, end) in enumerate(channel_bounds(D, F)):
        lost[torch.from_numpy(~mask.delivered[:, j]), start:end] = 99.0
    assert torch.equal(apply(lost, mask, concealment), expected)


@pytest.mark.parametrize("concealment", CONCEALMENTS)
def test_first_position_never_stands_in(concealment: str) -> None:
    delivered = np.zeros((T, F), dtype=np.bool_)
    delivered[0] = True
    result = apply(hidden(), DeliveryMask(delivered, P, N, N), concealment)
    assert torch.equal(result[0], hidden()[0])
    assert torch.equal(result[1:], torch.zeros(T - 1, D))


def test_complete_looks_only_at_what_the_generated_tokens_need() -> None:
    delivered = np.ones((T, F), dtype=np.bool_)
    delivered[P + 2, 1] = False  # sent in decode step 3, needed by the 4th output token
    assert DeliveryMask(delivered, P, N, 3).complete
    assert not DeliveryMask(delivered, P, N, 4).complete
    assert DeliveryMask(delivered, P, N, 3).used_positions == P + 2
    assert DeliveryMask(delivered, P, N, 0).used_positions == 0
    assert DeliveryMask.perfect(P, N, F).complete


def test_errors_say_what_is_valid() -> None:
    good = np.ones((T, F), dtype=np.bool_)
    with pytest.raises(ValueError, match=rf"valid: \({T + 1}, fragments\)"):
        DeliveryMask(good, P, N + 1, N)
    with pytest.raises(ValueError, match=r"generated_tokens is 9, valid: 0\.\.8"):
        DeliveryMask(good, P, N, N + 1)
    with pytest.raises(ValueError, match="valid: bool"):
        DeliveryMask(good.astype(np.int64), P, N, N)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="valid: >= 1"):
        DeliveryMask(good, 0, T + 1, 1)
    with pytest.raises(ValueError, match="valid: zero, previous-token, running-mean"):
        apply(hidden(), random_mask(0), "repeat")
    with pytest.raises(ValueError, match=f"hidden has {T + 1} positions"):
        apply(torch.zeros(T + 1, D), random_mask(0), "zero")
