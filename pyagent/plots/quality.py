"""What quality is lost, against the split and against the share of fragments lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pyagent.plots import style
from pyagent.plots.data import MissingDataError, column, num_layers, phase_rows, proxy_note, read_scenario
from pyagent.plots.links import bin_means, cluster_interval

_LEAST_TOP_NATS = 0.1
_MEAN: dict[str, Any] = {"marker": "o", "color": style.BLACK, "mec": "white"}


@style.styled()
def figure_quality(run: Path) -> Figure:
    """dNLL in nat/token of every split on the test seeds: by split, and over the fragments lost in percent.

    Args:
        run: run folder.

    Raises:
        MissingDataError: no scenario, or no rows of phase "oracle".
    """
    layers = num_layers(read_scenario(run))
    rows = phase_rows(run, "oracle", ("split", "loss", "delta_nll", "failed", "seed", "decision"))
    rows = rows[rows["delta_nll"].notna() & rows["loss"].notna()]
    rows = rows.assign(loss_percent=100 * column(rows, "loss"))
    if rows.empty:
        raise MissingDataError("decisions.parquet has no oracle rows with a quality")
    figure = style.new_figure(
        3.5,
        [
            "every static split on the test seeds; failed requests count, lost tokens at the clip",
            "bars: 95 % bootstrap interval over decisions",
            proxy_note(run),
        ],
    )
    splits = sorted({int(split) for split in rows["split"]})
    colours = style.split_colours(splits, layers)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1.25])
    _draw_by_split(left, rows, colours, layers)
    _draw_by_loss(right, rows, colours)
    # Where nothing is lost the noise of rounding is not blown up to look like something.
    low, high = left.get_ylim()
    left.set_ylim(min(low, -0.05 * _LEAST_TOP_NATS), max(high, _LEAST_TOP_NATS))
    dots = [style.dot(colour, f"split {split}") for split, colour in colours.items()]
    style.foot_legend(figure, [*dots, Line2D([], [], ms=6, label="mean", **_MEAN)])
    return figure


def _draw_by_split(axes: Axes, rows: pd.DataFrame, colours: dict[int, str], layers: int) -> None:
    rng = np.random.default_rng(0)
    for place, (split, colour) in enumerate(colours.items()):
        some = rows[rows["split"] == split]
        spread = place + 0.22 * rng.uniform(-1, 1, len(some))
        axes.scatter(spread, column(some, "delta_nll"), s=9, color=colour, alpha=0.45, lw=0)
        low, high = cluster_interval(some, "delta_nll")
        axes.plot([place, place], [low, high], color=style.BLACK, lw=1.5, zorder=3)
        axes.plot(place, column(some, "delta_nll").mean(), ms=6, zorder=4, **_MEAN)
    axes.set_xticks(range(len(colours)), [str(split) for split in colours])
    axes.set(xlabel=f"Split [blocks on the UE, of {layers}]", ylabel="dNLL [nat/token]", title="By split")
    axes.grid(visible=False, axis="x")


def _draw_by_loss(axes: Axes, rows: pd.DataFrame, colours: dict[int, str]) -> None:
    for split, colour in colours.items():
        some = rows[rows["split"] == split]
        axes.scatter(
            column(some, "loss_percent"), column(some, "delta_nll"), s=9, color=colour, alpha=0.45, lw=0
        )
    binned = bin_means(rows, "delta_nll", "loss_percent")
    mean, low, high = (column(binned, name) for name in ("mean", "low", "high"))
    errors = np.nan_to_num(np.stack([mean - low, high - mean]))
    axes.errorbar(column(binned, "place"), mean, errors, ms=6, capsize=3, zorder=3, **_MEAN)
    axes.set(xlabel="Fragments lost [%]", title="By what was lost", xlim=(-4, 104))
