"""Whether the surrogate's intervals cover what they promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from pyagent.plots import style
from pyagent.plots.data import MissingDataError, NothingToDrawError, as_interval, proxy_note, read_summary
from pyagent.plots.surrogate import PANELS

_TICKS = (0, 25, 50, 75, 100)
_COLOUR = style.policy_colour("surrogate-argmax")
_CURVE: dict[str, Any] = {"color": _COLOUR, "marker": "o", "ms": 3}


@style.styled()
def figure_reliability(run: Path) -> Figure:
    """Share of outcomes inside the central predictive interval over its nominal level, for each component.

    Args:
        run: run folder.

    Raises:
        MissingDataError: `summary.json` has no reliability curve.
        NothingToDrawError: the run trained no surrogate.
    """
    summary = read_summary(run)
    if "calibration" in summary and summary["calibration"] is None:
        raise NothingToDrawError("the run trained no surrogate")
    curves = {panel.component: _curve(summary.get("calibration"), panel.component) for panel in PANELS}
    if not any(len(curve) for curve in curves.values()):
        raise MissingDataError("summary.json has no reliability curve of the surrogate")
    figure = style.new_figure(
        2.7,
        [
            "the final surrogate on test decisions that it never saw",
            "shaded: intervals too narrow",
            proxy_note(run),
        ],
    )
    for panel, axes in zip(PANELS, figure.subplots(1, len(PANELS), sharey=True), strict=True):
        axes.set_title(panel.title)
        _draw_curve(axes, curves[panel.component])
    figure.axes[0].set_ylabel("Outcomes inside [%]")
    style.foot_legend(
        figure,
        [
            Line2D([], [], color=style.BLACK, lw=1, label="as promised"),
            Line2D([], [], label="surrogate", **_CURVE),
        ],
    )
    return figure


def _curve(calibration: Any, component: str) -> NDArray[np.float64]:
    """(level, share) pairs of `summary.json`, float64 [K, 2]; none where there is no such curve."""
    entry = calibration.get(component) if isinstance(calibration, dict) else None
    pairs = entry.get("reliability") if isinstance(entry, dict) else None
    points = np.array([as_interval(pair) for pair in pairs] if isinstance(pairs, list) else []).reshape(-1, 2)
    finite: NDArray[np.float64] = points[np.isfinite(points).all(1)]
    return finite


def _draw_curve(axes: Axes, curve: NDArray[np.float64]) -> None:
    axes.fill_between([0, 100], [0, 100], color=style.GREY, alpha=0.15, lw=0)
    axes.plot([0, 100], [0, 100], color=style.BLACK, lw=1)
    if len(curve):
        axes.plot(*(100 * curve.T), clip_on=False, zorder=3, **_CURVE)
    else:
        axes.text(50, 50, "no outcomes", ha="center", va="center")
    axes.set_xlabel("Interval's level [%]")
    axes.set(xlim=(0, 100), ylim=(0, 100), box_aspect=1, xticks=_TICKS, yticks=_TICKS)
