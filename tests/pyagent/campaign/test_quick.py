"""A quick look at a scenario, and the time that a whole run still takes."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from pyagent.campaign import run as run_module
from pyagent.campaign.progress import PhaseProgress
from pyagent.campaign.quick import quick_look
from pyagent.campaign.time_left import TimeLeft, time_text
from pyagent.cli import app
from pyagent.evaluation.oracle import oracle
from pyagent.learning.options import Learning
from pyagent.report.table import title_of
from pyagent.scenario.load import parse_scenario
from tests.conftest import small_scenario


def test_a_quick_look_is_the_least_that_the_statistics_accept() -> None:
    large = small_scenario(evaluation={"tune_seeds": 5, "test_seeds": 6, "replicates": 8})
    scenario, learning = quick_look(large, Learning(surrogate="gp", buy="all"))
    fewer = scenario.evaluation
    assert (fewer.tune_seeds, fewer.test_seeds, fewer.replicates) == (1, 1, 4)
    assert learning == Learning(40, "gp", "all")
    # The schema and the oracle accept it, and no less.
    assert parse_scenario(scenario.model_dump(mode="json")) == scenario
    oracle(np.zeros((2, 3, fewer.replicates)))
    with pytest.raises(ValueError, match=r"even number R >= 4"):
        oracle(np.zeros((2, 3, fewer.replicates - 1)))
    # All else stays. A quick look at it is itself, so --quick on the run's config.yaml repeats the run.
    assert scenario.model_copy(update={"evaluation": large.evaluation}) == large
    assert quick_look(scenario, learning) == (scenario, learning)
    assert quick_look(scenario, Learning(budget=8))[1].budget == 8


@pytest.mark.parametrize("command", ["run", "evaluate"])
def test_the_option_reaches_the_run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def stop(*arguments: object, **options: object) -> None:
        calls.append(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "run_experiment", stop)
    CliRunner().invoke(app, [command, "default", "--quick"])
    CliRunner().invoke(app, [command, "default"])
    assert [options["quick"] for options in calls] == [True, False]


def test_the_title_says_so() -> None:
    assert title_of({"scenario": "default", "quick": True}) == "quick look: default"
    assert title_of({"scenario": "default", "quick": False}) == title_of({"scenario": "default"}) == "default"


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_time_left_covers_all_phases_by_the_pace_of_their_kind() -> None:
    clock = Clock()
    left = TimeLeft({"train-a": 10, "tune": 20, "oracle": 40, "test": 4}, 4, clock)
    assert left.seconds() is None  # nothing is measured: nothing is known
    left.begin("load")
    clock.now_s += 50
    left.advance(1)
    assert left.seconds() is None  # a second of loading says nothing of decisions
    left.begin("train-a")
    clock.now_s += 2
    left.advance(1)
    # 9 decisions at the only pace that is known, 2 s each; the others four at a time.
    assert left.seconds() == pytest.approx(9 * 2 + (20 + 40 + 4) * 2 / 4)
    clock.now_s += 18
    left.advance(9)
    left.end()
    left.begin("tune")
    clock.now_s += 5
    left.advance(10)
    # Episodes side by side: 0.5 s each for the rest of tune, oracle and test.
    assert left.seconds() == pytest.approx((10 + 40 + 4) * 0.5)
    left.end()
    assert left.seconds() == pytest.approx(44 * 0.5)  # what a phase did not use is not waited for


def test_decisions_of_a_stopped_run_tell_nothing_of_the_pace() -> None:
    clock = Clock()
    left = TimeLeft({"oracle": 30}, 2, clock)
    left.begin("oracle")
    clock.now_s += 0.1
    left.advance(20, played=False)
    assert left.seconds() is None
    clock.now_s += 6
    left.advance(2)
    assert left.seconds() == pytest.approx(8 * 3)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (4.4, "~0:04"), (245.0, "~4:05"), (3723.0, "~1:02:03")]
)
def test_an_estimate_looks_like_one(seconds: float | None, text: str) -> None:
    assert time_text(seconds) == text


def test_the_display_has_the_whole_runs_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    with PhaseProgress() as progress:
        assert progress.whole_run_text() == ""  # other commands plan nothing
        progress.expect({"tune": 3, "oracle": 10})
        assert progress.whole_run_text() == "run -"
        with progress.phase("tune", "Tuning", 3):
            progress.advance(1)
            assert re.fullmatch(r"run ~\d+:\d\d", progress.whole_run_text())
            Console(file=shown, width=150).print(progress._bar.get_renderable())
    assert "run ~" in shown.getvalue()
