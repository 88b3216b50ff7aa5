"""What reading a trace file may raise."""

from __future__ import annotations

from pathlib import Path

from llm_split.plain import one_line
from pyagent.errors import UserError

_LONGEST = 1000
"""Characters of a message: what it quotes, others wrote."""


class TraceError(UserError):
    """A trace file is missing, is not of its format, or holds something that can't be used."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, _LONGEST))


def at_line(path: Path, line: int, problem: str) -> TraceError:
    """The error for one line of a file."""
    return TraceError(f"{path}:{line}: {problem}")
