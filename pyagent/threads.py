"""The cores that a process may use, and the threads of the language model and of learning.

Nothing happens when this is imported: torch is loaded when a function needs it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyagent.cgroup import cpu_quota
from pyagent.errors import UserError

COUNT_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""With one of these the user has chosen the number of threads; torch reads them."""
WAIT_VARIABLES = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""With one of these the user has chosen how threads wait; the value is the one that never spins."""

_forked_with_torch = False


@dataclass(frozen=True)
class Threads:
    """A number of threads and the reason for it, as a phrase."""

    count: int
    reason: str


def available_cores() -> int:
    """Cores that the system gives this process: its affinity and its cgroup's CPU quota, rounded down."""
    affinity, quota = len(os.sched_getaffinity(0)), cpu_quota()
    return affinity if quota is None else max(1, min(affinity, int(quota)))


def cores() -> int:
    """Cores that this process may use: `available_cores`, at most SPLITSIM_CORES where that is set.

    Raises:
        UserError: SPLITSIM_CORES is no whole number above 0.
    """
    available, limit = available_cores(), os.environ.get("SPLITSIM_CORES")
    if limit is None:
        return available
    if not limit.isdecimal() or int(limit) < 1:
        raise UserError(f"SPLITSIM_CORES = {limit!r}: valid: a whole number, 1 or more")
    return min(int(limit), available)


def wait_passively() -> None:
    """Let OpenMP's threads sleep while they wait for each other, unless the user has chosen otherwise.

    Sets OMP_WAIT_POLICY. OpenMP reads it when torch is loaded, so this changes nothing afterwards. By default
    the threads spin; one that shares its core with another program then delays all others (measured: a step
    took up to 10 times longer).
    """
    if "torch" not in sys.modules and not any(name in os.environ for name in WAIT_VARIABLES):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def waits_passively() -> bool:
    """True if OpenMP's threads don't spin, by the variables that are set."""
    return any(os.environ.get(name, "").upper() == value for name, value in WAIT_VARIABLES.items())


def choose_threads(count: int | None = None) -> Threads:
    """Threads for the language model in this process.

    The first of these that applies: one thread in a process forked after torch was loaded; `count`;
    OMP_NUM_THREADS or MKL_NUM_THREADS; what `torch.set_num_threads` has set (a number that differs from
    torch's own default); one in a worker process of `multiprocessing`; all available cores; half of them if
    torch was loaded with threads that spin.

    Args:
        count: the user's own choice, 1 or more.

    Raises:
        UserError: `count` is above 1 in a forked process, where OpenMP would wait for ever.
    """
    if _forked_with_torch:
        return _in_a_fork(count)
    if count is not None:
        return Threads(count, f"threads = {count}")
    import torch

    current = torch.get_num_threads()
    for name in COUNT_VARIABLES:
        if name in os.environ:
            return Threads(current, f"{name} = {os.environ[name]}")
    affinity = len(os.sched_getaffinity(0))
    # With MKL, torch takes one thread for each physical core: half of the logical ones.
    if current not in (affinity, max(1, affinity // 2)):
        return Threads(current, "set by torch.set_num_threads")
    chosen = _by_cores()
    return chosen if chosen.count <= current else Threads(current, "torch has no more")


def _in_a_fork(count: int | None) -> Threads:
    if count is not None and count > 1:
        raise UserError(
            f"threads = {count} in a process that was forked after torch was loaded, valid: 1; or start the "
            "processes with context='spawn' (stable-baselines3: start_method='spawn')"
        )
    return Threads(1, "forked after torch was loaded")


def _by_cores() -> Threads:
    available = available_cores()
    if multiprocessing.parent_process() is not None:
        return Threads(1, "a worker process that shares the cores with others")
    if waits_passively():
        return Threads(available, f"all of {available} cores, threads wait without spinning")
    return Threads(max(1, available // 2), f"half of {available} cores, because torch's threads spin")


@contextmanager
def model_threads(count: int | None = None) -> Iterator[None]:
    """The threads of `choose_threads` for torch inside; torch has its own number again afterwards.

    A process forked after torch was loaded keeps one thread: OpenMP's threads were not forked with it, and
    torch would wait for them for ever.

    Raises:
        UserError: see `choose_threads`.
    """
    chosen = choose_threads(count).count
    import torch

    before = torch.get_num_threads()
    if chosen == before and not _forked_with_torch:
        yield
        return
    torch.set_num_threads(chosen)
    try:
        yield
    finally:
        if not _forked_with_torch:
            torch.set_num_threads(before)


def _note_fork() -> None:
    global _forked_with_torch
    _forked_with_torch = _forked_with_torch or "torch" in sys.modules


os.register_at_fork(after_in_child=_note_fork)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """One torch thread inside: sums in another order would be other bits, and small networks gain nothing."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        if not _forked_with_torch:
            torch.set_num_threads(threads)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch and for NumPy's linear algebra inside; too slow to enter for each decision.

    Learning works on networks and matrices so small that threads wait for each other longer than they work
    (measured: a linear bandit on two cores that others share is 4.5 times faster with one).
    """
    from threadpoolctl import threadpool_limits

    with one_torch_thread(), threadpool_limits(limits=1):
        yield
