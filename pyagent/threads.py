"""How many cores a process may use, and how many threads the small matrices of learning use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from pyagent.errors import UserError


def cores() -> int:
    """How many cores this process may use: SPLITSIM_CORES where it is set, at most those that there are.

    Raises:
        UserError: SPLITSIM_CORES is no whole number above 0.
    """
    there, said = len(os.sched_getaffinity(0)), os.environ.get("SPLITSIM_CORES")
    if said is None:
        return there
    if not said.isdecimal() or int(said) < 1:
        raise UserError(f"SPLITSIM_CORES = {said!r}: valid: a whole number, 1 or more")
    return min(int(said), there)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """One torch thread inside: sums in another order would be other bits, and small networks gain nothing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch and for NumPy's linear algebra inside; too slow to enter for each decision.

    Learning works on networks and matrices so small that threads wait for each other longer than they work
    (measured: a linear bandit on two cores that others share is 4.5 times faster with one).
    """
    with one_torch_thread(), threadpool_limits(limits=1):
        yield
