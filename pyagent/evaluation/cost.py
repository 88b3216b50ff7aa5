"""What a policy was given before the test: the same three columns for every policy, never mixed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What training or tuning used; None: not known, as of a policy that was trained elsewhere.

    Attributes:
        decisions: simulated decisions whose outcomes it used.
        evaluations: evaluations by the language model.
        tuning_contexts: contexts at which it used the outcome of every action.
    """

    decisions: int | None = None
    evaluations: int | None = None
    tuning_contexts: int | None = None

    def known(self) -> tuple[int, int, int]:
        """Decisions, evaluations, tuning contexts.

        Raises:
            ValueError: one of them is not known.
        """
        if self.decisions is None or self.evaluations is None or self.tuning_contexts is None:
            raise ValueError(f"{self}: want three known numbers")
        return self.decisions, self.evaluations, self.tuning_contexts

    def to_json(self) -> dict[str, int | None]:
        """As summary.json names them."""
        return {
            "simulated_decisions": self.decisions,
            "real_evaluations": self.evaluations,
            "tuning_contexts": self.tuning_contexts,
        }


FREE = Cost(0, 0, 0)
"""Cost of a policy that neither learns nor is tuned."""
