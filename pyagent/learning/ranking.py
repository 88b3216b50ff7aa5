"""Policies on a recorded dataset, ranked: what they gain of what the oracle gains, and what that cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from pyagent.campaign.progress import PhaseProgress
from pyagent.dataset import Dataset, DatasetError
from pyagent.evaluation.learning_curves import (
    Arrivals,
    Yardstick,
    evaluations_to,
    probability_of_improvement,
    regret_curve,
    score,
    stratified_interval,
)
from pyagent.evaluation.statistics import Interval, mean
from pyagent.evaluation.summary import below_static, shares_text
from pyagent.learning.comparison import (
    MODEL_BASED,
    Run,
    clairvoyant_reward,
    curve,
    final_rewards,
    play,
    yardstick,
)
from pyagent.learning.confirm import Confirmation, confirm
from pyagent.plots import style
from pyagent.plots.learning_curves import figure_learning_curves
from pyagent.policies.base import Policy
from pyagent.policies.rules import rules_of
from pyagent.scenario.compile import Deployment
from pyagent.threads import one_thread

TARGET = 0.95
"""Share of the oracle's gain over random that counts as having learned the problem."""


@dataclass(frozen=True)
class Standing:
    """One policy.

    Attributes:
        runs: its training runs.
        reward: mean over runs and test seeds, with its 95 % interval.
        iqm: interquartile mean of the cells (run, test seed), with its interval.
        regret: to the oracle.
        gain: share of the oracle's gain over random.
        arrival: evaluations until `TARGET` of it; None for a policy with one run or one checkpoint.
        evaluations, decisions, wall_s: means over runs, in all.
        split_shares: of all runs' test decisions, the most frequent split first.
        rule: the first run's, in one line; empty for a policy without one.
    """

    name: str
    runs: list[Run]
    reward: Interval
    iqm: Interval
    regret: Interval
    gain: float
    arrival: Arrivals | None
    evaluations: float
    decisions: float
    wall_s: float
    split_shares: dict[str, float]
    rule: str


@dataclass(frozen=True)
class Ranking:
    """A comparison, best first.

    Attributes:
        scenario: its name.
        yardstick: random and oracle.
        clairvoyant: reward of the oracle that plans its switches.
        standings: of the policies.
        improvement: probability that the first model-based policy beats another, for each that learns too.
    """

    scenario: str
    yardstick: Yardstick
    clairvoyant: float
    standings: list[Standing]
    improvement: dict[str, Interval]
    note: str

    @property
    def winner(self) -> Standing:
        """The best mean reward."""
        return self.standings[0]

    @property
    def warnings(self) -> list[str]:
        """Of each policy that learned and lies below the best static split, where that is ranked too."""
        static = next((s for s in self.standings if s.name == "best-static"), None)
        if static is None:
            return []
        rewards = {s.name: {"reward": s.reward.estimate} for s in self.standings if not s.rule}
        split = int(next(iter(static.split_shares)))
        return below_static(rewards, rewards, static.reward.estimate, split)

    def to_json(self) -> dict[str, Any]:
        """Every number, JSON-ready."""
        return {
            "scenario": self.scenario,
            "random": self.yardstick.random,
            "oracle": self.yardstick.oracle,
            "clairvoyant": self.clairvoyant,
            "target": TARGET,
            "policies": {s.name: _numbers(s) for s in self.standings},
            "warnings": self.warnings,
            "probability_of_improvement": {name: _three(found) for name, found in self.improvement.items()},
        }

    def table(self) -> Table:
        """For a terminal."""
        table = Table(title=f"{self.scenario}: recorded, judged on unseen episodes", caption=self.note)
        table.add_column("policy")
        columns = (
            "reward [95 %]",
            "IQM",
            "regret",
            "gain",
            "real evals",
            f"to {TARGET:.0%}",
            "splits",
            "runs",
            "train s",
        )
        for name in columns:
            table.add_column(name, justify="right")
        best = self.yardstick.oracle
        table.add_row("clairvoyant", f"{self.clairvoyant:.3f}", "", f"{best - self.clairvoyant:.3f}")
        table.add_row("oracle", f"{best:.3f}", "", "0.000", "100 %")
        for s in self.standings:
            table.add_row(
                s.name,
                f"{s.reward.estimate:.3f} [{s.reward.low:.3f}, {s.reward.high:.3f}]",
                f"{s.iqm.estimate:.3f}",
                f"{s.regret.estimate:.3f}",
                f"{s.gain:.0%}".replace("%", " %"),
                f"{s.evaluations:.0f}",
                _arrived(s.arrival),
                shares_text(s.split_shares, 2),
                str(len(s.runs)),
                f"{s.wall_s:.1f}",
            )
        return table

    def remarks(self) -> list[str]:
        """What a reader should not miss."""
        found = {s.name: s for s in self.standings}
        lines = [f"{s.name}: {s.rule}{_of_runs(s)}" for s in self.standings if s.rule]
        lines += [f"warning: {warning}" for warning in self.warnings]
        rules = [found[name] for name in ("threshold", "two-threshold", "linucb") if name in found]
        ours = [found[name] for name in MODEL_BASED if name in found]
        if rules and ours:
            rule, best = max(rules, key=lambda s: s.gain), max(ours, key=lambda s: s.gain)
            if rule.reward.high >= best.reward.low:
                lines.append(
                    f"{rule.name} reaches {rule.gain:.0%} of the oracle's gain, {best.name} {best.gain:.0%}: "
                    "their intervals meet, so a simple rule is about as good here"
                )
        return lines


def rank(
    dataset: Dataset,
    names: Sequence[str],
    seeds: Iterable[int],
    decisions: int,
    progress: PhaseProgress,
    *,
    unlimited: bool = False,
) -> Ranking:
    """Train and judge policies.

    Args:
        dataset: to learn and to judge on.
        names: of `POLICIES`; all-local is passed over where the phone can't hold the model.
        seeds: of the training runs, two or more.
        decisions: that the model-based learner plays; see `Entry`.
        progress: is told of every policy.

    Raises:
        DatasetError: the test part has one episode, over which there is no interval.
    """
    episodes = len(np.unique(dataset.test.seeds))
    if episodes < 2:
        raise DatasetError(f"dataset {dataset.scenario.name}: {episodes} test episode; valid: 2 or more")
    chosen = [name for name in names if name != "all-local" or _holds_all(dataset.deployment)]
    doing = f"Training {len(chosen)} policies on {dataset.scenario.name}"
    with progress.phase("compare", doing, len(chosen)), one_thread():
        measure = yardstick(dataset)
        runs = play(
            chosen,
            dataset,
            list(seeds),
            decisions,
            lambda name: progress.advance(note=name),
            unlimited=unlimited,
        )
    standings = [_standing(name, found, measure, dataset.deployment) for name, found in runs.items()]
    standings.sort(key=lambda s: -s.reward.estimate)
    return Ranking(
        dataset.scenario.name,
        measure,
        clairvoyant_reward(dataset),
        standings,
        _improvements(runs),
        dataset.scenario.model.proxy_note,
    )


def _holds_all(deployment: Deployment) -> bool:
    return deployment.num_layers in deployment.splits


def _standing(name: str, runs: list[Run], measure: Yardstick, deployment: Deployment) -> Standing:
    cells = final_rewards(runs)
    alone = len(runs) == 1
    reward = stratified_interval(cells, statistic=mean, resample_seeds=alone)
    best = measure.oracle
    enough = not alone and all(len(curve(run).evaluations) > 1 for run in runs)
    return Standing(
        name,
        runs,
        reward,
        stratified_interval(cells, resample_seeds=alone),
        Interval(best - reward.estimate, best - reward.high, best - reward.low),
        float(score(reward.estimate, measure)),
        evaluations_to(TARGET, [curve(run) for run in runs], measure) if enough else None,
        float(np.mean([run[-1].evaluations for run in runs])),
        float(np.mean([run[-1].decisions for run in runs])),
        float(np.mean([run[-1].wall_s for run in runs])),
        _mean_shares([run[-1].split_shares for run in runs]),
        _rule(runs[0][-1].policy, deployment),
    )


def _mean_shares(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Shares of the splits over runs with equally many decisions, the most frequent first."""
    splits = dict.fromkeys(split for shares in runs for split in shares)
    means = {split: float(np.mean([shares.get(split, 0.0) for shares in runs])) for split in splits}
    return dict(sorted(means.items(), key=lambda item: -item[1]))


def _rule(policy: Policy | None, deployment: Deployment) -> str:
    told = rules_of({"it": policy}, deployment) if policy is not None else {}
    return str(told["it"]["text"]) if told else ""


def _of_runs(standing: Standing) -> str:
    """Which run a rule is of, where runs are tuned apart."""
    return f" (run 1 of {len(standing.runs)})" if len(standing.runs) > 1 else ""


def _improvements(runs: dict[str, list[Run]]) -> dict[str, Interval]:
    ours = next((name for name in MODEL_BASED if name in runs), None)
    if ours is None:
        return {}
    return {
        name: probability_of_improvement(final_rewards(runs[ours]), final_rewards(found))
        for name, found in runs.items()
        if name != ours and len(found) > 1
    }


def _numbers(s: Standing) -> dict[str, Any]:
    return {
        "reward": s.reward.estimate,
        "reward_ci": [s.reward.low, s.reward.high],
        "iqm": s.iqm.estimate,
        "iqm_ci": [s.iqm.low, s.iqm.high],
        "final_regret": s.regret.estimate,
        "final_regret_ci": [s.regret.low, s.regret.high],
        "gain": s.gain,
        "evaluations": s.evaluations,
        "decisions": s.decisions,
        "split_shares": s.split_shares,
        "rule": s.rule or None,
        "train_wall_s": s.wall_s,
        "runs": len(s.runs),
        "evaluations_to_95": None if s.arrival is None else s.arrival.median,
        "evaluations_to_95_ci": None if s.arrival is None else [s.arrival.low, s.arrival.high],
        "arrived": None if s.arrival is None else s.arrival.share,
    }


def _three(interval: Interval) -> list[float]:
    return [interval.estimate, interval.low, interval.high]


def _arrived(arrival: Arrivals | None) -> str:
    if arrival is None:
        return ""
    if arrival.median is None:
        return f"never ({arrival.share:.0%} do)"
    ends = ["-" if end is None else f"{end:.0f}" for end in (arrival.low, arrival.high)]
    return f"{arrival.median:.0f} [{', '.join(ends)}]"


def draw(ranking: Ranking, folder: Path) -> Path | None:
    """Draw regret over evaluations as learning.png and .pdf; the PNG's path, None if nobody learns."""
    found = {s.name: s for s in ranking.standings}
    learning = {s.name: [curve(run) for run in s.runs] for s in found.values() if s.arrival is not None}
    if not learning:
        return None
    curves = {name: regret_curve(runs, ranking.yardstick) for name, runs in learning.items()}
    still = {name: s.regret for name, s in found.items() if name not in learning}
    figure = figure_learning_curves(curves, still, [ranking.note] if ranking.note else [])
    return style.save(figure, folder / "learning")[0]


def confirm_winner(dataset: Dataset, ranking: Ranking, progress: PhaseProgress) -> Confirmation:
    """The first run of the best policy in the live co-simulation, two replicates of each test episode."""
    policy = ranking.winner.runs[0][-1].policy
    assert policy is not None  # the last checkpoint of a run keeps it
    return confirm(dataset, policy, replicates=2, progress=progress)
