"""`splitsim run`: train in the live co-simulation, evaluate on unseen seeds, write the run folder."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pyagent.campaign.collect import EpisodePool, Job, score_episode
from pyagent.campaign.conclusion import conclude
from pyagent.campaign.experiment import Experiment, Tuned
from pyagent.campaign.folder import default_run_path, describe, open_run_folder, resolved_yaml
from pyagent.campaign.learn import Learner, make_learner, train
from pyagent.campaign.progress import PhaseProgress
from pyagent.envs.observation import NAMES, normalise
from pyagent.envs.scoring import Part, Scorer
from pyagent.errors import UserError
from pyagent.evaluation.oracle import Oracle, oracle
from pyagent.evaluation.recorded import RecordedTable, recorded_table
from pyagent.paths import simulator_executable
from pyagent.plots import draw_plots
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.policies.ppo_imagination import PpoImaginationPolicy, PpoSettings
from pyagent.policies.random import RandomPolicy
from pyagent.policies.threshold import ThresholdPolicy
from pyagent.report import write_report
from pyagent.scenario.schema import Scenario

LIVE_REPLICATES = 2


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
    if scenario.requests.count < 2:
        raise UserError(
            f"requests.count = {scenario.requests.count}: too few to learn from; valid for a run: 2 or more"
        )
    # Missing things are said before an earlier run's folder is cleared.
    simulator_executable(scenario.program)
    scorer = Scorer(scenario)
    path = out or default_run_path(scenario, budget, seed)
    command = shlex.join(
        ["splitsim", "run", f"{path}/config.yaml", "--budget", str(budget), "--seed", str(seed)]
    )
    with PhaseProgress() as progress:
        with progress.phase("load", "Loading the language model", 1):
            scorer.evaluator("train")
            progress.advance()
        with open_run_folder(path) as folder:
            experiment = Experiment(scenario, budget, seed, folder, progress, scorer)
            summary = _recorded(experiment, command)
            # Drawn from the folder's files, the time it took included; so the summary is written twice.
            folder.write_json("summary.json", summary | _times(started, progress))
            with progress.phase("report", "Drawing", 1):
                draw_plots(path)
            summary |= _times(started, progress)
            folder.write_json("summary.json", summary)
            write_report(path)
    return RunResult(path, summary)


def _times(started: float, progress: PhaseProgress) -> dict[str, Any]:
    return {"wall_s": round(time.monotonic() - started, 2), "phase_s": dict(progress.seconds)}


def _recorded(run: Experiment, command: str) -> dict[str, Any]:
    """Run, and leave in the folder what is finished however it ends."""
    folder, scenario = run.folder, run.scenario
    folder.write_text("config.yaml", resolved_yaml(scenario))
    folder.write_json("meta.json", describe(scenario, command, "running"))
    status = "failed"
    try:
        summary = _run(run)
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        run.save()
        folder.write_json("meta.json", describe(scenario, command, status, phase_s=run.progress.seconds))
    return summary


def _run(run: Experiment) -> dict[str, Any]:
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
        return conclude(run, learner, tuned, table, best)


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
            run.save()
    run.passes["train"] = run.scorer.evaluations - before


def _collect(run: Experiment, phase: str, doing: str, jobs: Sequence[Job], part: Part) -> None:
    before = run.scorer.evaluations
    decisions = len(jobs) * run.scenario.requests.count
    with run.progress.phase(phase, doing, decisions):
        for job, episode in EpisodePool(run.scenario, run.folder.logs).run(jobs):
            run.rows.extend(score_episode(run.scorer, job, episode, part))
            run.progress.advance(len(episode), note=f"{job.policy}, seed {job.seed}")
    run.passes[phase] = run.scorer.evaluations - before
    run.save()


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
    best = BestStaticPolicy.tune(rewards).action
    return Tuned(best, threshold, len(jobs) * run.scenario.requests.count)


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
