"""`splitsim trace`: what a recorded link is like, and what was assumed in reading it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

from pyagent.errors import UserError

if TYPE_CHECKING:
    from pyagent.traces.clock import ClockBack
    from pyagent.traces.radio import RadioTrace
    from pyagent.traces.radio.samples import Direction
    from pyagent.traces.radio.times import TimeUnit

WIDTH = 100
_PICTURES = (".png", ".pdf")


def trace(
    file: Annotated[
        str, typer.Argument(help="Trace of a link's rate over time: a file, or the name of one that ships.")
    ],
    format: Annotated[
        str | None,
        typer.Option(help="How to read it; a wrong name lists the right ones (default: by its first lines)."),
    ] = None,
    direction: Annotated[
        str | None, typer.Option(help="uplink or downlink, where a file has both (default: uplink if there).")
    ] = None,
    rate_unit: Annotated[
        str | None, typer.Option(help="bit/s, kbit/s, Mbit/s or Gbit/s, where the file doesn't say.")
    ] = None,
    step: Annotated[
        float | None, typer.Option(help="Seconds between lines, where they have no time (default: 1).")
    ] = None,
    time_column: Annotated[
        str | None,
        typer.Option(help="Column of times of any CSV: its name in the header, or its number from 1."),
    ] = None,
    rate_column: Annotated[
        str | None,
        typer.Option(help="Column of rates of any CSV: its name in the header, or its number from 1."),
    ] = None,
    time_unit: Annotated[
        str | None,
        typer.Option(help="s, ms, us or ns, where --time-column has numbers (default: by its name or size)."),
    ] = None,
    clock_back: Annotated[
        str,
        typer.Option(
            help="Where a time is before the one above it: refuse the file, drop the rows until the "
            "clock has caught up, or shift all later rows."
        ),
    ] = "refuse",
    max_hold: Annotated[
        float | None,
        typer.Option(help="Seconds that a rate may stand in for missing ones (default: 5, or three steps)."),
    ] = None,
    start: Annotated[float, typer.Option(help="Cut: where the part begins, in s.")] = 0.0,
    end: Annotated[float | None, typer.Option(help="Cut: where it ends, in s (default: the end).")] = None,
    offset: Annotated[float, typer.Option(help="Begin the loop this many s into what was cut.")] = 0.0,
    scale: Annotated[float, typer.Option(help="Factor of all rates.")] = 1.0,
    plot: Annotated[Path | None, typer.Option(help="Picture to write, as PNG and PDF.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table.")
    ] = False,
) -> None:
    """Sum up a recorded link: rates, outages, how fast it varies, and how the file was understood.

    Example: splitsim trace tram-lte --plot tram-lte
    """
    from pyagent.traces.radio import read_radio_trace
    from pyagent.traces.shipped import find_radio_trace

    whole = read_radio_trace(
        find_radio_trace(file),
        format,
        # read_radio_trace refuses any other text
        direction=cast("Direction | None", direction),
        time_unit=cast("TimeUnit | None", time_unit),
        clock_back=cast("ClockBack", clock_back),
        time_column=time_column,
        rate_column=rate_column,
        rate_unit=rate_unit,
        step_s=step,
        max_hold_s=max_hold,
    )
    part = whole.cut(start, whole.duration_s if end is None else end).offset(offset).scaled(scale)
    files = [] if plot is None else _draw(part, plot)
    if as_json:
        print(json.dumps({**part.summary(), "files": [str(each) for each in files]}))
        return
    console = Console(width=max(Console().width, WIDTH), markup=False, highlight=False)
    how = "recognised by its content" if format is None and rate_column is None else "as asked for"
    console.print(f"{part.source}, read as {part.format} ({how})", soft_wrap=True)
    for table in _tables(part.summary()):
        console.print(table)
    for each in files:
        print(each)


def _draw(part: RadioTrace, plot: Path) -> list[Path]:
    from pyagent.plots.style import save
    from pyagent.plots.trace import trace_figure

    stem = plot.with_suffix("") if plot.suffix.lower() in _PICTURES else plot
    if not stem.name:
        raise UserError(f"--plot is {str(plot)!r}, valid: the name of a file")
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        return save(trace_figure(part), stem)
    except OSError as error:
        raise UserError(f"--plot is {str(plot)!r}, and can't be written: {error.strerror}") from error


def _tables(summary: dict[str, Any]) -> list[Table]:
    figures = Table()
    figures.add_column("figure")
    figures.add_column("value", justify="right")
    figures.add_column("unit")
    for row in _figures(summary):
        figures.add_row(*row)
    tables = [figures]
    if summary["columns"]:
        tables.append(_columns(summary["columns"]))
    notes = Table(title="how the file was understood", title_justify="left", show_header=False)
    notes.add_column(overflow="fold")
    for note in summary["notes"]:
        notes.add_row(note)
    return [*tables, notes]


def _figures(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    rate = summary["rate_mbps"]
    windows = f"Mbit/s, of means over {summary['window_s']:.3g} s"
    return [
        ("duration, then it begins again", _number(summary["duration_s"]), "s"),
        ("rows", str(summary["rows"]), "steps"),
        ("mean rate", _number(rate["mean"]), "Mbit/s"),
        *((f"{name} rate", _number(rate[name]), windows) for name in ("p5", "median", "p95", "max")),
        ("coefficient of variation", _number(summary["coefficient_of_variation"]), "1"),
        ("autocorrelation time", _number(summary["autocorrelation_time_s"]), "s, down to 1/e"),
        ("outages", str(summary["outages"]), ""),
        ("time in outages", _number(100 * summary["outage_share"]), "%"),
        ("longest outage", _number(summary["longest_outage_s"]), "s"),
    ]


def _columns(columns: dict[str, dict[str, float | None]]) -> Table:
    table = Table(title="other columns", title_justify="left")
    table.add_column("column")
    for title in ("mean", "p5", "median", "p95", "missing %"):
        table.add_column(title, justify="right")
    for name, spread in columns.items():
        missing = 100 * (spread["missing_share"] or 0.0)
        figures = (spread["mean"], spread["p5"], spread["median"], spread["p95"], missing)
        table.add_row(name, *map(_number, figures))
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
