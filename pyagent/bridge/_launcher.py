"""One long-lived thread that starts every simulator.

The kernel's parent-death signal fires when the *thread* that forked the child ends, not when its process
does. Were simulators started from the caller's thread, a short-lived worker thread would take them down.
This thread lives as long as the process.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from concurrent.futures import Future
from typing import Any

_Job = tuple["Future[subprocess.Popen[bytes]]", list[str], dict[str, Any]]


class _Launcher:
    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="pyagent-launcher", daemon=True).start()

    def _serve(self) -> None:
        while True:
            _run(*self.jobs.get())  # a function of its own: no name here keeps the last process alive


def _run(future: Future[subprocess.Popen[bytes]], argv: list[str], options: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        process: Any = subprocess.Popen(argv, **options)
        future.set_result(process)
    except BaseException as error:
        future.set_exception(error)


_launcher: _Launcher | None = None
_lock = threading.Lock()


def _forget() -> None:
    """In a forked child: the thread did not come along, and the lock may be held for ever."""
    global _launcher, _lock
    _launcher, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)


def start(argv: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """``subprocess.Popen(argv, **options)``, but run in the launcher thread.

    Raises:
        OSError: the process could not be started.
    """
    global _launcher
    with _lock:
        if _launcher is None:
            _launcher = _Launcher()
        launcher = _launcher
    future: Future[subprocess.Popen[bytes]] = Future()
    launcher.jobs.put((future, argv, options))
    try:
        return future.result()
    except KeyboardInterrupt:
        if not future.cancel():
            _discard(future)
        raise


def _discard(future: Future[subprocess.Popen[bytes]]) -> None:
    if future.exception() is None:
        future.result().kill()
        future.result().wait()
