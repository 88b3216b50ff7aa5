"""Checks, each by itself: one that fails or hangs takes no other with it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """WARN: a run works without it. FAIL: it doesn't."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        found: in a few words, also where nothing is wrong.
        remedy: what to do about it; empty where nothing is wrong.
    """

    status: Status
    found: str
    remedy: str = ""


def ok(found: str) -> Finding:
    """Nothing to do."""
    return Finding(Status.OK, found)


def warn(found: str, remedy: str) -> Finding:
    """A run works all the same."""
    return Finding(Status.WARN, found, remedy)


def fail(found: str, remedy: str) -> Finding:
    """No run works before this is mended."""
    return Finding(Status.FAIL, found, remedy)


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes:
        name: what a person reads.
        look: looks; may raise anything.
        limit_s: how long it may take, wall clock.
    """

    name: str
    look: Callable[[], Finding]
    limit_s: float = 60.0


@dataclass(frozen=True)
class Result:
    """A check, what it found and how long it took."""

    name: str
    finding: Finding
    wall_s: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "status": self.finding.status.value,
            "found": self.finding.found,
            "remedy": self.finding.remedy,
            "wall_s": round(self.wall_s, 2),
        }


def examine(checks: Iterable[Check]) -> Iterator[Result]:
    """One result for each check, in their order, as they come."""
    for check in checks:
        started = time.monotonic()
        finding = _within_limit(check)
        yield Result(check.name, finding, time.monotonic() - started)


def _within_limit(check: Check) -> Finding:
    answer: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    # A daemon: one that hangs for good keeps no process from ending.
    threading.Thread(target=lambda: answer.put(_looked(check)), name=check.name, daemon=True).start()
    try:
        return answer.get(timeout=check.limit_s)
    except queue.Empty:
        return fail(f"no answer in {check.limit_s:g} s", "try again on an idle machine")


def _looked(check: Check) -> Finding:
    try:
        return check.look()
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        return fail(f"{type(error).__name__}: {first}", "mend what the message says, or report it as a bug")
