"""Training on a recorded dataset that can be stopped at any moment and goes on as if it had not been."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from pyagent.campaign.folder import FolderError
from pyagent.dataset import Dataset
from pyagent.errors import reading, writing
from pyagent.files import LOCK, hold, is_partial, write_text_whole, write_whole
from pyagent.learning.curve_log import CurveLog
from pyagent.learning.model_based import ModelBasedLearner
from pyagent.learning.on_table import episodes, model_based, play_episode
from pyagent.learning.options import Learning
from pyagent.scenario.carried import carry

EVERY = 50
"""Decisions between two checkpoints."""
LATEST, PLAN = "latest.json", "plan.json"


@dataclass(frozen=True)
class TrainingPlan:
    """What makes two trainings the same.

    Attributes:
        decisions: to play.
        seed: of everything random.
        rule, per_decision: see `ModelBasedLearner`.
    """

    decisions: int = 400
    seed: int = 0
    rule: str = Learning.buy
    per_decision: float = Learning.per_decision


def train(
    dataset: Dataset,
    plan: TrainingPlan,
    folder: Path,
    *,
    resume: bool,
    progress: Callable[[int], None],
    wandb: str | None = None,
) -> ModelBasedLearner:
    """Train, with a checkpoint every `EVERY` decisions; the last one is the trained policy.

    Args:
        dataset: whose training part is played.
        plan: what is trained.
        folder: new or empty; with `resume` the folder of a training with the same plan.
        resume: go on from its last checkpoint.
        progress: called with the decisions played, after each.
        wandb: project of Weights & Biases that gets the curves too.

    Raises:
        FolderError: the folder holds something else, or a training with another plan; or another training is
            using it.
    """
    with _held(folder, dataset, plan, resume):
        learner = model_based(dataset, seed=plan.seed, rule=plan.rule, per_decision=plan.per_decision)
        played = restore_latest(learner, folder)
        if played < plan.decisions:
            curves = CurveLog(folder / "tensorboard", first=played, project=wandb, config=asdict(plan))
            with curves:
                _play(learner, dataset, plan, folder, played, progress, curves)
    return learner


def _play(
    learner: ModelBasedLearner,
    dataset: Dataset,
    plan: TrainingPlan,
    folder: Path,
    played: int,
    progress: Callable[[int], None],
    curves: CurveLog,
) -> None:
    position = 0
    for rows, replicate in episodes(dataset.train, plan.seed):
        if position + len(rows) <= played:
            position += len(rows)
            continue
        # A checkpoint lies between two episodes, so an episode is played whole or not at all.
        steps = play_episode(learner, dataset.train, rows, replicate)
        for row, action in islice(zip(rows, steps), plan.decisions - played):  # noqa: B905 (steps is lazy)
            played += 1
            curves.scalars(
                played,
                {
                    "decision/reward": float(dataset.train.rewards[row, action, replicate]),
                    "decision/split": dataset.deployment.splits[action],
                    "learner/evaluations": learner.evaluations,
                },
            )
            progress(played)
        position = played
        if played >= plan.decisions:
            break
        if played // EVERY > (played - len(rows)) // EVERY:
            save_checkpoint(learner, folder, played)
    save_checkpoint(learner, folder, played)


@contextmanager
def _held(folder: Path, dataset: Dataset, plan: TrainingPlan, resume: bool) -> Iterator[None]:
    """Nobody else trains in the folder, which is this plan's."""
    mark = json.dumps([carry(dataset.scenario).scenario, asdict(plan)], sort_keys=True)
    named, taken = f"--out = {folder}", "another training is using it; valid: another folder"
    with writing(named, FolderError, taken=taken):
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_strangers(folder)
        lock = hold(folder / LOCK)
    with lock:
        with writing(named, FolderError):
            _refuse_another(folder, mark, resume)
        yield


def _refuse_strangers(folder: Path) -> None:
    there = sorted(entry.name for entry in folder.iterdir() if entry.name != LOCK and not is_partial(entry))
    if there and PLAN not in there:
        raise FolderError(f"--out = {folder}: holds {there[0]}, no training; valid: a new or empty folder")


def _refuse_another(folder: Path, mark: str, resume: bool) -> None:
    """The plan is written first of all, so what has none has not begun."""
    if not (folder / PLAN).is_file():
        write_text_whole(folder / PLAN, mark)
    elif not resume:
        raise FolderError(f"--out = {folder}: holds a training; valid: another folder, or --resume")
    elif (folder / PLAN).read_text(encoding="utf-8") != mark:
        raise FolderError(f"--out = {folder}: holds a training of another dataset or with other options")


def save_checkpoint(learner: ModelBasedLearner, folder: Path, played: int) -> None:
    """A checkpoint counts once `LATEST` names it, and is whole by then."""
    name = f"checkpoint-{played}"
    write_whole(folder / name, learner.save)
    write_text_whole(folder / LATEST, json.dumps({"checkpoint": name, "played": played}) + "\n")
    for old in folder.glob("checkpoint-*"):
        if old.name != name:
            shutil.rmtree(old)


def restore_latest(learner: ModelBasedLearner, folder: Path) -> int:
    latest = folder / LATEST
    if not latest.is_file():
        return 0
    with reading(folder, FolderError, "train anew in another folder"):
        found = json.loads(latest.read_text(encoding="utf-8"))
        learner.restore(folder / Path(found["checkpoint"]).name)
        return int(found["played"])
