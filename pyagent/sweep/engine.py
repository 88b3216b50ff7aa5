"""What a campaign asks of whatever makes its runs."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol

from pyagent.errors import UserError
from pyagent.sweep.execute import Result
from pyagent.sweep.file import EngineOptions
from pyagent.threads import cores

MAX_RETRIES = 2
"""How often a run is made again whose process or machine died under it."""


class EngineError(UserError):
    """The engine can't be had as it was asked for."""


class Engine(Protocol):
    """Makes runs, several at a time. A context manager; leaving it ends what is under way."""

    @property
    def room(self) -> int:
        """How many more runs it would start at once."""
        ...

    def submit(self, key: str, spec_json: str) -> None:
        """Have a run made. A run whose process or machine dies is made again, `MAX_RETRIES` times."""
        ...

    def wait(self, timeout_s: float) -> list[tuple[str, Result]]:
        """What has been made since, by key; waits for the first, but not longer than this."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_engine(scratch: Path, options: EngineOptions) -> Engine:
    """The engine that is asked for.

    Args:
        scratch: folder for what a local run throws away.
        options: which engine, and how large.

    Raises:
        EngineError: more threads than cores, or Ray isn't installed or can't be reached.
    """
    if options.kind == "ray":
        from pyagent.sweep.on_ray import RayEngine

        return RayEngine(options.workers, options.threads, options.address)
    from pyagent.sweep.local import LocalEngine

    return LocalEngine(local_workers(options.workers, options.threads), options.threads, scratch)


def local_workers(workers: int | None, threads: int) -> int:
    """Runs at a time on this machine; as many as fit the cores where it isn't said.

    Raises:
        EngineError: workers x threads are more than the cores.
    """
    there = cores()
    if (workers or 1) * threads > there:
        raise EngineError(
            f"engine.workers = {workers or 1} with engine.threads = {threads}: {(workers or 1) * threads} "
            f"threads on {there} cores; valid: workers x threads at most {there}"
        )
    return workers or there // threads
