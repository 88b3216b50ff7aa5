"""What a sweep found: a metric of each policy over what was varied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas.api.types import is_numeric_dtype

from pyagent.errors import UserError
from pyagent.plots import style
from pyagent.results import settings_of, summary

PANELS = 24
_COLUMNS = 3
_HEIGHT_IN = 2.2
_WIDTH = 0.5
"""Room that the policies of one value take, of the room between two values."""


@style.styled()
def figure_sweep(frame: pd.DataFrame, metric: str, across: str | None = None) -> Figure:
    """Mean of a metric over seeds with its 95 % interval, a panel for each combination of the other settings.

    Args:
        frame: of `pyagent.results.load`.
        metric: one of its columns.
        across: the setting along the x axis; None: of those that vary the one with most values,
            numbers first.

    Raises:
        ResultsError: there is no such metric.
        UserError: there is no such setting, or there are more combinations than a figure can show.
    """
    found = summary(frame, metric).dropna(subset="mean")
    varied = [name for name in settings_of(frame) if name != "seed" and frame[name].nunique(dropna=False) > 1]
    across = _across(frame, varied, across)
    others = _telling(frame, across, [name for name in varied if name != across])
    panels = _panels(found, others)
    # Four panels are a square, not a row and one.
    columns = min(2 if len(panels) == 4 else _COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    seeds = f"{found['seeds'].min()} to {found['seeds'].max()}" if found["seeds"].nunique() > 1 else None
    notes = [f"mean of {seeds or found['seeds'].min()} seeds, bars: its 95 % interval (Student)"]
    figure = style.new_figure(_HEIGHT_IN * rows + 1.2, notes)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    values = sorted(frame[across].unique(), key=_order)
    known = list(style.POLICY_LINES)
    policies = sorted(
        dict.fromkeys(found["policy"]), key=lambda p: known.index(p) if p in known else len(known)
    )
    for axes, panel in zip(grid, panels, strict=False):
        _draw(axes, _of(found, panel), across, values, policies)
        title = "\n".join(f"{_short(name)} {value}" for name, value in panel.items())
        axes.set_title(style.plain(title), fontsize=8)
    style.label_outside(figure.axes, len(panels), columns, across, metric)
    style.foot_legend(figure, [style.dot(style.policy_colour(p), p, _marker(p)) for p in policies])
    return figure


def _across(frame: pd.DataFrame, varied: Sequence[str], wanted: str | None) -> str:
    known = [name for name in settings_of(frame) if name != "seed"]
    if wanted is not None and wanted not in known:
        raise UserError(f"--across = {wanted!r}: no such setting; valid: {', '.join(known)}")
    if wanted is not None:
        return wanted
    if not varied:
        return known[0]
    return max(varied, key=lambda name: (is_numeric_dtype(frame[name]), frame[name].nunique()))


def _telling(frame: pd.DataFrame, across: str, names: Sequence[str]) -> list[str]:
    """Without those that another says too, as a recorded dataset says its scenario."""
    kept = [across]
    for name in reversed(names):
        if all(frame.groupby(other, dropna=False)[name].nunique().max() > 1 for other in kept):
            kept.insert(0, name)
    return kept[:-1]


def _panels(found: pd.DataFrame, others: Sequence[str]) -> list[dict[str, Any]]:
    """Combinations of the other settings that there are; one, of nothing, where nothing else varies."""
    values = [found[name].drop_duplicates().tolist() for name in others]
    panels = [dict(zip(others, chosen, strict=True)) for chosen in product(*values)]
    panels = [panel for panel in panels if len(_of(found, panel))]
    if len(panels) > PANELS:
        raise UserError(
            f"{len(panels)} combinations are too many for a figure; valid: at most {PANELS}, by --where"
        )
    return panels


def _of(found: pd.DataFrame, panel: dict[str, Any]) -> pd.DataFrame:
    for name, value in panel.items():
        found = found[found[name] == value]
    return found


def _draw(
    axes: Axes, rows: pd.DataFrame, across: str, values: Sequence[Any], policies: Sequence[str]
) -> None:
    for i, policy in enumerate(policies):
        mine = rows[rows["policy"] == policy]
        aside = _WIDTH * ((i + 0.5) / len(policies) - 0.5)
        x = [values.index(value) + aside for value in mine[across]]
        colour = style.policy_colour(policy)
        axes.vlines(x, mine["low"], mine["high"], color=colour, lw=1.5)
        axes.plot(x, mine["mean"], _marker(policy), color=colour, ms=5, mec="white", mew=0.5)
    axes.set_xticks(range(len(values)), [style.plain(value) for value in values])
    if any(isinstance(value, str) for value in values):  # names are long
        axes.tick_params(axis="x", rotation=20)
    axes.set_xlim(-0.5, len(values) - 0.5)


def _marker(policy: str) -> str:
    return style.policy_line(policy).marker or "D"


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers by size, before names."""
    return (isinstance(value, str), value)


def _short(path: str) -> str:
    return path.removeprefix("scenario.")
