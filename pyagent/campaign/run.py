"""`splitsim run` and `splitsim evaluate`: train, evaluate on unseen seeds, write the run folder."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pyagent.campaign.collect import EpisodePool, Job, score_episode
from pyagent.campaign.conclusion import conclude
from pyagent.campaign.contenders import Contenders
from pyagent.campaign.experiment import Experiment, Tuned
from pyagent.campaign.folder import default_run_path, describe, open_run_folder, resolved_yaml
from pyagent.campaign.learn import Learner, make_learner, train
from pyagent.campaign.progress import PhaseProgress
from pyagent.dataset.table import RecordedTable, recorded_table
from pyagent.envs.observation import NAMES
from pyagent.envs.scoring import Part, Scorer
from pyagent.errors import UserError
from pyagent.evaluation.oracle import Oracle, oracle
from pyagent.paths import simulator_executable
from pyagent.plots import draw_plots
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.policies.ppo_imagination import PpoImaginationPolicy, PpoSettings
from pyagent.policies.random import RandomPolicy
from pyagent.policies.threshold import ThresholdPolicy
from pyagent.report import write_report
from pyagent.scenario.preview import preview_json
from pyagent.scenario.schema import Scenario

LIVE_REPLICATES = 2
THRESHOLD_FEATURES = ("snr_db", "phy_rate_mbps", "recent_delay_s")
"""What the threshold rule may cut on; the training seeds choose."""


@dataclass(frozen=True)
class RunResult:
    """What a run returns.

    Attributes:
        path: the run folder.
        summary: as in summary.json.
    """

    path: Path
    summary: dict[str, Any]


def run_experiment(
    scenario: Scenario,
    *,
    budget: int,
    seed: int,
    out: Path | None = None,
    contenders: Contenders | None = None,
) -> RunResult:
    """Train and evaluate; see the module.

    Args:
        scenario: the experiment.
        budget: real decisions that the learning agent may buy, 1 or more; none are bought when nobody learns.
        seed: of the run.
        out: run folder; None: `runs/<name>-<hash>`.
        contenders: who is tested; None: every baseline.

    Raises:
        UserError: something in the scenario, the set-up or a user's policy is wrong.
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
    contenders = contenders or Contenders()
    for guest in contenders.guests:
        guest.prepare(scorer.deployment.splits, scorer.deployment.num_layers)
    verb, options = contenders.command
    path = out or default_run_path(scenario, budget, seed, options)
    command = shlex.join(
        ["splitsim", verb, f"{path}/config.yaml", *options, "--budget", str(budget), "--seed", str(seed)]
    )
    bought = budget if contenders.learns else 0
    with PhaseProgress() as progress:
        with progress.phase("load", "Loading the language model", 1):
            scorer.evaluator("train")
            progress.advance()
        with open_run_folder(path) as folder:
            experiment = Experiment(scenario, bought, seed, folder, progress, scorer, contenders)
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
    _look(run)
    learner = _train(run) if run.contenders.learns else None
    tuned = _tune(run)
    makers = _makers(run, learner, tuned)
    table, best = _oracle(run)
    _test(run, makers)
    with run.progress.phase("summarise", "Summarising", 1):
        return conclude(run, learner, tuned, table, best)


def _makers(run: Experiment, learner: Learner | None, tuned: Tuned) -> dict[str, Callable[[], Policy]]:
    """What builds each policy that plays live; the static ones are the oracle's runs."""
    makers: dict[str, Callable[[], Policy]] = {
        "random": partial(RandomPolicy, run.splits),
        "threshold": lambda: tuned.threshold,
    }
    if learner is not None:
        makers["surrogate-argmax"] = learner.argmax_policy
        if run.contenders.imagines:
            ppo = _imagine(run, learner)
            makers["ppo-imagination"] = lambda: ppo
    wanted = {name: make for name, make in makers.items() if name in run.contenders.baselines}
    return wanted | {guest.name: guest.copy for guest in run.contenders.guests}


def _look(run: Experiment) -> None:
    """The first test episode as ns-3 shows it, the ground of the map; what ns-3 refuses is told early."""
    seed = run.seeds.test(run.scenario.evaluation.test_seeds)[0]
    with run.progress.phase("preview", "Looking at the first test episode", 1):
        run.folder.write_text("preview.json", json.dumps(preview_json(run.scenario, seed)))
        run.progress.advance()


def _train(run: Experiment) -> Learner:
    learner = make_learner(run.scorer, run.seed)
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
    learner.save(run.folder.checkpoint)
    return learner


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


def _tune(run: Experiment) -> Tuned:
    seeds = run.seeds.tune(run.scenario.evaluation.tune_seeds)
    jobs = _static_jobs(run, "tune", seeds, 1)
    _collect(run, "tune", "Tuning static and threshold policies on training seeds", jobs, "train")
    table = recorded_table(run.frame("tune"), run.scenario)
    rewards = table.rewards[:, :, 0]
    # The smallest split always uses the link, so its runs show what there is to see of it.
    contexts = table.contexts[:, 0, 0]
    threshold = ThresholdPolicy.tune(contexts, rewards, *map(NAMES.index, THRESHOLD_FEATURES))
    best = BestStaticPolicy.tune(rewards).action
    for guest in run.contenders.guests:
        if guest.tunes:
            guest.tune(contexts, rewards)
    return Tuned(best, threshold, len(jobs) * run.scenario.requests.count)


def _imagine(run: Experiment, learner: Learner) -> PpoImaginationPolicy:
    done = 0

    def report(fraction: float) -> None:
        nonlocal done
        percent = int(100 * min(fraction, 1.0))
        run.progress.advance(percent - done)
        done = percent

    settings = PpoSettings(total_steps=run.scenario.evaluation.imagined_steps)
    with run.progress.phase("imagine", "Training PPO in imagination", 100):
        return PpoImaginationPolicy.train(
            learner.imagined(), seed=run.seed, settings=settings, progress=report
        )


def _oracle(run: Experiment) -> tuple[RecordedTable, Oracle]:
    evaluation = run.scenario.evaluation
    jobs = _static_jobs(run, "oracle", run.seeds.test(evaluation.test_seeds), evaluation.replicates)
    _collect(run, "oracle", "Playing every split on the test seeds (oracle)", jobs, "test")
    table = recorded_table(run.frame("oracle"), run.scenario)
    return table, oracle(table.rewards)


def _test(run: Experiment, makers: dict[str, Callable[[], Policy]]) -> None:
    jobs = [
        Job("test", name, seed, replicate, make)
        for name, make in makers.items()
        for seed in run.seeds.test(run.scenario.evaluation.test_seeds)
        for replicate in range(LIVE_REPLICATES)
    ]
    if jobs:
        _collect(run, "test", "Testing policies in the live co-simulation", jobs, "test")
