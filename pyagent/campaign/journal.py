"""Finished episodes of a run under way: what a run that was stopped goes on from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from llm_split.quality import QualityResult
from pyagent.campaign.collect import Decision, Job, Row
from pyagent.envs.observation import NAMES, normalise
from pyagent.envs.record import DeliveryRecord
from pyagent.envs.simulator import State
from pyagent.errors import UserError, reading
from pyagent.files import write_text_whole, write_whole

_REMEDY = "run again without --resume"


class JournalError(UserError):
    """The journal is of other code, another machine, or damaged."""


class Journal:
    """A file for each finished episode, whole or not there at all.

    Learning goes on by playing the journal's episodes again, without ns-3 and without the language model: the
    learner is deterministic, so it ends up where it was.

    Args:
        folder: made when the first episode is written.
        num_layers: L, of the deployed model.
    """

    def __init__(self, folder: Path, num_layers: int) -> None:
        self._folder, self._num_layers = folder, num_layers

    def rows(self, job: Job) -> list[Row] | None:
        """The scored decisions of a job; None where it is not finished."""
        return _read_rows(self._file(job, ""))

    def keep_rows(self, job: Job, rows: Sequence[Row]) -> None:
        """Write the scored decisions of a finished job."""
        self._keep(self._file(job, ""), rows)

    def tokens(self, job: Job) -> list[Row]:
        """Where the time of a job's tokens went; none where nothing was kept."""
        return _read_rows(self._file(job, "-tokens")) or []

    def keep_tokens(self, job: Job, tokens: Sequence[Row]) -> None:
        """Write where the time of a job's tokens went."""
        self._keep(self._file(job, "-tokens"), tokens)

    def _keep(self, target: Path, rows: Sequence[Row]) -> None:
        self._folder.mkdir(exist_ok=True)
        write_whole(target, lambda path: pd.DataFrame(rows).to_parquet(path, index=False))

    def _file(self, job: Job, what: str) -> Path:
        return self._folder / f"{job.phase}-{job.policy}-{job.seed}-{job.replicate}{what}.parquet"

    def training(self, learner: str) -> list[TrainingEpisode]:
        """The finished training episodes of a learner, oldest first."""
        found: list[TrainingEpisode] = []
        while (path := self._training_file(learner, len(found))).is_file():
            with reading(path, JournalError, _REMEDY):
                found.append(self._episode(json.loads(path.read_text(encoding="utf-8"))))
        return found

    def keep_training(
        self,
        learner: str,
        number: int,
        states: Sequence[State],
        decisions: Sequence[Decision],
        answers: Mapping[int, QualityResult],
    ) -> None:
        """Write a training episode: every state, what was decided, what was bought meanwhile."""
        self._folder.mkdir(exist_ok=True)
        about = {
            "states": [_state_json(state) for state in states],
            "actions": [decision.action for decision in decisions],
            "records": [decision.record.to_json() for decision in decisions],
            "answers": {str(place): asdict(quality) for place, quality in answers.items()},
        }
        write_text_whole(self._training_file(learner, number), json.dumps(about) + "\n")

    def _training_file(self, learner: str, number: int) -> Path:
        return self._folder / f"train-{learner}-{number}.json"

    def _episode(self, about: dict[str, Any]) -> TrainingEpisode:
        return TrainingEpisode(
            [self._state(state) for state in about["states"]],
            [int(action) for action in about["actions"]],
            [DeliveryRecord.from_json(record) for record in about["records"]],
            {int(place): QualityResult(**quality) for place, quality in about["answers"].items()},
        )

    def _state(self, about: dict[str, Any]) -> State:
        raw = np.array(about["raw"], dtype=np.float64)
        x_m, y_m, z_m = about["position_m"]
        return State(
            context=normalise(raw, self._num_layers),
            raw=dict(zip(NAMES, raw.tolist(), strict=True)),
            request=int(about["request"]),
            position_m=(x_m, y_m, z_m),
            sim_time_s=about["sim_time_s"],
        )


def _read_rows(path: Path) -> list[Row] | None:
    """None where there is no such file."""
    if not path.is_file():
        return None
    with reading(path, JournalError, _REMEDY):
        found: list[Row] = pd.read_parquet(path).to_dict("records")  # type: ignore[assignment]
    return found


def _state_json(state: State) -> dict[str, Any]:
    return {
        "raw": [state.raw[name] for name in NAMES],
        "request": state.request,
        "position_m": list(state.position_m),
        "sim_time_s": state.sim_time_s,
    }


class TrainingEpisode:
    """A finished training episode, played again: `begin` and `decide` as of `Episode`.

    Attributes:
        answers: what the language model said meanwhile, by the number of the decision asked about.
    """

    def __init__(
        self,
        states: list[State],
        actions: list[int],
        records: list[DeliveryRecord],
        answers: dict[int, QualityResult],
    ) -> None:
        if not len(states) - 1 == len(actions) == len(records):
            raise ValueError(f"{len(states)} states, {len(actions)} actions and {len(records)} records")
        self._states, self._actions, self._records, self.answers = states, actions, records, answers
        self._at = 0

    def __len__(self) -> int:
        """Decisions."""
        return len(self._records)

    def begin(self) -> State:
        """The first request's state."""
        self._at = 0
        return self._states[0]

    def decide(self, action: int) -> tuple[DeliveryRecord, State, bool]:
        """What came of this action then.

        Raises:
            JournalError: then another action was chosen.
        """
        if action != self._actions[self._at]:
            raise JournalError(
                "the run's journal: another split is chosen than before, so it was written on another "
                "machine or by other code; run again without --resume"
            )
        record = self._records[self._at]
        self._at += 1
        return record, self._states[self._at], self._at == len(self._records)
