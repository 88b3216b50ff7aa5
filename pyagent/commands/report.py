"""`splitsim report`: a finished run's page, its ranking at other weights, or a page that compares runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyagent.commands.weights import WEIGHTS, Weights, factors, show
from pyagent.errors import UserError, writing

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
    weights: Weights = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: the file, its figures and its numbers.")
    ] = False,
) -> None:
    """Write a run's report again, or compare runs on one page; either opens without a network.

    --weights prints tables and writes no page.

    Example: splitsim report runs/default-0123456789 --weights latency=2,energy=0.5
    """
    if weights is not None:
        _at_other_weights(runs, out, weights, as_json)
        return
    with writing(f"--out = {out or COMPARISON}"):
        written, numbers = _one(runs[0], out) if len(runs) == 1 else _several(runs, out or COMPARISON)
    if as_json:
        shown = {"path": str(written.path), "figures": written.figures, "missing": written.missing}
        print(json.dumps(shown | numbers))
        return
    for name, reason in written.missing.items():
        print(f"no {name}: {reason}")
    print(written.path)


def _at_other_weights(runs: list[Path], out: Path | None, weights: str, as_json: bool) -> None:
    from pyagent.report.files import open_run
    from pyagent.report.weights import reweighed_or_refused

    if len(runs) != 1 or out is not None:
        wrong = "--out" if out is not None else f"{len(runs)} runs"
        raise UserError(f"{WEIGHTS}: {wrong} given as well; valid: one run and no --out, no page is written")
    found = reweighed_or_refused(open_run(runs[0]), factors(weights)).found
    if as_json:
        print(json.dumps({"path": str(runs[0])} | found.to_json()))
        return
    show(found)


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
