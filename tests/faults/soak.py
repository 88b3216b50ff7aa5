"""Faults at random for a given time, a part of which is fuzzing's and that of a long-lived process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from llm_split.models.loading import locate_model
from llm_split.packages import NotFetchedError
from pyagent.paths import SimulatorNotFoundError, simulator_executable
from tests.conftest import small_scenario
from tests.faults.case import Undisturbed, Verdict, all_cases, play, undisturbed
from tests.faults.subjects import SUBJECTS

FUZZ_SHARE, LONG_LIVED_SHARE = 0.2, 0.1
CHEAP_WEIGHT = 4
"""How many times likelier a case without ns-3 is: it takes a fraction of the time."""
LIVE_FROM_S = 240.0
"""Shorter soaks play no ns-3: what is undisturbed would take most of their time."""
MOST_GROWTH_MB = 32.0
"""In one soak, after the warm-up."""
_LATER_S = 120.0
"""How long after its time a part of it may end."""


@dataclass
class Tally:
    """What a soak has found."""

    verdicts: list[Verdict] = field(default_factory=list)
    fuzzed: dict[str, Any] = field(default_factory=lambda: {"fuzz_inputs": 0, "crashes": 0, "hangs": 0})
    growth_mb: float = 0.0

    def summary(self) -> dict[str, Any]:
        """The line that a soak prints; `docs/faults.md` says what each figure is."""
        verdicts = self.verdicts
        return {
            "faults": sum(verdict.struck for verdict in verdicts),
            "cases": len(verdicts),
            "hangs": self.fuzzed["hangs"] + self._count("hang"),
            "orphans": self._count("orphan"),
            "lost_decisions": sum(verdict.lost_decisions for verdict in verdicts),
            "torn_files": self._count("torn"),
            "resume_equal": all(v.resumed and not v.count("unequal") for v in verdicts),
            "fuzz_inputs": self.fuzzed["fuzz_inputs"],
            "crashes": self.fuzzed["crashes"] + self._count("crash") + self._count("told"),
            "rss_growth_mb": self.growth_mb,
        }

    def by_fault(self) -> dict[str, tuple[int, int]]:
        """Cases and strikes of each fault."""
        found: dict[str, tuple[int, int]] = {}
        for verdict in self.verdicts:
            fault = verdict.name.partition(":")[2]
            cases, strikes = found.get(fault, (0, 0))
            found[fault] = cases + 1, strikes + verdict.struck
        return found

    @property
    def is_right(self) -> bool:
        """Whether all came out as promised."""
        fuzzed = self.fuzzed["crashes"] + self.fuzzed["hangs"]
        return not fuzzed and self.growth_mb <= MOST_GROWTH_MB and not any(v.wrong for v in self.verdicts)

    def _count(self, kind: Any) -> int:
        return sum(verdict.count(kind) for verdict in self.verdicts)


class Soak:
    """Plays cases in a folder; what is undisturbed is made once for each command.

    Args:
        folder: a folder for each case; those are left that went wrong.
        deadline: on the clock of `time.monotonic`, for what is said on stderr.
    """

    def __init__(self, folder: Path, deadline: float) -> None:
        self._folder, self._deadline = folder, deadline
        self._whole: dict[str, Undisturbed] = {}
        self.tally = Tally()

    def play(self, name: str, seed: int) -> Verdict:
        """One case, and a line about it."""
        subject = SUBJECTS[name.partition(":")[0]]
        if subject.name not in self._whole:
            self.say(f"{subject.name}, undisturbed")
            self._whole[subject.name] = undisturbed(subject, self._folder / f"whole-{subject.name}")
        folder = self._folder / f"{name.replace(':', '-')}-{seed}"
        verdict = play(name, seed, folder, self._whole[subject.name])
        self.tally.verdicts.append(verdict)
        end = f"{verdict.struck} faults, ended within {verdict.longest_end_s:.1f} s"
        self.say(f"{name} --seed {seed}: {'WRONG' if verdict.wrong else 'right'}, {end}")
        for kind, what in verdict.wrong:
            self.say(f"  {kind}: {what}")
        if verdict.wrong:
            self.say(f"  left in {folder}; {verdict.reproduce}")
        return verdict

    def play_until(self, end: float, rng: Random, names: Collection[str]) -> None:
        """Cases drawn at random; the last may end a little later."""
        weights = [1 if SUBJECTS[name.partition(":")[0]].live else CHEAP_WEIGHT for name in names]
        while time.monotonic() < end:
            self.play(rng.choices(list(names), weights)[0], rng.randrange(2**31))

    def fuzz(self, seconds: float, seed: int) -> None:
        """`python -m tests.fuzz`."""
        self.say(f"fuzzing for {seconds:.0f} s")
        self.tally.fuzzed = self._part(
            ["tests.fuzz", "--seconds", f"{seconds:.0f}", "--seed", str(seed)], seconds
        )

    def long_lived(self, seconds: float, live: bool) -> None:
        """Memory of a process that plays many episodes."""
        self.say(f"one process plays many episodes for {seconds:.0f} s")
        arguments = ["tests.faults.long_lived", "--seconds", f"{seconds:.0f}", *(["--live"] if live else [])]
        found = self._part(arguments, seconds)
        self.tally.growth_mb = found["rss_growth_mb"]
        self.say(f"{found['episodes']} episodes, {found['rss_growth_mb']} MB more")

    def say(self, what: str) -> None:
        """On stderr, with the time that is left."""
        left_s = max(0.0, self._deadline - time.monotonic())
        print(f"{left_s:5.0f} s left: {what}", file=sys.stderr, flush=True)

    def _part(self, arguments: list[str], seconds: float) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            timeout=seconds + _LATER_S,
            check=False,
        )
        lines = done.stdout.splitlines()
        if not lines:
            raise SystemExit(f"{arguments[0]} ended with status {done.returncode} and said nothing")
        found: dict[str, Any] = json.loads(lines[-1])
        return found


def can_play_live() -> bool:
    """Whether ns-3 is built and the language model is here."""
    try:
        simulator_executable(None)
        locate_model(small_scenario().model.quality)
    except (SimulatorNotFoundError, NotFetchedError):
        return False
    return True


def soak(seconds: float, seed: int, folder: Path) -> Tally:
    """Everything, for so many seconds."""
    begin, rng = time.monotonic(), Random(seed)
    found = Soak(folder, begin + seconds)
    live = seconds >= LIVE_FROM_S and can_play_live()
    names = [name for name in all_cases() if live or not SUBJECTS[name.partition(":")[0]].live]
    found.play_until(begin + seconds * (1 - FUZZ_SHARE - LONG_LIVED_SHARE), rng, names)
    found.long_lived(seconds * LONG_LIVED_SHARE, live)
    found.fuzz(max(1.0, begin + seconds - time.monotonic()), seed)
    return found.tally
