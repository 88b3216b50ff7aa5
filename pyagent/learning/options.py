"""How a learning agent trains: what a user may choose, and what is chosen unless he does.

Light on purpose: the command line reads the defaults before anything is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    buy: str = "epistemic"
    per_decision: float = 0.25
    wandb: str | None = None

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
