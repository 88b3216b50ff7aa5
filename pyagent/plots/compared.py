"""Several runs in one figure: the policy has the colour that it always has, the run has dash and marker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pyagent.plots import style
from pyagent.plots.data import (
    MissingDataError,
    as_interval,
    as_number,
    column,
    judged_rows,
    proxy_note,
    read_summary,
    read_table,
    with_reward,
)
from pyagent.plots.latency import draw_share, ecdf

_LONG_DASH = (0.0, (8.0, 2.0))
_DASH_DOT_DOT = (0.0, (4.0, 1.2, 1.0, 1.2, 1.0, 1.2))
LOOKS = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"), (_LONG_DASH, "v"), (_DASH_DOT_DOT, "P"))
"""Dash and marker of each run."""

_COLUMNS = 3
_HEIGHT_IN = 1.7


@dataclass(frozen=True)
class Labelled:
    """A run folder, and what it is called in the figure."""

    label: str
    path: Path


@style.styled()
def figure_compared_rewards(runs: Sequence[Labelled]) -> Figure:
    """Mean reward of each policy with its 95 % interval, the runs below each other.

    Args:
        runs: at most as many as `LOOKS`.

    Raises:
        MissingDataError: no run has a policy with a reward.
    """
    rewards = [with_reward(read_summary(run.path).get("policies")) for run in runs]
    names = _ranked(rewards)
    figure = style.new_figure(
        max(2.6, 0.2 * len(runs) * len(names) + 1.6), ["bars: 95 % interval of the mean", style.REWARD_NOTE]
    )
    axes = figure.add_subplot()
    for index, entries in enumerate(rewards):
        for name, entry in entries.items():
            place = names.index(name) + 0.6 * ((index + 0.5) / len(runs) - 0.5)
            colour = style.policy_colour(name)
            axes.plot(as_interval(entry.get("reward_ci")), (place, place), color=colour, lw=2)
            axes.plot(as_number(entry["reward"]), place, LOOKS[index][1], color=colour, ms=6, mec="white")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set(title="Mean reward per decision", xlabel=f"Reward [{style.REWARD_UNIT}]")
    handles = [
        style.dot(style.BLACK, style.plain(run.label), look[1])
        for run, look in zip(runs, LOOKS, strict=False)
    ]
    style.foot_legend(figure, handles)
    return figure


def _ranked(rewards: Sequence[dict[str, dict[str, Any]]]) -> list[str]:
    """Policies of all runs, by the best reward that each has in one."""
    best: dict[str, float] = {}
    for entries in rewards:
        for name, entry in entries.items():
            best[name] = max(best.get(name, -np.inf), as_number(entry["reward"]))
    if not best:
        raise MissingDataError("no policy has a reward")
    return sorted(best, key=lambda name: -best[name])


@style.styled()
def figure_compared_regret(runs: Sequence[Labelled]) -> Figure:
    """Regret over real evaluations bought, for whoever learned, all runs on the same axes.

    Args:
        runs: at most as many as `LOOKS`.

    Raises:
        MissingDataError: no policy has its regret at two numbers of evaluations.
    """
    figure = style.new_figure(3.8, ["bands: 95 % intervals of the mean", style.REWARD_NOTE])
    axes = figure.add_subplot()
    for run, (dash, marker) in zip(runs, LOOKS, strict=False):
        for policy, rows in _learning_curves(run.path):
            colour = style.policy_colour(policy)
            bought = column(rows, "evaluations")
            axes.fill_between(
                bought,
                column(rows, "regret_low"),
                column(rows, "regret_high"),
                color=colour,
                alpha=0.15,
                lw=0,
            )
            axes.plot(
                bought,
                column(rows, "regret"),
                ls=dash,
                marker=marker,
                color=colour,
                label=style.plain(f"{run.label}: {policy}"),
            )
    if not axes.lines:
        raise MissingDataError(
            "no run has the regret of a policy at two numbers of evaluations, so there is no curve over them"
        )
    axes.axhline(0.0, color=style.POLICY_COLOURS["oracle"], lw=1)
    axes.set(
        title="Mean regret per decision on each run's test seeds",
        xlabel="Real evaluations bought [decisions]",
        ylabel=f"Regret to the oracle [{style.REWARD_UNIT}]",
    )
    axes.legend(loc="upper right")
    return figure


def _learning_curves(run: Path) -> list[tuple[str, pd.DataFrame]]:
    try:
        table = read_table(run, "learning", ("policy", "evaluations", "regret", "regret_low", "regret_high"))
    except MissingDataError:
        return []
    groups = table.sort_values("evaluations").groupby("policy", sort=False)
    return [(str(policy), rows) for policy, rows in groups if rows["evaluations"].nunique() > 1]


@style.styled()
def figure_compared_latency(runs: Sequence[Labelled]) -> Figure:
    """Share of the test requests that took no longer, over seconds: a panel per policy, a line per run.

    Args:
        runs: at most as many as `LOOKS`.

    Raises:
        MissingDataError: some run has no test decisions.
    """
    tables = [judged_rows(run.path, ("latency_s", "failed")) for run in runs]
    names = list(dict.fromkeys(name for table in tables for name in table["policy"]))
    lines = -(-len(names) // _COLUMNS)
    figure = style.new_figure(
        _HEIGHT_IN * lines + 1.1,
        ["a failed request takes for ever, so lines end below 100 %", proxy_note(runs[0].path)],
    )
    grid = figure.subplots(lines, _COLUMNS, sharex=True, sharey=True, squeeze=False).flat
    for axes, name in zip(grid, names, strict=False):
        for table, (dash, _) in zip(tables, LOOKS, strict=False):
            _draw_latency(axes, table[table["policy"] == name], name, dash)
        axes.set_title(name)
        axes.set_ylim(0, 102)
        axes.set_xscale("log")
        style.plain_log(axes.xaxis, *axes.get_xlim())
    style.label_outside(figure.axes, len(names), _COLUMNS, "Latency [s]", "Requests done [%]")
    handles = [
        Line2D([], [], color=style.BLACK, ls=dash, label=style.plain(run.label))
        for run, (dash, _) in zip(runs, LOOKS, strict=False)
    ]
    style.foot_legend(figure, handles)
    return figure


def _draw_latency(axes: Axes, rows: pd.DataFrame, name: str, dash: Any) -> None:
    done_s, share = ecdf(column(rows, "latency_s"), rows["failed"].to_numpy(dtype=bool))
    if len(done_s):
        draw_share(axes, done_s, share, style.policy_colour(name), dash)
