"""Cutting, looping and summing up a trace, against arithmetic by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pyagent.traces.errors import TraceError
from pyagent.traces.radio import RadioTrace
from pyagent.traces.radio.series import autocorrelation_time_s, stretches, weighted_quantiles


def made(times: list[float], rates: list[float], duration_s: float, **more: Any) -> RadioTrace:
    columns: dict[str, Any] = {"delay_ms": None, "loss": None, "signals": {}, **more}
    return RadioTrace(
        np.array(times, float), duration_s, np.array(rates, float), source="x", format="y", **columns
    )


@pytest.fixture
def trace() -> RadioTrace:
    """10 Mbit/s for 2 s, nothing for 1 s, 4 Mbit/s for 5 s."""
    return made(
        [0, 2, 3],
        [10, 0, 4],
        8.0,
        delay_ms=np.array([20.0, 90.0, 30.0]),
        loss=np.array([0.0, 1.0, 0.1]),
        signals={"rsrp_dbm": np.array([-80.0, np.nan, -100.0])},
    )


@pytest.fixture
def irregular() -> RadioTrace:
    rng = np.random.default_rng(5)
    steps = rng.uniform(0.01, 2.0, 60)
    edges = np.concatenate([[0.0], np.cumsum(steps)])
    return made(edges[:-1].tolist(), rng.exponential(5, 60).tolist(), float(edges[-1]))


def rates_at(trace: RadioTrace, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = np.searchsorted(trace.times_s, times_s % trace.duration_s, side="right") - 1
    return trace.rate_mbps[rows]


def test_bits_are_exact_and_looped(trace: RadioTrace) -> None:
    assert trace.bits_between(0, 8) == 40e6
    assert trace.bits_between(1, 2.5) == 10e6
    assert trace.bits_between(7, 9) == 14e6
    assert trace.bits_between(0, 80) == 400e6
    assert trace.bits_between(81, 82.5) == pytest.approx(10e6)
    assert trace.bits_between(3, 3) == 0
    assert trace.mean_rate_mbps == 5


@pytest.mark.parametrize("span", [(-1, 2), (3, 2), (0, float("inf")), (float("nan"), 1)])
def test_bits_of_no_span_are_refused(trace: RadioTrace, span: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="not 0 <= start <= end"):
        trace.bits_between(*span)


def test_bits_agree_with_a_sum_over_small_slices(irregular: RadioTrace) -> None:
    edges = np.linspace(3.0, 3.0 + 2.5 * irregular.duration_s, 200_001)
    middles = (edges[:-1] + edges[1:]) / 2
    total = rates_at(irregular, middles).sum() * (edges[1] - edges[0]) * 1e6
    assert irregular.bits_between(edges[0], edges[-1]) == pytest.approx(total, rel=1e-3)


def test_cut_takes_every_column_along(trace: RadioTrace) -> None:
    part = trace.cut(1, 4)
    assert part.times_s.tolist() == [0, 1, 2]
    assert part.duration_s == 3
    assert part.rate_mbps.tolist() == [10, 0, 4]
    assert trace.cut(2.5, 4).delay_ms.tolist() == [90, 30]  # type: ignore[union-attr]
    assert trace.cut(2, 3).loss.tolist() == [1]  # type: ignore[union-attr]
    np.testing.assert_array_equal(trace.cut(2.5, 8).signals["rsrp_dbm"], [np.nan, -100])
    assert part.notes == ("cut from 1 to 4 s",)
    assert trace.cut(0, 8) is trace


def test_offset_rotates_the_loop(trace: RadioTrace) -> None:
    later = trace.offset(2.5)
    assert later.times_s.tolist() == [0, 0.5, 5.5, 7.5]
    assert later.rate_mbps.tolist() == [0, 4, 10, 0]
    assert later.duration_s == 8
    assert later.notes == ("begun 2.5 s into the loop",)
    assert trace.offset(0) is trace
    assert trace.offset(16) is trace
    assert trace.offset(-5.5).rate_mbps.tolist() == later.rate_mbps.tolist()


@pytest.mark.parametrize("start_s", [0.3, 7.77, -0.01, 1e-12, 100.0])
def test_offset_and_cut_move_the_bits_and_keep_them(irregular: RadioTrace, start_s: float) -> None:
    later, begin_s = irregular.offset(start_s), start_s % irregular.duration_s
    assert later.mean_rate_mbps == pytest.approx(irregular.mean_rate_mbps)
    for span in ((0.0, 1.0), (5.5, 9.25), (0.0, irregular.duration_s), (3.0, 200.0)):
        expected = irregular.bits_between(begin_s + span[0], begin_s + span[1])
        assert later.bits_between(*span) == pytest.approx(expected)
    part = irregular.cut(begin_s / 2, begin_s / 2 + 3)
    assert part.bits_between(1, 3) == pytest.approx(irregular.bits_between(begin_s / 2 + 1, begin_s / 2 + 3))


def test_scaled_scales_rates_only(trace: RadioTrace) -> None:
    half = trace.scaled(0.5)
    assert half.rate_mbps.tolist() == [5, 0, 2]
    assert half.delay_ms is trace.delay_ms
    assert half.notes == ("rates times 0.5",)
    assert trace.scaled() is trace
    assert trace.rate_mbps.tolist() == [10, 0, 4]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t.cut(-1, 3), "x: can't be cut from -1 to 3 s, valid: 0 <= start < end <= 8"),
        (lambda t: t.cut(3, 3), "x: can't be cut from 3 to 3 s, valid: 0 <= start < end <= 8"),
        (lambda t: t.cut(3, 9), "x: can't be cut from 3 to 9 s, valid: 0 <= start < end <= 8"),
        (lambda t: t.cut(float("nan"), 3), "x: can't be cut from nan to 3 s, valid: 0 <= start < end <= 8"),
        (lambda t: t.scaled(0), "x: rates can't be scaled by 0, valid: 1e-6 to 1e6"),
        (lambda t: t.scaled(-1), "x: rates can't be scaled by -1, valid: 1e-6 to 1e6"),
        (lambda t: t.scaled(float("inf")), "x: rates can't be scaled by inf, valid: 1e-6 to 1e6"),
        (lambda t: t.offset(float("inf")), "x: can't begin at inf s, valid: a finite time"),
    ],
)
def test_changes_that_make_no_sense_are_refused(trace: RadioTrace, change: Any, problem: str) -> None:
    with pytest.raises(TraceError) as caught:
        change(trace)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("times", "rates", "duration_s", "more"),
    [
        ([], [], 1.0, {}),
        ([1.0], [1], 2.0, {}),
        ([0, 1, 1], [1, 1, 1], 2.0, {}),
        ([0, 1], [1, 1], 1.0, {}),
        ([0, 1], [1, 1], float("inf"), {}),
        ([0, 1], [1], 2.0, {}),
        ([0], [-1], 2.0, {}),
        ([0], [float("nan")], 2.0, {}),
        ([0], [1], 2.0, {"loss": np.array([1.5])}),
        ([0], [1], 2.0, {"delay_ms": np.array([-1.0])}),
        ([0], [1], 2.0, {"delay_ms": np.array([np.nan])}),
        ([0], [1], 2.0, {"signals": {"rssi": np.array([1.0])}}),
        ([0], [1], 2.0, {"signals": {"cqi": np.array([1.0, 2.0])}}),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    times: list[float], rates: list[float], duration_s: float, more: dict[str, Any]
) -> None:
    with pytest.raises(ValueError):
        made(times, rates, duration_s, **more)


def test_a_trace_cannot_be_changed(trace: RadioTrace) -> None:
    with pytest.raises(ValueError, match="read-only"):
        trace.rate_mbps[0] = 1


def test_outages_are_long_stretches_without_rate() -> None:
    # 0.1 s, 0.3 s in two rows, 0.2 s at the end.
    trace = made([0, 1, 1.1, 2, 2.1, 2.3, 4.8], [1, 0, 1, 0, 0, 1, 0], 5.0)
    np.testing.assert_allclose(trace.outages_s, [[2, 2.3], [4.8, 5]])
    assert trace.outage_share == pytest.approx(0.1)
    assert made([0], [0], 5.0).outage_share == 1


def test_windows_hold_all_bits(irregular: RadioTrace) -> None:
    edges, rates = irregular.window_rates_mbps(0.7)
    assert len(edges) == len(rates) + 1 == round(irregular.duration_s / 0.7) + 1
    for i in (0, 7, len(rates) - 1):
        bits = irregular.bits_between(edges[i], edges[i + 1])
        assert rates[i] * 1e6 * (edges[i + 1] - edges[i]) == pytest.approx(bits)
    assert rates.mean() == pytest.approx(irregular.mean_rate_mbps)


def test_summary_by_hand(trace: RadioTrace) -> None:
    summary = json.loads(json.dumps(trace.summary()))
    # Windows of 1 s: 10 10 0 4 4 4 4 4.
    assert summary["rate_mbps"] == {
        "mean": 5,
        "p5": pytest.approx(np.quantile([10, 10, 0, 4, 4, 4, 4, 4], 0.05)),
        "median": 4,
        "p95": 10,
        "max": 10,
    }
    assert trace.percentiles_mbps([0, 0.5, 1]).tolist() == [0, 4, 10]
    assert summary["coefficient_of_variation"] == pytest.approx(np.std([10, 10, 0, 4, 4, 4, 4, 4]) / 5)
    assert (summary["outages"], summary["outage_share"], summary["longest_outage_s"]) == (1, 0.125, 1)
    assert (summary["duration_s"], summary["rows"], summary["window_s"]) == (8, 3, 1)
    assert summary["columns"]["delay_ms"] == {
        "mean": pytest.approx((2 * 20 + 90 + 5 * 30) / 8),
        "p5": 20,
        "median": 30,
        "p95": 90,
        "missing_share": 0,
    }
    assert summary["columns"]["rsrp_dbm"]["mean"] == pytest.approx((2 * -80 + 5 * -100) / 7)
    assert summary["columns"]["rsrp_dbm"]["missing_share"] == 0.125


def test_summary_of_a_link_that_is_never_there() -> None:
    summary = made([0], [0], 5.0).summary()
    assert summary["coefficient_of_variation"] is None
    assert summary["autocorrelation_time_s"] is None
    assert summary["longest_outage_s"] == 5


def test_stretches() -> None:
    assert stretches(np.array([1, 1, 0, 0, 1, 0, 1], bool)).tolist() == [[0, 2], [4, 5], [6, 7]]
    assert stretches(np.zeros(3, bool)).shape == (0, 2)


def test_weighted_quantiles_are_those_of_repeated_values() -> None:
    found = weighted_quantiles(np.array([5.0, 1.0, 3.0]), np.array([2.0, 1.0, 7.0]), (0.05, 0.5, 0.85, 1.0))
    assert found.tolist() == [1, 3, 5, 5]


def test_autocorrelation_time_of_a_first_order_process() -> None:
    rng, memory = np.random.default_rng(1), np.exp(-1 / 20)
    noise = rng.standard_normal(50_000)
    values = np.empty_like(noise)
    values[0] = noise[0]
    for i in range(1, len(noise)):
        values[i] = memory * values[i - 1] + np.sqrt(1 - memory**2) * noise[i]
    assert autocorrelation_time_s(values, 0.5) == pytest.approx(10.0, rel=0.1)
    assert autocorrelation_time_s(noise, 0.5) == pytest.approx(0.5 * (1 - np.exp(-1)), rel=0.05)
    assert autocorrelation_time_s(np.full(100, 0.1), 1.0) is None
    assert autocorrelation_time_s(np.array([3.0]), 1.0) is None
