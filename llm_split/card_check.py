"""Device cards against published end-to-end measurements."""

from __future__ import annotations

from dataclasses import dataclass

from llm_split.devices import DeviceCard, Measurement, load_shape
from llm_split.roofline import compute_tables

TOLERANCE = 0.25
"""Largest absolute relative error of a card that needs no reason."""


@dataclass(frozen=True)
class CheckedMeasurement:
    """One measurement, and what the card says instead.

    Attributes:
        card: name of the device card.
        measurement: what was published.
        predicted: by the card, in the measurement's unit.
    """

    card: str
    measurement: Measurement
    predicted: float

    @property
    def error(self) -> float:
        """Signed relative error, (predicted - measured) / measured."""
        return self.predicted / self.measurement.value - 1.0

    @property
    def unexplained(self) -> bool:
        """True if the error is beyond the tolerance and the card gives no reason."""
        return abs(self.error) > TOLERANCE and self.measurement.why is None


def check_card(card: DeviceCard) -> list[CheckedMeasurement]:
    """All measurements of a card, in its order, with what the card predicts.

    Raises:
        CardError: a measured model is unknown or does not offer the measured weight bits.
    """
    return [CheckedMeasurement(card.name, m, predict(card, m)) for m in card.measurements]


def predict(card: DeviceCard, measurement: Measurement) -> float:
    """What the card says for a measurement, in the measurement's unit.

    The whole model runs on the device, its times are those that a simulation gets (`compute_tables`). Prefill
    is prompt tokens over the time of one pass and the head; decode is one pass for one token at the stated
    context; energy is decode's time at the power above idle.

    Raises:
        CardError: as `check_card`.
    """
    shape, tokens = load_shape(measurement.model), measurement.tokens
    prefill = measurement.phase == "prefill"
    prompt, context = (tokens, 1) if prefill else (1, tokens)
    tables = compute_tables(shape, card, measurement.weight_bits, prompt, context)
    if prefill:
        return tokens / (shape.num_layers * tables.prefill_block_s[tokens] + tables.prefill_head_s)
    token_s = shape.num_layers * tables.decode_block_s[tokens] + tables.decode_head_s
    return 1e3 * token_s if measurement.phase == "decode" else token_s * card.compute_power_w
