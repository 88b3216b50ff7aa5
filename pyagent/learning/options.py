"""How a learning agent trains: what a user may choose, and what is chosen unless he does.

Light on purpose: the command line reads the defaults before anything is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pyagent.errors import UserError
from pyagent.surrogate_names import known_surrogate

Purchase = Literal["epistemic", "random", "round-robin", "all"]
"""`pyagent.learning.acquisition.NAMES`."""


@dataclass(frozen=True)
class Learning:
    """How the learning agent trains.

    Attributes:
        budget: real decisions that every learner plays.
        surrogate: the model-based learner's; one of `pyagent.surrogate.registry.SURROGATES`.
        buy: which evaluations it buys; one of `pyagent.learning.acquisition.NAMES`.
        per_decision: how many of them per decision, unless it buys all.
        wandb: project of Weights & Biases that gets the curves too; None: nobody does.
    """

    budget: int = 240
    surrogate: str = "ensemble"
    buy: Purchase = "epistemic"
    per_decision: float = 0.25
    wandb: str | None = None

    @property
    def model(self) -> dict[str, Any]:
        """Options of `pyagent.learning.learners.make_model_based`."""
        return {"surrogate": self.surrogate, "rule": self.buy, "per_decision": self.per_decision}

    @property
    def options(self) -> list[str]:
        """Of `splitsim run`, as far as they are not the defaults, without the budget."""
        usual = Learning()
        named = {"--surrogate": "surrogate", "--buy": "buy", "--per-decision": "per_decision"}
        return [
            part
            for option, name in named.items()
            if getattr(self, name) != getattr(usual, name)
            for part in (option, str(getattr(self, name)))
        ]


def tuning_episodes(budget: int, requests: int, chosen: int | None) -> int:
    """Episodes that rules are tuned on: as many contexts as a learner plays decisions, unless chosen.

    Args:
        budget: decisions of a learner.
        requests: of an episode, >= 1.
        chosen: `evaluation.tune_seeds` of the scenario.
    """
    return chosen if chosen is not None else max(1, -(-budget // requests))


def check_choice(surrogate: str, buy: str) -> None:
    """Raises UserError unless there is such a surrogate and it can learn from what is bought."""
    known_surrogate(surrogate)
    if surrogate != Learning.surrogate and buy != "all":
        raise UserError(
            f"surrogate {surrogate!r} with --buy {buy}: only {Learning.surrogate} can learn from decisions "
            "whose evaluation was not bought; valid: --buy all"
        )
