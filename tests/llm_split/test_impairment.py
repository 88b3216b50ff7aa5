"""Concealment against a slow, plain restatement of its rule, and against the future."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llm_split.codecs import channel_bounds
from llm_split.impairment import CONCEALMENTS, DeliveryMask, Impairment, apply, conceal, interleaved

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


def packets(seed: int, loss: float = 0.3) -> DeliveryMask:
    return DeliveryMask(np.random.default_rng(seed).random((T, F)) >= loss, P, N, N)


@pytest.mark.parametrize("kind", ["none", "block", "random"])
def test_interleaving_moves_losses_and_makes_none(kind: str) -> None:
    """Every packet of the prompt carries G / F groups: the same share of groups is lost as of packets."""
    mask, G = packets(1), 12
    moved = interleaved(mask, kind, G, seed=4)  # type: ignore[arg-type]
    assert moved.delivered.shape == (T, G)
    assert moved.delivered[:P].mean() == pytest.approx(mask.delivered[:P].mean())
    # A decode step is one token: nothing to mix with.
    assert np.array_equal(moved.delivered[P:], np.repeat(mask.delivered[P:], G // F, axis=1))


def test_block_interleaving_spreads_a_lost_token_over_many() -> None:
    delivered = np.ones((T, F), dtype=np.bool_)
    delivered[3] = False  # the three packets of one token
    mask, G = DeliveryMask(delivered, P, N, N), 12
    assert (interleaved(mask, "none", G).delivered.mean(axis=1) == 0).sum() == 1
    spread = interleaved(mask, "block", G).delivered
    # 3 packets x 4 groups; packet k carries groups k, k + 27, ...: tokens 27 / 12 apart lose up to 3 groups.
    assert (~spread).sum() == 12
    assert (~spread).sum(axis=1).max() == 3
    assert [int(t) for t in np.flatnonzero((~spread).any(axis=1))] == [0, 3, 5, 7]
    random = interleaved(mask, "random", G, seed=1).delivered
    assert (~random).sum() == 12
    assert not np.array_equal(random, interleaved(mask, "random", G, seed=2).delivered)


def test_interleaved_groups_are_concealed_each_by_itself() -> None:
    mask, x = packets(2), torch.randn(T, 24, generator=torch.Generator().manual_seed(0))
    impairment = Impairment("previous-token", "block", parts=2)
    assert impairment.coded_parts(F) == 6
    moved = interleaved(mask, "block", 6)
    expected = conceal(x, np.repeat(moved.delivered, 4, axis=1), "previous-token")
    assert torch.equal(impairment.apply(x, mask), expected)
    assert Impairment().coded_parts(F) == F


def test_elementwise_zeroes_the_steps_share_of_values() -> None:
    """Prompt: a third of its packets missing; one decode step without any; the others complete."""
    delivered = np.ones((T, F), dtype=np.bool_)
    delivered[:P, 0] = False
    delivered[P + 2] = False
    mask, x = DeliveryMask(delivered, P, N, N), torch.ones(T, 4000)
    result = Impairment(channel="elementwise").apply(x, mask, seed=1)
    zeros = (result == 0).double().mean(dim=1)
    assert zeros[:P].mean() == pytest.approx(1 / 3, abs=0.012)  # 4 standard deviations of 36,000 draws: 0.01
    assert zeros[P + 2] == 1
    assert zeros[P : P + 2].sum() == zeros[P + 3 :].sum() == 0
    assert torch.equal(result, Impairment(channel="elementwise").apply(x, mask, seed=1))
    assert not torch.equal(result, Impairment(channel="elementwise").apply(x, mask, seed=2))


def test_errors_of_impairments_say_what_is_valid() -> None:
    with pytest.raises(ValueError, match="concealment is 'none', valid: zero"):
        Impairment("none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="interleaving is 'diagonal', valid: none, block, random"):
        Impairment(interleaving="diagonal")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="channel is 'air', valid: packet, elementwise"):
        Impairment(channel="air")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="parts is 0, valid: >= 1"):
        Impairment(parts=0)
    with pytest.raises(ValueError, match="groups is 7, valid: a multiple of the 3 fragments"):
        interleaved(packets(0), "block", 7)
    with pytest.raises(ValueError, match=r"arrived has shape \(2, 3\), valid: \(16, 20\)"):
        conceal(hidden(), np.ones((2, 3), dtype=np.bool_), "zero")
