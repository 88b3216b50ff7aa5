"""Where the UE was at each decision, over the mean SNR, coloured by the split that was chosen."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from pyagent.plots import style
from pyagent.plots.data import (
    MissingDataError,
    NothingToDrawError,
    column,
    focus_episode,
    num_layers,
    proxy_note,
    read_scenario,
)
from pyagent.scenario.schema import RadioLink, Scenario, WifiLink

THERMAL_NOISE_DBM_PER_HZ = -174.0
NOISE_FIGURE_DB = 7.0
"""ns-3's default of a Wi-Fi receiver."""

UE_HEIGHT_M = 1.5
_SIDE_BARS_IN = 2.1
_HALO = [withStroke(linewidth=2.5, foreground="white")]


def mean_snr_db(link: WifiLink, distance_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """SNR without fading or interference: transmit power - log-distance path loss - thermal noise.

    Args:
        link: transmit power, path loss and bandwidth.
        distance_m: to the access point, any shape, metres; below the reference distance the loss stays at
            its reference value.

    Returns:
        dB, same shape.
    """
    loss = link.path_loss
    ratio = np.maximum(distance_m / loss.reference_distance_m, 1.0)
    path_loss_db = loss.reference_loss_db + 10 * loss.exponent * np.log10(ratio)
    bandwidth_db_hz = 10 * math.log10(link.channel_width_mhz * 1e6)
    noise_dbm = THERMAL_NOISE_DBM_PER_HZ + bandwidth_db_hz + NOISE_FIGURE_DB
    return np.asarray(link.tx_power_dbm - path_loss_db - noise_dbm, dtype=np.float64)


@style.styled()
def figure_map(run: Path) -> Figure:
    """Path of one test episode on a map of the mean SNR, axes in metres.

    Args:
        run: run folder.

    Raises:
        MissingDataError: no scenario, or no test decisions with positions.
        NothingToDrawError: the UE stands still, and the link has no sites.
    """
    scenario = read_scenario(run)
    rows = focus_episode(run, ("x_m", "y_m", "split", "failed", "seed")).dropna(subset=["x_m", "y_m"])
    if rows.empty:
        raise MissingDataError("decisions.parquet has no positions")
    if not scenario.link.sites_m and not rows[["x_m", "y_m"]].nunique().gt(1).any():
        raise NothingToDrawError("the UE stands still, and the link has no sites")
    extent = _extent_m(rows, scenario.link)
    width_m, height_m = extent[1] - extent[0], extent[3] - extent[2]
    map_in = (style.WIDTH_IN - _SIDE_BARS_IN) * height_m / width_m
    on_snr = isinstance(scenario.link, WifiLink)
    figure = style.new_figure(
        min(max(map_in + 1.35, 3.2), 8.0),
        [
            "SNR from log-distance path loss alone, no fading or interference" if on_snr else "",
            "positions at decisions, joined by straight lines",
            proxy_note(run),
        ],
    )
    axes = figure.add_subplot()
    if isinstance(scenario.link, WifiLink):
        _draw_snr(axes, scenario.link, extent)
    _draw_path(axes, rows)
    _draw_decisions(axes, rows, scenario)
    for x, y, _ in scenario.link.sites_m:
        axes.plot(x, y, "^", color=style.BLACK, mec="white", ms=10, zorder=5)
    axes.set(aspect="equal", xlim=extent[:2], ylim=extent[2:], xlabel="x [m]", ylabel="y [m]")
    axes.set_title(f"Splits chosen by {rows['policy'].iloc[0]}, test seed {rows['seed'].iloc[0]}")
    style.foot_legend(
        figure,
        [
            *([style.dot(style.BLACK, "access point", "^")] if scenario.link.sites_m else []),
            style.dot(style.GREY, "decision, coloured by its split"),
            style.dot(style.BLACK, "failed", "x"),
        ],
    )
    return figure


def _extent_m(rows: pd.DataFrame, link: RadioLink) -> tuple[float, float, float, float]:
    """x low, x high, y low, y high around path and access point: a tenth more, not much taller than wide."""
    sides: list[tuple[float, float]] = []
    for axis, name in enumerate(("x_m", "y_m")):
        values = np.append(column(rows, name), [site[axis] for site in link.sites_m])
        span = float(np.ptp(values))
        sides.append((float(values.min() + values.max()) / 2, span + 2 * max(0.1 * span, 2.0)))
    (x, width), (y, height) = sides
    height = max(height, 10.0)
    width = max(width, 10.0, 0.9 * height)
    return x - width / 2, x + width / 2, y - height / 2, y + height / 2


def _draw_snr(axes: Axes, link: WifiLink, extent: tuple[float, float, float, float]) -> None:
    east, north = np.meshgrid(np.linspace(*extent[:2], 240), np.linspace(*extent[2:], 240))
    snr_db = np.max(
        [
            mean_snr_db(link, np.sqrt((east - x) ** 2 + (north - y) ** 2 + (z - UE_HEIGHT_M) ** 2))
            for x, y, z in link.sites_m
        ],
        axis=0,
    )
    greys = LinearSegmentedColormap.from_list("map-greys", colormaps["Greys_r"](np.linspace(0.4, 1.0, 64)))
    image = axes.imshow(snr_db, extent=extent, origin="lower", cmap=greys, interpolation="bilinear")
    lines = axes.contour(
        east, north, snr_db, np.arange(-20, 101, 10), colors="white", linewidths=0.7, alpha=0.8
    )
    axes.clabel(lines, fmt="%g dB", fontsize=6.5, colors="#333333")
    axes.grid(visible=False)
    axes.figure.colorbar(image, ax=axes, label="Mean SNR [dB]", shrink=0.85, pad=0.02)


def _draw_path(axes: Axes, rows: pd.DataFrame) -> None:
    x, y = column(rows, "x_m"), column(rows, "y_m")
    axes.plot(x, y, "-", color="#333333", lw=0.8, alpha=0.7, zorder=2)
    middle_x, middle_y = (x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2
    step_x, step_y = np.diff(x), np.diff(y)
    length = np.hypot(step_x, step_y)
    long = length > 2.0  # metres; on shorter legs an arrow would hide under the markers
    axes.quiver(
        middle_x[long],
        middle_y[long],
        (step_x / np.maximum(length, 1e-9))[long],
        (step_y / np.maximum(length, 1e-9))[long],
        angles="xy",
        pivot="mid",
        units="inches",
        scale=9.0,
        width=0.012,
        headwidth=7,
        headlength=7,
        headaxislength=6,
        color="#333333",
        zorder=2.5,
    )
    axes.plot(x[0], y[0], "s", ms=13, mfc="none", mec=style.BLACK, mew=1.6, zorder=4)
    axes.annotate("start", (x[0], y[0]), (0, 10), textcoords="offset points", ha="center", path_effects=_HALO)


def _draw_decisions(axes: Axes, rows: pd.DataFrame, scenario: Scenario) -> None:
    layers = num_layers(scenario)
    splits = sorted({*scenario.model.splits, *(int(split) for split in rows["split"])})
    colours = style.split_colours(splits, layers)
    x, y = column(rows, "x_m"), column(rows, "y_m")
    fills = [colours[int(split)] for split in rows["split"]]
    axes.scatter(x, y, s=58, c=fills, edgecolors="white", linewidths=0.9, zorder=3)
    failed = rows["failed"].fillna(False).to_numpy(dtype=bool)
    axes.scatter(x[failed], y[failed], s=45, c=style.BLACK, marker="x", linewidths=1.4, zorder=3.5)
    norm = BoundaryNorm(np.arange(len(splits) + 1) - 0.5, len(splits))
    shades = ScalarMappable(norm, ListedColormap([colours[split] for split in splits]))
    bar = axes.figure.colorbar(shades, ax=axes, ticks=np.arange(len(splits)), shrink=0.85, pad=0.02)
    bar.ax.set_yticklabels([str(split) for split in splits])
    bar.ax.tick_params(length=0)
    bar.set_label(f"Split [blocks on the UE, of {layers}]")
