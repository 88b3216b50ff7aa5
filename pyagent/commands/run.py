"""`splitsim run`: train, evaluate on unseen seeds, report."""

from __future__ import annotations

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
from pyagent.learning.options import Learning


def run(
    scenario: ScenarioName = "default",
    budget: Budget = Learning.budget,
    seed: RunSeed = 1,
    out: RunOut = None,
    policies: Annotated[
        str, typer.Option(help="Who is tested: usual, all, or names with commas between.")
    ] = "usual",
    surrogate: Surrogate = Learning.surrogate,
    buy: Buy = Learning.buy,
    per_decision: PerDecision = Learning.per_decision,
    quick: Quick = False,
    resume: Resume = False,
    wandb: Wandb = None,
    as_json: AsJson = False,
) -> None:
    """Train the agent in the live co-simulation and judge it against baselines and an oracle.

    Example: splitsim run default --budget 240 --seed 1
    """
    from pyagent.campaign.contenders import Contenders, parse_baselines
    from pyagent.campaign.run import run_experiment
    from pyagent.scenario.load import load_scenario

    result = run_experiment(
        load_scenario(scenario),
        seed=seed,
        learning=Learning(budget, surrogate, buy, per_decision, wandb),
        out=out,
        contenders=Contenders(parse_baselines("--policies", policies)),
        resume=resume,
        quick=quick,
    )
    show_result(result, as_json)
