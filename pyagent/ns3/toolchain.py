"""What the simulator is compiled with, and which Debian packages of it are missing."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pyagent.paths import shipped

COMPILERS = ("c++", "g++", "clang++")
"""The names that CMake looks for, unless CXX says which."""
_HEADERS = Path("/usr/include")
_ASK_S = 10.0


def compiler() -> str | None:
    """Path of the C++ compiler, None where there is none."""
    own = shlex.split(os.environ.get("CXX", ""))
    found = (shutil.which(name) for name in (own[:1] or COMPILERS))
    return next((path for path in found if path), None)


def missing_packages(*purposes: str) -> list[str]:
    """Debian's names of what a build needs and is not there, however it would have been installed.

    Args:
        purposes: of "build" (the simulator), "tests" (in C++, and examples), "system" (Debian's ns-3).
    """
    return [name for name, probes in _packages(purposes) if not any(map(_is_there, probes))]


def how_to_install(packages: list[str]) -> str:
    """The command that installs Debian packages."""
    return f"sudo apt-get install {' '.join(packages)}"


def pkg_config_version(name: str) -> str | None:
    """The version of what pkg-config knows under a name, None where it doesn't."""
    try:
        done = subprocess.run(
            ["pkg-config", "--modversion", name], capture_output=True, text=True, timeout=_ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _packages(purposes: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    text = (shipped() / "debian-packages.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            purpose, name, *probes = line.split()
            if purpose in purposes:
                yield name, probes


def _is_there(probe: str) -> bool:
    kind, _, name = probe.partition(":")
    if kind == "program":
        return shutil.which(name) is not None
    if kind == "pkg-config":
        return pkg_config_version(name) is not None
    if kind == "header":
        return (_HEADERS / name).exists()
    return compiler() is not None
