"""The shell's completion, and the package run as a module."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def splitsim(*arguments: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pyagent", *arguments],
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(shell: str) -> None:
    assert f"complete_{shell}" in splitsim(_SPLITSIM_COMPLETE=f"source_{shell}")


def test_the_script_is_answered_with_the_commands() -> None:
    env = {"_SPLITSIM_COMPLETE": "complete_bash", "COMP_WORDS": "splitsim do", "COMP_CWORD": "1"}
    assert splitsim(**env).split() == ["doctor"]
