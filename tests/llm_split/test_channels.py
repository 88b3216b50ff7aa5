"""Loss rates and burst lengths against their closed forms; common random numbers across channels."""

from __future__ import annotations

import numpy as np
import pytest

from llm_split.channels import Bernoulli, GilbertElliott, draw_mask
from tests.agreement import Agreement

N = 200_000


def uniform(seed: int = 0, n: int = N) -> np.ndarray:
    return np.random.default_rng(seed).random(n)


def burst_lengths(lost: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(int), [0]])))
    return edges[1::2] - edges[::2]


@pytest.mark.parametrize("loss", [0.0, 0.03, 0.5, 1.0])
def test_bernoulli_rate(loss: float) -> None:
    """Binomial: 4 standard deviations are at most 0.0045."""
    assert Bernoulli(loss).lost(uniform()).mean() == pytest.approx(loss, abs=0.0045)


@pytest.mark.parametrize(("loss", "burst"), [(0.02, 5.0), (0.1, 8.0), (0.3, 1.5), (0.05, 1.0)])
def test_gilbert_elliott_rate_and_bursts(agree: Agreement, loss: float, burst: float) -> None:
    """Long-run share `loss`; geometric bursts of mean `burst`, a share (1 - 1/burst)**k longer than k."""
    lost = GilbertElliott(loss, burst).lost(uniform(3))
    # A chain's share varies as that of n / (2 burst) independent packets or so.
    agree(
        "Gilbert-Elliott: share of lost packets",
        lost.mean(),
        loss,
        within=4 * np.sqrt(loss * (1 - loss) * 2 * burst / N),
        origin="stationary state of the chain (Gilbert 1960); four standard errors",
    )
    lengths, geometric = burst_lengths(lost), "geometric distribution"
    agree("Gilbert-Elliott: mean burst", lengths.mean(), burst, share=0.08, origin=geometric)
    agree(
        "Gilbert-Elliott: bursts longer than two",
        (lengths > 2).mean(),
        (1 - 1 / burst) ** 2,
        within=0.03,
        origin=geometric,
    )


def test_higher_rates_lose_what_lower_ones_lose() -> None:
    u = uniform(1, 500)
    low, high = Bernoulli(0.1).lost(u), Bernoulli(0.3).lost(u)
    assert (high | ~low).all()
    assert high.sum() > low.sum() > 0


def test_masks_of_a_seed_are_the_same_luck_for_all() -> None:
    masks = [draw_mask(Bernoulli(p), 20, 10, 3, seed=5) for p in (0.1, 0.3)]
    assert masks[0].delivered.shape == (29, 3)
    assert (masks[0].delivered | ~masks[1].delivered).all()
    assert np.array_equal(draw_mask(Bernoulli(0.1), 20, 10, 3, seed=5).delivered, masks[0].delivered)
    assert not np.array_equal(draw_mask(Bernoulli(0.1), 20, 10, 3, seed=6).delivered, masks[0].delivered)


def test_errors_say_what_is_valid() -> None:
    with pytest.raises(ValueError, match=r"loss is 1\.5, valid: 0\.\.1"):
        Bernoulli(1.5)
    with pytest.raises(ValueError, match=r"burst is 0\.5, valid: finite and >= 1"):
        GilbertElliott(0.1, 0.5)
    with pytest.raises(ValueError, match=r"burst is 2, valid for loss 0\.9: >= 9 packets"):
        GilbertElliott(0.9, 2)
