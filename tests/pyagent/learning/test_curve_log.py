"""Curves of a training: what was logged is there, once each."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pyagent.dataset import open_dataset, shipped_dataset
from pyagent.errors import UserError
from pyagent.learning.curve_log import CurveLog, check_wandb
from pyagent.learning.training import TrainingPlan, train


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def test_what_is_not_known_leaves_a_gap(tmp_path):
    with CurveLog(tmp_path / "log") as log:
        log.scalars(1, {"reward": -0.5, "split": 8})
        log.scalars(2, {"reward": float("nan"), "split": 16})
    assert read(tmp_path / "log") == {"reward": [(1, -0.5)], "split": [(1, 8.0), (2, 16.0)]}


def test_a_new_log_replaces_the_old_and_a_resumed_one_goes_on(tmp_path):
    for first, steps in ((0, (1, 2, 3)), (0, (1, 2, 3, 4)), (2, (3, 4, 5))):
        with CurveLog(tmp_path / "log", first=first) as log:
            for step in steps:
                log.scalars(step, {"reward": step + 10 * first})
    assert read(tmp_path / "log")["reward"] == [(1, 1.0), (2, 2.0), (3, 23.0), (4, 24.0), (5, 25.0)]


def test_a_training_on_a_dataset_logs_every_decision(tmp_path):
    dataset = open_dataset(shipped_dataset("tram-replay"))
    learner = train(dataset, TrainingPlan(25), tmp_path / "t", resume=False, progress=lambda _: None)
    curves = read(tmp_path / "t" / "tensorboard")
    assert [step for step, _ in curves["decision/reward"]] == list(range(1, 26))
    assert {value for _, value in curves["decision/split"]} <= set(map(float, dataset.deployment.splits))
    assert curves["learner/evaluations"][-1] == (25, learner.evaluations)


def test_weights_and_biases_must_be_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    check_wandb(None)
    with pytest.raises(UserError, match=r"^--wandb = 'mine': Weights & Biases is not installed; valid with"):
        check_wandb("mine")


@pytest.mark.slow
def test_weights_and_biases_gets_the_same(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with CurveLog(tmp_path / "log", project="mine", config={"seed": 1}) as log:
        log.scalars(1, {"reward": -0.5})
    assert list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
