import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pyagent.bridge import Ns3Env

FAKE_SIM = Path(__file__).with_name("fake_sim.py")


@pytest.fixture
def make_env(tmp_path: Path) -> Iterator[Any]:
    """``make_env("--mode=crash", transport="tcp")``: an Ns3Env around the fake simulator."""
    made = []

    def make(*args: str, **options: Any) -> Ns3Env:
        options = {"log_dir": tmp_path / "log", "connect_timeout_s": 20, "step_timeout_s": 20, **options}
        env = Ns3Env(sys.executable, [str(FAKE_SIM), *args], **options)
        made.append(env)
        return env

    yield make
    for env in made:
        env.close()


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """Every test, also one about failures, ends with no child process."""
    yield
    left = psutil.Process(os.getpid()).children(recursive=True)
    assert not left
