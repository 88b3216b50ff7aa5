"""`splitsim train`: the model-based learner on a recorded dataset, resumable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pyagent.commands.options import AsJson, Buy, PerDecision, Resume, Wandb
from pyagent.learning.options import Learning


def train(
    dataset: Annotated[
        str, typer.Argument(help="What splitsim record wrote, or the name of a dataset that ships.")
    ] = "default",
    out: Annotated[Path, typer.Option(help="Folder of the training.")] = Path("runs/training"),
    decisions: Annotated[int, typer.Option(min=2, max=1_000_000, help="Recorded decisions to play.")] = 400,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the training.")] = 0,
    buy: Buy = Learning.buy,
    per_decision: PerDecision = Learning.per_decision,
    resume: Resume = False,
    wandb: Wandb = None,
    as_json: AsJson = False,
) -> None:
    """Train on a recorded dataset, and judge what was learned on its test episodes.

    Stopped at any moment it goes on with --resume, and ends as if it had not been stopped.

    Example: splitsim train tram-replay --out runs/tram --decisions 300
    """
    from pyagent.campaign.progress import PhaseProgress
    from pyagent.dataset import open_dataset, shipped_dataset
    from pyagent.evaluation.share import NOTHING_TO_GAIN, share_text
    from pyagent.learning.comparison import yardstick
    from pyagent.learning.curve_log import check_wandb
    from pyagent.learning.on_table import judge
    from pyagent.learning.training import TrainingPlan
    from pyagent.learning.training import train as learn
    from pyagent.threads import one_thread

    check_wandb(wandb)
    chosen = open_dataset(shipped_dataset(dataset))
    plan = TrainingPlan(decisions, seed, buy, per_decision)
    with PhaseProgress() as progress, one_thread():
        with progress.phase("train", f"Training on {chosen.scenario.name}", decisions):
            seen = 0

            def report(played: int) -> None:
                nonlocal seen
                progress.advance(played - seen)
                seen = played

            learner = learn(chosen, plan, out, resume=resume, progress=report, wandb=wandb)
        with progress.phase("judge", "Judging", 1):
            measure = yardstick(chosen)
            reward, _ = judge(learner.policy(), chosen)
    found = {
        "training": str(out),
        "reward": reward,
        "share": measure.share(reward),
        "decisions": learner.decisions,
        "evaluations": learner.evaluations,
    }
    if as_json:
        print(json.dumps(found))
        return
    share = measure.share(reward)
    gained = f"{share_text(share)} of what the oracle gains over the best static split"
    if share is None:
        gained = f"where there is {NOTHING_TO_GAIN}"
    print(
        f"{out}: reward {reward:.3f} on unseen episodes, {gained}, after {learner.decisions} decisions and "
        f"{learner.evaluations} evaluations"
    )
