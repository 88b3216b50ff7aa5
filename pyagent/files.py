"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def is_file(path: Path) -> bool:
    """Whether there is such a file; no more an error than any other no where a name is too long for one."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # ValueError: a zero byte in it
        return False


def write_whole(target: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` make a file beside `target`, then put it in its place.

    Args:
        target: what is replaced.
        write: writes to the path that it is given.

    Returns:
        `target`.
    """
    partial = target.with_name(f".{target.name}.partial")
    write(partial)
    os.replace(partial, target)
    return target


def write_text_whole(target: Path, text: str) -> Path:
    """Write UTF-8 text."""
    return write_whole(target, lambda path: path.write_text(text, encoding="utf-8"))
