"""The policy table: one definition for the terminal and the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.table import Table

Metrics = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        title: with the unit.
        show: metrics of one policy to text.
    """

    title: str
    show: Callable[[Metrics], str]


def _number(key: str, digits: int) -> Callable[[Metrics], str]:
    def show(metrics: Metrics) -> str:
        value = metrics.get(key)
        # Adding 0.0 turns the -0.0 that rounding leaves into 0.0.
        return "-" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"

    return show


def _reward(metrics: Metrics) -> str:
    low, high = metrics["reward_ci"]
    return f"{metrics['reward']:.3f} [{low:.3f}, {high:.3f}]"


def _percent(metrics: Metrics) -> str:
    value = metrics.get("failure_rate")
    return "-" if value is None else f"{100 * value:.1f} %"


def _count(metrics: Metrics) -> str:
    value = metrics.get("real_evaluations")
    return "-" if value is None else str(value)


COLUMNS = (
    Column("reward [95 %]", _reward),
    Column("regret", _number("regret", 3)),
    Column("TTFT s", _number("ttft_s", 2)),
    Column("TPOT ms", lambda m: "-" if m.get("tpot_s") is None else f"{1e3 * m['tpot_s']:.0f}"),
    Column("p95 s", _number("latency_p95_s", 2)),
    Column("dNLL", _number("delta_nll", 3)),
    Column("UE J", _number("ue_energy_j", 2)),
    Column("failed", _percent),
    Column("split", _number("mean_split", 1)),
    Column("real evals", _count),
)


def table_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Policy and its cells, best reward first, the oracle on top.

    Args:
        summary: as in summary.json.
    """
    oracle = {**summary["oracle"], "regret": 0.0}
    ranked = sorted(summary["policies"].items(), key=lambda item: -item[1]["reward"])
    named = [("oracle", oracle), *ranked]
    return [[name, *(column.show(metrics) for column in COLUMNS)] for name, metrics in named]


def target_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Policy, `pass` or `FAIL`, and what each target came to; empty where the scenario states none.

    Args:
        summary: as in summary.json.
    """
    ranked = sorted(summary["policies"].items(), key=lambda item: -item[1]["reward"])
    return [
        [
            name,
            "pass" if all(verdict["passed"] for verdict in metrics["targets"].values()) else "FAIL",
            *(_verdict(target, verdict) for target, verdict in metrics["targets"].items()),
        ]
        for name, metrics in ranked
        if metrics["targets"]
    ]


def _verdict(name: str, verdict: Metrics) -> str:
    value = "failed" if verdict["value"] is None else f"{verdict['value']:.3g}"
    return f"{name} {value} {'<=' if verdict['passed'] else '>'} {verdict['target']:g}"


def terminal_table(summary: dict[str, Any]) -> Table:
    """The table for a terminal."""
    table = Table(
        title=f"{summary['scenario']}, seed {summary['seed']}, budget {summary['budget']}",
        caption=summary["proxy_note"] or None,
        show_lines=False,
    )
    table.add_column("policy", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column.title, justify="right", no_wrap=True)
    for row in table_rows(summary):
        table.add_row(*row)
    return table
