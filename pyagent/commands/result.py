"""What a run shows at its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from pyagent.campaign.run import RunResult

WIDTH = 100
"""Wide enough for every column of the tables, also where the terminal isn't or there is none."""


def show_result(result: RunResult, as_json: bool) -> None:
    """Print the table and where the report is, or one JSON object."""
    from pyagent.report.table import gap_sentences, rule_lines, target_rows, terminal_tables, warnings_of

    summary = result.summary
    if as_json:
        print(json.dumps(summary))
        return
    console = Console(width=max(Console().width, WIDTH), markup=False)
    for table in terminal_tables(summary):
        console.print(table)
    for line in rule_lines(summary):
        console.print(line, highlight=False, markup=False)
    for sentence in gap_sentences(summary):
        console.print(sentence, highlight=False)
    for warning in warnings_of(summary):
        console.print(f"warning: {warning}", highlight=False, markup=False)
    for name, verdict, *reached in target_rows(summary):
        console.print(f"targets of {name}: {verdict} ({', '.join(reached)})", highlight=False)
    for pair, found in summary["paired"].items():
        low, high = found["difference_ci"]
        console.print(f"{pair}: {found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]", highlight=False)
    phases = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in summary["phase_s"].items())
    console.print(f"{summary['wall_s']:.0f} s in all: {phases}", highlight=False)
    print(result.path / "report.html")
