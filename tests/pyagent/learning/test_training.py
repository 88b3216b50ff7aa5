"""Training on a recorded dataset: same seed, same bytes; stopped and resumed, the same again."""

import json
from pathlib import Path

import numpy as np
import pytest

from pyagent.campaign.folder import FolderError
from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.files import hold
from pyagent.learning.training import EVERY, LOCK, TrainingPlan, train

PLAN = TrainingPlan(decisions=130, seed=5, per_decision=0.5)


@pytest.fixture(scope="module")
def tram() -> Dataset:
    return open_dataset(shipped_dataset("tram-replay"))


@pytest.fixture(scope="module")
def whole(tram: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "training"
    train(tram, PLAN, folder, resume=False, progress=lambda _: None)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Everything but TensorBoard's events, which hold the time of day."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.parent.name != "tensorboard"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


class StoppedError(Exception):
    pass


def test_training_twice_makes_the_same_bytes(tram: Dataset, whole: Path, tmp_path: Path) -> None:
    train(tram, PLAN, tmp_path / "again", resume=False, progress=lambda _: None)
    assert contents(tmp_path / "again") == contents(whole)


@pytest.mark.parametrize("at", np.random.default_rng(7).integers(EVERY + 15, PLAN.decisions, 2).tolist())
def test_stopped_anywhere_and_resumed_equals_uninterrupted(
    tram: Dataset, whole: Path, tmp_path: Path, at: int
) -> None:
    played = []

    def stop(count: int) -> None:
        played.append(count)
        if count == at:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(tram, PLAN, tmp_path / "cut", resume=False, progress=stop)
    resumed = []
    train(tram, PLAN, tmp_path / "cut", resume=True, progress=resumed.append)
    assert resumed[0] == json.loads((whole / "latest.json").read_text())["played"] - len(resumed) + 1
    assert resumed[0] > 1, "it began anew, instead of at the checkpoint"
    assert contents(tmp_path / "cut") == contents(whole)


def test_a_half_written_checkpoint_is_not_taken_for_a_whole_one(
    tram: Dataset, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "cut"

    def stop(count: int) -> None:
        if count == 70:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(tram, PLAN, folder, resume=False, progress=stop)
    (folder / "checkpoint-80").mkdir()
    (folder / "checkpoint-80" / "surrogate.safetensors").write_bytes(b"half")
    train(tram, PLAN, folder, resume=True, progress=lambda _: None)
    assert contents(folder) == contents(whole)


def test_a_training_is_not_written_over_nor_mixed_with_another(
    tram: Dataset, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(FolderError, match="holds a training"):
        train(tram, PLAN, whole, resume=False, progress=lambda _: None)
    with pytest.raises(FolderError, match="with other options"):
        train(tram, TrainingPlan(decisions=131), whole, resume=True, progress=lambda _: None)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FolderError, match=r"holds letter\.txt, no training"):
        train(tram, PLAN, tmp_path, resume=True, progress=lambda _: None)


def test_a_training_killed_before_it_began_can_be_resumed(tram: Dataset, whole: Path, tmp_path: Path) -> None:
    (tmp_path / ".plan.json.partial").write_text("ha")
    (tmp_path / LOCK).touch()
    short = TrainingPlan(decisions=2)
    train(tram, short, tmp_path, resume=True, progress=lambda _: None)
    assert json.loads((tmp_path / "latest.json").read_text())["played"] == 2


def test_two_trainings_do_not_share_a_folder(tram: Dataset, whole: Path) -> None:
    before = contents(whole)
    with hold(whole / LOCK), pytest.raises(FolderError, match="another training is using it"):
        train(tram, PLAN, whole, resume=True, progress=lambda _: None)
    assert contents(whole) == before


def test_a_finished_training_is_not_written_again(tram: Dataset, whole: Path) -> None:
    """Killed over that it would be lost."""
    before = {path: path.stat().st_mtime_ns for path in whole.glob("checkpoint-*/*")}
    train(tram, PLAN, whole, resume=True, progress=lambda _: None)
    assert {path: path.stat().st_mtime_ns for path in whole.glob("checkpoint-*/*")} == before
