"""When requests come, and how their tensors travel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pyagent.scenario.schema.base import NotNegative, Positive, Section, require_order

# What the observation can tell apart (pyagent/envs/observation.py).
MAX_TOKENS = {"prompt_tokens": 512, "output_tokens": 64}


class Requests(Section):
    """When requests come and how long they are; all from the seed alone.

    Gaps are min_gap_s plus an exponential of mean mean_extra_gap_s. A request is cut deadline_s after
    its arrival, and min_gap_s >= deadline_s keeps two requests from overlapping.
    """

    count: Annotated[int, Field(ge=1, le=100_000)] = 25
    """requests of one episode, which is one run of ns-3"""
    start_s: Annotated[float, Field(ge=1)] = 2.0
    """when the first request comes; before, the link comes up and the others begin"""
    deadline_s: Positive = 4.0
    """a request that is not done so long after its arrival has failed"""
    min_gap_s: Positive = 4.0
    """least time between two arrivals; at least deadline_s"""
    mean_extra_gap_s: NotNegative = 1.0
    """mean of the exponential time on top of min_gap_s; 0 for a fixed rhythm"""
    prompt_tokens: tuple[int, int] = (16, 128)
    """length of a prompt, drawn from [low, high]; 1 to 512"""
    output_tokens: tuple[int, int] = (8, 32)
    """length of an answer, drawn from [low, high]; 1 to 64"""

    @model_validator(mode="after")
    def _consistent(self) -> Requests:
        for name in ("prompt_tokens", "output_tokens"):
            require_order(self, name)
            longest = MAX_TOKENS[name]
            if getattr(self, name)[0] < 1 or getattr(self, name)[1] > longest:
                raise ValueError(f"{name} must lie in 1 to {longest}")
        if self.min_gap_s < self.deadline_s:
            raise ValueError(f"min_gap_s ({self.min_gap_s}) must be at least deadline_s ({self.deadline_s})")
        return self

    @property
    def expected_end_s(self) -> float:
        """When an episode is over, on average over the seeds."""
        return self.start_s + (self.count - 1) * (self.min_gap_s + self.mean_extra_gap_s) + self.deadline_s

    @property
    def max_tokens(self) -> int:
        """Longest prompt plus longest output."""
        return self.prompt_tokens[1] + self.output_tokens[1]


class Fec(Section):
    """Forward error correction: after each `data` fragments of a step, one behind the other, come `parity`
    packets as long as the longest of them. Any `data` packets of a group recover it, as in every maximum
    distance separable code, such as Reed-Solomon's over bytes, which has room for 255 packets (RFC 5510). The
    last group of a step may be smaller, and no group spans steps."""

    data: Annotated[int, Field(ge=1, le=254)]
    """fragments of a group"""
    parity: Annotated[int, Field(ge=1, le=254)]
    """packets of parity behind it"""

    @model_validator(mode="after")
    def _fit_into_a_code(self) -> Fec:
        if self.data + self.parity > 255:
            raise ValueError(f"data + parity is {self.data + self.parity}; valid: 255 or less")
        return self


class Transport(Section):
    """How activations travel. The edge computes when a step is complete, or when no new fragment of it came
    for reassembly_timeout_ms; the UE sends a step again when no token id came back within
    reassembly_timeout_ms + retry_timeout_ms after it handed over the last fragment."""

    protocol: Literal["udp"] = "udp"
    """what carries the fragments"""
    payload_bytes: Annotated[int, Field(ge=64, le=1448)] = 1400
    """activation bytes of a packet at most; a token is cut into fragments of this size"""
    reassembly_timeout_ms: Positive | None = None
    """the edge waits so long for another new fragment of a step, then computes without the rest; None: what
    suits the link, 100, and 300 over LTE, whose reordering alone holds packets back for 100"""
    retry_timeout_ms: Positive = 100.0
    """what the UE waits for the token id, on top of reassembly_timeout_ms"""
    max_retries: Annotated[int, Field(ge=0, le=254)] = 8
    """how often a step is sent again; then the request has failed"""
    device_queue_window: Annotated[int, Field(ge=1)] = 64
    """fragments that the UE keeps in its device queue, so that a prompt doesn't wait in it"""
    token_id_bytes: Annotated[int, Field(ge=1, le=1448)] = 16
    """payload of a reply"""
    fec: Fec | None = None
    """forward error correction; none: what is lost is missing"""
