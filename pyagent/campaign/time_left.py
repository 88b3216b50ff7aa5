"""Estimate of the time that a whole run still takes, from the seconds per decision measured so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass
class _Phase:
    """Decisions of a phase; those from a journal of a stopped run take no time and are not measured."""

    planned: int
    done: int = 0
    measured: int = 0
    seconds: float = 0.0

    @property
    def rate_s(self) -> float | None:
        """Seconds per decision; None before one was played."""
        return self.seconds / self.measured if self.measured else None


class TimeLeft:
    """Time left over all phases that play decisions.

    A phase that has not begun is expected to be as fast as the latest measured phase of its kind: episodes of
    training are played one after another, all others side by side. If only training is measured yet, the
    others are expected to be `workers` times as fast. Loading, imagination and drawing are not included.

    Args:
        planned: decisions of each phase, by name, in the order of the run: training comes first.
        workers: episodes that are played side by side.
        clock: seconds, never running backwards.
    """

    def __init__(
        self, planned: Mapping[str, int], workers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._workers = workers
        self._phases = {name: _Phase(count) for name, count in planned.items()}
        self._clock = clock
        self._current = ""
        self._since_s = 0.0

    def begin(self, name: str) -> None:
        """A phase starts; one that is not planned counts for nothing."""
        self._current, self._since_s = name, self._clock()

    def advance(self, steps: int, *, played: bool = True) -> None:
        """Count decisions of the current phase.

        Args:
            steps: decisions.
            played: false if they come from a journal; the time since the last call is then no measurement.
        """
        phase, now_s = self._phases.get(self._current), self._clock()
        if phase is not None:
            phase.done += steps
            if played:
                phase.measured += steps
                phase.seconds += now_s - self._since_s
        self._since_s = now_s

    def end(self) -> None:
        """The current phase is over, whatever was planned for it."""
        phase = self._phases.get(self._current)
        if phase is not None:
            phase.planned = phase.done
        self._current = ""

    def seconds(self) -> float | None:
        """Seconds left; None before the first decision was played."""
        if all(phase.rate_s is None for phase in self._phases.values()):
            return None
        return sum((phase.planned - phase.done) * self._rate_s(name) for name, phase in self._phases.items())

    def _rate_s(self, name: str) -> float:
        """Seconds per decision of a phase, its own or of the phase that stands in for it."""
        own = self._phases[name].rate_s
        if own is not None:
            return own
        measured = [
            (other, phase.rate_s) for other, phase in self._phases.items() if phase.rate_s is not None
        ]
        alike = [rate_s for other, rate_s in measured if _is_training(other) == _is_training(name)]
        return alike[-1] if alike else measured[-1][1] / self._workers


def _is_training(phase: str) -> bool:
    return phase.startswith("train-")


def time_text(seconds: float | None) -> str:
    """`~4:05`, `~1:02:03`, or `-` where nothing is known yet."""
    if seconds is None:
        return "-"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"~{hours}:{minute:02}:{second:02}" if hours else f"~{minute}:{second:02}"
