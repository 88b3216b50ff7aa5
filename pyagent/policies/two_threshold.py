"""Two thresholds on one feature: room for an in-between, where one threshold knows only good and bad."""

from __future__ import annotations

from pyagent.policies.steps import StepPolicy


class TwoThresholdPolicy(StepPolicy):
    """An action below the lower threshold, one between the two, one from the upper on.

    Args:
        feature: index of the context feature.
        thresholds: lower and upper, on the normalised feature.
        choices: action index below, between and above.
        actions: S.
    """

    name = "two-threshold"
    pieces = 3
