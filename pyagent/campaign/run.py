"""`splitsim run` and `splitsim evaluate`: train, evaluate on unseen seeds, write the run folder."""

from __future__ import annotations

import copy
import json
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pyagent.campaign.collect import EpisodePool, Job, Row, score_episode, time_tokens
from pyagent.campaign.conclusion import conclude
from pyagent.campaign.contenders import ARGMAX, BASELINES, IMAGINED, PLANNER, Contenders
from pyagent.campaign.experiment import Experiment, Tuned
from pyagent.campaign.folder import Plan, default_run_path, describe, open_run_folder
from pyagent.campaign.journal import Journal
from pyagent.campaign.learn import MODEL, Trained, Training
from pyagent.campaign.memory import peak_memory_bytes
from pyagent.campaign.progress import PhaseProgress
from pyagent.campaign.quick import quick_look
from pyagent.campaign.tokens import TokenClock
from pyagent.dataset.table import RecordedTable, recorded_table
from pyagent.envs.scoring import Part, Scorer, make_composer
from pyagent.errors import UserError
from pyagent.evaluation.oracle import Oracle, oracle
from pyagent.files import write_whole
from pyagent.learning.curve_log import CurveLog, check_wandb
from pyagent.learning.learners import BANDITS, OnlineLearner, make_model_based
from pyagent.learning.model_based import Ask, Key, ModelBasedLearner
from pyagent.learning.options import Learning, tuning_episodes
from pyagent.learning.references import choose
from pyagent.learning.tuning import TUNERS, tune_threshold, tuning_contexts, tuning_rewards
from pyagent.paths import simulator_executable
from pyagent.plots import draw_plots
from pyagent.plugins import loaded_plugins, plugin_options
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.policies.planner import PlannerPolicy
from pyagent.policies.ppo_imagination import PpoImaginationPolicy, PpoSettings
from pyagent.policies.random import RandomPolicy
from pyagent.report import write_report
from pyagent.scenario.preview import NoPreviewError, preview_json
from pyagent.scenario.schema import Scenario

LIVE_REPLICATES = 2
PLAYED_BY_ORACLE = ("all-local", "min-split", "best-static")
"""Policies of one split, whose decisions are those that the oracle played of it."""


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
    seed: int,
    learning: Learning | None = None,
    out: Path | None = None,
    contenders: Contenders | None = None,
    resume: bool = False,
    report: bool = True,
    quick: bool = False,
) -> RunResult:
    """Train and evaluate; see the module.

    Args:
        scenario: the experiment.
        seed: of the run.
        learning: how the learning agent trains; nobody trains when nobody learns.
        out: run folder; None: `runs/<name>-<hash>`.
        contenders: who is tested; None: the usual ones.
        resume: go on where a run with the same arguments was stopped in this folder. It ends as if it had not
            been stopped; a finished run is given back as it is.
        report: draw the figures and write report.html.
        quick: play as few seeds, replicates and decisions as make a first look.

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
    learning, contenders = learning or Learning(), contenders or Contenders()
    if quick:
        scenario, learning = quick_look(scenario, learning)
    check_wandb(learning.wandb)
    # Says what is wrong with the choice.
    zeros = np.zeros(len(scorer.deployment.splits))
    make_model_based(scenario, _nobody, clean_delta_nll=zeros, seed=seed, **learning.model)
    for guest in contenders.guests:
        guest.prepare(scorer.deployment.splits, scorer.deployment.num_layers)
    verb, options = contenders.command
    options = [*options, *learning.options, *(["--quick"] if quick else [])]
    plugins = [plugin.sha256 for plugin in loaded_plugins()]
    path = out or default_run_path(scenario, learning.budget, seed, [*options, *plugins])
    plain = ["--budget", str(learning.budget), "--seed", str(seed)]
    command = shlex.join(["splitsim", *plugin_options(), verb, f"{path}/config.yaml", *options, *plain])
    with open_run_folder(path, Plan(scenario, command), resume=resume) as folder:
        if resume and (summary := folder.finished()) is not None:
            return RunResult(path, summary)
        with PhaseProgress() as progress:
            journal = Journal(folder.journal, scorer.deployment.num_layers)
            experiment = Experiment(scenario, learning, seed, folder, progress, scorer, contenders, journal)
            progress.expect(_planned(experiment))
            summary = _recorded(experiment, command) | {"quick": quick}
            summary |= _times(started, progress)
            folder.write_json("summary.json", summary)
            if report:
                # Drawn from the folder's files, the time it took included; so the summary is written twice.
                with progress.phase("report", "Drawing", 1):
                    draw_plots(path)
                summary |= _times(started, progress)
                folder.write_json("summary.json", summary)
                write_report(path)
            about = describe(scenario, command, "finished", text=scorer.text, phase_s=progress.seconds)
            folder.write_json("meta.json", about)
            shutil.rmtree(folder.journal, ignore_errors=True)
    return RunResult(path, summary)


def _planned(run: Experiment) -> dict[str, int]:
    """Decisions of each phase, by its name."""
    evaluation, contenders, budget = run.scenario.evaluation, run.contenders, run.learning.budget
    learners = [*([MODEL] if contenders.learns else []), *contenders.bandits]
    live = [name for name in contenders.baselines if name not in PLAYED_BY_ORACLE]
    tests = (len(live) + len(contenders.guests)) * evaluation.test_seeds * LIVE_REPLICATES
    oracle_episodes = len(run.splits) * evaluation.test_seeds * evaluation.replicates
    tuning = len(run.splits) * _tuning_episodes(run)
    episodes = {"tune": tuning, "oracle": oracle_episodes, "test": tests}
    decisions = {phase: count * run.scenario.requests.count for phase, count in episodes.items()}
    return {**{f"train-{name}": budget for name in learners}, **decisions}


def _tuning_episodes(run: Experiment) -> int:
    evaluation, requests = run.scenario.evaluation, run.scenario.requests
    return tuning_episodes(run.learning.budget, requests.count, evaluation.tune_seeds)


def _nobody(key: Key) -> float:
    raise AssertionError("a learner that is only looked at buys nothing")


def _times(started: float, progress: PhaseProgress) -> dict[str, Any]:
    return {
        "wall_s": round(time.monotonic() - started, 2),
        "phase_s": dict(progress.seconds),
        "peak_memory_bytes": peak_memory_bytes(),
    }


def _recorded(run: Experiment, command: str) -> dict[str, Any]:
    """Run, and leave in the folder what is finished however it ends."""
    folder, scenario = run.folder, run.scenario
    try:
        return _run(run)
    except BaseException as error:
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        folder.write_json("meta.json", describe(scenario, command, status, phase_s=run.progress.seconds))
        raise
    finally:
        run.save()


def _run(run: Experiment) -> dict[str, Any]:
    with run.progress.phase("load", "Loading the language model", 1):
        if note := run.scorer.chance_note():
            run.progress.note(f"warning: model.quality = {note}")
        run.progress.advance()
    _look(run)
    trained = _train(run)
    tuned = _tune(run)
    makers = _makers(run, trained, tuned)
    table, best = _oracle(run)
    _test(run, makers, table, best)
    with run.progress.phase("summarise", "Summarising", 1):
        return conclude(run, trained, tuned, table, best)


def _makers(run: Experiment, trained: dict[str, Trained], tuned: Tuned) -> dict[str, Callable[[], Policy]]:
    """What builds each policy that plays live; the static ones are the oracle's runs."""
    makers: dict[str, Callable[[], Policy]] = {"random": partial(RandomPolicy, run.splits)}
    makers |= {
        name: partial(copy.deepcopy, policy)
        for name, policy in tuned.policies.items()
        if not isinstance(policy, BestStaticPolicy)
    }
    makers |= {name: found.learner.policy for name, found in trained.items() if name != MODEL}
    if MODEL in trained:
        makers |= _uses(run, trained[MODEL].learner)
    wanted = {name: makers[name] for name in BASELINES if name in makers and name in run.contenders.baselines}
    return wanted | {guest.name: guest.copy for guest in run.contenders.guests}


def _uses(run: Experiment, learner: OnlineLearner) -> dict[str, Callable[[], Policy]]:
    """What can be made of one learned model."""
    assert isinstance(learner, ModelBasedLearner)
    uses: dict[str, Callable[[], Policy]] = {ARGMAX: learner.policy}
    if PLANNER in run.contenders.baselines:
        uses[PLANNER] = partial(PlannerPolicy, learner.imagined(), seed=run.seed)
    if IMAGINED in run.contenders.baselines:
        ppo = _imagine(run, learner)
        uses[IMAGINED] = lambda: ppo
    return uses


def _look(run: Experiment) -> None:
    """The first test episode as ns-3 shows it, the ground of the map; what ns-3 refuses is told early."""
    seed = run.seeds.test(run.scenario.evaluation.test_seeds)[0]
    with run.progress.phase("preview", "Looking at the first test episode", 1):
        try:
            run.folder.write_text("preview.json", json.dumps(preview_json(run.scenario, seed)))
        except NoPreviewError as error:
            run.progress.note(f"note: {error}; the report's map has no sites and no coverage")
        run.progress.advance()


def _train(run: Experiment) -> dict[str, Trained]:
    """Every learner that is needed, trained on the same episodes; the model-based one is `MODEL`."""
    trained = {}
    if run.contenders.learns:
        found = _train_one(run, MODEL, partial(_model_based, run))
        assert isinstance(found.learner, ModelBasedLearner)
        write_whole(run.folder.checkpoint, found.learner.save)
        trained[MODEL] = found
    for name in run.contenders.bandits:
        make = partial(BANDITS[name], run.scenario, seed=run.seed)
        trained[name] = _train_one(run, name, make)
    return trained


def _model_based(run: Experiment, ask: Ask) -> ModelBasedLearner:
    clean = run.scorer.clean_delta_nll("train")
    return make_model_based(run.scenario, ask, clean_delta_nll=clean, seed=run.seed, **run.learning.model)


def _train_one(run: Experiment, name: str, make: Callable[[Ask], OnlineLearner]) -> Trained:
    before = run.scorer.evaluations
    doing = f"Training {name} on {run.learning.budget} real decisions"
    curves = CurveLog(
        run.folder.tensorboard / name, project=run.learning.wandb, config=run.scenario.model_dump(mode="json")
    )
    training = Training(name, run.scorer, run.journal, run.folder.logs / f"train-{name}", curves)
    with run.progress.phase(f"train-{name}", doing, run.learning.budget), curves:
        try:
            return training.run(
                make(training.ask),
                budget=run.learning.budget,
                seeds=run.seeds.learn(),
                progress=lambda note: run.progress.advance(note=note, played=not training.is_past),
            )
        finally:
            run.rows.extend(training.rows())
            run.passes["train"] = run.passes.get("train", 0) + run.scorer.evaluations - before
            run.save()


Remark = Callable[[Job, Sequence[Row]], str]
"""A word on an episode that is finished and scored."""


def _where(job: Job, rows: Sequence[Row]) -> str:
    return f"{job.policy}, seed {job.seed}"


def _collect(
    run: Experiment, phase: str, doing: str, jobs: Sequence[Job], part: Part, remark: Remark = _where
) -> None:
    before = run.scorer.evaluations
    kept = {job: rows for job in jobs if (rows := run.journal.rows(job)) is not None}
    missing = [job for job in jobs if job not in kept]
    decisions = len(jobs) * run.scenario.requests.count
    clock = TokenClock(run.scenario)
    with (
        run.progress.phase(phase, doing, decisions),
        closing(EpisodePool(run.scenario, run.folder.logs).run(missing)) as played,
    ):
        for job in jobs:
            rows = kept.get(job)
            if rows is None:
                _, episode = next(played)
                rows = score_episode(run.scorer, job, episode, part)
                if phase == "test":  # the live policies; the others would make the file ten times larger
                    run.journal.keep_tokens(job, time_tokens(clock, job, episode))
                run.journal.keep_rows(job, rows)  # last: what has rows is finished
            run.rows.extend(rows)
            run.tokens.extend(run.journal.tokens(job))
            run.progress.advance(len(rows), note=remark(job, rows), played=job not in kept)
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
    seeds = run.seeds.tune(_tuning_episodes(run))
    jobs = _static_jobs(run, "tune", seeds, 1)
    _collect(run, "tune", "Playing every split on the tuning seeds", jobs, "train")
    table = recorded_table(run.frame("tune"), run.scenario)
    deployment, composer = run.scorer.deployment, make_composer(run.scenario)
    for guest in run.contenders.guests:
        if guest.tunes:
            guest.tune(tuning_contexts(table), tuning_rewards(table))
    return Tuned(
        chosen=choose(deployment, table, composer),
        threshold=tune_threshold(deployment, table, composer),
        policies={
            name: tune(deployment, table, composer)
            for name, tune in TUNERS.items()
            if name in run.contenders.baselines
        },
    )


def _imagine(run: Experiment, learner: ModelBasedLearner) -> PpoImaginationPolicy:
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


def _test(
    run: Experiment, makers: dict[str, Callable[[], Policy]], table: RecordedTable, best: Oracle
) -> None:
    jobs = [
        Job("test", name, seed, replicate, make)
        for name, make in makers.items()
        for seed in run.seeds.test(run.scenario.evaluation.test_seeds)
        for replicate in range(LIVE_REPLICATES)
    ]
    if jobs:
        doing = "Testing policies in the live co-simulation"
        _collect(run, "test", doing, jobs, "test", _RegretSoFar(table, best))


class _RegretSoFar:
    """How the policy under test does: its last decision, and its mean regret to the oracle so far."""

    def __init__(self, table: RecordedTable, best: Oracle) -> None:
        keys = zip(table.seeds.tolist(), table.decisions.tolist(), strict=True)
        self._best = dict(zip(keys, best.value.tolist(), strict=True))
        self._regrets: dict[str, list[float]] = {}

    def __call__(self, job: Job, rows: Sequence[Row]) -> str:
        regrets = self._regrets.setdefault(job.policy, [])
        regrets += [self._best[row["seed"], row["decision"]] - row["reward"] for row in rows]
        last = rows[-1]
        return (
            f"{job.policy}, seed {job.seed}: SNR {last['obs_snr_db']:.0f} dB, split {last['split']}, "
            f"reward {last['reward']:.2f}, regret so far {sum(regrets) / len(regrets):.3f}"
        )
