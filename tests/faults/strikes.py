"""The faults: what each does to a command under way, and how the command may end of it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random

from pyagent.files import LOCK
from pyagent.temporary import TemporaryFolder
from tests.faults.disk import Disk, can_mount
from tests.faults.marked import Marked, send
from tests.faults.subjects import Subject
from tests.running import select_nothing

STEP_TIMEOUT_S = 15.0
"""SPLITSIM_STEP_TIMEOUT_S of every case: how long a simulator may be silent."""
SECOND_S = 300.0
"""How long a second command may wait for the first, where they share the work."""
_PAUSE_S = 1.0
_CLOCK = "clock_jumps.so"
_KILLED = -signal.SIGKILL
_USER_ERROR, _FAILED, _INTERRUPTED = 2, 1, 130


@dataclass
class Scene:
    """What a strike may touch.

    Attributes:
        subject: what is run.
        process: it.
        again: starts it a second time beside itself.
        rng: of this strike.
        disk: where the output lies, where the fault asked for one.
    """

    subject: Subject
    process: Marked
    again: Callable[[], Marked]
    rng: Random
    disk: Disk | None


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: in the names of cases.
        strike: does it; False where there was nothing left to strike.
        statuses: that the command may end with. 0 is among them where it may come too late to be felt.
        says: one of these is on stderr where the status is not 0; none: nothing need be said.
        on: whether it can befall a command.
        own_disk: the output lies on a file system of its own.
        env: of the command.
        from_start: strikes before the command starts.
    """

    name: str
    strike: Callable[[Scene], bool]
    statuses: frozenset[int]
    says: Sequence[str] = ()
    on: Callable[[Subject], bool] = lambda subject: True
    own_disk: bool = False
    env: Callable[[], Mapping[str, str]] = field(default=dict)
    from_start: bool = False

    @property
    def strikes_simulators(self) -> bool:
        """Whether it needs one to be there."""
        return self.on is _has_simulators


def _kill(scene: Scene) -> bool:
    return send(scene.process.pid, signal.SIGKILL)


def _pause(pid: int) -> bool:
    if not send(pid, signal.SIGSTOP):
        return False
    select_nothing(_PAUSE_S)
    return send(pid, signal.SIGCONT)


def _pause_agent(scene: Scene) -> bool:
    return _pause(scene.process.pid)


def _kill_stopped(scene: Scene) -> bool:
    """What Ctrl-Z holds is no hang, but it must die, and its children, when it is killed."""
    scene.process.send(signal.SIGSTOP)
    select_nothing(_PAUSE_S)
    return _kill(scene)


def _one(scene: Scene, of: Callable[[], list[int]]) -> int | None:
    """One of the processes; waits for the first."""
    found: list[int] = []
    scene.process.until(lambda: bool(found.extend(of()) or found))
    return scene.rng.choice(found) if found else None


def _simulator(then: Callable[[int], bool]) -> Callable[[Scene], bool]:
    def strike(scene: Scene) -> bool:
        pid = _one(scene, scene.process.simulators)
        return pid is not None and then(pid)

    return strike


def _worker(then: Callable[[int], bool]) -> Callable[[Scene], bool]:
    def strike(scene: Scene) -> bool:
        pid = _one(scene, scene.process.workers)
        return pid is not None and then(pid)

    return strike


def _kill_one(pid: int) -> bool:
    return send(pid, signal.SIGKILL)


def _stop_one(pid: int) -> bool:
    return send(pid, signal.SIGSTOP)


def _signal(*numbers: signal.Signals) -> Callable[[Scene], bool]:
    """One after the other, each at once or up to a third of a second later."""

    def strike(scene: Scene) -> bool:
        struck = False
        for number in numbers:
            struck = send(scene.process.pid, number) or struck
            select_nothing(scene.rng.uniform(0.0, 0.3))
        return struck

    return strike


def _interrupt_stopped(scene: Scene) -> bool:
    """Ctrl-C while a simulator is silent."""
    pid = _one(scene, scene.process.simulators)
    if pid is None or not _stop_one(pid):
        return False
    select_nothing(_PAUSE_S / 2)
    return send(scene.process.pid, signal.SIGINT)


def _fill_disk(scene: Scene) -> bool:
    assert scene.disk is not None
    scene.disk.fill(scene.rng.choice((0, 0, 4096, 65536, 524288)))
    return True


def _read_only(scene: Scene) -> bool:
    assert scene.disk is not None
    scene.disk.forbid_writing()
    return True


def _limit(kind: int, room: Callable[[int, Random], int]) -> Callable[[Scene], bool]:
    """Of the agent and of all that it has started; what it starts later inherits the limit."""

    def strike(scene: Scene) -> bool:
        struck = False
        for pid in scene.process.alive():
            limit = room(pid, scene.rng)
            try:
                resource.prlimit(pid, kind, (limit, limit))
            except ProcessLookupError:
                continue
            struck = True
        return struck

    return strike


def _few_more(pid: int, rng: Random) -> int:
    try:
        there = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        there = 3
    return there + rng.choice((0, 1, 2, 3, 5, 8))


def _file_size(pid: int, rng: Random) -> int:
    return rng.choice((0, 1000, 4096, 20_000))


def _second(scene: Scene) -> bool:
    """The same command on the same output while the first is under way."""
    shares = scene.subject.shares
    # One that still loads its libraries, or has nothing left but to end, keeps nobody out.
    if not shares and not _holds(scene.process.pid):
        return False
    with scene.again() as second:
        if not second.ends_within(SECOND_S):
            raise AssertionError(f"two at once: the second is still there after {SECOND_S:.0f} s")
        status, told = second.exit_code(), second.stderr
        refused = status == _USER_ERROR and "is using it" in told
        under_way = scene.process.exit_code() is None and (shares or _holds(scene.process.pid))
        if under_way and not (refused or (shares and status == 0)):
            raise AssertionError(f"two at once: the second ended with status {status}: {told[-500:]}")
        return True


def _holds(pid: int) -> bool:
    """Whether a process has the lock of an output open."""
    try:
        return any(os.path.basename(os.readlink(fd)) == LOCK for fd in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


@lru_cache(maxsize=1)
def _jumping_clock() -> TemporaryFolder:
    """A folder with the library, for as long as this process needs it."""
    folder = TemporaryFolder()
    source = Path(__file__).with_name("clock_jumps.c")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", str(folder.path / _CLOCK), str(source)], check=True
    )
    return folder


def _jumps() -> Mapping[str, str]:
    return {"LD_PRELOAD": str(_jumping_clock().path / _CLOCK)}


def _nothing(scene: Scene) -> bool:
    return True


def _has_simulators(subject: Subject) -> bool:
    return subject.live


def _has_workers(subject: Subject) -> bool:
    return subject.shares


_INTERRUPTS = frozenset({0, _INTERRUPTED})
_TOLD = frozenset({0, _FAILED, _USER_ERROR})
_SIMULATOR_LOST = frozenset({0, _FAILED})

FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill-agent", _kill, frozenset({_KILLED})),
        Fault("kill-stopped-agent", _kill_stopped, frozenset({_KILLED})),
        Fault("pause-agent", _pause_agent, frozenset({0})),
        Fault("kill-ns3", _simulator(_kill_one), _SIMULATOR_LOST, ("SIGKILL", "failed"), _has_simulators),
        Fault("stop-ns3", _simulator(_stop_one), _SIMULATOR_LOST, ("waited", "failed"), _has_simulators),
        Fault("pause-ns3", _simulator(_pause), frozenset({0}), on=_has_simulators),
        Fault("kill-worker", _worker(_kill_one), frozenset({0}), on=_has_workers),
        Fault("stop-worker", _worker(_stop_one), frozenset({0}), on=_has_workers),
        Fault("interrupt", _signal(signal.SIGINT), _INTERRUPTS, ("interrupted",)),
        Fault("interrupt-twice", _signal(signal.SIGINT, signal.SIGINT), _INTERRUPTS, ("interrupted",)),
        Fault("terminate", _signal(signal.SIGTERM), _INTERRUPTS, ("interrupted",)),
        Fault("interrupt-stopped", _interrupt_stopped, _INTERRUPTS, ("interrupted",), _has_simulators),
        Fault("full-disk", _fill_disk, _TOLD, ("No space", "disk is full", "full"), own_disk=True),
        # What is said goes to a file too, here, and may be cut off.
        Fault("file-limit", _limit(resource.RLIMIT_FSIZE, _file_size), _TOLD),
        Fault("no-descriptors", _limit(resource.RLIMIT_NOFILE, _few_more), _TOLD, ("open files", "unable")),
        Fault("read-only", _read_only, _TOLD, ("Read-only", "readonly"), own_disk=True, from_start=True),
        Fault("second", _second, frozenset({0})),
        Fault("clock-jumps", _nothing, frozenset({0}), env=_jumps, from_start=True),
    )
    if can_mount() or not fault.own_disk
}
