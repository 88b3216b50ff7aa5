"""`splitsim run`: train in the live co-simulation, evaluate on unseen seeds, write the run folder."""

from __future__ import annotations

import itertools
import logging
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyagent.campaign.collect import EpisodePool, Job, Row, score_episode
from pyagent.campaign.folder import RunFolder, default_run_path, describe, open_run_folder, resolved_yaml
from pyagent.campaign.learn import Learner, make_learner, train
from pyagent.campaign.progress import PhaseProgress
from pyagent.envs.observation import NAMES, normalise
from pyagent.envs.scoring import Part, Scorer
from pyagent.evaluation.oracle import Oracle, oracle
from pyagent.evaluation.recorded import RecordedTable, recorded_table
from pyagent.evaluation.statistics import bootstrap_interval, paired_difference
from pyagent.evaluation.summary import oracle_frame, summarise
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.policies.ppo_imagination import PpoImaginationPolicy, PpoSettings
from pyagent.policies.random import RandomPolicy
from pyagent.policies.threshold import ThresholdPolicy
from pyagent.scenario.schema import Scenario
from pyagent.surrogate.calibration import calibration
from pyagent.surrogate.types import Batch

_log = logging.getLogger(__name__)

SEEDS_PER_RUN = 1000
TUNE_OFFSET = 400
TEST_OFFSET = 700
MAX_RUN_SEED = 4_000_000
LIVE_REPLICATES = 2


@dataclass(frozen=True)
class Seeds:
    """The episodes' seeds of one run: learning, tuning and testing never share one."""

    base: int

    def learn(self) -> itertools.count[int]:
        """Seeds of the training episodes."""
        return itertools.count(self.base * SEEDS_PER_RUN)

    def tune(self, count: int) -> list[int]:
        """Seeds that static and threshold policies are tuned on."""
        return [self.base * SEEDS_PER_RUN + TUNE_OFFSET + i for i in range(count)]

    def test(self, count: int) -> list[int]:
        """Seeds that everything is judged on."""
        return [self.base * SEEDS_PER_RUN + TEST_OFFSET + i for i in range(count)]


@dataclass
class Experiment:
    """A run under way: what it needs and what it has so far."""

    scenario: Scenario
    budget: int
    seed: int
    folder: RunFolder
    progress: PhaseProgress
    scorer: Scorer
    rows: list[Row] = field(default_factory=list)
    passes: dict[str, int] = field(default_factory=dict)

    @property
    def seeds(self) -> Seeds:
        """This run's seeds."""
        return Seeds(self.seed)

    @property
    def splits(self) -> tuple[int, ...]:
        """What the actions stand for."""
        return self.scorer.deployment.splits

    def frame(self, phase: str) -> pd.DataFrame:
        """The decisions of one phase."""
        frame: pd.DataFrame = pd.DataFrame([row for row in self.rows if row["phase"] == phase])
        return frame


@dataclass(frozen=True)
class RunResult:
    """What a run returns.

    Attributes:
        path: the run folder.
        summary: as in summary.json.
    """

    path: Path
    summary: dict[str, Any]


def run_experiment(scenario: Scenario, *, budget: int, seed: int, out: Path | None = None) -> RunResult:
    """Train and evaluate; see the module.

    Args:
        scenario: the experiment.
        budget: real decisions that the learning agent may buy, 1 or more.
        seed: of the run.
        out: run folder; None: `runs/<name>-<hash>`.

    Raises:
        UserError: something in the scenario or the set-up is wrong.
        SimulatorDied, SimulatorTimeout: ns-3 failed. What was finished is in decisions.parquet.
    """
    started = time.monotonic()
    scorer = Scorer(scenario)
    path = out or default_run_path(scenario, budget, seed)
    command = shlex.join(
        ["splitsim", "run", f"{path}/config.yaml", "--budget", str(budget), "--seed", str(seed)]
    )
    with open_run_folder(path) as folder, PhaseProgress() as progress:
        folder.write_text("config.yaml", resolved_yaml(scenario))
        folder.write_json("meta.json", describe(scenario, command, "running"))
        experiment = Experiment(scenario, budget, seed, folder, progress, scorer)
        status = "failed"
        try:
            summary = _run(experiment)
            status = "finished"
        finally:
            if experiment.rows:
                folder.write_table("decisions.parquet", pd.DataFrame(experiment.rows))
            folder.write_json("meta.json", describe(scenario, command, status, phase_s=progress.seconds))
        summary |= {"wall_s": round(time.monotonic() - started, 2), "phase_s": progress.seconds}
        folder.write_json("summary.json", summary)
        _show(experiment)
    return RunResult(path, summary)


def _run(run: Experiment) -> dict[str, Any]:
    with run.progress.phase("load", "Loading the language model", 1):
        run.scorer.evaluator("train")
        run.progress.advance()
    learner = make_learner(run.scorer, run.seed)
    _train(run, learner)
    tuned = _tune(run)
    with run.progress.phase("imagine", "Training PPO in imagination", 100):
        ppo = _imagine(run, learner)
    table, best = _oracle(run)
    contenders: dict[str, Callable[[], Policy]] = {
        "random": partial(RandomPolicy, run.splits),
        "threshold": lambda: tuned.threshold,
        "surrogate-argmax": learner.argmax_policy,
        "ppo-imagination": lambda: ppo,
    }
    _test(run, contenders)
    with run.progress.phase("summarise", "Summarising", 1):
        return _summarise(run, learner, tuned, table, best)


def _train(run: Experiment, learner: Learner) -> None:
    before = run.scorer.evaluations
    with run.progress.phase("train", f"Training on {run.budget} real decisions", run.budget):
        try:
            train(
                learner,
                run.scorer,
                budget=run.budget,
                seeds=run.seeds.learn(),
                seed=run.seed,
                log_dir=run.folder.logs / "train",
                progress=lambda note: run.progress.advance(note=note),
            )
        finally:
            run.rows.extend(learner.rows)
    run.passes["train"] = run.scorer.evaluations - before


@dataclass(frozen=True)
class Tuned:
    """Policies tuned on the training seeds' table."""

    best_static: int
    threshold: ThresholdPolicy
    decisions: int


def _collect(run: Experiment, phase: str, doing: str, jobs: Sequence[Job], part: Part) -> None:
    before = run.scorer.evaluations
    decisions = len(jobs) * run.scenario.requests.count
    with run.progress.phase(phase, doing, decisions):
        for job, episode in EpisodePool(run.scenario, run.folder.logs).run(jobs):
            run.rows.extend(score_episode(run.scorer, job, episode, part))
            run.progress.advance(len(episode), note=f"{job.policy}, seed {job.seed}")
    run.passes[phase] = run.scorer.evaluations - before


def _static_jobs(run: Experiment, phase: str, seeds: Sequence[int], replicates: int) -> list[Job]:
    actions = len(run.splits)
    return [
        Job(phase, f"static-{split}", seed, replicate, partial(BestStaticPolicy, action, actions))
        for seed in seeds
        for replicate in range(replicates)
        for action, split in enumerate(run.splits)
    ]


def _table(run: Experiment, phase: str) -> RecordedTable:
    layers = run.scorer.deployment.num_layers
    return recorded_table(run.frame(phase), len(run.splits), lambda raw: normalise(raw, layers))


def _tune(run: Experiment) -> Tuned:
    seeds = run.seeds.tune(run.scenario.evaluation.tune_seeds)
    jobs = _static_jobs(run, "tune", seeds, 1)
    _collect(run, "tune", "Tuning static and threshold policies on training seeds", jobs, "train")
    table = _table(run, "tune")
    rewards = table.rewards[:, :, 0]
    # The SNR comes from beacons, so any static run shows it; the first one will do.
    threshold = ThresholdPolicy.tune(table.contexts[:, 0, 0], rewards, NAMES.index("snr_db"))
    return Tuned(int(rewards.mean(0).argmax()), threshold, len(jobs) * run.scenario.requests.count)


def _imagine(run: Experiment, learner: Learner) -> PpoImaginationPolicy:
    done = 0

    def report(fraction: float) -> None:
        nonlocal done
        percent = int(100 * min(fraction, 1.0))
        run.progress.advance(percent - done)
        done = percent

    settings = PpoSettings(total_steps=run.scenario.evaluation.imagined_steps)
    return PpoImaginationPolicy.train(learner.imagined(), seed=run.seed, settings=settings, progress=report)


def _oracle(run: Experiment) -> tuple[RecordedTable, Oracle]:
    evaluation = run.scenario.evaluation
    jobs = _static_jobs(run, "oracle", run.seeds.test(evaluation.test_seeds), evaluation.replicates)
    _collect(run, "oracle", "Playing every split on the test seeds (oracle)", jobs, "test")
    table = _table(run, "oracle")
    return table, oracle(table.rewards)


def _test(run: Experiment, contenders: dict[str, Callable[[], Policy]]) -> None:
    jobs = [
        Job("test", name, seed, replicate, make)
        for name, make in contenders.items()
        for seed in run.seeds.test(run.scenario.evaluation.test_seeds)
        for replicate in range(LIVE_REPLICATES)
    ]
    _collect(run, "test", "Testing policies in the live co-simulation", jobs, "test")


def _summarise(
    run: Experiment, learner: Learner, tuned: Tuned, table: RecordedTable, best: Oracle
) -> dict[str, Any]:
    values = oracle_frame(table.seeds, table.decisions, best.value)
    bought = {
        "random": 0,
        "all-local": 0,
        "min-split": 0,
        "best-static": tuned.decisions,
        "threshold": tuned.decisions,
        "surrogate-argmax": run.budget,
        "ppo-imagination": run.budget,
    }
    judged = _judged(run, tuned)
    policies = summarise(judged, oracle=values, real_evaluations=bought)
    static = table.rewards[:, tuned.best_static].mean(1)
    gap = paired_difference(best.value, static, table.seeds)
    value = bootstrap_interval(best.value, table.seeds)
    _write_tables(run, learner, tuned, table, best)
    return {
        "scenario": run.scenario.name,
        "seed": run.seed,
        "budget": run.budget,
        "splits": list(run.splits),
        "infeasible_splits": list(run.scorer.deployment.infeasible),
        "proxy_note": run.scorer.proxy_note(),
        "proxy_splits": {str(split): run.scorer.proxy(split) for split in run.splits},
        "policies": policies,
        "best_static_split": run.splits[tuned.best_static],
        "oracle": {
            "reward": value.estimate,
            "reward_ci": [value.low, value.high],
            "mean_split": float(np.asarray(run.splits)[best.action].mean()),
            "naive_reward": float(best.naive_value.mean()),
        },
        "oracle_over_best_static": gap.estimate,
        "oracle_over_best_static_ci": [gap.low, gap.high],
        "decisions": len(run.rows),
        "evaluations": {
            phase: {
                "decisions": int((pd.Series([row["phase"] for row in run.rows]) == phase).sum()),
                "forward_passes": passes,
            }
            for phase, passes in run.passes.items()
        },
        "calibration": _calibration(run, learner),
    }


def _judged(run: Experiment, tuned: Tuned) -> pd.DataFrame:
    """Test decisions of every policy; the static ones are the oracle's runs of their split."""
    static = run.frame("oracle")
    layers = run.scorer.deployment.num_layers
    named = {
        **({"all-local": layers} if layers in run.splits else {}),  # the UE's memory may not hold it
        "min-split": run.splits[0],
        "best-static": run.splits[tuned.best_static],
    }
    live = run.frame("test")
    frames = [live[live["policy"] == "random"]]
    frames += [static[static["split"] == split].assign(policy=name) for name, split in named.items()]
    frames += [live[live["policy"] != "random"]]
    judged: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return judged


def _calibration(run: Experiment, learner: Learner) -> dict[str, Any]:
    """How well the final surrogate predicts the oracle's runs, which it never saw."""
    held_out = run.frame("oracle")
    layers = run.scorer.deployment.num_layers
    raw = held_out[[f"obs_{name}" for name in NAMES]].to_numpy(dtype=np.float64)
    clip = run.scenario.reward.delta_nll_clip
    outcomes = np.stack(
        [
            held_out["latency_s"],
            held_out["delta_nll"].clip(0.0, clip),
            held_out["ue_energy_j"],
            held_out["failed"].astype(float),
        ],
        axis=1,
    )
    contexts = np.stack([normalise(values, layers) for values in raw])
    batch = Batch(contexts, held_out["action"].to_numpy(dtype=np.int64), outcomes)
    return calibration(learner.surrogate, learner.encoder, batch)


def _write_tables(
    run: Experiment, learner: Learner, tuned: Tuned, table: RecordedTable, best: Oracle
) -> None:
    choices = np.asarray(run.splits)[best.action]
    run.folder.write_table(
        "oracle.parquet",
        pd.DataFrame(
            {
                "seed": table.seeds,
                "decision": table.decisions,
                "value": best.value,
                "split": choices,
                "naive_value": best.naive_value,
                "static_value": best.static_value,
            }
        ),
    )
    run.folder.write_table("predictions.parquet", pd.DataFrame(learner.predictions))
    run.folder.write_table("learning.parquet", _learning_curve(run, learner, tuned, table, best))


def _learning_curve(
    run: Experiment, learner: Learner, tuned: Tuned, table: RecordedTable, best: Oracle
) -> pd.DataFrame:
    """Regret of the surrogate's snapshots, and of what needs no surrogate, on the recorded table."""
    cost = run.scenario.reward.as_weights().switching
    actions = len(run.splits)
    entries: list[tuple[str, int, Policy]] = [
        ("surrogate-argmax", count, learner.argmax_policy(snapshot)) for count, snapshot in learner.snapshots
    ]
    entries += [
        ("random", 0, RandomPolicy(run.splits)),
        ("min-split", 0, BestStaticPolicy(0, actions)),
        ("best-static", tuned.decisions, BestStaticPolicy(tuned.best_static, actions)),
        ("threshold", tuned.decisions, tuned.threshold),
    ]
    rows = []
    for name, count, policy in entries:
        played = np.mean([table.replay(policy, r, cost) for r in range(table.replicates)], axis=0)
        regret = paired_difference(best.value, played, table.seeds)
        rows.append(
            {
                "policy": name,
                "evaluations": count,
                "regret": regret.estimate,
                "regret_low": regret.low,
                "regret_high": regret.high,
            }
        )
    curve: pd.DataFrame = pd.DataFrame(rows)
    return curve


def _show(run: Experiment) -> None:
    """Pictures and the report page; a run whose numbers are written never fails for a picture."""
    from pyagent.plots import draw_plots
    from pyagent.report import write_report

    with run.progress.phase("report", "Drawing", 1):
        draw_plots(run.folder.path)
        write_report(run.folder.path)
