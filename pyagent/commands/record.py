"""`splitsim record`: play every split of a scenario once, and keep what came out to learn from."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from pyagent.campaign.seeds import MAX_RUN_SEED
from pyagent.commands.options import AsJson, ScenarioName


def record(
    scenario: ScenarioName = "default",
    out: Annotated[Path | None, typer.Option(help="File. [default: runs/<name>.parquet]")] = None,
    train_seeds: Annotated[int, typer.Option(min=1, max=1000, help="Episodes to learn from.")] = 24,
    test_seeds: Annotated[int, typer.Option(min=1, max=1000, help="Episodes to judge on.")] = 6,
    train_replicates: Annotated[int, typer.Option(min=1, max=100, help="Runs of each training episode.")] = 1,
    test_replicates: Annotated[int, typer.Option(min=4, max=100, help="Runs of each test episode.")] = 4,
    seed: Annotated[int, typer.Option(min=0, max=MAX_RUN_SEED, help="Seed of the recording.")] = 0,
    slim: Annotated[
        bool, typer.Option("--slim", help="Keep only what learning needs, without the delivery records.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Play every split on the same seeds, in parallel, and store contexts, delivery records and outcomes.

    Stopped half-way it goes on where it was when it is started again. More seeds can be added to a recording
    that is under way.

    Example: splitsim record tram-replay --train-seeds 12 --out tram.parquet
    """
    from pyagent.campaign.progress import PhaseProgress
    from pyagent.dataset.record import Plan
    from pyagent.dataset.record import record as play
    from pyagent.paths import simulator_executable
    from pyagent.plugins import plugin_options
    from pyagent.scenario.load import load_scenario

    chosen = load_scenario(scenario)
    simulator_executable(chosen.program)
    plan = Plan(chosen, seed, train_seeds, test_seeds, train_replicates, test_replicates)
    path = out or Path("runs") / f"{chosen.name}.parquet"
    options = {
        "--train-seeds": train_seeds,
        "--test-seeds": test_seeds,
        "--train-replicates": train_replicates,
        "--test-replicates": test_replicates,
        "--seed": seed,
    }
    words = [str(word) for pair in options.items() for word in pair]
    command = shlex.join(["splitsim", *plugin_options(), "record", scenario, "--out", str(path), *words])
    with PhaseProgress() as progress:
        dataset = play(plan, path, command=command, progress=progress, slim=slim)
    found = {
        "dataset": str(path),
        "splits": list(dataset.deployment.splits),
        "train_decisions": len(dataset.train),
        "test_decisions": len(dataset.test),
        "cells": len(dataset.rows),
        "lossy_share": float(dataset.train.lossy.mean()),
        "wall_s": dataset.about["wall_s"],
    }
    if as_json:
        print(json.dumps(found))
        return
    print(
        f"{path}: {found['train_decisions']} training and {found['test_decisions']} test decisions at splits "
        f"{', '.join(map(str, found['splits']))}, {found['cells']} cells"
    )
