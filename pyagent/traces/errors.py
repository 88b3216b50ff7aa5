"""What reading a trace file may raise."""

from __future__ import annotations

from pathlib import Path

from pyagent.errors import UserError


class TraceError(UserError):
    """A trace file is missing, is not of its format, or holds something that can't be used."""


def at_line(path: Path, line: int, problem: str) -> TraceError:
    """The error for one line of a file."""
    return TraceError(f"{path}:{line}: {problem}")
