"""Policies on a recorded dataset, ranked: their share of what adapting can gain, and what that cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from pyagent.campaign.progress import PhaseProgress
from pyagent.dataset import Dataset, DatasetError
from pyagent.evaluation.cost import Cost
from pyagent.evaluation.learning_curves import (
    Arrivals,
    arrival,
    evaluations_to,
    probability_of_improvement,
    regret_curve,
    stratified_interval,
)
from pyagent.evaluation.oracle import Oracle, oracle
from pyagent.evaluation.pair import best_pair, pair_oracle
from pyagent.evaluation.share import NOTHING_TO_GAIN, Yardstick, share_text
from pyagent.evaluation.statistics import Interval, mean
from pyagent.evaluation.summary import below_static, shares_text, split_shares
from pyagent.learning.comparison import (
    MODEL_BASED,
    YARDSTICKS,
    Run,
    clairvoyant_reward,
    curve,
    final_rewards,
    play,
    yardstick,
)
from pyagent.learning.confirm import Confirmation, confirm
from pyagent.learning.on_table import Checkpoint, means_per_seed
from pyagent.learning.references import CEILING, PAIR, oracle_cost, pair_cost
from pyagent.learning.tuning import whole_cost
from pyagent.plots import style
from pyagent.plots.learning_curves import figure_learning_curves
from pyagent.policies.base import Policy
from pyagent.policies.rules import rules_of
from pyagent.reward import FloatArray
from pyagent.scenario.compile import Deployment
from pyagent.threads import one_thread

TARGET = 0.95
"""Share that counts as having learned the problem."""
TARGETS = (0.8, TARGET)
"""Shares whose cost is measured."""
ORACLE = "oracle"
HINDSIGHT = (ORACLE, PAIR)
"""Rows that know the outcomes of the test decisions."""
RULES = ("threshold", "two-threshold", "linucb")
"""Simple policies, against which a learned model must show what it is worth."""


@dataclass(frozen=True)
class Standing:
    """One row of the ranking.

    Attributes:
        runs: its training runs; none of a row in `HINDSIGHT`.
        reward: mean over runs and test seeds, with its 95 % interval.
        iqm: interquartile mean of the cells (run, test seed), with its interval.
        regret: to the oracle.
        share: of what the oracle gains over the best static split; None if there is nothing to gain.
        share_interval: ends of the reward's interval as shares; None if there is nothing to gain.
        arrivals: evaluations until each of `TARGETS`; None for a policy with one run or one checkpoint.
        decisions: simulated decisions whose outcomes it used, mean over runs.
        evaluations: of the language model, mean over runs.
        tuning_contexts: contexts at which it used the outcome of every action, mean over runs.
        wall_s: seconds of learning, mean over runs.
        split_shares: of all runs' test decisions, the most frequent split first.
        rule: the first run's, in one line; empty for a policy without one.
    """

    name: str
    runs: list[Run]
    reward: Interval
    iqm: Interval
    regret: Interval
    share: float | None
    share_interval: tuple[float, float] | None
    arrivals: dict[float, Arrivals] | None
    decisions: float
    evaluations: float
    tuning_contexts: float
    wall_s: float
    split_shares: dict[str, float]
    rule: str

    def spent(self, target: float = TARGET) -> float | None:
        """Median evaluations until a target; None if less than half of the runs reach it."""
        return None if self.arrivals is None else self.arrivals[target].median

    def at(self, target: float, measure: Yardstick) -> list[Checkpoint | None]:
        """The checkpoint of each run at which it reaches a target; None for a run that does not."""
        return [_arrival_point(run, target, measure) for run in self.runs]


def _arrival_point(run: Run, target: float, measure: Yardstick) -> Checkpoint | None:
    found = curve(run)
    place = arrival(found, target, measure)
    if place is None:
        return None
    evaluations = int(found.evaluations[place])
    return [point for point in run if point.evaluations == evaluations][-1]


@dataclass(frozen=True)
class Ranking:
    """A comparison, best first.

    Attributes:
        scenario: its name.
        yardstick: best static split and oracle.
        static_split: the best static split of the training part.
        pair: the best pair of splits of the training part.
        clairvoyant: reward of the oracle that plans its switches.
        standings: of the policies and of `HINDSIGHT`.
        improvement: probability that the first model-based policy beats another, for each that learns too.
        note: on the quality model.
    """

    scenario: str
    yardstick: Yardstick
    static_split: int
    pair: tuple[int, int]
    clairvoyant: float
    standings: list[Standing]
    improvement: dict[str, Interval]
    note: str

    @property
    def winner(self) -> Standing:
        """The best mean reward of those that learn or are tuned; the causal ceiling is a yardstick."""
        return next(s for s in self.standings if s.runs and s.name != CEILING)

    @property
    def found(self) -> dict[str, Standing]:
        """The rows by name."""
        return {s.name: s for s in self.standings}

    @property
    def pair_share(self) -> float | None:
        """Share that a perfect choice between the best pair keeps."""
        return self.found[PAIR].share

    @property
    def warnings(self) -> list[str]:
        """Of each policy that learned and lies below the best static split."""
        rewards = {
            s.name: {"reward": s.reward.estimate}
            for s in self.standings
            if not s.rule and s.name not in HINDSIGHT
        }
        return below_static(rewards, rewards, self.yardstick.static, self.static_split)

    def to_json(self) -> dict[str, Any]:
        """Every number, JSON-ready."""
        gap = self.yardstick.gap
        return {
            "scenario": self.scenario,
            "static": self.yardstick.static,
            "static_split": self.static_split,
            "oracle": self.yardstick.oracle,
            "gap": None if gap is None else gap.estimate,
            "gap_ci": None if gap is None else [gap.low, gap.high],
            "nothing_to_gain": not self.yardstick.defined,
            "best_pair": list(self.pair),
            "pair_share": self.pair_share,
            "causal_ceiling_share": self.found[CEILING].share,
            "clairvoyant": self.clairvoyant,
            "target": TARGET,
            "policies": {s.name: _numbers(s) for s in self.standings},
            "warnings": self.warnings,
            "probability_of_improvement": {name: _three(found) for name, found in self.improvement.items()},
        }

    def table(self) -> Table:
        """For a terminal of 100 characters."""
        title = f"{self.scenario}: recorded, judged on unseen episodes"
        table = Table(title=title, caption=self.note, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.show_edge = False
        table.add_column("policy", no_wrap=True)
        for name in (
            *("reward [95 %]", "share", "deci-\nsions", "evalu-\nations", "tuning\ncontexts"),
            *(f"evals to\n{TARGET:.0%}".replace("%", " %"), "splits"),
        ):
            table.add_column(name, justify="right", no_wrap=True)
        for s in self.standings:
            table.add_row(
                s.name,
                f"{s.reward.estimate:.3f} [{s.reward.low:.2f}, {s.reward.high:.2f}]",
                share_text(s.share),
                f"{s.decisions:.0f}",
                f"{s.evaluations:.0f}",
                f"{s.tuning_contexts:.0f}",
                "" if s.arrivals is None else _count(s.spent()),
                shares_text(dict(list(s.split_shares.items())[:2])),
            )
        return table

    def remarks(self) -> list[str]:
        """What a reader should not miss."""
        return [
            *self._about_the_gap(),
            *(f"{s.name}: {s.rule}{_of_runs(s)}" for s in self.standings if s.rule),
            *(f"warning: {warning}" for warning in self.warnings),
            *self._about_rules(),
        ]

    def _about_the_gap(self) -> list[str]:
        gap, pair = self.yardstick.gap, " and ".join(map(str, self.pair))
        interval = "" if gap is None else f" {gap.estimate:.3f} [{gap.low:.3f}, {gap.high:.3f}]"
        over = f"oracle over best static split ({self.static_split}):{interval} per decision"
        if not self.yardstick.defined:
            return [f"{over}: {NOTHING_TO_GAIN}, so no policy has a share"]
        return [
            over,
            f"an oracle that also pays for its switches and plans them: {self.clairvoyant:.3f}",
            f"a perfect choice between splits {pair} keeps {share_text(self.pair_share)} of that, the causal "
            f"ceiling {share_text(self.found[CEILING].share)}",
        ]

    def _about_rules(self) -> list[str]:
        rules = [self.found[name] for name in RULES if name in self.found]
        ours = [self.found[name] for name in MODEL_BASED if name in self.found]
        if not rules or not ours or not self.yardstick.defined:
            return []
        rule, best = (max(group, key=lambda s: s.reward.estimate) for group in (rules, ours))
        if rule.reward.high < best.reward.low:
            return []
        return [
            f"{rule.name} has a share of {share_text(rule.share)}, {best.name} of {share_text(best.share)}: "
            "a simple rule is at least about as good here"
        ]


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
        names: of `POLICIES`; all-local is passed over where the phone can't hold the model. Those of
            `YARDSTICKS` are added.
        seeds: of the training runs, two or more.
        decisions: that the model-based learner plays, and contexts that rules are tuned on; see `Entry`.
        progress: is told of every policy.
        unlimited: see `play`.

    Raises:
        DatasetError: the test part has one episode, over which there is no interval.
    """
    episodes = len(np.unique(dataset.test.seeds))
    if episodes < 2:
        raise DatasetError(f"dataset {dataset.scenario.name}: {episodes} test episode; valid: 2 or more")
    every = dict.fromkeys((*names, *YARDSTICKS))
    chosen = [name for name in every if name != "all-local" or _holds_all(dataset.deployment)]
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
    pair = best_pair(dataset.train.rewards)
    standings += _hindsight(dataset, pair, measure)
    standings.sort(key=lambda s: -s.reward.estimate)
    splits = dataset.deployment.splits
    return Ranking(
        dataset.scenario.name,
        measure,
        int(next(iter(runs["best-static"][0][-1].split_shares))),
        (splits[pair[0]], splits[pair[1]]),
        clairvoyant_reward(dataset),
        standings,
        _improvements(runs),
        dataset.scenario.model.proxy_note,
    )


def _holds_all(deployment: Deployment) -> bool:
    return deployment.num_layers in deployment.splits


def _hindsight(dataset: Dataset, pair: tuple[int, int], measure: Yardstick) -> list[Standing]:
    """The oracle, and the one that may only use a pair of actions; both use the test outcomes."""
    test, tuning = dataset.test, whole_cost(dataset.train)
    return [
        _of_oracle(ORACLE, oracle(test.rewards), oracle_cost(test), dataset, measure),
        _of_oracle(PAIR, pair_oracle(test.rewards, pair), pair_cost(pair, tuning, test), dataset, measure),
    ]


def _of_oracle(name: str, best: Oracle, cost: Cost, dataset: Dataset, measure: Yardstick) -> Standing:
    cells = means_per_seed(best.value, dataset.test.seeds)[None]
    shares = split_shares(np.asarray(dataset.deployment.splits)[best.action])
    return _judged(name, [], cells, measure, costs=cost.known(), split_shares=shares)


def _standing(name: str, runs: list[Run], measure: Yardstick, deployment: Deployment) -> Standing:
    curves = [curve(run) for run in runs]
    arrivals = None
    if len(runs) > 1 and all(len(found.evaluations) > 1 for found in curves):
        arrivals = {target: evaluations_to(target, curves, measure) for target in TARGETS}
    ends = [run[-1] for run in runs]
    return _judged(
        name,
        runs,
        final_rewards(runs),
        measure,
        costs=[
            float(np.mean([getattr(end, cost) for end in ends]))
            for cost in ("decisions", "evaluations", "tuning_contexts")
        ],
        split_shares=_mean_shares([end.split_shares for end in ends]),
        arrivals=arrivals,
        wall_s=float(np.mean([end.wall_s for end in ends])),
        rule=_rule(ends[0].policy, deployment),
    )


def _judged(
    name: str,
    runs: list[Run],
    cells: FloatArray,
    measure: Yardstick,
    *,
    costs: Sequence[float],
    split_shares: dict[str, float],
    arrivals: dict[float, Arrivals] | None = None,
    wall_s: float = 0.0,
    rule: str = "",
) -> Standing:
    """A row from its rewards [runs, test seeds] and costs (decisions, evaluations, tuning contexts)."""
    alone = len(cells) == 1
    reward, best = stratified_interval(cells, statistic=mean, resample_seeds=alone), measure.oracle
    low, high = measure.share(reward.low), measure.share(reward.high)
    decisions, evaluations, tuning_contexts = map(float, costs)
    return Standing(
        name,
        runs,
        reward,
        stratified_interval(cells, resample_seeds=alone),
        Interval(best - reward.estimate, best - reward.high, best - reward.low),
        measure.share(reward.estimate),
        None if low is None or high is None else (low, high),
        arrivals,
        decisions,
        evaluations,
        tuning_contexts,
        wall_s,
        split_shares,
        rule,
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
        "share": s.share,
        "share_ci": None if s.share_interval is None else list(s.share_interval),
        "decisions": s.decisions,
        "evaluations": s.evaluations,
        "tuning_contexts": s.tuning_contexts,
        "hindsight": s.name in HINDSIGHT,
        "split_shares": s.split_shares,
        "rule": s.rule or None,
        "train_wall_s": s.wall_s,
        "runs": len(s.runs),
        **{key: value for target in TARGETS for key, value in _reached(s, target).items()},
    }


def _reached(s: Standing, target: float) -> dict[str, Any]:
    found, percent = (s.arrivals or {}).get(target), round(100 * target)
    return {
        f"evaluations_to_{percent}": found and found.median,
        f"evaluations_to_{percent}_ci": found and [found.low, found.high],
        f"arrived_{percent}": found and found.share,
    }


def _three(interval: Interval) -> list[float]:
    return [interval.estimate, interval.low, interval.high]


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def draw(ranking: Ranking, folder: Path) -> Path | None:
    """Draw regret over evaluations as learning.png and .pdf; the PNG's path, None if nobody learns."""
    found = {s.name: s for s in ranking.standings}
    learning = {s.name: [curve(run) for run in s.runs] for s in found.values() if s.arrivals is not None}
    if not learning:
        return None
    curves = {name: regret_curve(runs, ranking.yardstick) for name, runs in learning.items()}
    still = {name: s.regret for name, s in found.items() if name not in learning and name != ORACLE}
    figure = figure_learning_curves(curves, still, [ranking.note] if ranking.note else [])
    return style.save(figure, folder / "learning")[0]


def confirm_winner(dataset: Dataset, ranking: Ranking, progress: PhaseProgress) -> Confirmation:
    """The first run of the best policy in the live co-simulation, two replicates of each test episode."""
    policy = ranking.winner.runs[0][-1].policy
    assert policy is not None  # the last checkpoint of a run keeps it
    return confirm(dataset, policy, replicates=2, progress=progress)
