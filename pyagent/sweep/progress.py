"""How far a campaign is and how long it will take."""

from __future__ import annotations

import threading
import time

from rich.progress import BarColumn, TextColumn

from pyagent.campaign.progress import Bar


class SweepProgress(Bar):
    """A bar on stderr; where stderr is no terminal, a line for each run that ends.

    Time left is by the runs' expected costs, not by their number: the longest come first.
    """

    def __init__(self) -> None:
        super().__init__(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
        self._runs, self._ended, self._failed = 0, 0, 0
        self._cost_s, self._done_s, self._started = 0.0, 0.0, time.monotonic()

    def expect(self, runs: int, cost_s: float) -> None:
        """So many more runs, which would take one worker so long."""
        self._runs += runs
        self._cost_s += cost_s
        if self._task is None:
            self._task = self._bar.add_task("sweep", total=self._cost_s, told=f"0/{self._runs} runs")
        self._bar.update(self._task, total=self._cost_s)
        if not self._console.is_terminal:
            self._console.print(f"{self._runs} runs to make")

    def ended(self, cost_s: float, note: str, *, failed: bool) -> None:
        """A run has ended."""
        self._ended += 1
        self._failed += failed
        self._done_s += cost_s
        told = f"{self._ended}/{self._runs} runs, {self._failed} failed, {self._left()} left"
        if self._task is not None:
            self._bar.update(self._task, completed=self._done_s, told=told)
        if failed or not self._console.is_terminal:
            self._console.print(f"{told}; {note}", markup=False, soft_wrap=True)

    def pause(self, seconds: float) -> None:
        """Nothing to do but to wait for another sweep."""
        threading.Event().wait(seconds)

    def _left(self) -> str:
        spent_s = time.monotonic() - self._started
        return duration(spent_s * (self._cost_s - self._done_s) / max(self._done_s, 1e-9))


def duration(seconds: float) -> str:
    """As a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
