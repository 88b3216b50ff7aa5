"""`splitsim doctor`: is everything there that a run needs?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pyagent.doctor import Result

WIDTH = 120
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table.")
    ] = False,
) -> None:
    """Look for what a run needs, play ns-3 for two seconds, and say what to do about what is wrong.

    Ends with status 0 when a run would work, else 1.

    Example: splitsim doctor --json
    """
    from rich.console import Console

    from pyagent.doctor import CHECKS, Status, examine

    with Console(stderr=True).status("looking at this machine"):
        results = list(examine(CHECKS))
    healthy = all(result.finding.status != Status.FAIL for result in results)
    if as_json:
        print(json.dumps({"ok": healthy, "checks": [result.to_json() for result in results]}))
    else:
        _show(results)
    if not healthy:
        raise typer.Exit(1)


def _show(results: list[Result]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "", "found", "what to do")
    for result in results:
        finding = result.finding
        status = Text(finding.status.value, style=STYLES[finding.status.value])
        # Text, so that brackets in what a program said are no markup.
        table.add_row(
            result.name, status, Text(finding.found, overflow="fold"), Text(finding.remedy, overflow="fold")
        )
    Console(width=max(Console().width, WIDTH)).print(table)
