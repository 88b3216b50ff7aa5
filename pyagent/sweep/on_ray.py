"""Runs as tasks of a Ray cluster: Ray places them, makes them again and brings back what they made."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

from pyagent.plugins import VARIABLE
from pyagent.sweep.engine import MAX_RETRIES, EngineError, local_workers
from pyagent.sweep.execute import Failure, Result, attempt, from_frames, limit_threads, to_frames

_LOOPBACK = "127.0.0.1"
# Ray reads it when it is imported: without it a cluster of one machine would listen on every network.
_ONLY_THIS_MACHINE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


class RayEngine:
    """See `Engine`.

    Args:
        workers: runs at a time; None: as many as the cluster's cores allow, also of machines that join later.
        threads: cores of each.
        address: of a running cluster; None: one is started on this machine, on loopback alone, and ended.

    Raises:
        EngineError: Ray isn't installed, or there is no cluster at the address.
    """

    def __init__(self, workers: int | None, threads: int, address: str | None) -> None:
        cores = None if address else local_workers(workers, threads) * threads
        self._ray = _connected(address, cores)
        self._workers, self._threads = workers, threads
        self._task = self._ray.remote(_make).options(num_cpus=threads, max_retries=MAX_RETRIES)
        self._running: dict[Any, str] = {}

    @property
    def room(self) -> int:
        """Cores of the cluster that no run of ours has been given."""
        most = int(self._ray.cluster_resources().get("CPU", 0)) // self._threads
        return max(0, min(most, self._workers or most) - len(self._running))

    def submit(self, key: str, spec_json: str) -> None:
        """See `Engine`."""
        # Processes of a cluster have its environment, not ours.
        plugins = os.environ.get(VARIABLE, "")
        self._running[self._task.remote(key, spec_json, self._threads, plugins)] = key

    def wait(self, timeout_s: float) -> list[tuple[str, Result]]:
        """See `Engine`."""
        if not self._running:
            return []
        ready, _ = self._ray.wait(list(self._running), timeout=timeout_s)
        return [(self._running.pop(reference), self._fetched(reference)) for reference in ready]

    def _fetched(self, reference: Any) -> Result:
        try:
            return from_frames(*self._ray.get(reference))
        except self._ray.exceptions.RayError as error:  # it died under each of its tries
            return Failure(f"{type(error).__name__}: {error}", "ray")

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()


def _make(key: str, spec_json: str, threads: int, plugins: str = "") -> tuple[bytes, bytes]:
    """What a task does, in a process of Ray's that may have made runs before."""
    os.environ.update(limit_threads(threads) | {VARIABLE: plugins})
    import torch

    torch.set_num_threads(threads)
    return to_frames(attempt(key, spec_json))


def _connected(address: str | None, cores: int | None) -> Any:
    """The module, connected."""
    if address is None:
        os.environ.setdefault(_ONLY_THIS_MACHINE, "0")
    try:
        import ray
    except ImportError as error:
        raise EngineError("engine = ray: Ray is not installed; install ns3-llm-split[ray]") from error
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        options |= {"num_cpus": cores, "include_dashboard": False, "_node_ip_address": _LOOPBACK}
    try:
        ray.init(address=address or "local", **options)
    except (OSError, ValueError, RuntimeError) as error:  # also a TMPDIR too long for its sockets
        where = f"engine.address = {address!r}" if address else "engine = ray"
        reason = " ".join(str(error).split())
        raise EngineError(f"{where}: {reason}; valid: the address of a running cluster") from error
    return ray
