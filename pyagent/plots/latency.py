"""How long requests took, policy by policy."""

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
from pyagent.plots.data import column, judged_rows, proxy_note, read_scenario
from pyagent.scenario.schema import Scenario


@dataclass(frozen=True)
class Panel:
    """One time: its column, the target that judges it, its title and its axis label."""

    column: str
    target: str
    title: str
    label: str


PANELS = (
    Panel("ttft_s", "ttft_s", "To the first token (TTFT)", "TTFT [s]"),
    Panel("tpot_s", "tpot_s", "Per token after it (TPOT)", "TPOT [s]"),
    Panel("latency_s", "completion_s", "To the last token", "Latency [s]"),
)


@style.styled()
def figure_latency(run: Path) -> Figure:
    """Share of the test requests that took no longer, over seconds: TTFT, TPOT, latency, a line per policy.

    A failed request takes for ever, so a line ends as far below 100 % as requests failed.

    Args:
        run: run folder.

    Raises:
        MissingDataError: no scenario, or no test decisions.
    """
    scenario = read_scenario(run)
    rows = judged_rows(run, ("failed", *(panel.column for panel in PANELS)))
    figure = style.new_figure(
        5.4,
        [
            "a failed request takes for ever, so lines end below 100 %",
            "a request for one token has no TPOT",
            proxy_note(run),
        ],
    )
    *panels, legend = figure.subplots(2, 2).flat
    policies = list(dict.fromkeys(rows["policy"]))
    for panel, axes in zip(PANELS, panels, strict=True):
        for policy in policies:
            _draw_policy(axes, panel, rows[rows["policy"] == policy])
        _finish(axes, panel, scenario)
    legend.set(xticks=[], yticks=[])
    legend.set_axis_off()
    legend.legend(handles=_handles(policies, scenario), loc="center")
    return figure


def _draw_policy(axes: Axes, panel: Panel, rows: pd.DataFrame) -> None:
    done_s, share = ecdf(column(rows, panel.column), rows["failed"].to_numpy(dtype=bool))
    if len(done_s):
        look = style.policy_line(str(rows["policy"].iloc[0]))
        draw_share(axes, done_s, share, look.colour, look.dash)


def draw_share(
    axes: Axes, done_s: NDArray[np.float64], share: NDArray[np.float64], colour: str, dash: Any
) -> None:
    """A staircase from 0 % at the first time on."""
    axes.step(np.r_[done_s[:1], done_s], 100 * np.r_[0.0, share], where="post", color=colour, ls=dash)


def ecdf(times_s: NDArray[np.float64], failed: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """Times [n] of the requests that did not fail, ascending, and the share [n] of all that was done by then.

    What neither failed nor has a time (TPOT of one token) counts for nothing.
    """
    counted = failed | np.isfinite(times_s)
    done_s = np.sort(times_s[~failed & np.isfinite(times_s)])
    return done_s, np.arange(1, len(done_s) + 1) / max(int(counted.sum()), 1)


def _finish(axes: Axes, panel: Panel, scenario: Scenario) -> None:
    target = scenario.targets.stated.get(panel.target)
    if target is not None:
        axes.axvline(target, color=style.BLACK, ls="--", lw=1)
    if panel.column == "latency_s":
        axes.axvline(scenario.requests.deadline_s, color=style.BLACK, ls=":", lw=1)
    axes.set(title=panel.title, xlabel=panel.label, ylabel="Requests done [%]", ylim=(0, 102))
    if axes.lines:
        axes.set_xscale("log")
        style.plain_log(axes.xaxis, *axes.get_xlim())


def _handles(policies: list[str], scenario: Scenario) -> list[Line2D]:
    looks = {policy: style.policy_line(policy) for policy in policies}
    lines = [Line2D([], [], color=look.colour, ls=look.dash, label=name) for name, look in looks.items()]
    if scenario.targets.stated:
        lines.append(Line2D([], [], color=style.BLACK, ls="--", lw=1, label="scenario's target, for 95 %"))
    return [*lines, Line2D([], [], color=style.BLACK, ls=":", lw=1, label="deadline")]
