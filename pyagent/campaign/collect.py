"""Episodes of a policy, several ns-3 processes at a time, and their scores as table rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyagent.bridge.process import SimulatorProcess
from pyagent.campaign.tokens import TokenClock
from pyagent.envs.record import DeliveryRecord, Outcome
from pyagent.envs.scoring import NO_SPLIT, Part, Score, Scorer
from pyagent.envs.simulator import Episode, State
from pyagent.policies.base import Policy
from pyagent.scenario.schema import Scenario
from pyagent.threads import cores

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One episode to run.

    Attributes:
        phase: what it is for: tune, oracle or test.
        policy: name in the table.
        seed, replicate: of the episode.
        make_policy: builds the policy, in the thread that runs the episode.
    """

    phase: str
    policy: str
    seed: int
    replicate: int
    make_policy: Callable[[], Policy]


@dataclass(frozen=True)
class Decision:
    """One decision as ns-3 saw it; the language model has not been asked yet."""

    state: State
    action: int
    record: DeliveryRecord


class StoppedError(Exception):
    """The run is being given up; raised in the worker threads."""


class EpisodePool:
    """Runs episodes in threads, one ns-3 process each, and hands them back in the order of the jobs.

    The threads only wait for ns-3; the language model runs in the caller's thread meanwhile. Leaving the
    context ends every process at once, also one that is silent.

    Args:
        scenario: what to simulate.
        log_dir: folder for ns-3's output, one subfolder per episode.
        workers: episodes at a time; None: one for each core that this process may use.
    """

    def __init__(self, scenario: Scenario, log_dir: Path, workers: int | None = None) -> None:
        self._scenario = scenario
        self._log_dir = log_dir
        self._workers = workers or cores()
        self._stop = threading.Event()
        self._latest: dict[int, SimulatorProcess] = {}
        """By thread: the process that it waits for."""

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[Job, list[Decision]]]:
        """Run the jobs.

        Yields:
            Each job with its decisions, in the order of `jobs`.

        Raises:
            SimulatorDied, SimulatorTimeout: of the first job that failed; the others are ended.
        """
        self._stop.clear()
        executor = ThreadPoolExecutor(self._workers, thread_name_prefix="episode")
        futures: list[tuple[Job, Future[list[Decision]]]] = []
        try:
            futures = [(job, executor.submit(self._play, job)) for job in jobs]
            waiting = {future for _, future in futures}
            for job, future in futures:
                while not future.done():
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    _raise_first(finished)
                yield job, future.result()
        finally:
            self._stop.set()
            for process in list(self._latest.values()):
                process.kill()
            executor.shutdown(wait=True, cancel_futures=True)
            self._latest.clear()

    def _started(self, process: SimulatorProcess) -> None:
        self._latest[threading.get_ident()] = process
        if self._stop.is_set():  # too late for `run` to see it
            process.kill()

    def _play(self, job: Job) -> list[Decision]:
        if self._stop.is_set():
            raise StoppedError
        policy = job.make_policy()
        policy.reset(_policy_seed(job))
        folder = self._log_dir / f"{job.phase}-{job.policy}-{job.seed}-{job.replicate}"
        decisions = []
        with Episode(self._scenario, job.seed, job.replicate, folder, on_start=self._started) as episode:
            state, over = episode.begin(), False
            while not over:
                if self._stop.is_set():
                    raise StoppedError
                action = policy.act(state.context)
                record, after, over = episode.decide(action)
                decisions.append(Decision(state, action, record))
                state = after
        return decisions


def _raise_first(futures: set[Future[list[Decision]]]) -> None:
    """Raise what any of the finished episodes raised, before the ones in front of it are done."""
    for future in futures:
        if (error := future.exception()) is not None:
            raise error


def _policy_seed(job: Job) -> int:
    return int(np.random.SeedSequence([job.seed, job.replicate]).generate_state(1)[0])


def score_episode(scorer: Scorer, job: Job, decisions: Sequence[Decision], part: Part) -> list[Row]:
    """Ask the language model about every decision of an episode.

    Returns:
        One row per decision, the columns of decisions.parquet.
    """
    rows, previous = [], NO_SPLIT
    for decision in decisions:
        score = scorer.score(
            decision.record, seed=job.seed, replicate=job.replicate, previous_split=previous, part=part
        )
        rows.append(
            row_of(job.phase, job.policy, job.seed, job.replicate, decision, score, previous_split=previous)
        )
        previous = decision.record.split
    return rows


def time_tokens(clock: TokenClock, job: Job, decisions: Sequence[Decision]) -> list[Row]:
    """Where the time of each token of an episode went.

    Returns:
        One row per token, the columns of tokens.parquet.
    """
    keys = {"policy": job.policy, "seed": job.seed, "replicate": job.replicate}
    return [
        {**keys, "decision": decision.record.request, **row}
        for decision in decisions
        for row in clock.rows(decision.record)
    ]


def row_of(
    phase: str,
    policy: str,
    seed: int,
    replicate: int,
    decision: Decision,
    score: Score,
    *,
    previous_split: int,
) -> Row:
    """One decision as a row of decisions.parquet; units are in the names."""
    record, state = decision.record, decision.state
    return {
        "phase": phase,
        "policy": policy,
        "seed": seed,
        "replicate": replicate,
        "decision": record.request,
        "action": decision.action,
        "split": record.split,
        "previous_split": previous_split,
        "reward": score.reward,
        **{f"term_{name}": value for name, value in score.terms.items()},
        "latency_s": record.latency_s,
        "ttft_s": record.ttft_s,
        "tpot_s": record.tpot_s,
        "delta_nll": score.quality.delta_nll,
        "kl": score.quality.kl,
        "top1_agreement": score.quality.top1_agreement,
        "llm_evaluated": score.asked,
        "ue_energy_j": score.outcome[2],
        "ue_compute_energy_j": record.ue_compute_energy_j,
        "ue_radio_energy_j": record.ue_radio_energy_j,
        "failed": record.failed,
        "fail_reason": record.fail_reason,
        "prompt_tokens": record.prompt_tokens,
        "output_tokens": record.output_tokens,
        "generated_tokens": record.generated_tokens,
        "loss": record.loss,
        "prompt_loss": record.prompt_loss,
        "output_loss": record.output_loss,
        "loss_radio": record.share(Outcome.LOST_RADIO),
        "loss_queue": record.share(Outcome.DROPPED_QUEUE),
        "loss_late": record.share(Outcome.LATE),
        "loss_unsent": record.share(Outcome.NOT_SENT),
        "recovered": record.share(Outcome.RECOVERED),
        "mean_delay_s": record.mean_delay_s,
        "retries": int(record.retries.sum()),
        "uplink_bytes": record.uplink_bytes,
        "downlink_bytes": record.downlink_bytes,
        "edge_compute_s": record.edge_compute_s,
        "edge_queue_s": record.edge_queue_s,
        "arrival_s": record.arrival_s,
        "x_m": state.position_m[0],
        "y_m": state.position_m[1],
        **{f"obs_{name}": value for name, value in state.raw.items()},
    }
