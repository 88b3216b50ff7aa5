"""Start one simulator process, watch it, and never leave it behind."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from pyagent.bridge import _launcher
from pyagent.bridge.patience import Patience, sleep

PARENT_FD_VARIABLE = "PYAGENT_PARENT_FD"
"""Names the descriptor on which the simulator sees end-of-file when the agent is gone."""
TICK_S = 0.05
"""How often to look at the process where the kernel has no pidfd, in seconds."""

_WRAPPER = str(Path(__file__).with_name("_exec_wrapper.py"))
_TAIL_LINES = 30
_TAIL_BYTES = 64 * 1024
_TAIL_COLUMNS = 1000
_KILL_DEADLINE_S = 10.0
# Inherited variables that change what a simulator does, so a command that reproduces a run names them.
_TELLING_VARIABLES = (
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NS_LOG",
    "NS_GLOBAL_VALUE",
    "NS_COMMANDLINE_INTROSPECTION",
)

_log = logging.getLogger(__name__)
_live: weakref.WeakSet[SimulatorProcess] = weakref.WeakSet()


class SimulatorProcess:
    """A running simulator whose life is bound to this process.

    It leads a session of its own, so Ctrl-C in a terminal reaches only the agent, and a wrapper script's
    children are signalled together with it. It dies with this process in two ways, even if that gets
    SIGKILL: a pipe, whose read end it inherits (``PYAGENT_PARENT_FD``), reaches end-of-file; and the
    kernel sends it SIGKILL (Linux, ``PR_SET_PDEATHSIG``), whatever program it is.

    Not safe for use from several threads at once, except for ``kill`` and ``is_stopped``.

    Args:
        executable: path, or name to be found on PATH.
        args: its arguments, passed as they are (no shell).
        log_dir: folder for its stdout and stderr; made if absent.
        label: start of the log files' names; a number is added where the name is taken.
        env: variables added to the agent's own environment.
        pass_fds: descriptors of ours that it inherits.

    Attributes:
        pid: process id, also the id of its session and process group.
        command: shell line that starts the same simulator by hand.
        stdout_path, stderr_path: the log files.

    Raises:
        FileNotFoundError: there is no such executable file.
        OSError: it could not be started.
    """

    def __init__(
        self,
        executable: str | os.PathLike[str],
        args: Sequence[str] = (),
        *,
        log_dir: str | os.PathLike[str],
        label: str = "sim",
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._owner_pid = os.getpid()
        self._popen: subprocess.Popen[bytes] | None = None
        self._parent_fd: int | None = None
        self._pidfd: int | None = None
        self._reaping = threading.Lock()
        argv = [_find(executable), *map(str, args)]
        self.command = _reproduce_command(argv, env or {})
        stdout, stderr = _open_logs(Path(log_dir), label)
        self.stdout_path, self.stderr_path = Path(stdout.name), Path(stderr.name)
        with stdout, stderr:
            self._popen = self._start(argv, {**os.environ, **(env or {})}, stdout, stderr, pass_fds)
        self.pid: int = self._popen.pid
        self._pidfd = _open_pidfd(self.pid)
        _live.add(self)

    def _start(
        self,
        argv: list[str],
        env: dict[str, str],
        stdout: IO[bytes],
        stderr: IO[bytes],
        pass_fds: Sequence[int],
    ) -> subprocess.Popen[bytes]:
        child_fd, self._parent_fd = os.pipe()
        env[PARENT_FD_VARIABLE] = str(child_fd)
        wrapped = [sys.executable, "-I", "-S", _WRAPPER, str(self._owner_pid), *argv]
        try:
            return _launcher.start(
                wrapped,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=env,
                pass_fds=(child_fd, *pass_fds),
                start_new_session=True,
            )
        except BaseException:
            self._close_fds()
            raise
        finally:
            os.close(child_fd)

    @property
    def pidfd(self) -> int | None:
        """Descriptor that becomes readable when the process ends; None after that, or without support."""
        return self._pidfd

    def exit_code(self) -> int | None:
        """Exit status if it has ended (minus the signal number if a signal ended it), else None.

        The first call that sees the end also kills what the process left in its group, and reaps it.
        """
        if self._popen is None or self._popen.returncode is not None:
            return None if self._popen is None else self._popen.returncode
        with contextlib.suppress(
            ChildProcessError
        ):  # somebody else reaped it: its id may be another's by now
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
            # Before reaping: until then the kernel cannot give the group's id to anybody else.
            self._signal_group(signal.SIGKILL)
        with self._reaping:
            code = self._popen.wait()
        self._close_fds()
        return code

    def wait(self, timeout_s: float) -> int | None:
        """Wait at most ``timeout_s`` seconds for the end; returns what ``exit_code`` does."""
        patience = Patience(timeout_s)
        while (code := self.exit_code()) is None:
            if not patience.left_s:
                return None
            self._sleep_until_end(patience)
        return code

    def _sleep_until_end(self, patience: Patience) -> None:
        poller = select.poll()
        if self._pidfd is None:
            sleep(poller, [patience], TICK_S)
            return
        poller.register(self._pidfd, select.POLLIN)
        sleep(poller, [patience])

    def kill(self) -> None:
        """SIGKILL to it and its group, from any thread; whoever waits for it sees its end."""
        with self._reaping:
            if self._popen is not None and self._popen.returncode is None:
                self._signal_group(signal.SIGKILL)

    def is_stopped(self) -> bool:
        """Whether a signal such as SIGSTOP holds it, and nothing has let it go on since."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # it has ended and been reaped
            return False

    def terminate(self, deadline_s: float = 2.0) -> int | None:
        """End it and everything in its group: SIGTERM, after ``deadline_s`` seconds SIGKILL; reap it.

        Does nothing to a process that has ended, nor in a forked copy of the agent. Returns the exit
        status; None only if the kernel has not ended it 10 s after SIGKILL.
        """
        if os.getpid() != self._owner_pid:
            return None
        try:
            if self.exit_code() is None:
                self._signal_group(signal.SIGTERM)
                self.wait(deadline_s)
        finally:  # also when Ctrl-C cuts the wait short
            if self.exit_code() is None:
                self._signal_group(signal.SIGKILL)
                if self.wait(_KILL_DEADLINE_S) is None:
                    _log.error("process %d survived SIGKILL", self.pid)
            self._close_fds()
        return self.exit_code()

    def stderr_tail(self) -> str:
        """Last 30 lines of stderr; of stdout, and saying so, where stderr is empty."""
        tail = _tail(self.stderr_path)
        if tail:
            return tail
        tail = _tail(self.stdout_path)
        return f"(stderr is empty, from stdout:)\n{tail}" if tail else ""

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _close_fds(self) -> None:
        for fd in (self._parent_fd, self._pidfd):
            if fd is not None:
                os.close(fd)
        self._parent_fd = self._pidfd = None

    def __enter__(self) -> SimulatorProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()

    def __del__(self) -> None:
        if getattr(self, "_popen", None) is not None:
            self.terminate(0.0)


def _close_in_forked_child() -> None:
    """A forked copy of the agent must not hold the pipe open after the agent itself is gone."""
    for process in list(_live):
        process._close_fds()


os.register_at_fork(after_in_child=_close_in_forked_child)


def _find(executable: str | os.PathLike[str]) -> str:
    path = shutil.which(executable)
    if path is None:
        raise FileNotFoundError(f"executable={os.fspath(executable)!r}: no such executable file")
    return os.path.abspath(path)


def _reproduce_command(argv: list[str], env: Mapping[str, str]) -> str:
    telling = {name: os.environ[name] for name in _TELLING_VARIABLES if name in os.environ}
    assignments = [f"{name}={value}" for name, value in {**telling, **env}.items()]
    return shlex.join((["env", *assignments] if assignments else []) + argv)


def _open_logs(log_dir: Path, label: str) -> tuple[IO[bytes], IO[bytes]]:
    log_dir.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        stem = label if number == 0 else f"{label}-{number}"
        try:
            stdout = open(log_dir / f"{stem}.stdout.log", "xb")  # noqa: SIM115 (closed by the caller)
        except FileExistsError:
            continue
        return stdout, open(log_dir / f"{stem}.stderr.log", "wb")
    raise AssertionError("unreachable")


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or older than 5.3
        return None


def _tail(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(line[:_TAIL_COLUMNS] for line in text.splitlines()[-_TAIL_LINES:])
