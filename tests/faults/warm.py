"""Starts of splitsim that take no time: forks of a process that has the libraries loaded.

Loading them is most of a short command's time. What is forked runs the same entry point with signals,
standard streams, session and environment of its own, and ends as a process that was started does.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
# Torch loads its compiler when the first optimiser is made.
_HEAVY = (
    "pandas",
    "torch.utils.tensorboard",
    "torch._dynamo",
    "pyagent.learning.training",
    "pyagent.campaign.run",
)


class Nursery:
    """The process that is forked. It holds no thread and no file but its pipes."""

    def __init__(self) -> None:
        # Its grandchildren become our children, so that we learn how they end.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def start(self, arguments: Sequence[str], stdout: Path, stderr: Path, env: Mapping[str, str]) -> int:
        """A process id, of a child of ours that leads a session."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"arguments": list(arguments), "stdout": str(stdout), "stderr": str(stderr), "env": dict(env)}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@lru_cache(maxsize=1)
def nursery() -> Nursery:
    """The one of this process; it ends with it."""
    return Nursery()


def _serve() -> None:
    """Answer each line with a process id. Returns in what was forked, and when nobody asks any more."""
    for line in iter(sys.stdin.buffer.readline, b""):
        asked = json.loads(line)
        reading, writing = os.pipe()
        between = os.fork()
        if between == 0:
            child = os.fork()
            if child == 0:
                os.close(reading)
                os.close(writing)
                _become(**asked)
                return
            os.write(writing, f"{child}\n".encode())
            os._exit(0)
        os.waitpid(between, 0)  # only then the child is our parent's
        os.write(1, os.read(reading, 64))
        os.close(reading)
        os.close(writing)
    os._exit(0)


def _become(arguments: list[str], stdout: str, stderr: str, env: dict[str, str]) -> None:
    os.setsid()
    for number, (path, how) in enumerate(
        [(os.devnull, os.O_RDONLY), (stdout, os.O_WRONLY), (stderr, os.O_WRONLY)]
    ):
        opened = os.open(path, how)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.update(env)
    sys.argv = ["splitsim", *arguments]


def main() -> None:
    """Entry point."""
    from importlib import import_module

    for name in _HEAVY:
        import_module(name)
    from pyagent.cli import main as splitsim

    signal.signal(signal.SIGINT, signal.default_int_handler)
    _serve()
    splitsim()


if __name__ == "__main__":
    main()
