"""Latency and quality: what the curves count, and several runs on the same axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_run import HELD, POLICIES, SPLITS

from pyagent.plots import FIGURES
from pyagent.plots.compared import (
    LOOKS,
    Labelled,
    figure_compared_latency,
    figure_compared_regret,
    figure_compared_rewards,
)
from pyagent.plots.data import MissingDataError, judged_rows
from pyagent.plots.latency import PANELS, ecdf
from pyagent.plots.style import POLICY_COLOURS


def test_a_failed_request_is_never_done_and_one_without_a_time_is_not_counted() -> None:
    times_s = np.array([0.3, np.nan, 0.1, 4.0, 0.2])
    failed = np.array([False, False, False, True, False])
    done_s, share = ecdf(times_s, failed)
    assert done_s.tolist() == [0.1, 0.2, 0.3]
    assert share.tolist() == [0.25, 0.5, 0.75]


def test_nothing_done_is_an_empty_line() -> None:
    done_s, share = ecdf(np.array([4.0]), np.array([True]))
    assert len(done_s) == len(share) == 0


def test_judged_rows_have_every_policy_of_the_summary(complete_run: Path) -> None:
    rows = judged_rows(complete_run, ("reward",))
    assert set(rows["policy"]) == {*POLICIES, *HELD}
    for name, split in HELD.items():
        assert set(rows[rows["policy"] == name]["split"]) == {split}
        assert set(rows[rows["policy"] == name]["phase"]) == {"oracle"}


def test_each_line_of_the_latency_ends_where_failures_leave_it(complete_run: Path) -> None:
    rows = judged_rows(complete_run, ("failed",))
    axes = FIGURES["latency"](complete_run).axes[[panel.column for panel in PANELS].index("latency_s")]
    ends = {line.get_color(): line.get_ydata()[-1] for line in axes.lines if len(line.get_ydata()) > 2}
    for policy in (*POLICIES, *HELD):
        done = 100 * (1 - rows[rows["policy"] == policy]["failed"].mean())
        assert ends[POLICY_COLOURS[policy]] == pytest.approx(done)


def test_targets_and_deadline_are_marked(run: Path) -> None:
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(f"{config}targets: {{ttft_s: 0.4, completion_s: 2.5}}\n")
    marks = [
        [line.get_xdata()[0] for line in axes.lines if list(line.get_ydata()) == [0, 1]]
        for axes in FIGURES["latency"](run).axes[:3]
    ]
    assert marks == [[0.4], [], [2.5, 4.0]]


def test_quality_has_a_mean_for_every_split(complete_run: Path) -> None:
    rows = pd.read_parquet(complete_run / "decisions.parquet")
    rows = rows[rows["phase"] == "oracle"]
    left = FIGURES["quality"](complete_run).axes[0]
    means = [line.get_ydata()[0] for line in left.lines if len(line.get_ydata()) == 1]
    assert means == pytest.approx([rows[rows["split"] == split]["delta_nll"].mean() for split in SPLITS])


@pytest.mark.parametrize("draw", [figure_compared_rewards, figure_compared_regret, figure_compared_latency])
def test_runs_share_axes_and_are_told_apart(complete_run: Path, draw: object) -> None:
    assert callable(draw)
    figure = draw([Labelled("A: one", complete_run), Labelled("B: two", complete_run)])
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    named = {text.get_text() for legend in legends for text in legend.get_texts()}
    assert {name.split(":")[0] for name in named} == {"A", "B"}
    assert len(set(map(str, LOOKS))) == len(LOOKS)


def test_runs_without_two_numbers_of_evaluations_have_no_regret_curve(run: Path) -> None:
    """A run may have trained and still bought no evaluation: that is not that nobody learned."""
    no_curve = "^no run has the regret of a policy at two numbers of evaluations, so there is no curve"
    table = pd.read_parquet(run / "learning.parquet")
    table[table["evaluations"] == 0].to_parquet(run / "learning.parquet")
    with pytest.raises(MissingDataError, match=no_curve):
        figure_compared_regret([Labelled("A", run)])
    (run / "learning.parquet").unlink()
    with pytest.raises(MissingDataError, match=no_curve):
        figure_compared_regret([Labelled("A", run)])
