"""`splitsim evaluate`: rank a policy of the user's own beside the baselines, on a recorded link."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyagent.commands.options import (
    AsJson,
    Budget,
    Buy,
    PerDecision,
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
        Path | None,
        typer.Option(help="A recorded link that takes the place of the scenario's; see splitsim trace."),
    ] = None,
    downlink: Annotated[
        Path | None, typer.Option(help="The trace's other direction. [default: from the same file]")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="Of the traces. [default: what their first lines look like]")
    ] = None,
    rate_unit: Annotated[
        str | None, typer.Option(help="Of the traces' rates, where the file doesn't say.")
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

    if trace is None and (downlink or format or rate_unit):
        raise UserError("--downlink, --format and --rate-unit say how --trace is read, which is not given")
    contenders = Contenders(
        parse_baselines("--against", against), tuple(load_policy(source) for source in policy or [])
    )
    chosen = load_scenario(scenario)
    if trace is not None:
        chosen = on_trace(chosen, trace, downlink=downlink, format=format, rate_unit=rate_unit)
    result = run_experiment(
        chosen,
        seed=seed,
        learning=Learning(budget, surrogate, buy, per_decision, wandb),
        out=out,
        contenders=contenders,
        resume=resume,
    )
    show_result(result, as_json)


def _template() -> str:
    from pyagent.policies import template

    return Path(template.__file__).read_text(encoding="utf-8")
