"""How fast a policy closes in on the oracle, counted in real evaluations of the language model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pyagent.plots import style
from pyagent.plots.data import MissingDataError, column, proxy_note, read_table

_LABEL_GAP = 0.055  # of the axis' height, between two labels


@style.styled()
def figure_regret(run: Path) -> Figure:
    """Mean regret over real evaluations bought, with intervals; policies that do not learn are lines.

    Args:
        run: run folder.

    Raises:
        MissingDataError: no learning curve.
    """
    table = read_table(run, "learning", ("policy", "evaluations", "regret"))
    # Nobody knows how many evaluations a guest took that was trained elsewhere: it has a line, no curve.
    table = table[np.isfinite(column(table, "regret"))]
    if table.empty:
        raise MissingDataError("learning.parquet has no finite regret")
    curves, references = _sort_out(table)
    figure = style.new_figure(
        4.0, ["band and bars: 95 % intervals of the mean", style.REWARD_NOTE, proxy_note(run)]
    )
    axes, margin = figure.subplots(1, 2, sharey=True, width_ratios=[1, 0.13])
    for policy, rows in curves.items():
        _draw_curve(axes, policy, rows)
    _draw_references(axes, margin, references)
    axes.axhline(0.0, color=style.POLICY_COLOURS["oracle"], lw=1)
    axes.set(
        xlabel="Real evaluations bought [decisions]", ylabel=f"Regret to the oracle [{style.REWARD_UNIT}]"
    )
    axes.set_title("Mean regret per decision on the test seeds", loc="left")
    if not curves:  # every policy has one number of evaluations: there is nothing along this axis
        axes.set(xticks=[], xlabel="")
    else:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.985), ncols=2)
    return figure


def _sort_out(table: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Learning curves by policy, and one row for each policy whose evaluations never change."""
    for bound in ("regret_low", "regret_high"):
        if bound not in table.columns:
            table = table.assign(**{bound: np.nan})
    groups = {str(policy): rows.sort_values("evaluations") for policy, rows in table.groupby("policy")}
    curves = {policy: rows for policy, rows in groups.items() if rows["evaluations"].nunique() > 1}
    references = table[~table["policy"].isin(list(curves))].drop_duplicates("policy")
    return curves, references.sort_values(["regret", "policy"])


def _draw_curve(axes: Axes, policy: str, rows: pd.DataFrame) -> None:
    colour = style.policy_colour(policy)
    bought = column(rows, "evaluations")
    low, high = column(rows, "regret_low"), column(rows, "regret_high")
    axes.fill_between(bought, low, high, color=colour, alpha=0.2, lw=0)
    axes.plot(bought, column(rows, "regret"), "o-", color=colour, label=policy, zorder=3)


def _draw_references(axes: Axes, margin: Axes, references: pd.DataFrame) -> None:
    """Lines across `axes`; their intervals side by side in `margin`; their names at its right."""
    margin.grid(visible=False)
    margin.spines["left"].set_visible(False)
    margin.tick_params(left=False, bottom=False, labelbottom=False)
    margin.set_xlim(-0.7, max(len(references), 1) - 0.3)
    regret = column(references, "regret")
    low, high = column(references, "regret_low"), column(references, "regret_high")
    for i, policy in enumerate(references["policy"]):
        colour = style.policy_colour(str(policy))
        for panel in (axes, margin):
            panel.axhline(regret[i], color=colour, ls="--", lw=1.2)
        margin.plot([i, i], [low[i], high[i]], color=colour, lw=2, solid_capstyle="butt")
        margin.plot(i, regret[i], "o", color=colour)
    _fit(axes)
    bottom, top = axes.get_ylim()
    places = spread((np.append(0.0, regret) - bottom) / (top - bottom), _LABEL_GAP)
    for name, place in zip(["oracle", *references["policy"]], places, strict=True):
        margin.text(
            1.03, place, name, color=style.policy_colour(str(name)), va="center", transform=margin.transAxes
        )


def _fit(axes: Axes) -> None:
    """Fixes the y axis to what is drawn, with zero and some air."""
    axes.relim()
    axes.autoscale_view()
    low, high = axes.get_ylim()
    high = max(high, 0.1)
    axes.set_ylim(min(low, -0.04 * high), high)


def spread(places: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Moves `places` [n] apart until neighbours are `gap` or more apart, keeping their order.

    Each crowd is spread evenly about its own middle.
    """
    order = np.argsort(places, kind="stable")
    crowds: list[tuple[float, int]] = []  # (middle, members)
    for place in places[order]:
        middle, members = float(place), 1
        while crowds and middle - crowds[-1][0] < gap * (members + crowds[-1][1]) / 2:
            other, more = crowds.pop()
            middle = (middle * members + other * more) / (members + more)
            members += more
        crowds.append((middle, members))
    moved = np.concatenate([m + gap * (np.arange(n) - (n - 1) / 2) for m, n in crowds])
    result = np.empty(len(places))
    result[order] = moved
    return result
