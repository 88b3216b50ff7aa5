"""How many threads the small matrices of learning use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


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
