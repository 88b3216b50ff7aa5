"""What a decision is worth, and how much of what is run to judge it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from llm_split.plain import did_you_mean
from pyagent.reward import RewardWeights
from pyagent.scenario.schema.base import NotNegative, Positive, Section


class Reward(Section):
    """What a decision is worth; see pyagent/reward.py for the terms and the reasons of the weights."""

    slo_s: Positive = 1.0
    """latency objective of a request; latency is charged in multiples of it"""
    delta_nll_clip: Positive = 3.0
    """loss of quality that is charged at most, nat/token"""
    weights: dict[str, NotNegative] = {}
    """prices that differ from the defaults: quality, latency, energy, load, failure, switching"""

    @field_validator("weights")
    @classmethod
    def _known_weights(cls, weights: dict[str, float]) -> dict[str, float]:
        known = RewardWeights.__dataclass_fields__
        for name in weights:
            if name not in known:
                guess = did_you_mean(name, known)
                raise ValueError(
                    f"no weight is called {name!r}; {guess and guess + ' '}valid: {', '.join(known)}"
                )
        return weights

    def as_weights(self) -> RewardWeights:
        """The weights with defaults filled in."""
        return RewardWeights(**self.weights)


class Evaluation(Section):
    """How much of what is run by `splitsim run`; train and test seeds never meet."""

    tune_seeds: Annotated[int, Field(ge=1, le=1000)] | None = None
    """episodes that rules and yardsticks are tuned on; null: as many contexts as the learners' budget"""
    test_seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    """episodes that everything is judged on; nothing is trained or tuned on them"""
    replicates: Annotated[int, Field(ge=4)] = 4
    """runs of each test episode with other random numbers of the MAC; even"""
    imagined_steps: Annotated[int, Field(ge=256)] = 20_000
    """steps that PPO trains in the surrogate"""

    @field_validator("replicates")
    @classmethod
    def _even(cls, replicates: int) -> int:
        if replicates % 2:
            raise ValueError("replicates must be even: one half chooses, the other scores")
        return replicates
