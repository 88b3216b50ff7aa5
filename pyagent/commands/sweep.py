"""`splitsim sweep`: many scenarios, seeds and policies, each run made once."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyagent.commands.options import AsJson

if TYPE_CHECKING:
    from pyagent.sweep.campaign import Done
    from pyagent.sweep.file import EngineOptions, Sweep

RUN_FAILED = 1


def sweep(
    file: Annotated[Path, typer.Argument(help="Sweep file; docs/sweep.md shows how to write one.")],
    store: Annotated[Path, typer.Option(help="Result store, a folder.")] = Path("runs/store"),
    engine: Annotated[str | None, typer.Option(help="local or ray. [default: what the file says]")] = None,
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster that is running. [default: one for this sweep]")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Runs at a time. [default: what the cores allow]")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of one run's language model. [default: 1]")
    ] = None,
    until_ci: Annotated[
        float | None,
        typer.Option(min=0.0, help="Add seeds until the metric's 95 % interval is at most this wide."),
    ] = None,
    metric: Annotated[str, typer.Option(help="Of --until-ci.")] = "reward",
    policy: Annotated[
        list[str] | None, typer.Option(help="Of --until-ci; may be given more than once. [default: all]")
    ] = None,
    max_seeds: Annotated[int, typer.Option(min=1, help="Of each combination, with --until-ci.")] = 100,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Make runs again that have failed before.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many runs are missing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make every run of a sweep file that the result store has not.

    Stopped half-way it goes on where it was when it is started again; several sweeps may share a store.

    Example: splitsim sweep study.yaml --until-ci 0.02 --policy surrogate-argmax
    """
    from pyagent.sweep.campaign import run_sweep
    from pyagent.sweep.engine import open_engine
    from pyagent.sweep.file import load_sweep
    from pyagent.sweep.until import Until

    chosen = load_sweep(file)
    options = _options(chosen, kind=engine, address=address, workers=workers, threads=threads)
    if dry_run:
        _show(_missing(chosen, store), as_json)
        return
    until = None if until_ci is None else Until(until_ci, metric, tuple(policy or ()), max_seeds)
    opener = partial(open_engine, options=options)
    done = run_sweep(chosen, store, opener, until=until, retry_failed=retry_failed)
    _show(_told(done, store), as_json)
    if done.tally["failed"]:
        raise typer.Exit(RUN_FAILED)


def _options(sweep: Sweep, **given: Any) -> EngineOptions:
    """The file's engine, changed by the command line."""
    from pydantic import ValidationError

    from llm_split.problems import describe_problems
    from pyagent.sweep.file import EngineOptions, SweepError

    said = {name: value for name, value in given.items() if value is not None}
    try:
        return EngineOptions.model_validate(sweep.file.engine.model_dump() | said)
    except ValidationError as error:
        raise SweepError(describe_problems(error, said, EngineOptions, within="engine")) from error


def _missing(sweep: Sweep, store: Path) -> dict[str, Any]:
    from pyagent.results import states
    from pyagent.sweep.identity import Keys

    keys, runs = Keys(), sweep.runs()
    there = states(store)
    found = [there.get(keys.key(run)) for run in runs]
    return {
        "sweep": sweep.file.name,
        "store": str(store),
        "runs": len(runs),
        "combinations": len(sweep.points),
        "finished": found.count("finished"),
        "failed": found.count("failed"),
        "missing": len(runs) - found.count("finished") - found.count("failed"),
        "decisions": sum(run.decisions for run in runs),
    }


def _told(done: Done, store: Path) -> dict[str, Any]:
    tally = done.tally
    return {
        "store": str(store),
        "runs": len(done.keys),
        "made": tally["made"],
        "there": tally["there"],
        "failed": tally["failed"],
        "seeds": [min(done.seeds), max(done.seeds)],
    }


def _show(told: dict[str, Any], as_json: bool) -> None:
    print(json.dumps(told) if as_json else ", ".join(f"{name} {value}" for name, value in told.items()))
