"""A recorded link: rate, delay and loss as steps over time, read once and then only looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyagent.traces.errors import TraceError
from pyagent.traces.radio.series import autocorrelation_time_s, stretches, weighted_quantiles

Floats = NDArray[np.float64]

SIGNALS = ("rsrp_dbm", "rsrq_db", "snr_db", "cqi", "speed_mps")
WINDOW_S = 1.0
"""Figures of how much the rate varies are of means over windows of this length."""
MIN_OUTAGE_S = 0.2
"""A rate of 0 is an outage from this length on; shorter ones are the grain of packets."""
QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False)
class RadioTrace:
    """A link over time, in steps: row i holds from times_s[i] to times_s[i + 1], the last to duration_s.

    Args:
        times_s: float64 [n], strictly increasing from 0.
        duration_s: after it the trace begins again.
        rate_mbps: float64 [n], Mbit/s, >= 0; 0 is an outage.
        delay_ms: float64 [n], one-way, or None where the file has none.
        loss: float64 [n], share of packets in [0, 1], or None.
        signals: float64 [n] by name, of `SIGNALS`; NaN where missing.
        source: the file.
        format: what it was read as.
        notes: everything that was assumed, held, merged or changed.

    Raises:
        ValueError: arrays that don't fit the above.
    """

    times_s: Floats
    duration_s: float
    rate_mbps: Floats
    delay_ms: Floats | None
    loss: Floats | None
    signals: dict[str, Floats]
    source: str
    format: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        times = self.times_s
        if len(times) == 0 or times[0] != 0 or not np.all(np.diff(times) > 0):
            raise ValueError("times must increase strictly from 0")
        if not (math.isfinite(self.duration_s) and self.duration_s > times[-1]):
            raise ValueError(f"a duration of {self.duration_s} s ends before the last row")
        if unknown := set(self.signals) - set(SIGNALS):
            raise ValueError(f"unknown signals {sorted(unknown)}")
        columns = self.columns()
        for name, column in columns.items():
            if column.shape != times.shape:
                raise ValueError(f"{name} has shape {column.shape}, times_s has {times.shape}")
        for name, most in (("rate_mbps", math.inf), ("delay_ms", math.inf), ("loss", 1.0)):
            column = columns.get(name, np.zeros(1))
            if not (np.all(np.isfinite(column)) and column.min() >= 0 and column.max() <= most):
                raise ValueError(f"{name} must be finite and from 0 to {most:g}")
        for column in (times, *columns.values()):
            column.flags.writeable = False

    def columns(self) -> dict[str, Floats]:
        """Every array but the times by name, float64 [n]; optional ones only where they are."""
        optional = {"delay_ms": self.delay_ms, "loss": self.loss}
        there = {name: column for name, column in optional.items() if column is not None}
        return {"rate_mbps": self.rate_mbps, **there, **self.signals}

    @property
    def steps_s(self) -> Floats:
        """float64 [n]: how long each row holds."""
        return np.diff(self.times_s, append=self.duration_s)

    # What is changed in a trace gives a new one.

    def cut(self, start_s: float, end_s: float) -> RadioTrace:
        """The part from start_s to end_s, moved to begin at 0.

        Raises:
            TraceError: not 0 <= start_s < end_s <= duration_s.
        """
        if not 0 <= start_s < end_s <= self.duration_s:
            raise TraceError(
                f"{self.source}: can't be cut from {start_s:g} to {end_s:g} s, "
                f"valid: 0 <= start < end <= {self.duration_s:.10g}"
            )
        if (start_s, end_s) == (0, self.duration_s):
            return self
        rows, times = self._between(start_s, end_s)
        return self._pick(rows, times, end_s - start_s, f"cut from {start_s:g} to {end_s:g} s")

    def scaled(self, rate: float = 1.0) -> RadioTrace:
        """All rates times `rate`.

        Raises:
            TraceError: not from 1e-6 to 1e6.
        """
        if not 1e-6 <= rate <= 1e6:
            raise TraceError(f"{self.source}: rates can't be scaled by {rate:g}, valid: 1e-6 to 1e6")
        if rate == 1:
            return self
        notes = (*self.notes, f"rates times {rate:g}")
        return replace(self, rate_mbps=self.rate_mbps * rate, notes=notes)

    def offset(self, start_s: float) -> RadioTrace:
        """The same loop, begun start_s into it; negative: before its end.

        Raises:
            TraceError: not finite.
        """
        if not math.isfinite(start_s):
            raise TraceError(f"{self.source}: can't begin at {start_s:g} s, valid: a finite time")
        begin_s = start_s % self.duration_s
        if begin_s in (0, self.duration_s):
            return self
        rows, times = self._between(begin_s, self.duration_s)
        more_rows, more_times = self._between(0, begin_s)
        times = np.concatenate([times, more_times + (self.duration_s - begin_s)])
        return self._pick(
            np.concatenate([rows, more_rows]), times, self.duration_s, f"begun {begin_s:g} s into the loop"
        )

    def _between(self, start_s: float, end_s: float) -> tuple[NDArray[np.intp], Floats]:
        """Rows that hold somewhere in [start_s, end_s), and when each begins after start_s."""
        first = int(np.searchsorted(self.times_s, start_s, side="right")) - 1
        last = int(np.searchsorted(self.times_s, end_s, side="left"))
        rows = np.arange(first, last)
        return rows, np.maximum(self.times_s[rows] - start_s, 0.0)

    def _pick(self, rows: NDArray[np.intp], times_s: Floats, duration_s: float, note: str) -> RadioTrace:
        # Subtracting can make two neighbouring times equal: the row between them held for no time.
        kept = np.diff(times_s, append=duration_s) > 0
        rows, times_s = rows[kept], times_s[kept]
        return replace(
            self,
            times_s=times_s,
            duration_s=duration_s,
            rate_mbps=self.rate_mbps[rows],
            delay_ms=None if self.delay_ms is None else self.delay_ms[rows],
            loss=None if self.loss is None else self.loss[rows],
            signals={name: column[rows] for name, column in self.signals.items()},
            notes=(*self.notes, note),
        )

    # What a trace holds.

    def bits_between(self, start_s: float, end_s: float) -> float:
        """Bits that the link can carry from start_s to end_s, the trace looped; exact but for rounding.

        Raises:
            ValueError: not 0 <= start_s <= end_s, or not finite.
        """
        if not (0 <= start_s <= end_s and math.isfinite(end_s)):
            raise ValueError(f"no bits from {start_s} to {end_s} s: not 0 <= start <= end")
        return float(np.diff(self._bits_until(np.array([start_s, end_s])))[0])

    def _bits_until(self, times_s: Floats) -> Floats:
        """Bits from 0 to each time, looped."""
        bits = np.concatenate([[0.0], np.cumsum(self.rate_mbps * self.steps_s * 1e6)])
        loops, inside_s = np.divmod(times_s, self.duration_s)
        edges_s = np.append(self.times_s, self.duration_s)
        return np.asarray(loops * bits[-1] + np.interp(inside_s, edges_s, bits))

    @property
    def mean_rate_mbps(self) -> float:
        """Bits of one loop over its duration, in Mbit/s."""
        return float(np.dot(self.rate_mbps, self.steps_s) / self.duration_s)

    @property
    def outages_s(self) -> Floats:
        """float64 [k, 2]: begin and end of every stretch without rate of `MIN_OUTAGE_S` or longer."""
        edges_s = np.append(self.times_s, self.duration_s)
        found = edges_s[stretches(self.rate_mbps == 0)]
        return np.asarray(found[found[:, 1] - found[:, 0] >= MIN_OUTAGE_S - 1e-9])

    @property
    def outage_share(self) -> float:
        """Share of the time that is in outages."""
        return float(np.diff(self.outages_s).sum() / self.duration_s)

    def window_rates_mbps(self, window_s: float = WINDOW_S) -> tuple[Floats, Floats]:
        """Mean rates over equal windows.

        Args:
            window_s: about how long; the duration is cut into a whole number of windows.

        Returns:
            Edges in s [k + 1] and mean rates in Mbit/s [k].
        """
        count = max(1, round(self.duration_s / window_s))
        edges_s = np.linspace(0, self.duration_s, count + 1)
        rates = np.diff(self._bits_until(edges_s)) / (self.duration_s / count) / 1e6
        return edges_s, np.maximum(rates, 0.0)

    def percentiles_mbps(self, shares: Sequence[float] = QUANTILES, window_s: float = WINDOW_S) -> Floats:
        """float64 [len(shares)]: rates in Mbit/s that the means over windows stay below for these shares."""
        return np.quantile(self.window_rates_mbps(window_s)[1], shares)

    def summary(self) -> dict[str, Any]:
        """What a trace is like, as JSON; rates in Mbit/s, figures of variation over windows of `WINDOW_S`."""
        edges_s, rates = self.window_rates_mbps()
        p5, median, p95 = np.quantile(rates, QUANTILES)
        outages = np.diff(self.outages_s)
        mean = self.mean_rate_mbps
        return {
            "source": self.source,
            "format": self.format,
            "notes": list(self.notes),
            "duration_s": self.duration_s,
            "rows": len(self.times_s),
            "window_s": float(edges_s[1]),
            "rate_mbps": {
                "mean": mean,
                "p5": float(p5),
                "median": float(median),
                "p95": float(p95),
                "max": float(rates.max()),
            },
            "outages": len(outages),
            "outage_share": self.outage_share,
            "longest_outage_s": float(outages.max(initial=0.0)),
            "coefficient_of_variation": float(rates.std() / mean) if mean > 0 else None,
            "autocorrelation_time_s": autocorrelation_time_s(rates, float(edges_s[1])),
            "columns": {
                name: self._spread(column) for name, column in self.columns().items() if name != "rate_mbps"
            },
        }

    def _spread(self, column: Floats) -> dict[str, float | None]:
        """Quantiles and mean over time of what is there, and the share of time where it is missing."""
        steps_s, there = self.steps_s, ~np.isnan(column)
        missing = float(steps_s[~there].sum() / self.duration_s)
        if not there.any():
            return {"mean": None, "p5": None, "median": None, "p95": None, "missing_share": missing}
        mean = float(np.average(column[there], weights=steps_s[there]))
        p5, median, p95 = map(float, weighted_quantiles(column[there], steps_s[there], QUANTILES))
        return {"mean": mean, "p5": p5, "median": median, "p95": p95, "missing_share": missing}
