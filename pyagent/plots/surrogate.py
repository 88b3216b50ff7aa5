"""What the surrogate had predicted against what then happened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from pyagent.plots import style
from pyagent.plots.data import (
    MissingDataError,
    NothingToDrawError,
    as_number,
    column,
    proxy_note,
    read_summary,
    read_table,
)

EARLY_SHARE = 0.25
"""Predictions of the first quarter of the decisions, when little was learned, are drawn hollow."""
BEYOND = 4.0
"""A logarithmic axis ends at most this factor beyond what was observed."""
_MARGIN = 1.2
_Z90 = 1.645
_LINEAR_NATS = 0.1  # dNLL is linear up to here, as it starts at 0 and is often near it
_NAT_TICKS = (-1.0, -0.1, 0.0, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0)
_COLOUR = style.policy_colour("surrogate-argmax")
_DOTS: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 4, "mec": _COLOUR, "mew": 0.8}


@dataclass(frozen=True)
class Panel:
    """One component: what it is called, its unit, and the scale that suits it."""

    component: str
    name: str
    unit: str
    scale: str

    @property
    def title(self) -> str:
        """The name as a title begins."""
        return self.name[0].upper() + self.name[1:] if self.name[1].islower() else self.name


PANELS = (
    Panel("latency_s", "latency", "s", "log"),
    Panel("delta_nll", "dNLL", "nat/token", "symlog"),
    Panel("ue_energy_j", "UE energy", "J", "log"),
    Panel("failed", "failure", "probability", "linear"),
)


@style.styled()
def figure_surrogate(run: Path) -> Figure:
    """Predicted against observed, one panel for each component, bars of one predictive deviation.

    Rank correlation and coverage in the titles are the final surrogate's on the test seeds, from
    `summary.json`; where it has none, those of the points, taking the predictions for normal.

    Args:
        run: run folder.

    Raises:
        MissingDataError: no predictions.
        NothingToDrawError: the run trained no surrogate.
    """
    summary = read_summary(run)
    if "calibration" in summary and summary["calibration"] is None:
        raise NothingToDrawError("the run trained no surrogate")
    table = read_table(run, "predictions", ("decision", "component", "predicted", "observed"))
    if "std" not in table.columns:
        table = table.assign(std=np.nan)
    table = table[np.isfinite(column(table, "predicted")) & np.isfinite(column(table, "observed"))]
    if table.empty:
        raise MissingDataError("predictions.parquet has no finite prediction")
    calibration = summary.get("calibration")
    figure = style.new_figure(
        6.6,
        [
            "points: training decisions, predicted before the outcome was seen",
            "bars: ± 1 predictive standard deviation",
            "test seeds: the final surrogate on decisions that it never saw" if calibration else "",
            f"predictions over {BEYOND:g} times beyond the observed range sit at the edge",
            proxy_note(run),
        ],
    )
    for panel, axes in zip(PANELS, figure.subplots(2, 2).flat, strict=True):
        rows = table[table["component"] == panel.component].sort_values("decision")
        entry = calibration.get(panel.component) if isinstance(calibration, dict) else None
        _draw_panel(axes, panel, rows, entry if isinstance(entry, dict) else {})
    early = f"first {100 * EARLY_SHARE:.0f} % of decisions"
    style.foot_legend(
        figure,
        [
            Line2D([], [], color=style.BLACK, lw=1, label="predicted = observed"),
            Line2D([], [], label=early, mfc="white", **_DOTS),
            Line2D([], [], label="later decisions", mfc=_COLOUR, **_DOTS),
        ],
    )
    return figure


def _draw_panel(axes: Axes, panel: Panel, rows: pd.DataFrame, entry: dict[str, Any]) -> None:
    axes.set_xlabel(f"Observed {panel.name} [{panel.unit}]")
    axes.set_ylabel(f"Predicted {panel.name} [{panel.unit}]")
    if panel.component == "failed":
        axes.set_xlabel("Observed failure [0 = no, 1 = yes; jittered]")
    axes.set_title(_title(panel, rows, entry))
    if rows.empty:
        axes.text(0.5, 0.5, "no predictions", ha="center", transform=axes.transAxes)
        return
    low, high = _limits(panel, rows)
    axes.plot([low, high], [low, high], color=style.BLACK, lw=1)
    early = column(rows, "decision") <= np.quantile(column(rows, "decision"), EARLY_SHARE)
    _draw_points(axes, panel, rows[~early], (low, high), fill=_COLOUR)
    _draw_points(axes, panel, rows[early], (low, high), fill="white")
    _scale(axes, panel, low, high)


def _scale(axes: Axes, panel: Panel, low: float, high: float) -> None:
    """Both axes alike, from low to high."""
    options = {"linthresh": _LINEAR_NATS} if panel.scale == "symlog" else {}
    axes.set_xscale(panel.scale, **options)
    axes.set_yscale(panel.scale, **options)
    axes.set(xlim=(low, high), ylim=(low, high), box_aspect=1)
    for axis in (axes.xaxis, axes.yaxis):
        if panel.scale == "log":
            style.plain_log(axis, low, high)
        elif panel.scale == "symlog":
            ticks = [tick for tick in _NAT_TICKS if low <= tick <= high]
            axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.set_ticks([], minor=True)
    if panel.component == "failed":
        axes.set_xticks([0, 1])


def _draw_points(
    axes: Axes, panel: Panel, rows: pd.DataFrame, limits: tuple[float, float], *, fill: str
) -> None:
    observed, predicted, std = (column(rows, name) for name in ("observed", "predicted", "std"))
    if panel.component == "failed":
        observed = observed + 0.04 * np.random.default_rng(0).uniform(-1, 1, len(observed))
    if panel.scale == "log":
        predicted = np.clip(predicted, limits[0] * _MARGIN, limits[1] / _MARGIN)
    down = np.minimum(std, predicted - limits[0])  # a logarithmic axis has no place below its floor
    axes.errorbar(
        observed,
        predicted,
        np.nan_to_num(np.stack([down, std])),
        mfc=fill,
        ecolor=_COLOUR + "40",
        elinewidth=0.7,
        **_DOTS,
    )


def _limits(panel: Panel, rows: pd.DataFrame) -> tuple[float, float]:
    """The same for both axes; a logarithmic one spans what is positive, and little more than was observed."""
    if panel.component == "failed":
        return -0.1, 1.1
    observed, predicted = column(rows, "observed"), column(rows, "predicted")
    values = np.concatenate([observed, predicted])
    if panel.scale == "log":
        seen = observed[observed > 0] if (observed > 0).any() else np.ones(1)
        values = np.clip(values, seen.min() / BEYOND, seen.max() * BEYOND)
        return float(values.min()) / _MARGIN, float(values.max()) * _MARGIN
    low, high = float(values.min()), float(values.max())
    return low - 0.02, max(1.25 * high, high + 0.02)


def _title(panel: Panel, rows: pd.DataFrame, entry: dict[str, Any]) -> str:
    rank, coverage = as_number(entry.get("rank_correlation")), as_number(entry.get("coverage_90"))
    whose = "test seeds: "
    if np.isnan(rank) and np.isnan(coverage):
        rank, coverage, whose = _rank_correlation(rows), _coverage_90(rows), "here: "
    parts = [f"rank corr. {rank:.2f}"] if np.isfinite(rank) else []
    parts += [f"90 % interval covers {100 * coverage:.0f} %"] if np.isfinite(coverage) else []
    title = f"{panel.title} of training decisions"
    return f"{title}\n{whose}{', '.join(parts)}" if parts else title


def _rank_correlation(rows: pd.DataFrame) -> float:
    """Spearman's rho; NaN where a side is constant."""
    ranks: NDArray[np.float64] = rows[["predicted", "observed"]].rank().to_numpy(dtype=np.float64)
    if len(ranks) < 2 or (np.ptp(ranks, axis=0) == 0).any():
        return float("nan")
    return float(np.asarray(np.corrcoef(ranks.T))[0, 1])


def _coverage_90(rows: pd.DataFrame) -> float:
    """Share of outcomes within 1.645 deviations of the prediction; NaN without deviations."""
    known = rows[np.isfinite(column(rows, "std"))]
    if known.empty:
        return float("nan")
    miss = np.abs(column(known, "observed") - column(known, "predicted"))
    return float((miss <= _Z90 * column(known, "std")).mean())
