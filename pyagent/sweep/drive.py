"""The campaign itself: what is missing is claimed, made, kept; longest first."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from pyagent.sweep.engine import Engine
from pyagent.sweep.execute import Failure, Result
from pyagent.sweep.identity import Keys
from pyagent.sweep.progress import SweepProgress
from pyagent.sweep.spec import RunSpec
from pyagent.sweep.store import Store

LOOK_S = 0.5
"""How often to look whether a run that another sweep makes is there, and whether there is room for more."""


Became = Literal["made", "there", "failed"]
"""Made by us now; finished before, or by another sweep meanwhile; failed, now or before."""
Tally = Counter[Became]
"""How many of the runs that were asked for became what."""


@dataclass(frozen=True)
class _Planned:
    key: str
    spec: RunSpec
    cost_s: float


def drive(
    specs: Sequence[RunSpec],
    store: Store,
    engine: Callable[[], Engine],
    progress: SweepProgress,
    *,
    sweep: str,
    keys: Keys,
    retry_failed: bool = False,
) -> Tally:
    """Make the runs that the store has not.

    Args:
        specs: what is wanted.
        store: where results are and go.
        engine: gives what makes them; not called when nothing is missing.
        progress: is told of each.
        sweep: name, for the store.
        keys: of the runs.
        retry_failed: also make those that have failed before.
    """
    wanted = {keys.key(spec): spec for spec in specs}
    states = store.states()
    settled = {"finished"} if retry_failed else {"finished", "failed"}
    missing = {key: spec for key, spec in wanted.items() if states.get(key) not in settled}
    tally: Tally = Counter()
    for key in wanted.keys() - missing.keys():
        tally["there" if states[key] == "finished" else "failed"] += 1
    if missing:
        opened = engine()
        with progress:
            _Driver(store, opened, progress, sweep, retry_failed, tally).make(missing)
    return tally


class _Driver:
    def __init__(
        self,
        store: Store,
        engine: Engine,
        progress: SweepProgress,
        sweep: str,
        retry_failed: bool,
        tally: Tally,
    ) -> None:
        self._store, self._engine, self._progress = store, engine, progress
        self._sweep, self._retry_failed, self._tally = sweep, retry_failed, tally
        self._running: dict[str, _Planned] = {}
        self._elsewhere: deque[_Planned] = deque()
        """Claimed by another sweep when we looked."""

    def make(self, missing: dict[str, RunSpec]) -> None:
        """All of them; returns when each is made, here or by another sweep, or has failed."""
        waiting = self._longest_first(missing)
        self._progress.expect(len(waiting), sum(run.cost_s for run in waiting))
        while waiting or self._running or self._elsewhere:
            self._start(waiting)
            made = [(self._running.pop(key), result) for key, result in self._engine.wait(LOOK_S)]
            # Workers go on while we write down what they have made.
            self._start(waiting)
            for run, result in made:
                self._keep(run, result)
            if not made and not self._running and (waiting or self._elsewhere):
                self._progress.pause(LOOK_S)

    def _keep(self, run: _Planned, result: Result) -> None:
        if isinstance(result, Failure):
            self._store.fail(run.key, result)
            self._end(run, "failed", result.error.splitlines()[0])
        else:
            self._store.finish(run.key, result)
            self._end(run, "made", f"{result.wall_s:.0f} s")

    def _longest_first(self, missing: dict[str, RunSpec]) -> deque[_Planned]:
        """Started last, a long run would keep one core busy while the others have nothing to do."""
        speeds = self._store.speeds()
        usual = median(speeds.values()) if speeds else 1.0
        runs = [
            _Planned(key, spec, spec.decisions * speeds.get(spec.kind, usual))
            for key, spec in missing.items()
        ]
        return deque(sorted(runs, key=lambda run: -run.cost_s))

    def _start(self, waiting: deque[_Planned]) -> None:
        room = self._engine.room
        looked: set[str] = set()
        while room and (waiting or self._elsewhere):
            # What another sweep had is looked at again only when nothing else is left.
            run = (waiting or self._elsewhere).popleft()
            if run.key in looked:
                self._elsewhere.append(run)
                return
            looked.add(run.key)
            claim = self._store.claim(run.key, run.spec, self._sweep, retry_failed=self._retry_failed)
            if claim == "ours":
                self._engine.submit(run.key, run.spec.model_dump_json())
                self._running[run.key] = run
                room -= 1
            elif claim == "busy":
                self._elsewhere.append(run)
            else:
                self._end(run, "there" if claim == "finished" else "failed", "by another sweep")

    def _end(self, run: _Planned, became: Became, note: str) -> None:
        self._tally[became] += 1
        self._progress.ended(run.cost_s, f"{run.spec.about}: {note}", failed=became == "failed")
