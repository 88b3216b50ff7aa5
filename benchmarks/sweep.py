"""What a campaign's engines cost beside the runs themselves.

`python -m benchmarks.sweep` prints one JSON line. Every figure is a ratio of, or a difference between, sweeps
of the same real runs (policies trained on a dataset that ships; `--live`: tiny runs in the co-simulation),
made one after the other on this machine by workers that are already started. Rounds alternate between the
engines, and the best of each counts.

- `efficiency_local`: time with one worker over time with one for each core, over the number of cores.
- `efficiency_ray`: time of the local engine over that of Ray, with as many workers; null without Ray.
- `overhead_per_run_s`: of the local engine with one worker: time beyond that of the runs, for each run.
- `resume_skips`: finished runs that a second sweep passed over, of `resume_runs`; `resume_s` is how long it
  took, its reading of the sweep file included.
- `worker_uss_mib`, `worker_pss_mib`: memory of a local worker that has loaded the model, its own and with its
  share of what it shares (`--live` only).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.page import put_table
from pyagent import results
from pyagent.paths import REPOSITORY
from pyagent.sweep.campaign import run_sweep
from pyagent.sweep.drive import drive
from pyagent.sweep.engine import Engine, open_engine
from pyagent.sweep.execute import execute
from pyagent.sweep.file import EngineOptions, Sweep, load_sweep
from pyagent.sweep.identity import Keys
from pyagent.sweep.progress import SweepProgress
from pyagent.sweep.spec import RunSpec
from pyagent.sweep.store import Store

RECORDED: dict[str, Any] = {
    "base": {"dataset": "tram-replay"},
    "agent": {"budget": 60, "policies": ["surrogate-argmax"]},
}
LIVE: dict[str, Any] = {"base": {"scenario": "scenario.yaml"}, "agent": {"budget": 4, "policies": ["random"]}}
TINY: dict[str, Any] = {
    "name": "tiny",
    "mobility": {"model": "constant", "position_m": [5, 0, 1.5]},
    "requests": {"count": 3, "prompt_tokens": [8, 16], "output_tokens": [3, 6]},
    "model": {"splits": [1, 32], "prompts": 2},
    "evaluation": {"tune_seeds": 1, "test_seeds": 1, "replicates": 4},
}
PAGE = REPOSITORY / "docs" / "sweep.md"
POINTS = 100
"""Combinations of the sweep that is resumed; ten seeds of each."""


@dataclass
class Timed:
    """An engine's best sweep: how long it took, and how long its runs by themselves."""

    wall_s: float = float("inf")
    runs_s: float = 0.0
    memory: dict[str, float] = field(default_factory=dict)


def sweep_of(folder: Path, sections: dict[str, Any], seeds: dict[str, int]) -> Sweep:
    """A sweep, by way of a file."""
    (folder / "scenario.yaml").write_text(yaml.safe_dump(TINY))
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({"name": "benchmark", **sections, "seeds": seeds}))
    return load_sweep(path)


def make(specs: list[RunSpec], engine: Engine, folder: Path) -> tuple[float, float]:
    """Wall-clock of a sweep on a new store, and of its runs, in seconds."""
    with Store(Path(tempfile.mkdtemp(dir=folder))) as store:
        started = time.perf_counter()
        drive(specs, store, lambda: engine, SweepProgress(), sweep="benchmark", keys=Keys())
        wall_s = time.perf_counter() - started
        return wall_s, float(results.runs(store.path)["wall_s"].sum())


def measure(
    engines: dict[str, Callable[[Path], Engine]],
    sections: dict[str, Any],
    runs: int,
    rounds: int,
    folder: Path,
) -> dict[str, Timed]:
    """The best of several rounds of each engine, opened anew and warmed up for each."""
    found = {name: Timed() for name in engines}
    workers = len(os.sched_getaffinity(0))
    specs = sweep_of(folder, sections, {"first": 1, "count": runs}).runs()
    warm = sweep_of(folder, sections, {"first": 10_000, "count": workers}).runs()
    for _ in range(rounds):
        for name, opened in engines.items():
            with opened(Path(tempfile.mkdtemp(dir=folder))) as engine:
                make(warm, engine, folder)
                wall_s, runs_s = make(specs, engine, folder)
                if wall_s < found[name].wall_s:
                    found[name] = Timed(wall_s, runs_s, memory())
    return found


def memory() -> dict[str, float]:
    """Of the largest process that we have started, in MiB."""
    import psutil

    found = [child.memory_full_info() for child in psutil.Process().children(recursive=True)]
    if not found:
        return {}
    largest = max(found, key=lambda info: info.rss)
    return {f"worker_{name}_mib": getattr(largest, name) / 2**20 for name in ("uss", "pss")}


def resumed(folder: Path) -> dict[str, float]:
    """A sweep whose runs are all there: 1000, kept as a first sweep keeps them, all with one real result."""
    grid = {"scenario.reward.slo_s": [round(0.1 + i / 100, 2) for i in range(POINTS)]}
    sections = RECORDED | {"agent": {"policies": ["best-static"]}, "grid": grid}
    specs = sweep_of(folder, sections, {"count": 10}).runs()
    outcome, keys, place = execute(specs[0]), Keys(), folder / "resumed"
    with Store(place) as store:
        for spec in specs:
            store.claim(keys.key(spec), spec, "benchmark")
            store.finish(keys.key(spec), outcome)
    started = time.perf_counter()
    done = run_sweep(load_sweep(folder / "sweep.yaml"), place, _none)
    wall_s = time.perf_counter() - started
    return {"resume_runs": len(specs), "resume_skips": done.tally["there"], "resume_s": wall_s}


def _none(scratch: Path) -> Engine:
    raise AssertionError("nothing is missing, so no engine is wanted")


def _engines(workers: int) -> dict[str, Callable[[Path], Engine]]:
    def opener(**options: Any) -> Callable[[Path], Engine]:
        return lambda scratch: open_engine(scratch, EngineOptions.model_validate(options))

    found = {"one": opener(workers=1), "local": opener(workers=workers)}
    try:
        import ray  # noqa: F401
    except ImportError:
        return found
    return found | {"ray": opener(kind="ray", workers=workers)}


def markdown(found: dict[str, Any]) -> str:
    """A table for the docs."""
    ray = "not installed" if found["efficiency_ray"] is None else f"{found['efficiency_ray']:.2f}"
    workers = f"{found['workers']} workers"
    resume = f"{found['resume_s']:.2f} s for {found['resume_skips']} of {found['resume_runs']} runs"
    return (
        "| figure | value | wanted |\n|---|---|---|\n"
        f"| efficiency of the local engine, {workers} | {found['efficiency_local']:.2f} | 0.9 |\n"
        f"| Ray against local | {ray} | 0.85 |\n"
        f"| overhead per run, of {found['run_s']:.1f} s | {found['overhead_per_run_s']:.3f} s | |\n"
        f"| all finished, swept again | {resume} | 1 s |\n"
    )


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=12, help="of each sweep")
    parser.add_argument("--rounds", type=int, default=2, help="of which the best counts")
    parser.add_argument("--live", action="store_true", help="tiny runs with ns-3 and a language model")
    parser.add_argument("--page", action="store_true", help="write the table of docs/sweep.md")
    chosen = parser.parse_args(arguments)
    workers = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="splitsim-benchmark-") as name:
        folder = Path(name)
        sections = LIVE if chosen.live else RECORDED
        found = measure(_engines(workers), sections, chosen.runs, chosen.rounds, folder)
        skipped = resumed(folder)
    one, local, ray = found["one"], found["local"], found.get("ray")
    result = {
        "benchmark": "sweep",
        "runs": chosen.runs,
        "live": chosen.live,
        "workers": workers,
        "efficiency_local": one.wall_s / (workers * local.wall_s),
        "efficiency_ray": None if ray is None else local.wall_s / ray.wall_s,
        "overhead_per_run_s": (one.wall_s - one.runs_s) / chosen.runs,
        "one_s": one.wall_s,
        "local_s": local.wall_s,
        "ray_s": None if ray is None else ray.wall_s,
        "run_s": one.runs_s / chosen.runs,
        **skipped,
        **(local.memory if chosen.live else {}),
    }
    if chosen.page:
        put_table(PAGE, "sweep", markdown(result))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
