"""Who listens while a simulation runs: the agent, in a private folder or on the loopback interface."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from pyagent.bridge import Ns3Env, make_vec
from pyagent.envs.simulator import Episode
from pyagent.paths import simulator_executable
from pyagent.scenario.compile import write_simulator_config
from tests.conftest import small_scenario

pytestmark = pytest.mark.ns3


def tcp_listeners(process: psutil.Process) -> set[str]:
    """Addresses without the port."""
    found = process.net_connections("inet")
    # A UDP socket has no state: it hears whoever sends to it.
    return {c.laddr.ip for c in found if c.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)}


def unix_paths(process: psutil.Process) -> set[str]:
    """Of its Unix sockets; abstract names, which every user can connect to, begin with @ or a zero."""
    return {c.laddr for c in process.net_connections("unix") if c.laddr}


def everybody() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def new_listeners(before: tuple[set[str], set[str]]) -> tuple[set[str], set[str]]:
    processes = everybody()
    assert len(processes) > 1, "no simulator runs"
    inet = set().union(*map(tcp_listeners, processes))
    unix = set().union(*map(unix_paths, processes))
    return inet - before[0], unix - before[1]


@pytest.fixture
def before() -> tuple[set[str], set[str]]:
    own = psutil.Process()
    return tcp_listeners(own), unix_paths(own)


def is_private(path: str) -> bool:
    """Whether it lies in a folder that only this user can enter."""
    folder = Path(path).parent.stat()
    return folder.st_mode & 0o777 == 0o700 and folder.st_uid == os.getuid()


def test_a_running_episode_listens_on_paths_in_a_private_folder_only(
    before: tuple[set[str], set[str]],
) -> None:
    with Episode(small_scenario(), 1) as episode:
        episode.begin()
        episode.decide(0)
        inet, unix = new_listeners(before)
        assert inet == set()
        assert len(unix) == 1
        assert all(map(is_private, unix))
    assert not any(Path(path).parent.exists() for path in unix)


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
@pytest.mark.parametrize("many", [False, True], ids=["one", "vector"])
def test_environments_listen_privately_or_on_the_loopback_interface(
    before: tuple[set[str], set[str]], tmp_path: Path, transport: Any, many: bool
) -> None:
    args = [f"--config={write_simulator_config(small_scenario(), tmp_path / 'scenario.json')}"]
    make = (lambda *a, **k: make_vec(2, *a, **k)) if many else Ns3Env
    env = make(simulator_executable(), args, transport=transport)
    try:
        env.reset()
        inet, unix = new_listeners(before)
        if transport == "tcp":
            assert inet == {"127.0.0.1"}
            assert unix == set()
        else:
            assert inet == set()
            assert len(unix) == 1 + many
            assert all(map(is_private, unix))
    finally:
        env.close()
