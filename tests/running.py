"""splitsim as a process: how tests start it, and what runs below it."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import yaml

from pyagent.paths import REPOSITORY
from tests.conftest import small_scenario


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "pyagent", *map(str, arguments)]


def splitsim(*arguments: str | Path, timeout_s: float = 150) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL
    )


def printed_json(module: str, *arguments: str, timeout_s: float) -> Any:
    """What a module that prints one JSON line prints."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return json.loads(line)


def write_scenario(folder: Path, **sections: dict[str, object]) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(small_scenario(**sections).model_dump(mode="json")))
    return path


def simulators(parent: int | None = None) -> list[psutil.Process]:
    """Running ns-3 processes below a process (default: this one)."""
    try:
        children = psutil.Process(parent).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child for child in children if "splitsim-ns3" in " ".join(child.cmdline())]


def select_nothing(seconds: float) -> None:
    """A pause between two looks at another process."""
    select.select([], [], [], seconds)
