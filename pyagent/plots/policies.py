"""All policies on the test seeds: mean reward with its interval, and what the penalties were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pyagent.plots import style
from pyagent.plots.data import (
    MissingDataError,
    as_interval,
    as_number,
    column,
    judged_rows,
    proxy_note,
    read_summary,
    with_reward,
)


@style.styled()
def figure_policies(run: Path) -> Figure:
    """Left: mean reward with its 95 % interval, best on top. Right: the mean penalty, term by term.

    Args:
        run: run folder.

    Raises:
        MissingDataError: `summary.json` has no policy with a reward.
    """
    summary = read_summary(run)
    metrics = _ranked(summary.get("policies"))
    names = list(metrics)
    notes = ["bars and band: 95 % interval of the mean", style.REWARD_NOTE, proxy_note(run)]
    figure = style.new_figure(max(2.8, 0.36 * len(names) + 1.75), notes)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1.25])
    _draw_rewards(left, metrics)
    oracle = summary.get("oracle")
    _draw_oracle(left, oracle if isinstance(oracle, dict) else {})
    _draw_penalties(right, _mean_penalties(run, names))
    left.set_yticks(range(len(names)), names)
    left.set_ylim(len(names) - 0.4, -0.6)  # the first on top
    left.set(title="Mean reward per decision", xlabel=f"Reward [{style.REWARD_UNIT}]")
    right.set(title="Mean penalty per decision", xlabel=f"Penalty [{style.REWARD_UNIT}]")
    left.xaxis.set_major_locator(MaxNLocator(5))
    right.tick_params(left=False)
    style.foot_legend(
        figure, [handle for axes in (left, right) for handle in axes.get_legend_handles_labels()[0]]
    )
    return figure


def _ranked(policies: Any) -> dict[str, dict[str, Any]]:
    """Policies that have a reward, the best first."""
    if not isinstance(policies, dict):
        raise MissingDataError("summary.json has no policies")
    known = with_reward(policies)
    if not known:
        raise MissingDataError("no policy of summary.json has a reward")
    return dict(sorted(known.items(), key=lambda item: (-as_number(item[1]["reward"]), item[0])))


def _draw_rewards(axes: Axes, metrics: dict[str, dict[str, Any]]) -> None:
    for place, (name, entry) in enumerate(metrics.items()):
        colour = style.policy_colour(name)
        axes.plot(as_interval(entry.get("reward_ci")), (place, place), color=colour, lw=2.5)
        axes.plot(as_number(entry["reward"]), place, "o", color=colour, ms=7)


def _draw_oracle(axes: Axes, entry: dict[str, Any]) -> None:
    reward, (low, high) = as_number(entry.get("reward")), as_interval(entry.get("reward_ci"))
    if np.isfinite([low, high]).all():
        axes.axvspan(low, high, color=style.POLICY_COLOURS["oracle"], alpha=0.08, lw=0)
    if np.isfinite(reward):
        axes.axvline(reward, color=style.POLICY_COLOURS["oracle"], ls="--", lw=1.2, label="oracle")


def _mean_penalties(run: Path, names: list[str]) -> pd.DataFrame:
    """Mean of each term over the test seeds, >= 0.

    Returns:
        One row per name, one column per term; NaN rows where nothing is known.
    """
    columns = {f"term_{term}": term for term in style.TERM_COLOURS}
    try:
        means = -judged_rows(run, columns).groupby("policy")[list(columns)].mean().astype(float)
    except MissingDataError:
        means = pd.DataFrame(columns=list(columns), dtype=float)
    penalties: pd.DataFrame = means.reindex(names).rename(columns=columns)
    return penalties


def _draw_penalties(axes: Axes, penalties: pd.DataFrame) -> None:
    known = penalties.notna().any(axis=1).to_numpy(dtype=bool)
    for place in np.flatnonzero(~known):
        axes.text(0.02, float(place), "no decisions", va="center", transform=axes.get_yaxis_transform())
    places, floor = np.arange(len(penalties)), np.zeros(len(penalties))
    for term, colour in style.TERM_COLOURS.items():
        size = np.nan_to_num(column(penalties, term))
        label = term if known.any() else None
        axes.barh(places, size, 0.68, floor, color=colour, edgecolor="#555555", lw=0.5, label=label)
        floor += size
    axes.set_xlim(0, 1.05 * max(float(floor.max()), 0.1))
