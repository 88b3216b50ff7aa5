"""What a run shows at its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from pyagent.campaign.run import RunResult

WIDTH = 100
"""Width of the tables, also where the terminal is narrower or there is none."""
WIDEST = 400


def show_result(result: RunResult, as_json: bool) -> None:
    """Print the table and where the report is, or one JSON object."""
    from pyagent.report.table import (
        gap_sentences,
        notes_of,
        rule_lines,
        target_rows,
        terminal_tables,
        warnings_of,
    )

    summary = result.summary
    if as_json:
        print(json.dumps(summary))
        return
    tables = terminal_tables(summary)
    wide = Console(width=WIDEST)
    # A long name of a user's policy widens the table; nothing is cut.
    needed = max(wide.measure(table).maximum for table in tables)
    console = Console(width=max(Console().width, WIDTH, needed), markup=False)
    for table in tables:
        console.print(table)
    if notes := notes_of(summary):
        console.print(notes, highlight=False, markup=False)
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
