"""What README and docs tell a reader to type: commands, Python blocks and files, in the order of a page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyagent.paths import REPOSITORY

PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
COMMANDS = (".venv/bin/", "make ", "python", "cmake ", "ninja ", "cp ", "for ", "pip ", "git ")
"""How a line in a block without a language begins that is a command; other lines are what came of one."""
SHELLS = ("sh", "bash", "")
MARK = re.compile(r"<!-- not run: (.+?) -->")
FILE = re.compile(r"Save this as `([^`]+)`")

Kind = Literal["shell", "python", "file"]


@dataclass(frozen=True)
class Step:
    """One thing to type.

    Attributes:
        page, line: where.
        kind: of what.
        text: a command line, a block of Python, or a file's content.
        path: of a file, from where the reader is.
        reason: why it is not run; empty: it is.
    """

    page: str
    line: int
    kind: Kind
    text: str
    path: str = ""
    reason: str = ""

    @property
    def words(self) -> list[str]:
        """A command line's words, comments left out."""
        return shlex.split(self.text, comments=True)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Block:
    """A block: its first line's number, language (None: indented), lines, and the paragraph before it."""

    line: int
    language: str | None
    lines: list[str]
    before: str


def blocks(text: str) -> Iterator[Block]:
    """Fenced and indented blocks."""
    lines = text.split("\n")
    place = 0
    while place < len(lines):
        fence = re.match(r" *```(\w*)", lines[place])
        if fence:
            end = next(i for i in range(place + 1, len(lines)) if lines[i].strip() == "```")
            yield Block(place + 2, fence[1], lines[place + 1 : end], _before(lines, place))
        elif lines[place].startswith("    ") and not _before(lines, place).startswith("-"):
            end = place
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield Block(place + 1, None, [line[4:] for line in lines[place:end]], _before(lines, place))
            end -= 1
        else:
            end = place
        place = end + 1


def _before(lines: list[str], place: int) -> str:
    """The paragraph before a line, empty lines between left out."""
    end = place
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    start = end
    while start > 0 and lines[start - 1].strip():
        start -= 1
    return "\n".join(lines[start:end])


def steps(page: Path) -> Iterator[Step]:
    """What a page tells to type, in its order."""
    name = str(page.relative_to(REPOSITORY))
    for block in blocks(page.read_text(encoding="utf-8")):
        mark = MARK.search(block.before.splitlines()[-1] if block.before else "")
        reason, body = mark[1] if mark else "", "\n".join(block.lines) + "\n"
        saved = FILE.search(block.before)
        if saved:
            yield Step(name, block.line, "file", body, path=saved[1], reason=reason)
        elif block.language == "python":
            yield Step(name, block.line, "python", body, reason=reason)
        elif block.language is None or block.language in SHELLS:
            for number, line in enumerate(block.lines, block.line):
                if line.startswith(COMMANDS) or (block.language in SHELLS[:2] and line.strip()):
                    yield Step(name, number, "shell", line, reason=reason)


def mentions(page: Path) -> Iterator[Step]:
    """Commands within sentences: `splitsim evaluate --template`."""
    name = str(page.relative_to(REPOSITORY))
    for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), 1):
        for found in re.findall(r"(?<!`)`((?:\.venv/bin/|\$ )?splitsim [^`]+)`", line):
            yield Step(name, number, "shell", found)
        if re.match(r"(    )?\$ splitsim ", line):
            yield Step(name, number, "shell", line.strip().removeprefix("$ "))
