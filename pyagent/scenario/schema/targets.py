"""What the scenario's user would accept."""

from __future__ import annotations

from pydantic import model_validator

from pyagent.scenario.schema.base import NotNegative, Positive, Section

ACCEPTED_SHARE = 0.95
"""Share of the requests that must keep a target on a time."""


class Targets(Section):
    """What the user would accept; each policy passes or fails each of them, and none changes a decision.

    A time is met when at least 95 % of the requests take no longer; a failed request takes for ever. The
    other two are means over all requests, failed ones included.
    """

    ttft_s: Positive | None = None
    """seconds to the first token, 95 % of the requests"""
    tpot_s: Positive | None = None
    """mean seconds per token after the first, 95 % of the requests for two tokens or more"""
    completion_s: Positive | None = None
    """seconds to the last token, 95 % of the requests"""
    delta_nll: NotNegative | None = None
    """nats per token above the unimpaired model; mean, a failed request's lost tokens at the clip"""
    ue_energy_j: Positive | None = None
    """J of a request above idle, computing and radio; mean"""

    @model_validator(mode="after")
    def _first_token_before_last(self) -> Targets:
        if self.ttft_s is not None and self.completion_s is not None and self.ttft_s > self.completion_s:
            raise ValueError(
                f"ttft_s ({self.ttft_s:g}) must be at most completion_s ({self.completion_s:g}): "
                "the first token comes before the last"
            )
        return self

    @property
    def stated(self) -> dict[str, float]:
        """The targets that the scenario states, by name."""
        return {name: value for name, value in self if value is not None}
