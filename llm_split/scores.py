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


def compare(impaired: Tensor, log_reference: Tensor, targets: Tensor) -> Scores:
    """Score logits [K, V] against the reference's log-probabilities [K, V] and the true next tokens [K]."""
    log_q = impaired.float().log_softmax(-1)
    kl = (log_reference.exp() * (log_reference - log_q)).sum(-1).clamp(min=0)  # rounding can leave -1e-9
    agree = (log_q.argmax(-1) == log_reference.argmax(-1)).double()
    nll = -log_q.gather(-1, targets.to(log_q.device)[:, None])[:, 0]
    return Scores(nll.cpu().double(), kl.cpu().double(), agree.cpu())
