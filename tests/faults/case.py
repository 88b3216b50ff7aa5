"""One case: a command is struck, perhaps again when it goes on, and must come through."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from tests.faults.disk import Disk
from tests.faults.marked import Marked
from tests.faults.strikes import FAULTS, STEP_TIMEOUT_S, Fault, Scene
from tests.faults.subjects import SUBJECTS, Content, Finished, Subject, differing, torn

Kind = Literal["hang", "orphan", "lost", "torn", "unequal", "crash", "told"]
"""told: ended with another status, or without a word on why."""

END_S = 60.0
"""How long a command may take to end once it has been asked to, or has seen what ends it; its simulator's
time to be silent comes on top."""
SLOWER = 10.0
"""How many times longer than undisturbed a command may take to its end, on a machine that others load too."""
MOST_STRIKES = 3
COLD_SHARE = 0.1
"""Of the starts, those from nothing."""
_BY_SIGNAL = (-signal.SIGINT, -signal.SIGTERM)


@dataclass(frozen=True)
class Undisturbed:
    """What a command makes when it is left alone.

    Attributes:
        inputs: folder of what it reads.
        content: of its output.
        wall_s: how long it took.
        simulating_s: when it had its first simulator, and its last; of a command without any, all the time.
        events: changes of its files on the way.
    """

    inputs: Path
    content: Content
    wall_s: float
    simulating_s: tuple[float, float]
    events: int


@dataclass
class Verdict:
    """What came of a case.

    Attributes:
        name, seed: reproduce it.
        struck: faults that found something to strike.
        lost_decisions: finished before a fault, and gone or made again after it.
        wrong: what was not as promised.
        resumed: whether it was gone on with, to the end.
        longest_end_s: from a strike to the command's end.
    """

    name: str
    seed: int
    struck: int = 0
    lost_decisions: int = 0
    wrong: list[tuple[Kind, str]] = field(default_factory=list)
    resumed: bool = False
    longest_end_s: float = 0.0

    @property
    def reproduce(self) -> str:
        """The command."""
        return f"python -m tests.faults --case {self.name} --seed {self.seed}"

    def count(self, kind: Kind) -> int:
        """How often something was wrong in this way."""
        return sum(found == kind for found, _ in self.wrong)


def case_name(subject: Subject, fault: Fault) -> str:
    """As `--case` takes it."""
    return f"{subject.name}:{fault.name}"


def all_cases() -> list[str]:
    """Every fault of every command that it can befall."""
    return [
        case_name(subject, fault)
        for subject in SUBJECTS.values()
        for fault in FAULTS.values()
        if fault.on(subject)
    ]


def undisturbed(subject: Subject, folder: Path) -> Undisturbed:
    """Run a command to its end, in a new folder.

    Raises:
        AssertionError: it fails already when nobody disturbs it.
    """
    folder.mkdir(parents=True)
    out = folder / "out"
    events = _Events(out)
    seen_s: list[float] = []
    with Marked(subject.arguments(folder, out), folder, _env()) as process:

        def look() -> bool:
            if subject.live and process.simulators():
                seen_s.append(time.monotonic() - process.started)
            return events.look() < 0

        process.until(look)
        wall_s = time.monotonic() - process.started
        assert process.exit_code() == 0, f"{subject.name} fails undisturbed: {process.stderr[-2000:]}"
        simulating_s = (min(seen_s), max(seen_s)) if seen_s else (0.0, wall_s)
        content = subject.content(out, process.stdout)
        return Undisturbed(folder, content, wall_s, simulating_s, events.look())


def play(name: str, seed: int, folder: Path, whole: Undisturbed) -> Verdict:
    """Play a case. Its folder is removed, unless something went wrong.

    Args:
        name: see `case_name`.
        seed: of everything random.
        folder: made.
        whole: of the same command.
    """
    subject_name, _, fault_name = name.partition(":")
    case = _Case(SUBJECTS[subject_name], FAULTS[fault_name], seed, folder, whole)
    case.play()
    if not case.verdict.wrong:
        shutil.rmtree(folder)
    return case.verdict


class _Case:
    def __init__(self, subject: Subject, fault: Fault, seed: int, folder: Path, whole: Undisturbed) -> None:
        self.subject, self.fault, self.folder, self.whole = subject, fault, folder, whole
        self.verdict = Verdict(case_name(subject, fault), seed)
        self.rng = Random(f"{self.verdict.name}/{seed}")
        self.place = folder / "place"
        self.out = self.place / "out"
        self.disk: Disk | None = None

    def play(self) -> None:
        self.folder.mkdir(parents=True)
        with self._place():
            for _ in range(self.rng.randint(1, MOST_STRIKES)):
                if self._strike() == 0 or self.verdict.wrong:
                    break
            self._go_on()
            if self.verdict.wrong:
                shutil.copytree(self.place, self.folder / "left", ignore=_balloons)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if not self.fault.own_disk:
            self.place.mkdir()
            yield
            return
        with Disk(self.place) as self.disk:
            yield

    def _start(self, env: Mapping[str, str]) -> Marked:
        """Forked from what has the libraries loaded, or once in ten from nothing."""
        warm = "LD_PRELOAD" not in env and self.rng.random() >= COLD_SHARE
        return Marked(self.subject.arguments(self.whole.inputs, self.out), self.folder, env, warm=warm)

    def _strike(self) -> int | None:
        """Start, strike at a point drawn at random, wait for the end, look at what is there; the status."""
        fault, env = self.fault, _env() | self.fault.env()
        if fault.from_start and self.disk is not None:
            self._begin()
            self.disk.forbid_writing()
        before = dict(self.subject.finished(self.out))
        reached = self._point()
        with self._start(env) as process:
            if fault.from_start:
                self.verdict.struck += 1
            elif process.until(lambda: reached(process)):
                before = dict(self.subject.finished(self.out))
                self._struck(process, env)
            at = time.monotonic()
            bound_s = END_S + STEP_TIMEOUT_S + SLOWER * self.whole.wall_s
            ended = process.ends_within(bound_s)
            self.verdict.longest_end_s = max(self.verdict.longest_end_s, time.monotonic() - at)
            if ended:
                self._look_after(process)
            else:
                self._wrong("hang", f"still there {bound_s:.0f} s after the fault: {process.stderr[-500:]}")
        if self.disk is not None:
            self.disk.allow_writing()
            self.disk.empty()
        self._check(before)
        return process.exit_code()

    def _begin(self) -> None:
        """Have something there before the output is made read-only."""
        reached = self._point()
        with self._start(_env()) as process:
            process.until(lambda: reached(process))
            process.end_all()
            process.until(lambda: False)
            process.orphans()

    def _struck(self, process: Marked, env: Mapping[str, str]) -> None:
        scene = Scene(self.subject, process, lambda: self._start(env), self.rng, self.disk)
        try:
            self.verdict.struck += self.fault.strike(scene)
        except AssertionError as error:
            self._wrong("told", str(error))

    def _point(self) -> Callable[[Marked], bool]:
        """Where to strike: after so many changes of files, or at so much of the undisturbed time.

        What strikes simulators does so at a time at which there are some.
        """
        if self.fault.strikes_simulators:
            first_s, last_s = self.whole.simulating_s
            when_s = self.rng.uniform(first_s, last_s)
            return lambda process: time.monotonic() - process.started >= when_s
        if self.rng.random() < 0.5:
            at_s = self.rng.random() * self.whole.wall_s
            return lambda process: time.monotonic() - process.started >= at_s
        events, wanted = _Events(self.out), self.rng.randint(1, max(1, self.whole.events))
        return lambda process: events.look() >= wanted

    def _look_after(self, process: Marked) -> None:
        """What an end of any kind promises."""
        status, told = process.exit_code(), process.stderr
        if orphans := process.orphans():
            self._wrong("orphan", f"processes {orphans} outlive the agent")
        if not self.out.exists() and (status in _BY_SIGNAL or "KeyboardInterrupt" in told):
            return  # it had not begun
        if "Traceback" in told:
            self._wrong("crash", f"status {status}: {told[-1500:]}")
        elif status not in self.fault.statuses | {0}:
            self._wrong("told", f"status {status}: {told[-1500:]}")
        elif self.fault.says and status != 0 and not any(words in told for words in self.fault.says):
            self._wrong("told", f"status {status} without one of {self.fault.says}: {told[-1500:]}")

    def _check(self, before: Finished) -> None:
        for problem in torn(self.out) if self.out.exists() else []:
            self._wrong("torn", problem)
        if _is_over(self.out):  # what a finished run has no more use for is removed
            return
        after = self.subject.finished(self.out)
        for name, unit in before.items():
            there = after.get(name)
            kept = there.decisions if there is not None and there.stamp == unit.stamp else 0
            if kept < unit.decisions:
                self.verdict.lost_decisions += unit.decisions - kept
                self._wrong("lost", f"{name}: {unit} has become {there}")

    def _go_on(self) -> None:
        """With nothing in its way it comes to its end, and that is what it would have been."""
        before = {} if _is_over(self.out) else dict(self.subject.finished(self.out))
        with self._start(_env()) as process:
            bound_s = END_S + SLOWER * self.whole.wall_s
            if not process.ends_within(bound_s):
                self._wrong("hang", f"does not come to its end in {bound_s:.0f} s")
                return
            if process.exit_code() != 0:
                self._wrong("unequal", f"can't go on, status {process.exit_code()}: {process.stderr[-1500:]}")
                return
            self._check(before)
            different = differing(self.whole.content, self.subject.content(self.out, process.stdout))
            if different:
                self._wrong("unequal", f"not as undisturbed: {', '.join(different)}")
        self.verdict.resumed = True

    def _wrong(self, kind: Kind, what: str) -> None:
        self.verdict.wrong.append((kind, what))


class _Events:
    """Counts changes below a folder: files that came, went or were written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._now()
        self._count = 0

    def look(self) -> int:
        """How many since this was made, as far as looking shows them."""
        now = self._now()
        self._count += len(set(now.items()) ^ set(self._seen.items()))
        self._seen = now
        return self._count

    def _now(self) -> dict[Path, int]:
        found = {}
        for folder, inner, files in os.walk(self._folder):
            inner[:] = [name for name in inner if name != "logs"]
            for path in (Path(folder, name) for name in files):
                with contextlib.suppress(OSError):
                    found[path] = path.stat().st_mtime_ns
        return found


def _is_over(out: Path) -> bool:
    """A run, an evaluation or a recording that has come to its end."""
    if (out / "data.parquet").is_file():
        return True
    meta = out / "meta.json"
    return meta.is_file() and json.loads(meta.read_text())["status"] == "finished"


def _balloons(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "balloon"]


def _env() -> dict[str, str]:
    return {"SPLITSIM_STEP_TIMEOUT_S": str(STEP_TIMEOUT_S)}
