"""What a run is doing, how far it is and how long each part took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)


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
        )
        self.seconds: dict[str, float] = {}

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
        yield
        self.seconds[name] = round(time.monotonic() - started, 2)
        if not self._console.is_terminal:
            self._console.print(f"{doing}: {self.seconds[name]:.1f} s", soft_wrap=True)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count finished steps of the current phase, with a word on the latest."""
        if self._task is not None:
            self._bar.update(self._task, advance=steps, note=note)
