"""The delivery record of a request, as ns-3 sends it after the request is over."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from llm_split.impairment import DeliveryMask
from pyagent.envs.comparison import ComparedByValue


class Outcome(IntEnum):
    """What became of a fragment; the numbers are the wire's."""

    DELIVERED = 0
    LOST_RADIO = 1
    DROPPED_QUEUE = 2
    LATE = 3
    NOT_SENT = 4
    RECOVERED = 5


def there(outcome: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which fragments the edge computed with, of outcomes of any shape."""
    return np.isin(outcome, (Outcome.DELIVERED, Outcome.RECOVERED))


@dataclass(frozen=True, eq=False)
class DeliveryRecord(ComparedByValue):
    """Everything that ns-3 knows of one finished request.

    T = prompt_tokens + output_tokens - 1 uplinked positions, F fragments per token, N output tokens. When
    all was local, F is 0 and nothing was sent.

    Attributes:
        outcome: uint8 [T, F], values of `Outcome`.
        delay_s: float32 [T, F], one way, seconds; NaN where nothing arrived.
        retries: uint8 [N], sendings of each step beyond the first.
        token_time_s: float32 [N], seconds from arrival to the token id at the UE; NaN if it never came.
        downlink_outcome: uint8 [N], values of `Outcome`, of each step's reply.
        latency_s: to the last token; the deadline when the request failed.
        ue_radio_energy_j: above idle, over the window of one deadline.
    """

    request: int
    action: int
    split: int
    prompt_tokens: int
    output_tokens: int
    generated_tokens: int
    fragments_per_token: int
    failed: bool
    fail_reason: str
    arrival_s: float
    latency_s: float
    outcome: NDArray[np.uint8]
    delay_s: NDArray[np.float32]
    retries: NDArray[np.uint8]
    token_time_s: NDArray[np.float32]
    downlink_outcome: NDArray[np.uint8]
    uplink_packets: int
    uplink_bytes: int
    downlink_bytes: int
    ue_compute_s: float
    edge_compute_s: float
    edge_queue_s: float
    ue_compute_energy_j: float
    ue_radio_energy_j: float

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DeliveryRecord:
        """Read what ns-3 sent in `info["record"]`.

        Raises:
            ValueError: a field is of another type or out of range, or an array has not the size that the
                other fields imply.
            KeyError: a field is missing.
        """
        scalars = {name: _scalar(data, name) for name in _SCALARS}
        _require_tokens(scalars)
        tokens = scalars["prompt_tokens"] + scalars["output_tokens"] - 1
        rows, steps = (tokens, scalars["fragments_per_token"]), (scalars["output_tokens"],)
        return cls(
            **scalars,
            outcome=_array(data, "outcome", np.uint8, rows),
            delay_s=_array(data, "delay_s", np.float32, rows),
            retries=_array(data, "retries", np.uint8, steps),
            token_time_s=_array(data, "token_time_s", np.float32, steps),
            downlink_outcome=_array(data, "downlink_outcome", np.uint8, steps),
        )

    def to_json(self) -> dict[str, Any]:
        """What :meth:`from_json` reads, to the bit."""
        scalars = {name: getattr(self, name) for name in _SCALARS}
        return scalars | {name: _text(getattr(self, name)) for name in _ARRAYS}

    @property
    def ttft_s(self) -> float:
        """Seconds to the first token; NaN when there was none."""
        return float(self.token_time_s[0])

    @property
    def tpot_s(self) -> float:
        """Mean seconds per token after the first; NaN with fewer than two tokens."""
        if self.generated_tokens < 2:
            return float("nan")
        last = self.token_time_s[self.generated_tokens - 1]
        return float((last - self.token_time_s[0]) / (self.generated_tokens - 1))

    @property
    def ue_energy_j(self) -> float:
        """Joules above idle: computing and radio."""
        return self.ue_compute_energy_j + self.ue_radio_energy_j

    @property
    def mean_delay_s(self) -> float:
        """Mean one-way delay of what arrived; NaN when nothing did."""
        arrived = self.delay_s[~np.isnan(self.delay_s)]
        return float(arrived.mean()) if arrived.size else float("nan")

    def share(self, outcome: Outcome) -> float:
        """Share of this outcome among the fragments of the steps that the UE began to send; 0 for none.

        NOT_SENT there means that the edge had already begun, or the request was over.
        """
        begun = self._begun()
        return float((begun == outcome).mean()) if begun.size else 0.0

    @property
    def loss(self) -> float:
        """Share of the fragments that the edge did without: all outcomes but DELIVERED and RECOVERED."""
        begun = self._begun()
        return 1.0 - float(there(begun).mean()) if begun.size else 0.0

    @property
    def prompt_loss(self) -> float:
        """Share of the prompt's fragments that the edge did without; 0 when all was local."""
        return _missing(self.outcome[: self.prompt_tokens])

    @property
    def output_loss(self) -> float:
        """The same of the generated tokens that were sent up."""
        return _missing(self.outcome[self.prompt_tokens : self.prompt_tokens + self.generated_tokens - 1])

    def _begun(self) -> NDArray[np.uint8]:
        """Outcomes of all fragments of the steps that the UE began to send, flat."""
        prompt, rest = self.outcome[: self.prompt_tokens], self.outcome[self.prompt_tokens :]
        sent = rest[(rest != Outcome.NOT_SENT).any(axis=1)]
        if (prompt == Outcome.NOT_SENT).all():
            return np.empty(0, np.uint8)
        return np.concatenate([prompt.ravel(), sent.ravel()])

    def mask(self) -> DeliveryMask:
        """What the language model's side needs of it."""
        return DeliveryMask(
            delivered=there(self.outcome),
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
            generated_tokens=self.generated_tokens,
        )


def _missing(outcome: NDArray[np.uint8]) -> float:
    return float((~there(outcome)).mean()) if outcome.size else 0.0


_SCALARS = (
    "request",
    "action",
    "split",
    "prompt_tokens",
    "output_tokens",
    "generated_tokens",
    "fragments_per_token",
    "failed",
    "fail_reason",
    "arrival_s",
    "latency_s",
    "uplink_packets",
    "uplink_bytes",
    "downlink_bytes",
    "ue_compute_s",
    "edge_compute_s",
    "edge_queue_s",
    "ue_compute_energy_j",
    "ue_radio_energy_j",
)


_KINDS: dict[str, type] = {
    name: kind for name, kind in get_type_hints(DeliveryRecord).items() if name in _SCALARS
}


_ARRAYS = ("outcome", "delay_s", "retries", "token_time_s", "downlink_outcome")


def _typed(data: dict[str, Any], name: str, *kinds: type) -> Any:
    value = data[name]
    if type(value) not in kinds:  # True is an int to isinstance
        raise ValueError(f"record.{name} is a {type(value).__name__}; expected {kinds[-1].__name__}")
    return value


def _scalar(data: dict[str, Any], name: str) -> Any:
    """A field of the type that the class declares; every count is 0 or more."""
    kind = _KINDS[name]
    value = _typed(data, name, *((int, float) if kind is float else (kind,)))
    if kind is int and not 0 <= value < 2**63:
        raise ValueError(f"record.{name} is {value}; expected 0 to {2**63 - 1}")
    if kind is float:
        try:  # JSON lets a whole number be as long as it likes
            return float(value)
        except OverflowError:
            raise ValueError(f"record.{name} is too large for a float") from None
    return value


def _require_tokens(scalars: dict[str, Any]) -> None:
    prompt, output, generated = (scalars[f"{kind}_tokens"] for kind in ("prompt", "output", "generated"))
    if prompt < 1 or output < 1 or generated > output:
        raise ValueError(
            f"record has {prompt} prompt tokens and {generated} of {output} output tokens; expected 1 or more"
            " of each, and no more generated than asked for"
        )


def _text(values: NDArray[Any]) -> str:
    little = values.astype(values.dtype.newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")


def _array(data: dict[str, Any], name: str, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    values = np.frombuffer(
        base64.b64decode(_typed(data, name, str), validate=True), dtype=np.dtype(dtype).newbyteorder("<")
    )
    if values.size != math.prod(shape):
        raise ValueError(f"record.{name} holds {values.size} values; expected {shape}")
    return values.reshape(shape)
