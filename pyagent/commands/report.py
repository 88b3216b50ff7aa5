"""`splitsim report`: a finished run's page again, or one page that compares runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyagent.errors import writing

if TYPE_CHECKING:
    from pyagent.report import Written

COMPARISON = Path("comparison.html")


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders; more than one are compared.", metavar="RUN")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The HTML file; else report.html in RUN, of several runs comparison.html here."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: the file, its figures and its numbers.")
    ] = False,
) -> None:
    """Write a run's report again, or compare runs on one page; either opens without a network.

    Example: splitsim report runs/default-0123456789 runs/default-abcdef0123 --out both.html
    """
    with writing(f"--out = {out or COMPARISON}"):
        written, numbers = _one(runs[0], out) if len(runs) == 1 else _several(runs, out or COMPARISON)
    if as_json:
        shown = {"path": str(written.path), "figures": written.figures, "missing": written.missing}
        print(json.dumps(shown | numbers))
        return
    for name, reason in written.missing.items():
        print(f"no {name}: {reason}")
    print(written.path)


def _one(run: Path, out: Path | None) -> tuple[Written, dict[str, Any]]:
    from pyagent.plots import draw_plots
    from pyagent.report import write_report
    from pyagent.report.files import open_run

    summary = open_run(run).summary  # a wrong folder is refused before anything is drawn into it
    draw_plots(run)
    return write_report(run, out), {"policies": summary["policies"]}


def _several(runs: list[Path], out: Path) -> tuple[Written, dict[str, Any]]:
    from pyagent.report import compare_runs, write_comparison

    comparison = compare_runs(runs)
    return write_comparison(comparison, out), comparison.to_json()
