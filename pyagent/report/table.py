"""The policy table: one definition for the terminal and the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from llm_split.plain import fixed
from pyagent.evaluation.share import NOTHING_TO_GAIN, share_text
from pyagent.evaluation.summary import shares_text

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
        return "-" if value is None else fixed(value, digits)

    return show


def _reward(metrics: Metrics, digits: int = 3) -> str:
    """The reward with its interval, whose ends have so many digits."""
    low, high = metrics["reward_ci"]
    return f"{metrics['reward']:.3f} [{low:.{digits}f}, {high:.{digits}f}]"


def _percent(metrics: Metrics) -> str:
    value = metrics.get("failure_rate")
    return "-" if value is None else f"{100 * value:.1f} %"


def _count(key: str) -> Callable[[Metrics], str]:
    def show(metrics: Metrics) -> str:
        value = metrics.get(key)
        return "-" if value is None else str(value)

    return show


def _splits(metrics: Metrics) -> str:
    shares = metrics.get("split_shares")
    if shares is None:  # of a run of an earlier version
        return _number("mean_split", 1)(metrics)
    return shares_text(shares, 2)


WORTH = (
    Column("reward [95 %]", _reward),
    Column("share", lambda m: share_text(m.get("share"))),
    Column("regret", _number("regret", 3)),
    Column("splits", _splits),
)
"""What a policy is worth, and by which splits."""
COST = (
    Column("decisions", _count("simulated_decisions")),
    Column("real evals", _count("real_evaluations")),
    Column("contexts", _count("tuning_contexts")),
)
"""What it was trained or tuned on: simulated decisions, evaluations, tuning contexts."""
SERVICE = (
    Column("TTFT s", _number("ttft_s", 2)),
    Column("TPOT ms", lambda m: "-" if m.get("tpot_s") is None else f"{1e3 * m['tpot_s']:.0f}"),
    Column("p95 s", _number("latency_p95_s", 2)),
    Column("dNLL", _number("delta_nll", 3)),
    Column("UE J", _number("ue_energy_j", 2)),
    Column("failed", _percent),
)
"""What its requests got."""
COLUMNS = (*WORTH, *COST, *SERVICE)
NARROW = (
    Column("reward [95 %]", lambda m: _reward(m, 2)),
    WORTH[1],
    *COST,
    Column("splits", lambda m: _splits(m).removesuffix(", ...")),
)
"""Worth and cost for a terminal of 100 characters."""


def table_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Policy and its cells, best reward first, the oracle on top; see `ranked_rows`."""
    return ranked_rows(summary, COLUMNS)


def ranked_rows(summary: dict[str, Any], columns: Sequence[Column]) -> list[list[str]]:
    """Policy and its cells: the oracle, then policies, best pair and causal ceiling, best reward first.

    Args:
        summary: as in summary.json.
        columns: the cells.
    """
    oracle = {**summary["oracle"], "regret": 0.0}
    others = {**summary["policies"], **summary.get("references", {})}
    named = [("oracle", oracle), *sorted(others.items(), key=lambda item: -item[1]["reward"])]
    return [[name, *(column.show(metrics) for column in columns)] for name, metrics in named]


def gap_sentences(summary: dict[str, Any]) -> list[str]:
    """What adapting is worth: the oracle's gap, and what best pair and causal ceiling keep of it."""
    low, high = summary["oracle_over_best_static_ci"]
    gap = (
        f"Oracle over best static split ({summary['best_static_split']}): "
        f"{summary['oracle_over_best_static']:.3f} [{low:.3f}, {high:.3f}] per decision"
    )
    return [gap, *filter(None, [worth_sentence(summary)])]


def worth_sentence(summary: dict[str, Any]) -> str:
    """What best pair and causal ceiling keep of the gap, or that there is none; empty for an old summary."""
    if "best_pair" not in summary:
        return ""
    if summary["nothing_to_gain"]:
        return f"The interval reaches 0: {NOTHING_TO_GAIN}, so no policy has a share"
    pair = " and ".join(map(str, summary["best_pair"]))
    return (
        f"A perfect choice between splits {pair} keeps {share_text(summary['pair_share'])} of it, "
        f"the causal ceiling {share_text(summary['causal_ceiling_share'])}"
    )


@dataclass(frozen=True)
class Grid:
    """A table of text: one heading per column."""

    headings: list[str]
    rows: list[list[str]]


def policy_grid(summary: dict[str, Any]) -> Grid:
    """The policy table of a page."""
    return Grid(["policy", *(column.title for column in COLUMNS)], table_rows(summary))


def target_grid(summary: dict[str, Any]) -> Grid:
    """The verdicts of a page; no rows where the scenario states no targets."""
    judged = [(name, metrics["targets"]) for name, metrics in _ranked(summary) if metrics["targets"]]
    names = list(judged[0][1]) if judged else []
    rows = [[who, _overall(verdicts), *map(_reached, verdicts.values())] for who, verdicts in judged]
    return Grid(["policy", "verdict", *names], rows)


def paired_grid(summary: dict[str, Any]) -> Grid:
    """Differences of the reward between policies on the same decisions."""
    rows = [[pair, *difference_cells(found)] for pair, found in summary["paired"].items()]
    return Grid(["policies", "difference [95 %]", "decisions"], rows)


def difference_cells(found: Metrics) -> list[str]:
    """What `pyagent.evaluation.compare` found."""
    low, high = found["difference_ci"]
    return [f"{found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]", str(found["decisions"])]


def target_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Policy, `pass` or `FAIL`, and what each target came to; empty where the scenario states none.

    Args:
        summary: as in summary.json.
    """
    return [
        [
            name,
            _overall(metrics["targets"]),
            *(f"{target} {_reached(verdict)}" for target, verdict in metrics["targets"].items()),
        ]
        for name, metrics in _ranked(summary)
        if metrics["targets"]
    ]


def _ranked(summary: dict[str, Any]) -> list[tuple[str, Metrics]]:
    """Policies and their metrics, best reward first."""
    return sorted(summary["policies"].items(), key=lambda item: -item[1]["reward"])


def _overall(verdicts: Metrics) -> str:
    return "pass" if all(verdict["passed"] for verdict in verdicts.values()) else "FAIL"


def _reached(verdict: Metrics) -> str:
    value = "failed" if verdict["value"] is None else f"{verdict['value']:.3g}"
    return f"{value} {'<=' if verdict['passed'] else '>'} {verdict['target']:g}"


def rule_lines(summary: dict[str, Any]) -> list[str]:
    """`NAME: RULE` of each policy that has a rule, best reward first.

    Args:
        summary: as in summary.json.
    """
    rules = summary.get("rules", {})
    return [f"{name}: {rules[name]['text']}" for name, _ in _ranked(summary) if name in rules]


def warnings_of(summary: dict[str, Any]) -> list[str]:
    """What a reader of the policy table must not miss; none where an earlier version wrote the summary."""
    found = summary.get("warnings")
    return [str(warning) for warning in found] if isinstance(found, list) else []


def learning_text(summary: dict[str, Any]) -> str:
    """Budget of the training; where nobody learns, that."""
    budget = summary["budget"]
    return f"budget {budget}" if budget else "nobody learns"


def notes_of(summary: dict[str, Any]) -> str:
    """Quality proxy and text, the small print of the table."""
    return ", ".join(filter(None, [summary["proxy_note"], text_note(summary)]))


def title_of(summary: dict[str, Any]) -> str:
    """The scenario, marked where the run was made with `--quick`."""
    return f"quick look: {summary['scenario']}" if summary.get("quick") else str(summary["scenario"])


def text_note(summary: dict[str, Any]) -> str:
    """The text that quality was measured on; empty where nobody knows it."""
    text = summary.get("text")
    return f"text: {text['name']}, SHA-256 {text['sha256'][:12]}" if text else ""


def terminal_tables(summary: dict[str, Any]) -> list[Table]:
    """The tables for a terminal of 100 characters: worth and cost, then what the requests got."""
    title = f"{title_of(summary)}, seed {summary['seed']}, {learning_text(summary)}"
    first = _terminal(summary, NARROW, title)
    # Of the rows without requests of their own there is nothing to say.
    own = {**summary, "references": {}}
    return [first, _terminal(own, (WORTH[2], *SERVICE), "")]


def _terminal(summary: dict[str, Any], columns: Sequence[Column], title: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("policy", no_wrap=True)
    for column in columns:
        table.add_column(column.title, justify="right", no_wrap=True)
    for row in ranked_rows(summary, columns):
        table.add_row(*row)
    return table
