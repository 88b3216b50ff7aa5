"""Files and folders that are there whole or not at all, and that one process at a time writes to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO


def is_file(path: Path) -> bool:
    """Whether there is such a file; no more an error than any other no where a name is too long for one."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # ValueError: a zero byte in it
        return False


LOCK = ".lock"
"""Of a folder: who writes to it holds this file (`hold`)."""


def write_whole(target: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` make a file or a folder beside `target`, then put it in its place.

    It is on the disk before it gets its name, so a power cut leaves no empty file under it either.

    Args:
        target: a file, which is replaced; or a folder, removed first.
        write: writes to the path that it is given.

    Returns:
        `target`.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        write(partial)
        _to_disk(partial)
        if partial.is_dir():
            shutil.rmtree(target, ignore_errors=True)
        os.replace(partial, target)
    except BaseException:
        with contextlib.suppress(OSError):
            _remove(partial)
        raise
    _flush(target.parent)
    return target


def write_text_whole(target: Path, text: str) -> Path:
    """Write UTF-8 text."""
    return write_whole(target, lambda path: path.write_text(text, encoding="utf-8"))


def is_partial(path: Path) -> bool:
    """Whether it is what `write_whole` was killed over."""
    return path.name.startswith(".") and path.suffix == ".partial"


def hold(path: Path) -> IO[str]:
    """An exclusive lock on a file, which is made; until what is returned is closed or the process ends.

    Raises:
        BlockingIOError: somebody else holds it, or held it and has removed it meanwhile.
        OSError: it can't be made.
    """
    file = open(path, "a")  # noqa: SIM115 (held as long as the caller wants)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_nlink == 0:
            raise BlockingIOError("removed by who held it")
    except BaseException:
        file.close()
        raise
    return file


def _to_disk(path: Path) -> None:
    for inner in path.iterdir() if path.is_dir() else ():
        _to_disk(inner)
    _flush(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
