"""A recorded link: its rate over time, how its rates are distributed, and what the radio measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from pyagent.plots import style
from pyagent.traces.radio import RadioTrace
from pyagent.traces.radio.trace import MIN_OUTAGE_S, WINDOW_S, Floats

_MAX_STEPS = 1200
"""More steps than this are averaged, or the line would be an area."""
_LABELS = {
    "rate_mbps": "Rate [Mbit/s]",
    "delay_ms": "Delay [ms]",
    "loss": "Loss [%]",
    "rsrp_dbm": "RSRP [dBm]",
    "rsrq_db": "RSRQ [dB]",
    "snr_db": "SNR [dB]",
    "cqi": "CQI",
    "speed_mps": "Speed [m/s]",
}
_RATE_IN, _BELOW_IN = 2.1, 0.85


@style.styled()
def trace_figure(trace: RadioTrace) -> Figure:
    """The rate over time with its mean and outages, below it every other column, and how each is distributed.

    Args:
        trace: what is drawn.
    """
    columns = trace.columns()
    heights = [_RATE_IN, *[_BELOW_IN] * (len(columns) - 1)]
    window_s = trace.duration_s / _MAX_STEPS if len(trace.times_s) > _MAX_STEPS else 0.0
    notes = [
        f"read as {trace.format}",
        f"{trace.duration_s:.6g} s, then it begins again",
        f"the rate's line: means over {window_s:.2g} s" if window_s else "",
        f"the rate's distribution: of means over {WINDOW_S:g} s",
    ]
    figure = style.new_figure(sum(heights) + 1.1, notes)
    grid = figure.subplots(
        len(heights), 2, squeeze=False, sharex="col", sharey="row", height_ratios=heights, width_ratios=[3, 1]
    )
    for (name, values), (left, right) in zip(columns.items(), grid, strict=True):
        factor = 100.0 if name == "loss" else 1.0
        rate = name == "rate_mbps"
        edges_s, shown = np.append(trace.times_s, trace.duration_s), factor * values
        if rate and window_s:
            edges_s, shown = trace.window_rates_mbps(window_s)
        left.stairs(shown, edges_s, color=style.BLUE if rate else style.BLACK, lw=1.0, baseline=None)
        _shade_outages(left, trace)
        _draw_distribution(right, *_weighted(trace, rate, shown))
        left.set_ylabel(_LABELS[name])
    _scale(grid, trace)
    figure.suptitle(Path(trace.source).name)
    style.foot_legend(figure, _mark_mean(grid[0], trace))
    return figure


def _shade_outages(axes: Axes, trace: RadioTrace) -> None:
    for begin_s, end_s in trace.outages_s:
        axes.axvspan(begin_s, end_s, color=style.ORANGE, alpha=0.35, lw=0)


def _weighted(trace: RadioTrace, rate: bool, values: Floats) -> tuple[Floats, Floats]:
    """Values and how long each holds, in s; the rate's over windows, because its steps may be packets."""
    if not rate:
        return values, trace.steps_s
    edges_s, rates = trace.window_rates_mbps()
    return rates, np.diff(edges_s)


def _draw_distribution(axes: Axes, values: Floats, weights: Floats) -> None:
    """Share of the time in % that is below a value, with the value upwards as beside it."""
    there = ~np.isnan(values)
    if not there.any():
        return
    order = np.argsort(values[there])
    share = np.append(0.0, np.cumsum(weights[there][order]))
    upwards = values[there][order]
    axes.stairs(upwards, 100 * share / share[-1], color=style.BLACK, lw=1.2, baseline=None)


def _scale(grid: NDArray[Any], trace: RadioTrace) -> None:
    top = float(grid[0, 0].dataLim.y1)
    grid[0, 0].set_ylim(0, 1.05 * top if top > 0 else 1.0)
    grid[-1, 0].set_xlim(0, trace.duration_s)
    grid[-1, 0].set_xlabel("Time [s]")
    grid[-1, 1].set_xlim(0, 100)
    grid[-1, 1].set_xlabel("Time below [%]")
    grid[0, 0].figure.align_ylabels(grid[:, 0])


def _mark_mean(row: NDArray[Any], trace: RadioTrace) -> list[Any]:
    """The mean in the rate's panels; what the legend explains."""
    mean = trace.mean_rate_mbps
    for axes in row:
        axes.axhline(mean, color=style.VERMILLION, ls="--", lw=1.2)
    handles: list[Any] = [
        Line2D([], [], color=style.BLUE, label="rate"),
        Line2D([], [], color=style.VERMILLION, ls="--", label=f"mean, {mean:.3g} Mbit/s"),
    ]
    if len(trace.outages_s):
        handles.append(
            Patch(color=style.ORANGE, alpha=0.35, lw=0, label=f"outage (0 for {MIN_OUTAGE_S:g} s or longer)")
        )
    return handles
