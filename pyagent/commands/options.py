"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyagent.campaign.seeds import MAX_RUN_SEED
from pyagent.learning.options import Purchase
from pyagent.surrogate_names import known_surrogate, surrogate_names

ScenarioName = Annotated[str, typer.Argument(help="Scenario file, or the name of one that ships.")]
Budget = Annotated[
    int, typer.Option(min=1, max=1_000_000, help="Real decisions that every learning policy plays.")
]
Surrogate = Annotated[
    str,
    typer.Option(
        callback=known_surrogate,
        autocompletion=surrogate_names,
        help="Model of the model-based policies: ensemble, linear, gp, or one that a --plugin registers.",
    ),
]
Buy = Annotated[Purchase, typer.Option(help="Evaluations that they buy.")]
PerDecision = Annotated[
    float, typer.Option(min=0.001, max=1.0, help="Evaluations per decision, except with --buy all.")
]
RunSeed = Annotated[
    int,
    typer.Option(
        min=0,
        max=MAX_RUN_SEED,
        help="Seed of the run: those of its training, tuning and test episodes follow.",
    ),
]
RunOut = Annotated[Path | None, typer.Option(help="Run folder. [default: runs/<name>-<hash>]")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where a run with the same options was stopped.")
]
Wandb = Annotated[
    str | None,
    typer.Option(metavar="PROJECT", help="Send the training's curves to Weights & Biases as well."),
]
Quick = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Take a first look: one tuning seed, one test seed, four replicates, a budget of 40 at most. "
        "Table and report say so.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line instead of the table.")
]
