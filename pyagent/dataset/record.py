"""Playing every split of a scenario on the same seeds, episode by episode, into one file."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pyagent.campaign.collect import EpisodePool, Job, Row, score_episode
from pyagent.campaign.folder import describe
from pyagent.campaign.progress import PhaseProgress
from pyagent.campaign.seeds import Seeds
from pyagent.dataset.dataset import CLEAN, Dataset, DatasetError
from pyagent.dataset.table import PARTS, Part
from pyagent.envs.scoring import Scorer
from pyagent.errors import writing
from pyagent.files import LOCK, hold, write_text_whole, write_whole
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.scenario.quality_model import check_quality
from pyagent.scenario.schema import Scenario
from pyagent.temporary import TemporaryFolder

RECORD = ("outcome", "token_time_s", "retries", "downlink_outcome")
"""Arrays of the delivery record that are kept: what the language model can be asked again with."""


@dataclass(frozen=True)
class Plan:
    """What is played.

    Attributes:
        scenario: of every episode.
        seed: of the recording; its episodes are those of `Seeds`, as in a run.
        train_seeds, test_seeds: how many episodes of each part.
        train_replicates, test_replicates: runs of each, with other MAC streams and prompts.

    Raises:
        DatasetError: test replicates are odd or under 4: the oracle chooses on one half and scores on the
            other.
    """

    scenario: Scenario
    seed: int = 0
    train_seeds: int = 24
    test_seeds: int = 6
    train_replicates: int = 1
    test_replicates: int = 4

    def __post_init__(self) -> None:
        if self.test_replicates < 4 or self.test_replicates % 2:
            raise DatasetError(
                f"--test-replicates = {self.test_replicates}: valid: an even number, 4 or more"
            )

    def episodes(self) -> list[tuple[Part, int, int]]:
        """(part, seed, replicates) of everything that is played."""
        seeds = Seeds(self.seed)
        learn = seeds.learn()
        train: list[tuple[Part, int, int]] = [
            ("train", next(learn), self.train_replicates) for _ in range(self.train_seeds)
        ]
        return train + [("test", seed, self.test_replicates) for seed in seeds.test(self.test_seeds)]


def record(plan: Plan, out: Path, *, command: str, progress: PhaseProgress, slim: bool = False) -> Dataset:
    """Play the plan and write the dataset to `out`.

    What is finished lies in `out` + ".parts" meanwhile, one file per seed; a recording that was stopped goes
    on from there when it is asked for again.

    Args:
        plan: what is played.
        out: the file.
        command: that reproduces it.
        progress: is told of every decision.
        slim: write only what learning needs.

    Returns:
        All of it.

    Raises:
        ScenarioError: the scenario's quality model can't be used; nothing was written.
        DatasetError: `out` can't be written, its parts are those of another plan, or another recording is
            using them.
        SimulatorDied, SimulatorTimeout: ns-3 failed; what was finished is kept.
    """
    check_quality(plan.scenario)
    parts = out.with_name(out.name + ".parts")
    with _held(plan, out, parts):
        dataset = _recorded(plan, parts, command, progress)
        (dataset.slim() if slim else dataset).save(out)
        # What says whose the parts are goes last: others must not take the rest for theirs.
        for part in parts.glob("*.parquet"):
            part.unlink()
        shutil.rmtree(parts)
    return dataset


def _recorded(plan: Plan, parts: Path, command: str, progress: PhaseProgress) -> Dataset:
    """Play what is missing of the parts, and put them together."""
    scorer = Scorer(plan.scenario)
    for part in PARTS:
        scorer.prepare(part)
    episodes = plan.episodes()
    splits = len(scorer.deployment.splits)
    total = sum(replicates for _, _, replicates in episodes) * splits * plan.scenario.requests.count
    started = time.monotonic()
    with progress.phase("record", f"Playing every split of {plan.scenario.name}", total):
        for part, seed, replicates in episodes:
            file = parts / f"{part}-{seed}.parquet"
            cells = replicates * splits * plan.scenario.requests.count
            if file.is_file():
                progress.advance(cells, note="was there")
                continue
            rows = _play(scorer, part, seed, replicates, progress)
            write_whole(file, partial(pd.DataFrame(rows).to_parquet, index=False))
    frames = [pd.read_parquet(parts / f"{part}-{seed}.parquet") for part, seed, _ in episodes]
    wall_s = round(time.monotonic() - started, 1)
    clean = {part: scorer.clean_delta_nll(part).tolist() for part in PARTS}
    about = describe(plan.scenario, command, "finished", text=scorer.text, wall_s=wall_s, **{CLEAN: clean})
    return Dataset(plan.scenario, pd.concat(frames, ignore_index=True), about)


@contextmanager
def _held(plan: Plan, out: Path, parts: Path) -> Iterator[None]:
    """Nobody else records into the parts, which are this plan's."""
    # More seeds may be added to a plan; all else makes other rows.
    mark = json.dumps(
        [plan.scenario.model_dump(mode="json"), plan.seed, plan.train_replicates, plan.test_replicates],
        sort_keys=True,
    )
    with writing(f"--out = {out}", DatasetError, taken="another recording is using it; name another"):
        parts.mkdir(parents=True, exist_ok=True)
        lock = hold(parts / LOCK)
    with lock:
        with writing(f"--out = {out}", DatasetError):
            plan_file = parts / "plan.json"
            if not plan_file.exists():
                write_text_whole(plan_file, mark)
            same = plan_file.read_text(encoding="utf-8") == mark
        if not same:
            raise DatasetError(
                f"--out = {out}: {parts} holds parts of another recording; remove it or name another"
            )
        yield


def _play(scorer: Scorer, part: Part, seed: int, replicates: int, progress: PhaseProgress) -> list[Row]:
    splits = scorer.deployment.splits
    jobs = [
        Job("record", f"static-{split}", seed, replicate, partial(BestStaticPolicy, action, len(splits)))
        for replicate in range(replicates)
        for action, split in enumerate(splits)
    ]
    rows: list[Row] = []
    with TemporaryFolder() as logs:
        for job, episode in EpisodePool(scorer.scenario, logs).run(jobs):
            scored = score_episode(scorer, job, episode, part)
            for row, decision in zip(scored, episode, strict=True):
                kept = {f"record_{name}": _bytes(getattr(decision.record, name)) for name in RECORD}
                rows.append({"part": part, **row, **kept})
            progress.advance(len(episode), note=f"{part} seed {seed}, {job.policy}")
    return rows


def _bytes(values: np.ndarray) -> bytes:
    return values.astype(values.dtype.newbyteorder("<")).tobytes()
