"""The published study (arXiv 2406.02616) on the weights of a real model.

Which split is best at which loss, what simple rules and the optimum earn in `pyagent/SeedSplit-v0`, and what
PPO costs with a real evaluation in every step, against PPO on a network fitted to some. Prints one JSON line,
and writes the tables and pictures of docs/seed-study.md. What has been done is kept in docs/seed-study.json
and not done again.

    python -m benchmarks.seed_study                     # what has no result yet; then page and pictures
    python -m benchmarks.seed_study --again table       # measure the table of the environment anew
    python -m benchmarks.seed_study --again steps ppo   # real evaluations and trainings anew
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.page import put_table
from benchmarks.seed_figures import BestByLoss, draw
from benchmarks.seed_learners import PPO_STEPS, Curve, FittedQuality, RealSteps, train_ppo
from pyagent.campaign.progress import PhaseProgress
from pyagent.envs.seed_model import RealQuality, measure_table
from pyagent.envs.seed_optimum import Actions, SeedProblem, Static, Threshold
from pyagent.envs.seed_quality import SPLITS, TABLE_FILE, QualityTable, SeedQuality, Setup
from pyagent.envs.seed_split import seed_reward
from pyagent.paths import REPOSITORY

RESULTS = REPOSITORY / "docs" / "seed-study.json"
PAGE = REPOSITORY / "docs" / "seed-study.md"
PICTURES = REPOSITORY / "docs" / "images" / "seed"
GOOD_ENOUGH = 0.95
"""Share of the optimum's gain over random play that counts as learned."""
RESAMPLES = 200
_PARTS = ("table", "steps", "ppo")
_FITTED_COUNTS = (25, 50, 100, 200)
_FITTED_SEEDS = 5


@dataclass
class Results:
    """What has been done.

    Attributes:
        steps: real evaluations, with their cost.
        on_table, on_fitted: trainings of PPO by seed, on the table and on a network fitted to `steps`.
    """

    steps: RealSteps | None = None
    on_table: dict[str, Curve] = field(default_factory=dict)
    on_fitted: dict[str, Curve] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Results:
        """Those of a file; none where there is no file."""
        if not path.is_file():
            return cls()
        data = json.loads(path.read_text(encoding="utf-8"))
        curves = ({seed: Curve(**c) for seed, c in data[name].items()} for name in ("on_table", "on_fitted"))
        return cls(RealSteps(**data["steps"]) if data["steps"] else None, *curves)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self)).replace("}, ", "},\n") + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Rules:
    """What can be earned per episode.

    Attributes:
        optimum, random: exact values.
        static, threshold: the best of their kind.
        over_static, over_threshold: gain of the optimal policy over the best static split and over the best
            threshold rule, with its 95 % interval over windows (the policies stay as they are).
        held_out: gain over the best static split of (optimum, threshold), all chosen on one half of the
            windows and judged on the other, mean of both ways.
    """

    optimum: float
    random: float
    static: Static
    threshold: Threshold
    over_static: tuple[float, float, float]
    over_threshold: tuple[float, float, float]
    held_out: tuple[float, float]

    @property
    def goal(self) -> float:
        """Value that counts as learned."""
        return self.random + GOOD_ENOUGH * (self.optimum - self.random)

    @property
    def levels(self) -> dict[str, float]:
        """Values by policy name."""
        return {
            "oracle": self.optimum,
            "threshold": self.threshold.value,
            "best-static": self.static.value,
            "random": self.random,
        }

    @classmethod
    def of(cls, table: QualityTable) -> Rules:
        """Those of a table."""
        problem, chosen = SeedProblem(table.ratios), _Chosen.on(table)
        rng, n = np.random.default_rng(0), len(table.reference_nll)
        gains = _gains(chosen, table)
        again = [_gains(chosen, table.of_windows(rng.integers(0, n, n))) for _ in range(RESAMPLES)]
        low, high = np.quantile(again, (0.025, 0.975), axis=0)
        halves = [table.of_windows(np.arange(first, n, 2)) for first in (0, 1)]
        swapped = [_gains(_Chosen.on(a), b) for a, b in (halves, halves[::-1])]
        over_static, over_threshold = np.mean(swapped, axis=0)
        return cls(
            optimum=problem.optimum().value,
            random=problem.random(),
            static=chosen.static,
            threshold=chosen.threshold,
            over_static=(gains[0], float(low[0]), float(high[0])),
            over_threshold=(gains[1], float(low[1]), float(high[1])),
            held_out=(float(over_static), float(over_static - over_threshold)),
        )


@dataclass(frozen=True)
class _Chosen:
    """The best policies on a table."""

    actions: Actions
    static: Static
    threshold: Threshold

    @classmethod
    def on(cls, table: QualityTable) -> _Chosen:
        problem = SeedProblem(table.ratios)
        return cls(problem.optimum().actions, problem.best_static(), problem.best_threshold())


def _gains(chosen: _Chosen, table: QualityTable) -> tuple[float, float]:
    """Gain on a table of the optimal policy over the static one and over the threshold rule."""
    problem = SeedProblem(table.ratios)
    optimum = problem.per_episode(problem.value_of(chosen.actions))
    static = problem.per_episode(problem.value_of(problem.towards(chosen.static.split)))
    return optimum - static, optimum - problem.threshold_value(chosen.threshold)


def fitted_values(steps: RealSteps, problem: SeedProblem) -> dict[int, list[float]]:
    """What the optimal policy of a fitted network earns, by evaluations it was fitted to; [seeds] each."""
    values: dict[int, list[float]] = {}
    for count in sorted({min(count, len(steps.ratios)) for count in _FITTED_COUNTS}):
        fits = (FittedQuality(steps, count, seed) for seed in range(_FITTED_SEEDS))
        plans = (SeedProblem(fit.ratios).optimum().actions for fit in fits)
        values[count] = [problem.per_episode(problem.value_of(plan)) for plan in plans]
    return values


def best_by_loss(table: QualityTable) -> BestByLoss:
    """Best split at each loss of the table, and the 95 % range of it over resampled windows."""
    rng, n = np.random.default_rng(0), len(table.reference_nll)

    def best(of: QualityTable) -> NDArray[np.int64]:
        rewards = seed_reward(of.text_ratio.T, np.array(SPLITS))
        splits: NDArray[np.int64] = np.array(SPLITS)[rewards.argmax(axis=-1)]
        return splits

    drawn = [best(table.of_windows(rng.integers(0, n, n))) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0, method="nearest")
    return BestByLoss(best(table), low, high)


def run(
    results: Results, table: QualityTable, goal: float, chosen: argparse.Namespace, keep: Callable[[], None]
) -> None:
    """Do what has not been done; `keep` is called after each piece."""
    problem = SeedProblem(table.ratios)
    with PhaseProgress() as progress:
        if results.steps is None:
            with progress.phase("steps", f"{chosen.real_steps} real evaluations", chosen.real_steps):
                results.steps = RealSteps.take(RealQuality.load(), chosen.real_steps, 1, progress)
            keep()
        count = len(results.steps.ratios)
        for seed in range(chosen.seeds):
            worlds: list[tuple[str, dict[str, Curve], Callable[[], SeedQuality]]] = [
                ("the table", results.on_table, lambda: table),
                ("a fitted network", results.on_fitted, partial(FittedQuality, results.steps, count, seed)),
            ]
            for name, curves, make in worlds:
                if str(seed) in curves:
                    continue
                with progress.phase("ppo", f"PPO on {name}, seed {seed}", PPO_STEPS):
                    curves[str(seed)] = train_ppo(make(), problem, goal, seed, PPO_STEPS, progress)
                keep()


def _to_goal(curves: dict[str, Curve], goal: float) -> int | None:
    """Median decisions to the goal over seeds; None where most never get there."""
    needed = [curve.steps_to(goal) for curve in curves.values()]
    middle = median(float("inf") if n is None else n for n in needed)
    return int(middle) if np.isfinite(middle) else None


def summary(table: QualityTable, rules: Rules, best: BestByLoss, results: Results) -> dict[str, Any]:
    """The JSON line."""
    assert results.steps is not None
    real, goal = results.steps, rules.goal
    fitted = fitted_values(real, SeedProblem(table.ratios))
    enough = [count for count, values in fitted.items() if median(values) >= goal]
    trainings = [*results.on_table.values(), *results.on_fitted.values()]
    ppo_step_s = median(curve.step_cpu_s for curve in trainings)
    bought_s = len(real.ratios) * real.cpu_s

    def hours(steps: int | None, step_s: float, before_s: float = 0.0) -> float | None:
        return None if steps is None else round((before_s + steps * step_s) / 3600, 3)

    on_table, on_fitted = _to_goal(results.on_table, goal), _to_goal(results.on_fitted, goal)
    return {
        "benchmark": "seed_study",
        **asdict(table.setup),
        "reference_ppl": round(table.reference_perplexity, 3),
        "best_split": {
            f"{loss:g}": [int(s), int(a), int(b)] for loss, s, a, b in zip(table.losses, *best, strict=True)
        },
        "random": round(rules.random, 3),
        "best_static": [rules.static.split, round(rules.static.value, 3)],
        "threshold": [round(rules.threshold.loss, 3), *rules.threshold[1:3], round(rules.threshold.value, 3)],
        "optimum": round(rules.optimum, 3),
        "optimum_over_static": [round(x, 3) for x in rules.over_static],
        "optimum_over_threshold": [round(x, 3) for x in rules.over_threshold],
        "held_out_over_static": {
            "optimum": round(rules.held_out[0], 3),
            "threshold": round(rules.held_out[1], 3),
        },
        "ppo_seeds": len(results.on_table),
        "ppo_on_table": [curve.values[-1] for curve in results.on_table.values()],
        "ppo_on_fitted": [curve.values[-1] for curve in results.on_fitted.values()],
        "ppo_real_steps_to_95": on_table,
        "ppo_fitted_steps_to_95": on_fitted,
        "real_step_cpu_s": real.cpu_s,
        "real_step_wall_s": real.wall_s,
        "ppo_step_cpu_s": round(ppo_step_s, 5),
        "real_240000_h": hours(PPO_STEPS, real.cpu_s + ppo_step_s),
        "real_to_95_h": hours(on_table, real.cpu_s + ppo_step_s),
        "fitted_evaluations": len(real.ratios),
        "fitted_240000_h": hours(PPO_STEPS, ppo_step_s, bought_s),
        "fitted_to_95_h": hours(on_fitted, ppo_step_s, bought_s),
        "fitted_plan_by_evaluations": {str(n): round(median(v), 3) for n, v in fitted.items()},
        "fitted_plan_evaluations_to_95": enough[0] if enough else None,
    }


def markdown(table: QualityTable, rules: Rules, best: BestByLoss, line: dict[str, Any]) -> str:
    """The tables of the page."""
    return "\n".join((_quality_table(table, best), _value_table(rules, line), _cost_table(line)))


def _quality_table(table: QualityTable, best: BestByLoss) -> str:
    ratio, error = table.text_ratio, table.ratio_stderr
    head = "| split | " + " | ".join(f"loss {loss:g}" for loss in table.losses) + " |\n"
    rows = [head, "|---" * (len(table.losses) + 1) + "|\n"]
    for i, split in enumerate(SPLITS):
        cells = [f"{r:.2f} ± {e:.2f}" for r, e in zip(ratio[i], error[i], strict=True)]
        marked = [f"**{c}**" if b == split else c for c, b in zip(cells, best.split, strict=True)]
        rows.append(f"| {split} | " + " | ".join(marked) + " |\n")
    return "".join(rows)


def _value_table(rules: Rules, line: dict[str, Any]) -> str:
    rows = [
        ("optimum (dynamic programming)", rules.optimum),
        (f"best threshold rule: {_said(rules.threshold)}", rules.threshold.value),
        (f"best static split: {rules.static.split}", rules.static.value),
        ("PPO on the table (median of its seeds)", median(line["ppo_on_table"])),
        (
            f"PPO on a network fitted to {line['fitted_evaluations']} evaluations (median)",
            median(line["ppo_on_fitted"]),
        ),
        ("random moves", rules.random),
    ]
    head = "| policy | reward per episode | share of the optimum's gain over random |\n|---|---|---|\n"
    gain = rules.optimum - rules.random
    return head + "".join(f"| {n} | {v:.2f} | {(v - rules.random) / gain:.1%} |\n" for n, v in rows)


def _said(rule: Threshold) -> str:
    if rule.below == rule.above:
        return f"{rule.below} at any loss"
    return f"{rule.below} below loss {rule.loss:.3f}, else {rule.above}"


def _cost_table(line: dict[str, Any]) -> str:
    bought = f"{line['fitted_evaluations']}"
    rows = [
        ("PPO, an evaluation in each of 240,000 steps", f"{PPO_STEPS:,}", line["real_240000_h"]),
        (
            "PPO, an evaluation in each step until 95 %",
            _or_never(line["ppo_real_steps_to_95"]),
            line["real_to_95_h"],
        ),
        ("PPO on a fitted network, 240,000 steps", bought, line["fitted_240000_h"]),
        ("PPO on a fitted network until 95 %", bought, line["fitted_to_95_h"]),
    ]
    head = "| training | real evaluations | hours of one core |\n|---|---|---|\n"
    return head + "".join(f"| {name} | {count} | {_or_never(hours)} |\n" for name, count, hours in rows)


def _or_never(number: float | None) -> str:
    return "never" if number is None else f"{number:,.2f}" if isinstance(number, float) else f"{number:,}"


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--again", nargs="+", choices=_PARTS, default=[], help="what to do anew")
    parser.add_argument("--windows", type=int, default=Setup().windows, help="of the table, 4 or more")
    parser.add_argument("--real-steps", type=int, default=200, help="real evaluations that are timed")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of PPO")
    parser.add_argument("--threads", type=int, default=1, help="of the model")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    if "table" in chosen.again:
        with PhaseProgress() as progress, progress.phase("table", "Quality table", chosen.windows):
            measure_table(Setup(windows=chosen.windows), progress=progress.advance).save(TABLE_FILE)
    table, results = QualityTable.load(), Results.load(RESULTS)
    if "steps" in chosen.again:
        results.steps = None
    if "ppo" in chosen.again:
        results.on_table, results.on_fitted = {}, {}
    rules, best = Rules.of(table), best_by_loss(table)
    run(results, table, rules.goal, chosen, lambda: results.save(RESULTS))
    line = summary(table, rules, best, results)
    put_table(PAGE, "seed_study", markdown(table, rules, best, line))
    curves = {"the table": results.on_table, "a fitted network": results.on_fitted}
    draw(table, best, rules.threshold, rules.levels, curves, PICTURES)
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
