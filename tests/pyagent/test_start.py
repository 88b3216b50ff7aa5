"""What importing pyagent brings, and how the command line starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("gymnasium", "numpy", "pandas", "torch", "transformers", "yaml")


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **variables},
        check=False,
    )


@pytest.mark.parametrize(
    "imports",
    [
        "import gymnasium, pyagent",
        "import pyagent, gymnasium",
        "import pyagent; from gymnasium.envs.registration import registry; import gymnasium",
        "import pyagent.registration as r; r.register_environments(); import gymnasium",
        "import pyagent.api, gymnasium, pyagent.registration as r; r.register_environments()",
    ],
)
def test_gymnasium_knows_the_environments_whoever_is_imported_first(imports: str) -> None:
    ours = "sorted(name for name in gymnasium.registry if name.startswith('pyagent/'))"
    done = python("-W", "error", "-c", f"{imports}; print(*{ours})")
    assert done.stderr == ""
    assert done.stdout.split() == ["pyagent/Replay-v0", "pyagent/SeedSplit-v0", "pyagent/SplitInference-v0"]


def test_the_command_line_starts_without_what_takes_time() -> None:
    done = python("-c", "import sys, pyagent.cli; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert not set(HEAVY) & set(done.stdout.split())


def test_an_interrupt_while_it_loads_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = python("-m", "pyagent", "demo", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (130, "splitsim: interrupted\n")
