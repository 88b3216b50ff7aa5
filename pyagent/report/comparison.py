"""One page that compares runs: what differs in how they were made, and in what came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pyagent.evaluation.summary import REQUIRED, compare
from pyagent.files import write_text_whole
from pyagent.plots.compared import (
    LOOKS,
    Labelled,
    figure_compared_latency,
    figure_compared_regret,
    figure_compared_rewards,
)
from pyagent.plots.data import MissingDataError, judged_rows
from pyagent.report.files import ReportError, Run, open_run
from pyagent.report.markup import png_uri
from pyagent.report.page import Written
from pyagent.report.pictures import Picture, Words, png_of
from pyagent.report.render import render
from pyagent.report.table import COLUMNS, Grid, difference_cells, target_rows

MOST_RUNS = len(LOOKS)
NOT_SET = "not set"
OF_NO_EFFECT = ("name", "description", "evaluation", "targets")
"""Sections of a scenario that change nothing in a decision of a given seed."""

FIGURES: dict[str, tuple[Callable[[Sequence[Labelled]], Figure], Words]] = {
    "rewards": (
        figure_compared_rewards,
        Words(
            "Mean reward of each policy in each run, with 95 % intervals",
            "Dots with interval bars, one group of rows per policy; the marker says which run. The table "
            "above has the numbers.",
        ),
    ),
    "regret": (
        figure_compared_regret,
        Words(
            "Regret to the oracle over real evaluations bought, of whoever learned",
            "Curves with bands on common axes; dash and marker say which run.",
        ),
    ),
    "latency": (
        figure_compared_latency,
        Words(
            "Share of the requests that were done within so many seconds",
            "One panel of cumulative curves per policy; the dash says which run.",
        ),
    ),
}


@dataclass(frozen=True)
class Pairing:
    """Paired differences of two runs.

    Attributes:
        title: which two.
        grid: policy, first minus second with interval, pairs; None where they can't be paired.
        why_not: the reason.
        found: the same as numbers, by policy.
    """

    title: str
    grid: Grid | None
    why_not: str
    found: dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other.

    Attributes:
        labels: A, B and so on.
        runs: in that order.
        differences: field, and its value in each run.
        pairings: the first run with each of the others.
    """

    labels: list[str]
    runs: list[Run]
    differences: list[tuple[str, list[str]]]
    pairings: list[Pairing]

    def to_json(self) -> dict[str, Any]:
        """The numbers of the page."""
        return {
            "runs": {label: str(run.path) for label, run in zip(self.labels, self.runs, strict=True)},
            "differences": {
                field: dict(zip(self.labels, values, strict=True)) for field, values in self.differences
            },
            "policies": {
                label: run.summary["policies"] for label, run in zip(self.labels, self.runs, strict=True)
            },
            "paired": {pairing.title: pairing.found or pairing.why_not for pairing in self.pairings},
        }


def compare_runs(paths: Sequence[Path]) -> Comparison:
    """Compare finished runs.

    Raises:
        ReportError: a folder is not that of a finished run, or there are too many.
    """
    if len(paths) > MOST_RUNS:
        raise ReportError(f"{len(paths)} runs: too many for one page; valid: at most {MOST_RUNS}")
    runs = [open_run(path) for path in paths]
    labels = [chr(ord("A") + index) for index in range(len(runs))]
    pairings = [
        _paired(f"{labels[0]} - {label}", runs[0], other)
        for label, other in zip(labels[1:], runs[1:], strict=True)
    ]
    return Comparison(labels, runs, differences([_described(run) for run in runs]), pairings)


def write_comparison(comparison: Comparison, target: Path) -> Written:
    """Write the page.

    Raises:
        OSError: the file can't be written.
    """
    labelled = [
        Labelled(f"{label}: {run.name}", run.path)
        for label, run in zip(comparison.labels, comparison.runs, strict=True)
    ]
    pictures = {name: _picture(name, labelled) for name in FIGURES}
    page = render(
        "comparison.html",
        runs=dict(zip(comparison.labels, comparison.runs, strict=True)),
        differences=Grid(
            ["field", *comparison.labels], [[field, *values] for field, values in comparison.differences]
        ),
        policies=_policies(comparison),
        pairings=comparison.pairings,
        pictures=pictures,
    )
    missing = {name: picture.missing for name, picture in pictures.items() if picture.missing}
    figures = [name for name in pictures if name not in missing]
    return Written(write_text_whole(target, page), figures, missing)


def differences(configs: Sequence[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Fields in which configurations differ.

    Args:
        configs: nested dictionaries.

    Returns:
        Dotted path and the value in each, as JSON, `not set` where the field is not there.
    """
    flat = [dict(_leaves(config)) for config in configs]
    fields = dict.fromkeys(field for leaves in flat for field in leaves)
    shown = [(field, [leaves.get(field, NOT_SET) for leaves in flat]) for field in fields]
    return [(field, values) for field, values in shown if len(set(values)) > 1]


def _leaves(value: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [
            leaf for key, inner in value.items() for leaf in _leaves(inner, f"{path}.{key}" if path else key)
        ]
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [leaf for place, item in enumerate(value) for leaf in _leaves(item, f"{path}[{place}]")]
    return [(path, value if isinstance(value, str) else json.dumps(value))]


def _described(run: Run) -> dict[str, Any]:
    """What was run: scenario, seed, budget, code."""
    of_run = {"seed": run.summary.get("seed"), "budget": run.summary.get("budget")}
    return {**run.config, "run": {**of_run, "commit": run.meta.get("git_commit")}}


def _paired(title: str, first: Run, second: Run) -> Pairing:
    configs = [{k: v for k, v in run.config.items() if k not in OF_NO_EFFECT} for run in (first, second)]
    changed = [field for field, _ in differences(configs)]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return Pairing(title, None, f"the scenarios differ in {', '.join(changed[:3])}{more}", {})
    try:
        found = paired_rewards(first, second)
    except (MissingDataError, ValueError) as error:
        return Pairing(title, None, str(error), {})
    rows = [[policy, *difference_cells(entry)] for policy, entry in found.items()]
    return Pairing(title, Grid(["policy", "difference [95 %]", "decisions"], rows), "", found)


def paired_rewards(first: Run, second: Run) -> dict[str, Any]:
    """Reward of the first run minus that of the second on the same decisions, of each policy of both.

    Returns:
        policy -> as `pyagent.evaluation.compare`.

    Raises:
        MissingDataError: a run has no test decisions.
        ValueError: they share no policy, or no test seed.
    """
    tables = [judged_rows(run.path, REQUIRED) for run in (first, second)]
    if not set(tables[0]["seed"]) & set(tables[1]["seed"]):
        raise ValueError("they share no test seed (the runs' seeds differ)")
    both = [name for name in dict.fromkeys(tables[0]["policy"]) if name in set(tables[1]["policy"])]
    if not both:
        raise ValueError("they share no policy")
    return {name: _paired_reward(name, *tables) for name in both}


def _paired_reward(name: str, first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Any]:
    one, other = (table[table["policy"] == name] for table in (first, second))
    together = pd.concat([one.assign(policy="first"), other.assign(policy="second")], ignore_index=True)
    return compare(together, "first", "second")


def _policies(comparison: Comparison) -> Grid:
    """Every policy's row of each run, those of one policy below each other, the best reward first."""
    verdicts = [{row[0]: row[1] for row in target_rows(run.summary)} for run in comparison.runs]
    best: dict[str, float] = {}
    for run in comparison.runs:
        for name, metrics in run.summary["policies"].items():
            best[name] = max(best.get(name, -inf), metrics["reward"])
    names = sorted(best, key=lambda name: -best[name])
    rows = [
        [
            name,
            label,
            *(column.show(run.summary["policies"][name]) for column in COLUMNS),
            passed.get(name, "-"),
        ]
        for name in names
        for label, run, passed in zip(comparison.labels, comparison.runs, verdicts, strict=True)
        if name in run.summary["policies"]
    ]
    return Grid(["policy", "run", *(column.title for column in COLUMNS), "targets"], rows)


def _picture(name: str, runs: Sequence[Labelled]) -> Picture:
    draw, words = FIGURES[name]
    try:
        return Picture(name, words, png_uri(png_of(draw(runs))))
    except MissingDataError as error:
        return Picture(name, words, missing=str(error))
