"""The ranking of the policies at other weights of the reward."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pyagent.errors import reading
from pyagent.evaluation.weights import REQUIRED, Rereading, own_readings, reread, usual_readings
from pyagent.plots import style
from pyagent.plots.data import MissingDataError, judged_rows, phase_rows, proxy_note, read_scenario

_ROW_IN = 0.36
_BETTER, _SAME, _WORSE = style.SKY_BLUE, "#FFFFFF", style.ORANGE
_UP, _DOWN = "\N{BLACK UP-POINTING SMALL TRIANGLE}", "\N{BLACK DOWN-POINTING SMALL TRIANGLE}"


def read_again(run: Path, factors: str | None = None) -> Rereading:
    """The test decisions of a run at other weights.

    Args:
        run: run folder.
        factors: as `own_readings` reads them; None: half and twice each weight.

    Raises:
        MissingDataError: `config.yaml` or the test decisions are not there, or lack a term.
        UserError: `factors` names no weight, or no factor.
    """
    weights = read_scenario(run).reward.as_weights()
    readings = usual_readings(weights) if factors is None else own_readings(factors, weights)
    judged = judged_rows(run, REQUIRED)
    with reading("decisions.parquet", MissingDataError):
        return reread(judged, _rows(run, "oracle"), _rows(run, "tune"), weights, readings)


def _rows(run: Path, phase: str) -> pd.DataFrame:
    """Rows of a phase; none where the run did not keep it."""
    try:
        return phase_rows(run, phase, REQUIRED)
    except MissingDataError:
        return pd.DataFrame(columns=list(REQUIRED))


@style.styled()
def figure_weights(run: Path) -> Figure:
    """A grid of ranks: a row per policy, the best as run on top; a column per reading; Kendall's tau below.

    Args:
        run: run folder.

    Raises:
        MissingDataError: see `read_again`.
    """
    found = read_again(run)
    names = found.policies
    notes = [
        "blue and a triangle up: a better rank than as run; orange and a triangle down: a worse one",
        "failure once: a failed request pays neither latency nor quality",
        proxy_note(run),
    ]
    figure = style.new_figure(_ROW_IN * (len(names) + 1) + 1.9, notes)
    axes = figure.subplots()
    _draw_ranks(axes, found.ranks)
    for column in range(1, len(found.readings)):
        tau = found.tau(column)
        axes.text(column, len(names), "-" if tau is None else f"{tau:.2f}", ha="center", va="center")
    axes.set_yticks(range(len(names) + 1), [*names, "Kendall's tau"])
    axes.set_xticks(range(len(found.readings)), [r.name for r in found.readings], rotation=40, ha="right")
    axes.set_ylim(len(names) + 0.5, -0.5)
    axes.set_title("Rank of each policy's mean reward")
    return figure


def _draw_ranks(axes: Axes, ranks: NDArray[np.int64]) -> None:
    change = ranks[:, :1] - ranks
    shades = LinearSegmentedColormap.from_list("change", [_WORSE, _SAME, _BETTER])
    most = max(3, int(np.abs(change).max()))
    axes.imshow(change, cmap=shades, vmin=-most, vmax=most, aspect="auto")
    for (row, column), rank in np.ndenumerate(ranks):
        mark = {1: _UP, -1: _DOWN}.get(int(np.sign(change[row, column])), "")
        axes.text(column, row, f"{rank} {mark}".strip(), ha="center", va="center")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
