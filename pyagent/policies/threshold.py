"""One threshold on one feature: what an engineer would try first, and often hard to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyagent.policies.steps import StepPolicy, Steps

if TYPE_CHECKING:
    from typing import Self


class ThresholdPolicy(StepPolicy):
    """``below`` where the feature is under the threshold, else ``above``.

    Args:
        feature: index of the context feature.
        threshold: on the normalised feature.
        below, above: action indices.
        actions: S.
    """

    name = "threshold"
    pieces = 2

    def __init__(self, feature: int, threshold: float, below: int, above: int, actions: int) -> None:
        super().__init__(feature, (threshold,), (below, above), actions)
        self.threshold, self.below, self.above = threshold, below, above

    @classmethod
    def of(cls, rule: Steps, actions: int) -> Self:
        """The policy that plays a rule of two pieces over S actions."""
        (threshold,), (below, above) = rule.thresholds, rule.choices
        return cls(rule.feature, threshold, below, above, actions)
