"""Runs in processes of this machine, one run at a time in each."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType

from pyagent.bridge.process import SimulatorProcess
from pyagent.sweep.engine import MAX_RETRIES
from pyagent.sweep.execute import Failure, Result, from_frames, limit_threads

_KILL_AFTER_S = 0.0
"""A worker has nothing to save: what it makes is kept whole or not at all."""


STOPPED_S = 60.0
"""How long a worker may be held by SIGSTOP; then its run is made again by another."""


@dataclass
class _Task:
    key: str
    spec_json: str
    deaths: int = 0


class _Worker:
    """A process that makes one run after another, and keeps the language model loaded between them.

    Its life is bound to ours as a simulator's is: it dies with us, and its simulators with it.
    """

    def __init__(self, threads: int, scratch: Path) -> None:
        self.channel, theirs = Pipe()
        with contextlib.closing(theirs):
            self.process = SimulatorProcess(
                sys.executable,
                ["-m", "pyagent.sweep.worker", str(theirs.fileno()), str(scratch)],
                log_dir=scratch,
                label="worker",
                env=limit_threads(threads),
                pass_fds=(theirs.fileno(),),
            )
        self.task: _Task | None = None
        self._stopped_at_s: float | None = None

    def end_if_stopped(self) -> None:
        """Kill it where it has been stopped for too long; that ends the wait for its result."""
        if not self.process.is_stopped():
            self._stopped_at_s = None
            return
        now_s = time.monotonic()
        if self._stopped_at_s is None:
            self._stopped_at_s = now_s
        if now_s - self._stopped_at_s >= STOPPED_S:
            with _children_killed(self.process):
                self.process.kill()

    def give(self, task: _Task) -> None:
        self.task = task
        # A worker that has died is noticed where its answer is awaited.
        with contextlib.suppress(OSError):
            self.channel.send_bytes(task.key.encode())
            self.channel.send_bytes(task.spec_json.encode())

    def result(self) -> Result | None:
        """Of its task; None when it died over it."""
        try:
            return from_frames(self.channel.recv_bytes(), self.channel.recv_bytes())
        except (EOFError, OSError):
            return None

    def last_words(self) -> str:
        code = self.process.wait(1.0)
        ended = f"signal {-code}" if code is not None and code < 0 else f"status {code}"
        return f"its process ended with {ended}\n{self.process.stderr_tail()}".strip()

    def end(self) -> None:
        with _children_killed(self.process):
            self.process.terminate(_KILL_AFTER_S)
        self.channel.close()


@contextlib.contextmanager
def _children_killed(process: SimulatorProcess) -> Iterator[None]:
    """Kill the present children of a worker afterwards.

    Simulators die with their worker, but one that was stopped as it started has not told the kernel so yet.
    """
    children = []
    # Its process id is another's once it has been reaped.
    running = process.exit_code() is None
    for listed in Path(f"/proc/{process.pid}/task").glob("*/children") if running else ():
        with contextlib.suppress(OSError):
            for child in listed.read_text().split():
                with contextlib.suppress(OSError):
                    children.append(os.pidfd_open(int(child)))
    try:
        yield
    finally:
        for descriptor in children:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)


class LocalEngine:
    """See `Engine`.

    Args:
        workers: processes.
        threads: cores of each.
        scratch: folder for what runs throw away, and for the workers' output.
    """

    def __init__(self, workers: int, threads: int, scratch: Path) -> None:
        self._most, self._threads, self._scratch = workers, threads, scratch
        self._workers: list[_Worker] = []

    @property
    def room(self) -> int:
        """Idle workers, those included that have not been started."""
        return self._most - sum(worker.task is not None for worker in self._workers)

    def submit(self, key: str, spec_json: str) -> None:
        """See `Engine`."""
        self._start(_Task(key, spec_json))

    def wait(self, timeout_s: float) -> list[tuple[str, Result]]:
        """See `Engine`."""
        busy = {worker.channel: worker for worker in self._workers if worker.task is not None}
        for worker in busy.values():
            worker.end_if_stopped()
        found = []
        for channel in wait(list(busy), timeout_s):
            assert isinstance(channel, Connection)
            made = self._settled(busy[channel])
            if made is not None:
                found.append(made)
        return found

    def _start(self, task: _Task) -> None:
        idle = next((worker for worker in self._workers if worker.task is None), None)
        if idle is None:
            idle = _Worker(self._threads, self._scratch)
            self._workers.append(idle)
        idle.give(task)

    def _settled(self, worker: _Worker) -> tuple[str, Result] | None:
        task, result = worker.task, worker.result()
        assert task is not None
        worker.task = None
        if result is not None:
            return task.key, result
        self._workers.remove(worker)
        words = worker.last_words()
        worker.end()
        task.deaths += 1
        if task.deaths > MAX_RETRIES:
            return task.key, Failure(f"died {task.deaths} times: {words}", "localhost")
        self._start(task)
        return None

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()
