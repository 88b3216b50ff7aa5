"""Many inputs for one target, in a process of its own that may hang or die.

The caller imports the targets, so a child is forked within milliseconds. It announces each input in shared
memory before it reads it: what a dead or hanging child was at is known.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import mmap
import multiprocessing
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from tests.fuzz.mutate import MAX_BYTES
from tests.fuzz.target import Generator, Target, judge

_fork = multiprocessing.get_context("fork")
_HEAD = struct.Struct("<qq")  # number of the input under way, its bytes
_BOARD_BYTES = _HEAD.size + 8 * MAX_BYTES
_LOOK_S = 0.1
WALL_FACTOR = 6
"""An input may take so many times its CPU time by the clock, since a busy machine makes it wait."""
KEPT_OF_A_KIND = 3
"""Inputs that are saved of crashes at one place."""


@dataclass(frozen=True)
class Limits:
    """When a target has had enough inputs: whichever comes first.

    Attributes:
        inputs: how many.
        deadline: on `time.monotonic()`'s clock.
    """

    inputs: int
    deadline: float


@dataclass
class Outcome:
    """What came of a target's inputs.

    Attributes:
        saved: files of the inputs that crashed or hung, beside each of which NAME.txt says why.
    """

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    crashes: int = 0
    hangs: int = 0
    saved: list[Path] = field(default_factory=list)


class Finds:
    """A folder for inputs that found something."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count: dict[str, int] = {}

    def keep(self, data: bytes, what: str, why: str, outcome: Outcome) -> None:
        """Save an input unless there are enough of this kind, and say so on stderr."""
        self._count[what] = self._count.get(what, 0) + 1
        if self._count[what] > KEPT_OF_A_KIND:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / hashlib.sha256(data).hexdigest()[:16]
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(f"{what}\n\n{why}\n", encoding="utf-8")
        outcome.saved.append(path)
        print(f"  {self._folder.name}: {what}: {path}", file=sys.stderr, flush=True)


def fuzz(kind: type[Target], limits: Limits, seed: int, out: Path) -> Outcome:
    """Let a target read inputs; a child that hangs is killed, one that dies is replaced.

    Args:
        kind: the target.
        limits: how long.
        seed: of the inputs.
        out: folder for what is found, in a folder of the target's name.
    """
    outcome, finds = Outcome(), Finds(out / kind.name)
    while outcome.inputs < limits.inputs and time.monotonic() < limits.deadline:
        with _scratch() as folder, mmap.mmap(-1, _BOARD_BYTES) as board:
            _HEAD.pack_into(board, 0, -1, 0)
            theirs, ours = _fork.Pipe()
            child = _fork.Process(
                target=_work, args=(kind, seed, outcome.inputs, limits, folder, board, ours, os.getpid())
            )
            child.start()
            ours.close()
            try:
                if _follow(child.pid or 0, kind, theirs, board, finds, outcome):
                    break
            finally:
                child.kill()
                child.join()
                theirs.close()
    return outcome


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A new folder, in memory where there is such a place."""
    memory = Path("/dev/shm")
    name = tempfile.mkdtemp(prefix="splitsim-fuzz-", dir=memory if os.access(memory, os.W_OK) else None)
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)


# The child --------------------------------------------------------------------------------------------------


def _work(
    kind: type[Target],
    seed: int,
    first: int,
    limits: Limits,
    folder: Path,
    board: mmap.mmap,
    report: Connection,
    parent: int,
) -> None:
    _end_with(parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    target = kind(folder)
    inputs = Generator(target, seed, first)
    _bound_memory(kind.growth_bytes)
    for number in range(first, limits.inputs):
        if time.monotonic() >= limits.deadline:
            break
        data = inputs.next()
        _announce(board, number, data)
        verdict = judge(target, data)
        inputs.learn(data, verdict)
        told = (verdict.words, verdict.why, data) if verdict.kind == "crash" else None
        report.send((verdict.kind, told))
    report.send(None)


def _end_with(parent: int) -> None:
    """The kernel kills this process when its parent ends, however that comes."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def _bound_memory(growth_bytes: int) -> None:
    limit = psutil.Process().memory_info().vms + growth_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _announce(board: mmap.mmap, number: int, data: bytes) -> None:
    shown = data[: _BOARD_BYTES - _HEAD.size]
    board[_HEAD.size : _HEAD.size + len(shown)] = shown
    _HEAD.pack_into(board, 0, number, len(shown))


# The parent -------------------------------------------------------------------------------------------------


def _follow(
    pid: int, kind: type[Target], report: Connection, board: mmap.mmap, finds: Finds, outcome: Outcome
) -> bool:
    """Count what a child reports; False when it hung or died, so that another must go on."""
    watch: _Stopwatch | None = None  # runs while nothing is heard
    while True:
        if report.poll(_LOOK_S):
            watch = None
            try:
                told = report.recv()
            except EOFError:
                data = _under_way(board, kind)
                outcome.inputs += 1
                outcome.crashes += 1
                finds.keep(data, "the process died", _how_it_ended(pid), outcome)
                return False
            if told is None:
                return True
            _count(told, finds, outcome)
        elif watch is None:
            watch = _Stopwatch(pid)
        elif watch.is_over(kind.cpu_limit_s):
            data = _under_way(board, kind)
            outcome.inputs += 1
            outcome.hangs += 1
            finds.keep(data, "hang", f"more than {kind.cpu_limit_s:g} s of CPU time", outcome)
            return False


def _under_way(board: mmap.mmap, kind: type[Target]) -> bytes:
    """The input that the child announced last."""
    number, size = _HEAD.unpack_from(board, 0)
    if number < 0:
        raise RuntimeError(f"{kind.name}: no input was read, see above why")
    return bytes(board[_HEAD.size : _HEAD.size + size])


def _count(told: tuple[str, tuple[str, str, bytes] | None], finds: Finds, outcome: Outcome) -> None:
    verdict, crash = told
    outcome.inputs += 1
    outcome.accepted += verdict == "accepted"
    outcome.refused += verdict == "refused"
    if crash is not None:
        outcome.crashes += 1
        words, why, data = crash
        finds.keep(data, words, why, outcome)


def _how_it_ended(pid: int) -> str:
    """Reaped by its owner afterwards."""
    status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return "no status" if status is None else f"code {status.si_code}, status {status.si_status}"


class _Stopwatch:
    """How long a process has been at something, by its own time and by the clock."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._cpu_s, self._wall_s = self._used_s(), time.monotonic()

    def is_over(self, limit_s: float) -> bool:
        used_s = self._used_s() - self._cpu_s
        return used_s > limit_s or time.monotonic() - self._wall_s > WALL_FACTOR * limit_s

    def _used_s(self) -> float:
        try:
            times = self._process.cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)
