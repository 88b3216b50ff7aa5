"""Where the UE was at each decision, over the mean SNR, coloured by the split that was chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from pyagent.plots import style
from pyagent.plots.data import (
    MissingDataError,
    NothingToDrawError,
    column,
    focus_episode,
    num_layers,
    proxy_note,
    read_preview,
    read_scenario,
)
from pyagent.plots.terrain import HALO, draw_environment, draw_heat, draw_sites
from pyagent.scenario.preview import frame_m
from pyagent.scenario.schema import Scenario

_SIDE_BARS_IN = 2.1


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
    seen = read_preview(run)
    heat = seen.heat if seen else None
    sites_m = seen.sites_m if seen else np.zeros((0, 3))
    places_m = np.column_stack([column(rows, "x_m"), column(rows, "y_m")])
    if not len(sites_m) and not np.ptp(places_m, axis=0).any():
        raise NothingToDrawError("the UE stands still and the link has no sites")
    west, east, south, north = frame_m(np.concatenate([places_m, sites_m[:, :2]]))
    map_in = (style.WIDTH_IN - _SIDE_BARS_IN) * (north - south) / (east - west)
    figure = style.new_figure(
        min(max(map_in + 1.35, 3.2), 8.0),
        [
            "SNR by ns-3's own propagation, no fading or interference" if heat else "",
            "positions at decisions, joined by straight lines",
            proxy_note(run),
        ],
    )
    axes = figure.add_subplot()
    if heat:
        draw_heat(axes, heat)
    draw_environment(axes, scenario.environment)
    _draw_path(axes, rows)
    _draw_decisions(axes, rows, scenario)
    draw_sites(axes, sites_m)
    axes.set(aspect="equal", xlim=(west, east), ylim=(south, north), xlabel="x [m]", ylabel="y [m]")
    axes.set_title(f"Splits chosen by {rows['policy'].iloc[0]}, test seed {rows['seed'].iloc[0]}")
    style.foot_legend(
        figure,
        [
            *([style.dot(style.BLACK, "site", "^")] if len(sites_m) else []),
            style.dot(style.GREY, "decision, coloured by its split"),
            style.dot(style.BLACK, "failed", "x"),
        ],
    )
    return figure


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
    # Inwards: above the highest point of the path the title begins.
    inwards = (-10, "top") if y[0] > (y.min() + y.max()) / 2 else (10, "bottom")
    axes.annotate(
        "start",
        (x[0], y[0]),
        (0, inwards[0]),
        textcoords="offset points",
        ha="center",
        va=inwards[1],
        path_effects=HALO,
    )


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
