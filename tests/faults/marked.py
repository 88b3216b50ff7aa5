"""A splitsim command in a session of its own; whatever it starts can be told by a mark in its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.faults.warm import nursery
from tests.running import command, select_nothing

MARK = "SPLITSIM_SOAK"
LOOK_S = 0.02
"""Between two looks at a process."""
_SIMULATOR, _WORKER = b"splitsim-ns3", b"pyagent.sweep.worker"
_GRACE_S = 10.0
"""How long what a dead agent has started may live on; the kernel ends it at once, slow cores later."""


class Marked:
    """Started when it is made; leaving the context kills all that bears its mark.

    Args:
        arguments: of splitsim.
        folder: gets `N.stdout` and `N.stderr`, numbered by how many were there.
        env: more variables.
        warm: fork it, see `warm`; else it is started from nothing.

    Attributes:
        pid: of the agent, and of its session.
        mark: value of MARK in the environment of all that it starts.
        stderr_path, stdout_path: what it prints.
        started: on the clock of `time.monotonic`.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        folder: Path,
        env: Mapping[str, str] | None = None,
        *,
        warm: bool = True,
    ) -> None:
        number = len(list(folder.glob("*.stderr")))
        self.stdout_path, self.stderr_path = folder / f"{number}.stdout", folder / f"{number}.stderr"
        for path in (self.stdout_path, self.stderr_path):
            path.touch(exist_ok=False)
        self.mark = uuid.uuid4().hex
        words, own = list(map(str, arguments)), {**(env or {}), MARK: self.mark}
        start = nursery().start if warm else _started_cold
        self.pid = start(words, self.stdout_path, self.stderr_path, own)
        self._status: int | None = None
        self.started = time.monotonic()

    @property
    def stderr(self) -> str:
        """All that it has printed there."""
        return self.stderr_path.read_text(encoding="utf-8", errors="replace")

    @property
    def stdout(self) -> str:
        """All that it has printed there."""
        return self.stdout_path.read_text(encoding="utf-8", errors="replace")

    def exit_code(self) -> int | None:
        """None while it runs; minus the signal that ended it."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def alive(self) -> list[int]:
        """Process ids of the agent and of all living that bear the mark, zombies left out."""
        agent = [self.pid] if self.exit_code() is None else []
        return agent + [pid for pid in _marked(f"{MARK}={self.mark}".encode()) if pid != self.pid]

    def simulators(self) -> list[int]:
        """Process ids of its ns-3 processes, those included that are about to become one."""
        return [pid for pid in self.alive() if _SIMULATOR in _read(pid, "cmdline")]

    def workers(self) -> list[int]:
        """Process ids of a sweep's workers."""
        return [pid for pid in self.alive() if _WORKER in _read(pid, "cmdline")]

    def until(self, reached: Callable[[], bool]) -> bool:
        """Wait for a point; False when the command has ended before."""
        while not reached():
            if self.exit_code() is not None:
                return False
            select_nothing(LOOK_S)
        return True

    def ends_within(self, bound_s: float) -> bool:
        """Whether the agent ends before so many seconds have passed."""
        deadline = time.monotonic() + bound_s
        while self.exit_code() is None and time.monotonic() < deadline:
            select_nothing(LOOK_S)
        return self.exit_code() is not None

    def orphans(self) -> list[int]:
        """What still lives a while after the agent has ended."""
        deadline = time.monotonic() + _GRACE_S
        while (left := self.alive()) and time.monotonic() < deadline:
            select_nothing(0.05)
        return left

    def send(self, number: signal.Signals) -> None:
        """To the agent alone."""
        send(self.pid, number)

    def end_all(self) -> None:
        """Kill whatever bears the mark."""
        for pid in self.alive():
            send(pid, signal.SIGKILL)

    def __enter__(self) -> Marked:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_all()
        while self.exit_code() is None:
            select_nothing(LOOK_S)


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False where the process is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _started_cold(arguments: list[str], stdout: Path, stderr: Path, env: Mapping[str, str]) -> int:
    with open(stdout, "wb") as out, open(stderr, "wb") as err:
        process = subprocess.Popen(
            command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**os.environ, **env},
            start_new_session=True,
        )
    process.returncode = 0  # waited for by whoever asked, not by Popen
    return process.pid


def _marked(mark: bytes) -> Iterator[int]:
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and mark in _read(int(entry.name), "environ").split(b"\0"):
            yield int(entry.name)


def _read(pid: int, name: str) -> bytes:
    """Of /proc; a zombie has nothing there."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
