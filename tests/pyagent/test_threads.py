"""Threads of the language model: chosen by the cores, unless the user has chosen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pyagent import threads
from pyagent.cgroup import cpu_quota
from pyagent.errors import UserError
from pyagent.threads import Threads, available_cores, choose_threads, cores, model_threads

AFFINITY = len(os.sched_getaffinity(0))


@pytest.fixture(autouse=True)
def no_choice_of_the_user(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in (*threads.COUNT_VARIABLES, *threads.WAIT_VARIABLES, "SPLITSIM_CORES"):
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(AFFINITY)
    yield
    torch.set_num_threads(before)


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        # cgroups(7) and the kernel's cgroup-v2.rst: "$MAX $PERIOD" in microseconds, "max" for none.
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "400000 100000\n"}, 2.0),
        # Version 1: -1 for none; a container sees its own group as the root, under the path of the host.
        (
            "3:cpuset:/\n1:cpu,cpuacct:/docker/x\n",
            {"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            0.5,
        ),
        (
            "1:cpu:/\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            None,
        ),
        # Both versions at once, as systemd's hybrid layout mounts them.
        (
            "1:cpu,cpuacct:/s\n0::/s\n",
            {"cpu,cpuacct/s/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/s/cpu.cfs_period_us": "100000\n"},
            3.0,
        ),
        ("0::/\n", {"cpu.max": "damaged\n"}, None),
    ],
)
def test_the_quota_of_control_groups(
    tmp_path: Path, membership: str, files: dict[str, str], quota: float | None
) -> None:
    write(tmp_path, {**files, "membership": membership})
    assert cpu_quota(tmp_path, tmp_path / "membership") == quota


def test_no_control_groups_are_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path, tmp_path / "none") is None


@pytest.mark.parametrize(("quota", "expected"), [(None, 8), (2.9, 2), (0.5, 1), (64.0, 8)])
def test_cores_are_bounded_by_affinity_quota_and_variable(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    assert available_cores() == cores() == expected
    monkeypatch.setenv("SPLITSIM_CORES", "1")
    assert (available_cores(), cores()) == (expected, 1)
    monkeypatch.setenv("SPLITSIM_CORES", "x")
    with pytest.raises(UserError, match="SPLITSIM_CORES = 'x'"):
        cores()


def on_cores(monkeypatch: pytest.MonkeyPatch, count: int, *, torch_has: int | None = None) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)))
    monkeypatch.setattr(threads, "cpu_quota", lambda: None)
    torch.set_num_threads(torch_has or count)


def test_all_cores_where_threads_wait_without_spinning(monkeypatch: pytest.MonkeyPatch) -> None:
    on_cores(monkeypatch, 4)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    assert choose_threads() == Threads(4, "all of 4 cores, threads wait without spinning")
    monkeypatch.setattr(threads, "cpu_quota", lambda: 3.5)
    assert choose_threads().count == 3


def test_half_of_the_cores_where_torch_spins(monkeypatch: pytest.MonkeyPatch) -> None:
    on_cores(monkeypatch, 4)
    assert choose_threads() == Threads(2, "half of 4 cores, because torch's threads spin")


def test_what_the_user_set_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    on_cores(monkeypatch, 8, torch_has=3)
    assert choose_threads() == Threads(3, "set by torch.set_num_threads")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert choose_threads() == Threads(3, "OMP_NUM_THREADS = 3")
    assert choose_threads(5) == Threads(5, "threads = 5")


def test_never_more_than_torch_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """MKL's default is the number of physical cores, here half of the logical ones."""
    on_cores(monkeypatch, 8, torch_has=4)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert choose_threads() == Threads(4, "torch has no more")


def test_torch_has_its_own_number_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    on_cores(monkeypatch, 4)
    with model_threads():
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 4
    with model_threads(3):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 4


def in_a_fork(code: str) -> Any:
    """What `code` prints in a child that is forked after torch was loaded; it ends within its bound."""
    script = f"""
import json, os, torch
import pyagent.threads as threads
torch.set_num_threads(2)
big = torch.ones(1500, 1500)
big @ big  # OpenMP's threads now exist in this process, and won't in the child
if os.fork() == 0:
    {code}
    os._exit(0)
os.wait()
"""
    # Python 3.12 and newer warn of what is done here on purpose: a fork beside other threads.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_forked_process_computes_with_one_thread_and_does_not_hang() -> None:
    code = """
    with threads.model_threads():
        mean = (big @ big).mean(dtype=torch.float64).item()
    print(json.dumps([mean, torch.get_num_threads()]), flush=True)
    """
    # Each element is a sum of 1500 ones.
    assert in_a_fork(code.strip()) == [1500.0, 1]


def test_threads_in_a_forked_process_are_refused_by_name() -> None:
    code = """
    try:
        threads.choose_threads(2)
    except threads.UserError as error:
        print(json.dumps(str(error)), flush=True)
    """
    assert "context='spawn'" in in_a_fork(code.strip())


def python(code: str, **variables: str) -> str:
    env = {
        n: v for n, v in os.environ.items() if n not in (*threads.COUNT_VARIABLES, *threads.WAIT_VARIABLES)
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={**env, **variables}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SHOW = "; import os; print(os.environ.get('OMP_WAIT_POLICY'))"


@pytest.mark.parametrize(
    ("code", "variables", "policy"),
    [
        ("import pyagent, pyagent.threads", {}, "None"),
        ("import pyagent.envs", {}, "PASSIVE"),
        ("import pyagent; pyagent.make_env", {}, "PASSIVE"),
        ("import torch, pyagent.envs", {}, "None"),
        ("import pyagent.envs", {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        ("import pyagent.envs", {"GOMP_SPINCOUNT": "1000"}, "None"),
    ],
)
def test_waiting_is_set_for_environments_only_and_before_torch(
    code: str, variables: dict[str, str], policy: str
) -> None:
    assert python(code + SHOW, **variables) == policy
