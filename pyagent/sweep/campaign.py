"""A sweep from its file to its results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pyagent.results import load
from pyagent.sweep.drive import Tally, drive
from pyagent.sweep.engine import Engine
from pyagent.sweep.file import Sweep
from pyagent.sweep.identity import Keys
from pyagent.sweep.progress import SweepProgress
from pyagent.sweep.store import Store
from pyagent.sweep.until import Until, more_seeds


@dataclass(frozen=True)
class Done:
    """A sweep that has come to its end.

    Attributes:
        tally: what became of its runs.
        seeds: of each combination.
        keys: of its runs.
    """

    tally: Tally
    seeds: list[int]
    keys: list[str]


def run_sweep(
    sweep: Sweep,
    store_path: Path,
    open_engine: Callable[[Path], Engine],
    *,
    until: Until | None = None,
    retry_failed: bool = False,
) -> Done:
    """Make the runs that the store has not.

    Args:
        sweep: what is wanted.
        store_path: where results are and go.
        open_engine: gives the engine, told a folder for what runs throw away; not called when nothing is
            missing.
        until: add seeds to each combination until it is known so well; None: as many as the file says.
        retry_failed: also make runs that have failed before.

    Raises:
        StoreError, EngineError, SweepError: see there. What was finished is kept.
    """
    keys = Keys()
    tally: Tally = Counter()
    seeds = [sweep.file.seeds.count] * len(sweep.points)
    made = [0] * len(sweep.points)
    with Store(store_path) as store, ExitStack() as stack:
        store.remember_swept(sweep.file.swept)
        opened: list[Engine] = []

        def engine() -> Engine:
            if not opened:
                opened.append(stack.enter_context(open_engine(store.scratch)))
            return opened[0]

        progress = SweepProgress()
        while made != seeds:
            new = sweep.runs(seeds, skip=made)
            tally += drive(
                new, store, engine, progress, sweep=sweep.file.name, keys=keys, retry_failed=retry_failed
            )
            made = seeds
            if until is not None:
                seeds = _enough(sweep, seeds, store_path, keys, until)
    return Done(tally, seeds, [keys.key(spec) for spec in sweep.runs(seeds)])


def _enough(sweep: Sweep, seeds: list[int], store_path: Path, keys: Keys, until: Until) -> list[int]:
    """Seeds that each combination should have."""
    wanted = [
        {keys.key(spec) for spec in sweep.of_point(point, range(count))} for point, count in enumerate(seeds)
    ]
    results = load(store_path, keys=set().union(*wanted))
    return [
        more_seeds(results[results["key"].isin(of_point)], count, until)
        for of_point, count in zip(wanted, seeds, strict=True)
    ]
