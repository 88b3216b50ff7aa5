"""Making one run: the only part of a campaign that computes, the same on every engine."""

from __future__ import annotations

import io
import json
import socket
import time
import traceback
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from pyagent.dataset import Dataset, open_dataset
from pyagent.errors import UserError
from pyagent.evaluation.share import Yardstick
from pyagent.plugins import load_plugins
from pyagent.scenario.schema.judging import Reward
from pyagent.sweep.spec import RunSpec

Metrics = dict[str, dict[str, float | None]]
"""Policy -> name -> value."""


@dataclass(frozen=True)
class Outcome:
    """A run that was made.

    Attributes:
        metrics: of each policy.
        table: parquet; live: every decision (the columns of decisions.parquet), recorded: every checkpoint
            and test seed.
        wall_s: how long it took.
        host: where.
    """

    metrics: Metrics
    table: bytes
    wall_s: float
    host: str


@dataclass(frozen=True)
class Failure:
    """A run that failed.

    Attributes:
        error: what went wrong, with the traceback where it is no user's mistake.
        host: where.
    """

    error: str
    host: str


Result = Outcome | Failure


def limit_threads(threads: int) -> dict[str, str]:
    """Environment that keeps a run to so many cores: torch, NumPy and the number of simulators at a time.

    Args:
        threads: cores of one run, 1 or more.
    """
    counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "SPLITSIM_CORES")
    # Threads that spin while they wait would take the cores from ns-3.
    return dict.fromkeys(counts, str(threads)) | {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "0"}


def attempt(key: str, spec_json: str, scratch: Path | None = None) -> Result:
    """Make a run; what goes wrong is its result.

    Args:
        key: that the caller knows the run by. Code, ns-3, weights and data files must give the same one
            here: a run on a machine that differs would be kept under a wrong name.
        spec_json: a `RunSpec`.
        scratch: folder for what is thrown away; None: the system's.
    """
    from pyagent.sweep.identity import Keys

    try:
        load_plugins()
        spec = RunSpec.model_validate_json(spec_json)
        if Keys().key(spec) != key:
            raise UserError(
                "this machine has other code, another ns-3, other weights or other data files than the one "
                "that sweeps; valid: the same on all (docs/sweep.md)"
            )
        return execute(spec, scratch)
    except UserError as error:
        return Failure(str(error), socket.gethostname())
    except Exception as error:
        trace = "".join(traceback.format_exception(error))
        return Failure(f"{type(error).__name__}: {error}\n{trace}", socket.gethostname())


def execute(spec: RunSpec, scratch: Path | None = None) -> Outcome:
    """Make a run.

    Args:
        spec: what is played.
        scratch: folder for the run's own folder, which is removed; None: the system's.
    """
    started = time.monotonic()
    metrics, table = _live(spec, scratch) if spec.dataset is None else _recorded(spec, spec.dataset)
    return Outcome(metrics, table, round(time.monotonic() - started, 3), socket.gethostname())


def _live(spec: RunSpec, scratch: Path | None) -> tuple[Metrics, bytes]:
    from llm_split.models.loading import keep_loaded_models
    from pyagent.campaign.contenders import Contenders
    from pyagent.campaign.run import run_experiment
    from pyagent.policies.user import load_policy

    keep_loaded_models()
    with TemporaryDirectory(prefix="run-", dir=scratch) as folder:
        run = run_experiment(
            spec.scenario,
            learning=spec.learning,
            seed=spec.seed,
            out=Path(folder) / "run",
            contenders=Contenders(spec.policies, tuple(load_policy(own.source) for own in spec.own)),
            report=False,
        )
        table = (run.path / "decisions.parquet").read_bytes()
    found = {**run.summary["policies"], "oracle": run.summary["oracle"]}
    return {policy: _numbers(values) for policy, values in found.items()}, table


def _numbers(values: dict[str, object]) -> dict[str, float | None]:
    return {name: v for name, v in values.items() if v is None or isinstance(v, int | float)}


def _recorded(spec: RunSpec, source: Path) -> tuple[Metrics, bytes]:
    from pyagent.learning.comparison import play
    from pyagent.threads import one_thread

    modified_ns = source.stat().st_mtime_ns
    dataset, measure = _judged_on(source, modified_ns, spec.scenario.reward.model_dump_json())
    holds_all = dataset.deployment.num_layers in dataset.deployment.splits
    names = [name for name in spec.policies if name != "all-local" or holds_all]
    with one_thread():
        runs = play(names, dataset, [spec.seed], spec.budget, lambda name: None, learning=spec.learning)
    best = measure.oracle
    metrics: Metrics = {"oracle": {"reward": best, "regret": 0.0, "share": measure.share(best)}}
    rows = []
    for name in names:
        run = runs[name][0]
        end = run[-1]
        metrics[name] = {
            "reward": end.reward,
            "regret": best - end.reward,
            "share": measure.share(end.reward),
            "decisions": end.decisions,
            "real_evaluations": end.evaluations,
            "tuning_contexts": end.tuning_contexts,
        }
        rows += [
            {
                "policy": name,
                "decisions": point.decisions,
                "evaluations": point.evaluations,
                "test_seed": test_seed,
                "reward": float(reward),
            }
            for point in run
            for test_seed, reward in enumerate(point.per_seed)
        ]
    buffer = io.BytesIO()
    pd.DataFrame(rows).to_parquet(buffer, index=False)
    return metrics, buffer.getvalue()


@lru_cache(maxsize=4)
def _judged_on(source: Path, modified_ns: int, reward_json: str) -> tuple[Dataset, Yardstick]:
    """A dataset under a reward, best static split and oracle; kept between runs, tables and all."""
    from pyagent.learning.comparison import yardstick

    dataset, reward = open_dataset(source), Reward.model_validate_json(reward_json)
    rewarded = replace(dataset, scenario=dataset.scenario.model_copy(update={"reward": reward}))
    return rewarded, yardstick(rewarded)


def to_frames(result: Result) -> tuple[bytes, bytes]:
    """A result as two byte strings: what it says, and its table."""
    told = asdict(result)
    table = told.pop("table", b"")
    return json.dumps(told).encode(), table


def from_frames(told: bytes, table: bytes) -> Result:
    """What `to_frames` made."""
    found = json.loads(told)
    return Failure(**found) if "error" in found else Outcome(table=table, **found)
