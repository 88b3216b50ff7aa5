"""One pass with the record's mask equals a UE and an edge that speak to each other over a lossy link.

The two are played message by message: a tensor is sent again when no token id came back, an edge that has
begun a step answers a repeated one with the same id and never touches its cache again, what arrives after a
step began is late, and a request whose tries are used up is cut. Only the mask of what the edge had when it
began each step goes to the evaluator.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from llm_split.codecs import get_codec
from llm_split.impairment import CONCEALMENTS, DeliveryMask, Impairment, apply
from llm_split.partition import SplitModel
from llm_split.quality import QualityEvaluator

P, N, F = 12, 9, 3
T = P + N - 1
TRIES = 3
CLIP = 5.0
CODEC = get_codec("int8")


class Edge:
    """Computes a step once, with what it has of it then."""

    def __init__(self, model: SplitModel, split: int, concealment: str) -> None:
        self.half, self.concealment = model.edge_half(split), concealment
        self.decoded = torch.zeros(T, model.hidden_size)
        self.has = np.zeros((T, F), dtype=np.bool_)
        self.logits: dict[int, torch.Tensor] = {}
        self.repeated = self.late = 0

    def receive(self, step: int, rows: slice, sent: torch.Tensor, arrived: NDArray[np.bool_]) -> bool:
        """One sending of a step; whether there is a token id to send back."""
        if not arrived.any():
            return False
        if step in self.logits:
            self.repeated += 1
            self.late += int((arrived & ~self.has[rows]).sum())
            return True
        self.decoded[rows], self.has[rows] = sent, arrived
        mask = DeliveryMask(self.has, P, N, N)
        usable = apply(self.decoded[: rows.stop], mask, self.concealment)[rows]
        self.logits[step] = self.half.forward(usable[None])[0, -1]
        return True


class Play:
    """A request over a link that loses packets each way."""

    def __init__(self, model: SplitModel, ids: torch.Tensor, split: int, concealment: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.ue, self.edge = model.ue_half(split), Edge(model, split, concealment)
        self.nll: list[float] = []
        self.resent = self.lost_downlinks = 0
        for step in range(N):
            rows = slice(0, P) if step == 0 else slice(P + step - 1, P + step)
            sent = CODEC.roundtrip(self.ue.forward(ids[None, rows])[0], F)
            if not self._step(step, rows, sent, rng):
                break
            logits = self.edge.logits[step].double()
            self.nll.append(-float(logits.log_softmax(-1)[ids[P + step]]))

    def _step(self, step: int, rows: slice, sent: torch.Tensor, rng: np.random.Generator) -> bool:
        """Whether the token id came back in one of the tries."""
        for attempt in range(TRIES):
            self.resent += attempt > 0
            bad = rng.random() < 0.3  # now and then all is lost
            arrived = (rng.random((len(sent), F)) >= 0.3) & (not bad)
            if self.edge.receive(step, rows, sent, arrived):
                if rng.random() >= 0.3:
                    return True
                self.lost_downlinks += 1
        return False

    @property
    def mask(self) -> DeliveryMask:
        return DeliveryMask(self.edge.has, P, N, len(self.nll))


@pytest.fixture(scope="module")
def prompts() -> torch.Tensor:
    return torch.randint(0, 131, (1, P + N), generator=torch.Generator().manual_seed(5))


SEEDS = range(30)


@pytest.mark.parametrize("concealment", CONCEALMENTS)
@pytest.mark.parametrize("split", [1, 3])
def test_mask_tells_all_that_matters(
    tiny: SplitModel, prompts: torch.Tensor, split: int, concealment: str
) -> None:
    subject = QualityEvaluator(
        tiny,
        prompts,
        [split],
        Impairment(concealment),
        delta_nll_clip=CLIP,  # type: ignore[arg-type]
    )
    plain = subject.reference_nll(0)[P - 1 : P - 1 + N]
    plays = [Play(tiny, prompts[0], split, concealment, seed) for seed in SEEDS]
    for play in plays:
        got = len(play.nll)
        excess = sum(play.nll) - float(plain[:got].sum())
        result = subject.evaluate(0, split, "int8", play.mask)
        assert result.delta_nll == pytest.approx((excess + CLIP * (N - got)) / N, abs=1e-5)
        assert result.tokens_scored == got
    # The sample has in it what it is about.
    assert sum(play.resent for play in plays) > 30
    assert sum(play.lost_downlinks for play in plays) > 30
    assert sum(play.edge.repeated for play in plays) > 20
    assert sum(play.edge.late for play in plays) > 0
    cut = [len(play.nll) for play in plays if len(play.nll) < N]
    assert 3 < len(cut) < len(plays)
    assert max(cut) > 0


def test_a_repeated_step_taken_anew_would_be_seen(tiny: SplitModel, prompts: torch.Tensor) -> None:
    """Guards the test above: with duplicates appended to the cache the two differ."""
    subject = QualityEvaluator(tiny, prompts, [1], Impairment("zero"), delta_nll_clip=CLIP)
    play = next(p for p in (Play(tiny, prompts[0], 1, "zero", s) for s in SEEDS) if len(p.nll) == N)
    step = P + 1
    edge = play.edge.half.owner.edge_half(1)
    usable = apply(play.edge.decoded, play.mask, "zero")
    right = [edge.forward(usable[None, :P]), edge.forward(usable[None, P : P + 1])]
    edge.forward(usable[None, P : P + 1])  # the repeated step, appended
    wrong = edge.forward(usable[None, step : step + 1])[0, -1]
    assert torch.allclose(right[1][0, -1], play.edge.logits[1], atol=1e-5)
    assert (wrong - play.edge.logits[2]).abs().max() > 1e-3
    assert subject.evaluate(0, 1, "int8", play.mask).tokens_scored == N
