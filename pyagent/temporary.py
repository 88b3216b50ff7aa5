"""Temporary folders that don't pile up: what killed processes leave is removed by the next one."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO

from pyagent.files import hold

PREFIX = "splitsim-"
"""Of every temporary folder's name. Under another, hidden name it isn't held yet."""
OWNER = f".owner-{platform.node()}"
"""In a folder: its process holds this file, and lets go of it in every way in which a process ends.

Named after the machine, as some file systems that several share keep locks to each of them.
"""


class TemporaryFolder:
    """A new folder that only this user can enter, removed with this object or at the process's end.

    Args:
        parent: where; None: the system's place for such.

    Attributes:
        path: of the folder; it has one file, `OWNER`.

    Raises:
        OSError: it can't be made.
    """

    def __init__(self, parent: Path | None = None) -> None:
        place = Path(tempfile.gettempdir()) if parent is None else parent
        _clean_once(place)
        made = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=place))
        try:
            owner = hold(made / OWNER)
            self.path = made.rename(made.with_name(made.name[1:]))
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        self._remove = weakref.finalize(self, _remove, self.path, owner, os.getpid())

    def remove(self) -> None:
        """Remove it with all that is in it; safe to call twice."""
        self._remove()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def remove_abandoned(place: Path) -> list[Path]:
    """Remove this user's temporary folders in `place` whose process has ended.

    Returns:
        What was removed.
    """
    removed = []
    for path in _own_folders(place):
        # One that has lost its owner's file is being removed by somebody else.
        if not (path / OWNER).is_file():
            continue
        with contextlib.suppress(OSError), hold(path / OWNER):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
    return removed


def _remove(path: Path, owner: IO[str], pid: int) -> None:
    with owner:
        if os.getpid() == pid:  # else this is a forked copy, and the folder the original's
            shutil.rmtree(path, ignore_errors=True)


@cache
def _clean_once(place: Path) -> None:
    with contextlib.suppress(OSError):
        remove_abandoned(place)


def _own_folders(place: Path) -> Iterator[Path]:
    with os.scandir(place) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # it has gone meanwhile
                mine = entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False)
                if mine and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                    yield Path(entry.path)
