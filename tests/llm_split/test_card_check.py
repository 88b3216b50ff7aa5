"""Shipped cards stand against published measurements; predictions are those that one can work out by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llm_split.card_check import TOLERANCE, check_card, predict
from llm_split.devices import DeviceCard, Measurement, device_names, load_device, load_shape

OF_DECODE: dict[str, Any] = {
    "phase": "decode",
    "model": "tinyllama-1.1b",
    "weight_bits": 4,
    "tokens": 100,
    "value": 10.0,
    "unit": "ms/token",
    "source": "a bench",
}


def measurement(**changes: Any) -> Measurement:
    return Measurement(**OF_DECODE | changes)


@pytest.mark.parametrize("name", device_names())
def test_a_shipped_card_names_a_measurement_for_each_phase(name: str) -> None:
    phases = {m.phase for m in load_device(name).measurements}
    assert {"prefill", "decode"} <= phases


@pytest.mark.parametrize("name", device_names())
def test_a_shipped_card_is_within_the_tolerance_or_says_why(name: str) -> None:
    for row in check_card(load_device(name)):
        said = (row.measurement.phase, row.measurement.model, f"{row.error:+.3f}")
        assert not row.unexplained, said
        assert (abs(row.error) > TOLERANCE) == (row.measurement.why is not None), said


@pytest.mark.parametrize("name", device_names())
def test_a_power_from_an_energy_figure_is_checked_against_it(name: str) -> None:
    card = load_device(name)
    from_energy = re.search(r"[0-9] J per token", card.sources["compute_power_w"]) is not None
    assert from_energy == any(m.phase == "energy" for m in card.measurements)


@pytest.mark.parametrize("name", device_names())
def test_a_source_that_says_derived_has_a_measurement_marked_as_fitted(name: str) -> None:
    """In-sample errors are marked, so the others mean something."""
    card = load_device(name)
    figures = ("prefill_compute_efficiency", "decode_bandwidth_efficiency", "block_launch_s")
    derived = [figure for figure in figures if card.sources[figure].startswith("derived")]
    assert bool(derived) == any(m.fitted for m in card.measurements)
    assert not all(m.fitted for m in card.measurements)


def test_the_figures_that_the_vendors_publish_are_met() -> None:
    """Galaxy S24 with Llama-2-7B in 4 bits, and gpt-fast on the A100."""
    rows = {
        (row.card, row.measurement.phase, row.measurement.weight_bits): row
        for name in ("snapdragon-8-gen-3", "a100-80g")
        for row in reversed(check_card(load_device(name)))
        if row.measurement.model == "llama-2-7b"
    }
    phone_decode = rows["snapdragon-8-gen-3", "decode", 4]
    assert phone_decode.measurement.value == 88.4
    assert phone_decode.predicted == pytest.approx(88.4, rel=0.01)
    assert rows["snapdragon-8-gen-3", "prefill", 4].predicted == pytest.approx(690, rel=0.02)
    assert rows["snapdragon-8-gen-3", "energy", 4].predicted == pytest.approx(0.7, rel=0.02)
    assert rows["a100-80g", "decode", 16].predicted == pytest.approx(1e3 / 104.9, rel=0.2)
    assert rows["a100-80g", "decode", 4].predicted == pytest.approx(1e3 / 196.8, rel=0.2)


def by_hand(card: DeviceCard, context: int) -> float:
    """Seconds of one decoded token of TinyLlama in 4 bits; bound by bandwidth on any of our cards."""
    shape = load_shape("tinyllama-1.1b")
    weights = (22 * shape.block_parameters + shape.head_parameters) / 2
    cache = 22 * 2 * 256 * 2 * (context + 1)
    rate = card.bandwidth_bytes_per_s * card.decode_bandwidth_efficiency
    return (weights + cache) / rate + 23 * card.block_launch_s


def test_a_prediction_is_that_of_the_whole_model() -> None:
    card = load_device("jetson-orin-nano")
    token_s = by_hand(card, 100)
    assert predict(card, measurement()) == pytest.approx(1e3 * token_s, rel=1e-9)
    energy = measurement(phase="energy", unit="J/token")
    assert predict(card, energy) == pytest.approx(card.compute_power_w * token_s, rel=1e-9)
    shape = load_shape("tinyllama-1.1b")
    operations = 22 * (2 * shape.block_parameters * 500 + 4 * 2048 * 500 * 501 / 2)
    head_s = shape.head_parameters / 2 / (card.bandwidth_bytes_per_s * card.prefill_bandwidth_efficiency)
    pass_s = operations / (10e12 * card.prefill_compute_efficiency) + head_s + 23 * card.block_launch_s
    prefill = measurement(phase="prefill", tokens=500, unit="tokens/s")
    assert predict(card, prefill) == pytest.approx(500 / pass_s, rel=1e-9)


def test_the_error_is_signed_and_relative_and_a_reason_excuses_it() -> None:
    card = load_device("jetson-orin-nano")
    predicted_ms = 1e3 * by_hand(card, 100)
    for value, why, unexplained in (
        (predicted_ms / 1.2, None, False),
        (predicted_ms / 1.3, None, True),
        (predicted_ms / 0.7, None, True),
        (predicted_ms / 0.7, "the fan was off", False),
    ):
        own = card.model_copy(update={"measurements": [measurement(value=value, why=why)]})
        [row] = check_card(own)
        assert row.error == pytest.approx(predicted_ms / value - 1, rel=1e-9)
        assert row.unexplained == unexplained
