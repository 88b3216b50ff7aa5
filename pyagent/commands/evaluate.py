"""`splitsim evaluate`: rank a policy of the user's own beside the baselines, on a recorded link."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pyagent.commands.options import (
    AsJson,
    Budget,
    Buy,
    PerDecision,
    Quick,
    Resume,
    RunOut,
    RunSeed,
    ScenarioName,
    Surrogate,
    Wandb,
)
from pyagent.commands.result import show_result
from pyagent.errors import UserError
from pyagent.learning.options import Learning


def evaluate(
    scenario: ScenarioName = "replay",
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE.py:CLASS|FILE.zip",
            help="A policy of your own; may be given more than once. A .py file is run as Python; of a "
            "stable-baselines3 zip only the weights are read.",
        ),
    ] = None,
    trace: Annotated[
        str | None,
        typer.Option(
            help="A recorded link that takes the place of the scenario's: a file, or the name of one that "
            "ships; see splitsim trace."
        ),
    ] = None,
    downlink: Annotated[
        str | None, typer.Option(help="The trace's other direction. [default: from the same file]")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="Of the traces. [default: what their first lines look like]")
    ] = None,
    rate_unit: Annotated[
        str | None, typer.Option(help="Of the traces' rates, where the file doesn't say.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="Column of times, where the traces are any CSV; see splitsim trace.")
    ] = None,
    rate_column: Annotated[
        str | None, typer.Option(help="Column of rates, where the traces are any CSV; see splitsim trace.")
    ] = None,
    time_unit: Annotated[
        str | None, typer.Option(help="s, ms, us or ns, where --time-column has numbers.")
    ] = None,
    clock_back: Annotated[
        str | None,
        typer.Option(help="refuse, drop or shift rows whose time is before the one above. [default: refuse]"),
    ] = None,
    step: Annotated[
        float | None, typer.Option(help="Seconds between lines, where the traces have no time. [default: 1]")
    ] = None,
    max_hold: Annotated[
        float | None,
        typer.Option(help="Seconds that a rate may stand in for missing ones. [default: as splitsim trace]"),
    ] = None,
    start: Annotated[
        float | None, typer.Option(help="Replay the traces from here on, in s. [default: their beginning]")
    ] = None,
    end: Annotated[
        float | None, typer.Option(help="Replay the traces up to here, in s. [default: their end]")
    ] = None,
    offset: Annotated[
        float | None,
        typer.Option(
            help="Begin every episode this many s into what is replayed. [default: the seed draws it]"
        ),
    ] = None,
    against: Annotated[
        str, typer.Option(help="Who else is tested: usual, all, none, or names with commas between.")
    ] = "usual",
    budget: Budget = Learning.budget,
    seed: RunSeed = 1,
    out: RunOut = None,
    surrogate: Surrogate = Learning.surrogate,
    buy: Buy = Learning.buy,
    per_decision: PerDecision = Learning.per_decision,
    quick: Quick = False,
    resume: Resume = False,
    wandb: Wandb = None,
    as_json: AsJson = False,
    template: Annotated[bool, typer.Option("--template", help="Print a policy to start from.")] = False,
) -> None:
    """Rank your own policy beside the baselines and an oracle, on a recorded link or any scenario.

    Example: splitsim evaluate --policy my.py:MyPolicy --trace my.up --against usual
    """
    if template:
        print(_template(), end="")
        return
    from pyagent.campaign.contenders import Contenders, parse_baselines
    from pyagent.campaign.run import run_experiment
    from pyagent.policies.user import load_policy
    from pyagent.scenario.load import load_scenario
    from pyagent.scenario.on_trace import on_trace
    from pyagent.scenario.reading import reading_notes
    from pyagent.traces.shipped import find_radio_trace

    options = {
        "format": format,
        "rate_unit": rate_unit,
        "time_column": time_column,
        "rate_column": rate_column,
        "time_unit": time_unit,
        "clock_back": clock_back,
        "step_s": step,
        "max_hold_s": max_hold,
        "start_s": start,
        "end_s": end,
        "offset_s": None if offset is None else (offset, offset),
    }
    reading = {name: value for name, value in options.items() if value is not None}
    if trace is None and (downlink is not None or reading):
        raise UserError(
            f"{'--downlink' if downlink is not None else _option(next(iter(reading)))} says how --trace is "
            "read, and --trace is not given"
        )
    contenders = Contenders(
        parse_baselines("--against", against), tuple(load_policy(source) for source in policy or [])
    )
    chosen = load_scenario(scenario)
    if trace is not None:
        chosen = on_trace(
            chosen,
            find_radio_trace(trace),
            downlink=None if downlink is None else find_radio_trace(downlink),
            **reading,
        )
        print("\n".join(reading_notes(chosen)), file=sys.stderr)
    result = run_experiment(
        chosen,
        seed=seed,
        learning=Learning(budget, surrogate, buy, per_decision, wandb),
        out=out,
        contenders=contenders,
        resume=resume,
        quick=quick,
    )
    show_result(result, as_json)


def _option(field: str) -> str:
    """The option of a field of the replay link."""
    return f"--{field.removesuffix('_s').replace('_', '-')}"


def _template() -> str:
    from pyagent.policies import template

    return Path(template.__file__).read_text(encoding="utf-8")
