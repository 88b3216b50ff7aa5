"""How predictions of an impaired model compare with those of the unimpaired one, position by position.

Symbols: K scored positions, V vocabulary, t positions of a pass, d hidden size. Logarithms are natural.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from llm_split.partition import SplitModel


class Scores(NamedTuple):
    """Per predicted position, float64 on the CPU: NLL of the next token, KL to the reference, agreement.

    KL is that of the impaired from the unimpaired distribution, KL(unimpaired || impaired), in nats;
    agreement is 1 where both have the same most likely token.
    """

    nll: Tensor
    kl: Tensor
    agree: Tensor

    def part(self, start: int, end: int) -> Scores:
        """Those of positions start..end-1."""
        return Scores(self.nll[start:end], self.kl[start:end], self.agree[start:end])

    @classmethod
    def joined(cls, parts: list[Scores]) -> Scores:
        """One after the other."""
        return cls(*(torch.cat(column) for column in zip(*parts, strict=True)))

    @classmethod
    def perfect(cls, nll: Tensor) -> Scores:
        """Those of the unimpaired model itself."""
        return cls(nll, torch.zeros_like(nll), torch.ones_like(nll))


def head(split_model: SplitModel, last: Tensor, positions: Tensor) -> Tensor:
    """Norm and head on some rows of the last block's output [t, d]: they work row by row. Logits [K, V]."""
    return split_model.edge_logits(last[positions.to(last.device)][None], split_model.num_layers)[0]


def negative_log_likelihood(logits: Tensor, targets: Tensor) -> Tensor:
    """Logits [K, V], true next tokens [K] -> NLL [K], float64 on the CPU."""
    loss = torch.nn.functional.cross_entropy(logits.float(), targets.to(logits.device), reduction="none")
    return loss.cpu().double()


class Reference(NamedTuple):
    """The unimpaired model at K positions.

    Attributes:
        logits: float32 [K, V].
        probabilities: float32 [K, V].
        log_total: [K], log of the sum of exp(logits).
        best: int64 [K], the most likely tokens.
    """

    logits: Tensor
    probabilities: Tensor
    log_total: Tensor
    best: Tensor


def reference(logits: Tensor) -> Reference:
    """From the unimpaired logits [K, V]."""
    logits = logits.float()
    return Reference(logits, logits.softmax(-1), logits.logsumexp(-1), logits.argmax(-1))


def compare(impaired: Tensor, unimpaired: Reference, targets: Tensor) -> Scores:
    """Score impaired logits [K, V] against the reference and the true next tokens [K]."""
    logits = impaired.float()
    log_total = logits.logsumexp(-1)
    # KL = sum p (log p - log q); written with differences of logits, it is exactly 0 for equal ones, and
    # passes over the vocabulary are what this costs.
    expected = ((unimpaired.logits - logits) * unimpaired.probabilities).sum(-1)
    kl = (expected - unimpaired.log_total + log_total).clamp(min=0)  # rounding can leave -1e-7
    agree = (logits.argmax(-1) == unimpaired.best).double()
    nll = log_total - logits.gather(-1, targets.to(logits.device)[:, None])[:, 0]
    return Scores(nll.cpu().double(), kl.cpu().double(), agree.cpu())
