"""The CPU quota of this process's control groups (containers, systemd units), versions 1 and 2."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def cpu_quota(root: Path = ROOT, membership: Path = MEMBERSHIP) -> float | None:
    """CPU time per time, in cores: the smallest quota of the process's groups and their ancestors.

    Args:
        root: where the cgroup file systems are mounted.
        membership: the groups of the process, as the kernel lists them (cgroups(7)).

    Returns:
        None where there is no quota, or no control groups.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    quotas = [quota for line in lines for quota in _quotas(root, line)]
    return min(quotas, default=None)


def _quotas(root: Path, line: str) -> Iterator[float]:
    """Quotas along one line `ID:CONTROLLERS:/PATH`; version 2 names no controllers."""
    _, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    mounts = (root / "cpu", root / controllers) if controllers else (root, root / "unified")
    if controllers and "cpu" not in controllers.split(","):
        return
    for mount in dict.fromkeys(mounts):
        group = mount / path.lstrip("/")
        # A container may have its own group mounted as the root, under the path of the host.
        for folder in (group, *group.parents):
            quota = _quota(folder)
            if quota is not None:
                yield quota
            if folder == mount:
                break


def _quota(folder: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        if quota != "max" and int(quota) > 0:
            return int(quota) / int(period)
    return None
