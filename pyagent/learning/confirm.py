"""A policy that won on a recorded dataset, played live: does the dataset tell the truth?"""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyagent.campaign.collect import EpisodePool, Job, score_episode
from pyagent.campaign.progress import PhaseProgress
from pyagent.dataset import Dataset, DatasetError
from pyagent.envs.scoring import Scorer
from pyagent.evaluation.statistics import Interval, paired_difference
from pyagent.policies.base import Policy
from pyagent.temporary import TemporaryFolder


@dataclass(frozen=True)
class Confirmation:
    """The same policy on the same episodes, live and replayed.

    Attributes:
        policy: its name.
        live, replayed: mean reward per decision.
        difference: live minus replayed, paired by decision, 95 %.
        same_action: share of the decisions at which both took the same action.
        decisions: that were paired, all replicates.
        wall_s: of the live ones.
    """

    policy: str
    live: float
    replayed: float
    difference: Interval
    same_action: float
    decisions: int
    wall_s: float

    def to_json(self) -> dict[str, Any]:
        """Every number, JSON-ready."""
        return {
            "policy": self.policy,
            "live": self.live,
            "replayed": self.replayed,
            "live_minus_replay": self.difference.estimate,
            "live_minus_replay_ci": [self.difference.low, self.difference.high],
            "same_action": self.same_action,
            "decisions": self.decisions,
            "wall_s": self.wall_s,
        }

    def sentence(self) -> str:
        """What a person reads."""
        d = self.difference
        return (
            f"{self.policy} live: {self.live:.3f}, on the dataset {self.replayed:.3f}; difference "
            f"{d.estimate:+.3f} [{d.low:+.3f}, {d.high:+.3f}] over {self.decisions} decisions"
        )


def confirm(dataset: Dataset, policy: Policy, *, replicates: int, progress: PhaseProgress) -> Confirmation:
    """Play a policy live on the dataset's test episodes.

    Seed and replicate are those of the recording, so that world, MAC streams and prompts are the same and
    only the history of the policy's own actions differs.

    Args:
        dataset: where the policy was judged.
        policy: no longer learns.
        replicates: of each test episode, at most those of the dataset.
        progress: is told of every decision.

    Raises:
        DatasetError: the dataset names a program of its own, and SPLITSIM_NS3 doesn't.
        SimulatorDied, SimulatorTimeout: ns-3 failed.
    """
    _check_program(dataset)
    table, cost = dataset.test, dataset.switching_cost
    used = min(replicates, table.replicates)
    seeds = list(dict.fromkeys(table.seeds.tolist()))
    jobs = [
        Job("confirm", policy.name, seed, replicate, lambda: copy.deepcopy(policy))
        for seed in seeds
        for replicate in range(used)
    ]
    scorer = Scorer(dataset.scenario)
    scorer.prepare("test")
    live = np.full((len(table), used), np.nan)
    taken = np.zeros((len(table), used), np.int64)
    place = {
        (int(seed), int(decision)): k
        for k, (seed, decision) in enumerate(zip(table.seeds, table.decisions, strict=True))
    }
    with (
        TemporaryFolder() as logs,
        progress.phase("confirm", f"Playing {policy.name} live", len(table) * used),
    ):
        for job, episode in EpisodePool(dataset.scenario, logs).run(jobs):
            for row in score_episode(scorer, job, episode, "test"):
                cell = (place[job.seed, row["decision"]], job.replicate)
                live[cell], taken[cell] = row["reward"], row["action"]
            progress.advance(len(episode), note=f"seed {job.seed}")
    actions = table.play_all(policy)[:, :used]
    replayed = table.rewards_of_all(actions, cost)
    return Confirmation(
        policy=policy.name,
        live=float(live.mean()),
        replayed=float(replayed.mean()),
        difference=paired_difference(live.mean(1), replayed.mean(1), table.seeds),
        same_action=float((actions == taken).mean()),
        decisions=live.size,
        wall_s=progress.seconds["confirm"],
    )


def _check_program(dataset: Dataset) -> None:
    """A dataset may come from anybody, so what is run on its word must be the user's wish too."""
    program = dataset.scenario.program
    if program is not None and os.environ.get("SPLITSIM_NS3") != str(program):
        raise DatasetError(
            f"dataset of {dataset.scenario.name}: program = {program}: a dataset can't choose what is run; "
            f"if you trust that program, set SPLITSIM_NS3={program}"
        )
