"""What the network did to the requests that used it, against distance, or rate where there are no sites."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from pyagent.plots import style
from pyagent.plots.data import MissingDataError, column, num_layers, phase_rows, proxy_note, read_scenario

PLACES = {
    "obs_distance_m": "Distance to the serving site [m]",
    "obs_phy_rate_mbps": "Rate of the link in the second before [Mbit/s]",
}
"""What the link is drawn against, and the label of that axis."""
BINS = 8
RESAMPLES = 1000


@dataclass(frozen=True)
class Panel:
    """One quantity: its column, axis label, factor to the label's unit, scale, and jitter of the points.

    `limits` fixes the axis, in the label's unit.
    """

    column: str
    label: str
    factor: float = 1.0
    scale: str = "linear"
    jitter: float = 0.0
    limits: tuple[float, float] | None = None


PANELS = (
    Panel("loss", "Fragments lost [%]", factor=100.0, limits=(-5.0, 105.0)),
    Panel("mean_delay_s", "Mean one-way delay [ms]", factor=1e3, scale="log"),
    Panel("failed", "Requests failed [%]", factor=100.0, jitter=3.0, limits=(-5.0, 105.0)),
    Panel("delta_nll", "dNLL [nat/token]"),
)


@style.styled()
def figure_links(run: Path) -> Figure:
    """Loss, one-way delay, failures and dNLL of all splits that use the link, against distance in metres.

    A link without sites has no distance: there, against its rate in Mbit/s.

    Args:
        run: run folder.

    Raises:
        MissingDataError: no scenario, or no rows of phase "oracle" with a split below L.
    """
    scenario = read_scenario(run)
    layers = num_layers(scenario)
    place = "obs_distance_m" if scenario.link.sites_m else "obs_phy_rate_mbps"
    wanted = {place, "split", "seed", "decision", *(panel.column for panel in PANELS)}
    rows = phase_rows(run, "oracle", wanted)
    rows = rows[(rows["split"] < layers) & rows[place].notna()]
    if rows.empty:
        raise MissingDataError("decisions.parquet has no oracle rows that used the link")
    figure = style.new_figure(
        6.2,
        [
            "every static split on the test seeds",
            "bars: 95 % bootstrap interval over decisions",
            "delay of what arrived",
            "failures jittered",
            proxy_note(run),
        ],
    )
    grid = figure.subplots(2, 2, sharex=True)
    colours = style.split_colours(sorted({int(split) for split in rows["split"]}), layers)
    for panel, axes in zip(PANELS, grid.flat, strict=True):
        _draw_panel(axes, panel, rows, place, colours)
    figure.suptitle("What the network did to the requests that used it")
    for axes in grid[-1]:
        axes.set_xlabel(PLACES[place])
    mean = Line2D([], [], marker="o", ms=6, color=style.BLACK, mec="white", label="mean of all")
    dots = [style.dot(colour, f"split {split}") for split, colour in colours.items()]
    style.foot_legend(figure, [*dots, mean])
    return figure


def _draw_panel(axes: Axes, panel: Panel, rows: pd.DataFrame, place: str, colours: dict[int, str]) -> None:
    rng = np.random.default_rng(0)
    for split, colour in colours.items():
        some = rows[rows["split"] == split]
        values = panel.factor * column(some, panel.column) + panel.jitter * rng.uniform(-1, 1, len(some))
        axes.scatter(some[place], values, s=9, color=colour, alpha=0.45, lw=0)
    _draw_means(axes, panel, rows, place)
    if panel.scale == "log" and (column(rows, panel.column) > 0).any():
        axes.set_yscale("log")
        style.plain_log(axes.yaxis, *axes.get_ylim())
    if rows[panel.column].isna().all():
        axes.set_yticks([])
        axes.text(0.5, 0.5, "nothing arrived", ha="center", transform=axes.transAxes)
    if panel.limits:
        axes.set_ylim(panel.limits)
    axes.set_ylabel(panel.label)


def _draw_means(axes: Axes, panel: Panel, rows: pd.DataFrame, place: str) -> None:
    binned = bin_means(rows.dropna(subset=[panel.column]), panel.column, place)
    mean, low, high = (panel.factor * column(binned, name) for name in ("mean", "low", "high"))
    axes.errorbar(
        column(binned, "place"),
        mean,
        np.nan_to_num(np.stack([mean - low, high - mean])),
        fmt="o-",
        color=style.BLACK,
        mec="white",
        ms=6,
        capsize=3,
        zorder=3,
    )


def bin_means(rows: pd.DataFrame, name: str, place: str, bins: int = BINS) -> pd.DataFrame:
    """Mean of a column over another one, in bins of equal width; empty bins are left out.

    The interval resamples whole decisions: the splits and replicates of one decision share a place and a
    fade. A bin with a single decision has none.

    Args:
        rows: with both columns, seed and decision; no NaN in them.
        name: the column.
        place: the one that is binned, one of `PLACES` for example.
        bins: how many.

    Returns:
        place (mean of the bin's rows), mean, low, high (95 %, NaN where there is none).
    """
    places = column(rows, place)
    edges = np.linspace(places.min(), places.max(), bins + 1) if len(rows) else np.zeros(bins + 1)
    bin_of = np.clip(np.searchsorted(edges, places, side="right") - 1, 0, bins - 1)
    found = []
    for number in np.unique(bin_of):
        inside = rows[bin_of == number]
        low, high = cluster_interval(inside, name)
        mean = column(inside, name).mean()
        # The mean of equal values may differ from the interval's ends in the last bit.
        found.append((places[bin_of == number].mean(), mean, np.minimum(low, mean), np.maximum(high, mean)))
    table: pd.DataFrame = pd.DataFrame(found, columns=["place", "mean", "low", "high"])
    return table


def cluster_interval(rows: pd.DataFrame, name: str) -> tuple[float, float]:
    """95 % bootstrap percentiles of the mean, resampling (seed, decision) as wholes."""
    values = rows.assign(value=column(rows, name)).groupby(["seed", "decision"])["value"]
    sums: NDArray[np.float64] = values.sum().to_numpy(dtype=np.float64)
    counts: NDArray[np.float64] = np.asarray(values.count(), dtype=np.float64)
    if len(sums) < 2:
        return float("nan"), float("nan")
    draws = np.random.default_rng(0).integers(0, len(sums), (RESAMPLES, len(sums)))
    low, high = np.quantile(sums[draws].sum(1) / counts[draws].sum(1), [0.025, 0.975])
    return float(low), float(high)
