"""What a run is doing, how far it is and how long each part took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from pyagent.campaign.time_left import TimeLeft, time_text
from pyagent.threads import cores


class Bar:
    """A progress bar on stderr that is silent where stderr is no terminal; shown while the context lasts.

    Args:
        columns: of the bar.
    """

    def __init__(self, *columns: ProgressColumn) -> None:
        # Without markup: what is told may hold paths and names, brackets and all.
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)


class PhaseProgress(Bar):
    """A progress bar per phase; plain lines where stderr is no terminal.

    Attributes:
        seconds: wall-clock seconds of each finished phase.
    """

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.description}", style="progress.description", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(),
            _WholeRunColumn(self),
        )
        self.seconds: dict[str, float] = {}
        self._left: TimeLeft | None = None

    def expect(self, decisions: Mapping[str, int]) -> None:
        """Show the time left over all phases from now on.

        Args:
            decisions: that each phase is going to play, by the phase's name.
        """
        self._left = TimeLeft(decisions, cores())

    def whole_run_text(self) -> str:
        """Time left in the whole run, "-" while it can't be estimated; empty without `expect`."""
        return f"run {time_text(self._left.seconds())}" if self._left else ""

    @contextmanager
    def phase(self, name: str, doing: str, total: int) -> Iterator[None]:
        """Time a phase.

        Args:
            name: key in `seconds`.
            doing: what a person reads.
            total: steps until it is finished.
        """
        started = time.monotonic()
        if not self._console.is_terminal:
            self._console.print(f"{doing} ...", soft_wrap=True)
        self._task = self._bar.add_task(doing, total=total, note="")
        if self._left:
            self._left.begin(name)
        yield
        if self._left:
            self._left.end()
        self.seconds[name] = round(time.monotonic() - started, 2)
        if not self._console.is_terminal:
            self._console.print(f"{doing}: {self.seconds[name]:.1f} s{self._ahead()}", soft_wrap=True)

    def _ahead(self) -> str:
        """For plain lines: the time left in the run, where it is known."""
        seconds = self._left.seconds() if self._left else None
        return f" ({time_text(seconds)} left in the run)" if seconds else ""

    def advance(self, steps: int = 1, note: str = "", *, played: bool = True) -> None:
        """Count finished steps of the current phase.

        Args:
            steps: how many.
            note: a word on the latest.
            played: false if they were finished by an earlier run, so that they tell nothing of the pace.
        """
        if self._left:
            self._left.advance(steps, played=played)
        if self._task is not None:
            self._bar.update(self._task, advance=steps, note=note)

    def is_current(self, task: TaskID) -> bool:
        """True for the latest phase."""
        return task == self._task


class _WholeRunColumn(ProgressColumn):
    """Time left in the whole run, beside the current phase."""

    def __init__(self, progress: PhaseProgress) -> None:
        super().__init__()
        self._progress = progress

    def render(self, task: Task) -> Text:
        """See the class."""
        return Text(self._progress.whole_run_text() if self._progress.is_current(task.id) else "")
