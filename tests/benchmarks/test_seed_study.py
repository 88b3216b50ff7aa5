"""The seed's study on made-up curves: what is fitted, learned and judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.seed_figures import draw
from benchmarks.seed_learners import N_STEPS, Curve, FittedQuality, RealSteps, train_ppo
from benchmarks.seed_study import Results, Rules, best_by_loss, fitted_values, markdown, summary
from pyagent.campaign.progress import PhaseProgress
from pyagent.envs.seed_optimum import SeedProblem
from pyagent.envs.seed_quality import LOSSES, SPLITS, QualityTable, Setup

N = 8


@pytest.fixture(scope="module")
def table() -> QualityTable:
    """Shallow cuts bear little loss, deep ones much: the best split rises with the loss."""
    losses, depth = np.array(LOSSES), np.array(SPLITS)[:, None] / 10
    delta = 0.08 * (1 - depth) * losses * 30 * losses + 0.002 * np.arange(N)[:, None, None]
    reference = np.full(N, 2.5)
    return QualityTable(Setup(windows=N), losses, reference, np.moveaxis(delta, 0, -1))


@pytest.fixture(scope="module")
def steps(table: QualityTable) -> RealSteps:
    """Evaluations of the table's curves with noise."""
    rng = np.random.default_rng(3)
    splits, losses = rng.choice(SPLITS, 150), rng.uniform(0.01, 0.3, 150)
    clean = table.ratios(losses)[np.arange(150), splits - 1]
    ratios = clean * np.exp(rng.normal(0, 0.01, 150))
    return RealSteps(splits.tolist(), losses.tolist(), ratios.tolist(), 0.5, 0.6)


def test_the_network_finds_the_curves(table: QualityTable, steps: RealSteps) -> None:
    losses = np.linspace(0.0, 0.3, 31)
    fitted = FittedQuality(steps, 150, seed=0).ratios(losses)
    np.testing.assert_allclose(fitted[0], 1.0)
    assert np.abs(fitted - table.ratios(losses)).max() < 0.04
    again = FittedQuality(steps, 150, seed=0)
    assert np.array_equal(again.ratios(losses), fitted)
    assert again.perplexity_ratio(4, 0.15, np.random.default_rng(0)) == pytest.approx(fitted[15, 3])


def test_more_evaluations_plan_better(
    table: QualityTable, steps: RealSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.seed_study._FITTED_SEEDS", 1)
    problem = SeedProblem(table.ratios)
    values = fitted_values(steps, problem)
    assert list(values) == [25, 50, 100, 150]
    best = problem.optimum().value
    assert all(value <= best + 1e-9 for found in values.values() for value in found)
    assert best - np.median(values[150]) < 0.1 * (best - problem.random())


def test_the_rules_in_order(table: QualityTable) -> None:
    rules = Rules.of(table)
    assert rules.random < rules.static.value < rules.threshold.value < rules.optimum
    estimate, low, high = rules.over_static
    assert estimate == pytest.approx(rules.optimum - rules.static.value)
    assert low <= estimate <= high
    # All windows have the same curves here, so what one half chooses is right for the other.
    assert rules.held_out[0] == pytest.approx(estimate, abs=0.01)
    best = best_by_loss(table)
    assert (best.low <= best.split).all()
    assert (best.split <= best.high).all()
    assert best.split[0] < best.split[-1]


def test_a_training_is_judged_and_repeats(table: QualityTable) -> None:
    problem = SeedProblem(table.ratios)

    def trained(goal: float) -> Curve:
        return train_ppo(table, problem, goal, 1, 2 * N_STEPS, PhaseProgress())

    first, again = trained(np.inf), trained(np.inf)
    assert first.steps == [0, 2 * N_STEPS]
    assert first.values == again.values
    assert all(value <= problem.optimum().value for value in first.values)
    assert first.steps_to(-np.inf) == 0
    assert first.steps_to(np.inf) is None


def test_a_training_ends_when_the_goal_is_held(table: QualityTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.seed_learners.POINTS_HELD", 1)
    curve = train_ppo(table, SeedProblem(table.ratios), -np.inf, 1, 10 * N_STEPS, PhaseProgress())
    assert curve.steps[-1] < N_STEPS


def test_results_become_a_line_tables_and_pictures(
    table: QualityTable, steps: RealSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.seed_study._FITTED_SEEDS", 1)
    rules, best = Rules.of(table), best_by_loss(table)
    learned = Curve([0, 2000, 4000], [rules.random, rules.goal, rules.optimum], cpu_s=8.0)
    failed = Curve([0, 2000, 4000], [rules.random] * 3, cpu_s=8.0)
    results = Results(steps, {"0": learned, "1": learned}, {"0": failed})
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == results
    line = summary(table, rules, best, results)
    assert line["ppo_real_steps_to_95"] == 2000
    assert line["real_to_95_h"] == pytest.approx(2000 * (0.5 + 0.002) / 3600, abs=1e-3)
    assert line["real_240000_h"] == pytest.approx(240_000 * (0.5 + 0.002) / 3600, abs=1e-3)
    assert line["ppo_fitted_steps_to_95"] is None
    assert line["fitted_240000_h"] == pytest.approx((150 * 0.5 + 240_000 * 0.002) / 3600, abs=1e-3)
    text = markdown(table, rules, best, line)
    assert "| 150 | never |" in text
    assert text.count("**") == 2 * len(LOSSES)
    curves = {"the table": results.on_table, "a fitted network": results.on_fitted}
    draw(table, best, rules.threshold, rules.levels, curves, tmp_path / "pictures")
    drawn = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert drawn == ["best-split.png", "learning.png", "quality.png"]
