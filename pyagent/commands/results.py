"""`splitsim results`: what a result store holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyagent.errors import UserError, writing
from pyagent.files import write_whole

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 120
KEY_DIGITS = 12
FORMATS = (".csv", ".parquet", ".nc")


def results(
    store: Annotated[Path, typer.Argument(help="Result store, a folder.")] = Path("runs/store"),
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Only these; may be given more than once."),
    ] = None,
    sweep: Annotated[Path | None, typer.Option(help="Only the runs of this sweep file.")] = None,
    metric: Annotated[str, typer.Option(help="Of the table.")] = "reward",
    columns: Annotated[
        list[str] | None, typer.Option("--column", help="Dotted path to show as well.")
    ] = None,
    runs: Annotated[bool, typer.Option("--runs", help="List the runs: state, time, error.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write every row and metric to FILE.csv, FILE.parquet or FILE.nc (xarray)."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the metric of each policy to FILE.png.")] = None,
    across: Annotated[
        str | None,
        typer.Option(help="What --plot has along its x axis. [default: what has most values]"),
    ] = None,
    rerun: Annotated[
        str | None, typer.Option(metavar="KEY", help="Make a run again, here, and leave the store as it is.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Means over seeds with their 95 % intervals, the runs themselves, or a file for another tool.

    Example: splitsim results --where scenario=default --where agent.budget=240 --out default.csv
    """
    from pyagent import results as stored

    if rerun is not None:
        _show(stored.rerun(store, rerun), as_json)
        return
    wanted = dict(map(_pair, where or []))
    if runs:
        _show(stored.runs(store, where=wanted, columns=columns or ()), as_json)
        return
    keys = None if sweep is None else _keys(sweep)
    frame = stored.load(store, where=wanted, columns=columns or (), keys=keys)
    if out is not None:
        _write(frame, out)
        print(out)
        return
    if plot is not None:
        _draw(frame, metric, across, plot)
        print(plot)
        return
    _show(stored.summary(frame, metric), as_json)


def _draw(frame: pd.DataFrame, metric: str, across: str | None, plot: Path) -> None:
    from pyagent.plots.style import save_png
    from pyagent.plots.sweep import figure_sweep

    if plot.suffix != ".png":
        raise UserError(f"--plot = {plot}: valid: a name that ends in .png")
    figure = figure_sweep(frame, metric, across)
    with writing(f"--plot = {plot}"):
        write_whole(plot, lambda path: save_png(figure, path))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UserError(f"--where = {text!r}: valid: NAME=VALUE, such as scenario=default")
    return name, value


def _keys(path: Path) -> set[str]:
    """Of a sweep file's own seeds and, where it was run until an interval was narrow, those added."""
    from pyagent.sweep.file import load_sweep
    from pyagent.sweep.identity import Keys

    keys = Keys()
    return {keys.key(run) for run in load_sweep(path).runs()}


def _write(frame: pd.DataFrame, out: Path) -> None:
    from pyagent.results import as_xarray

    if out.suffix not in FORMATS:
        raise UserError(f"--out = {out}: valid: a name that ends in {', '.join(FORMATS)}")

    def write(path: Path) -> None:
        if out.suffix == ".csv":
            frame.to_csv(path, index=False)
        elif out.suffix == ".parquet":
            frame.to_parquet(path, index=False)
        else:
            as_xarray(frame).to_netcdf(path, engine="scipy")

    with writing(f"--out = {out}"):
        write_whole(out, write)


def _show(frame: pd.DataFrame, as_json: bool) -> None:
    if as_json:
        print(frame.to_json(orient="records"))
        return
    from rich.console import Console
    from rich.table import Table

    same = _same_in_all(frame)
    names = [name for name in _interesting(frame) if name not in same]
    caption = ", ".join(f"{name} {value}" for name, value in same.items() if value)
    table = Table(*names, caption=caption and f"all: {caption}", caption_justify="left")
    for _, row in frame.assign(**_short_keys(frame))[names].iterrows():
        table.add_row(*map(_text, row))
    console = Console(highlight=False, markup=False)  # also for the caption, which may hold paths
    console.width = max(console.width, WIDTH)
    console.print(table)


def _interesting(frame: pd.DataFrame) -> list[str]:
    """Columns that say something: not those that are empty in every row."""
    return [str(name) for name in frame.columns if frame[name].map(_text).any()]


def _same_in_all(frame: pd.DataFrame) -> dict[str, str]:
    """Settings that no two of several rows differ in."""
    settings = [str(name) for name in frame.columns if "." in str(name) or name in ("scenario", "dataset")]
    alike = [name for name in settings if len(frame) > 1 and frame[name].map(_text).nunique() == 1]
    return {name: _text(frame[name].iloc[0]) for name in alike}


def _short_keys(frame: pd.DataFrame) -> dict[str, Any]:
    """Enough of each key to name its run."""
    return {"key": frame["key"].str[:KEY_DIGITS]} if "key" in frame else {}


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return "" if value is None else str(value).partition("\n")[0]
