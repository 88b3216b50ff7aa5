"""Where a case's output lies: a file system of its own where we are root, else a plain folder."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from tests.running import select_nothing

SIZE_BYTES = 64 * 1024 * 1024
_BLOCK_BYTES = 4096
_ATTEMPTS, _PAUSE_S = 50, 0.1


@lru_cache(maxsize=1)
def can_mount() -> bool:
    """Whether file systems of our own can be had: root in a container may not mount any."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with Disk(Path(folder) / "disk"):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


class Disk:
    """A small tmpfs at `folder`; leaving the context removes it, contents and all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount("tmpfs", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}")

    @property
    def _balloon(self) -> Path:
        return self.folder / "balloon"

    def fill(self, left_bytes: int) -> None:
        """Leave this much room, in whole blocks."""
        with open(self._balloon, "wb", buffering=0) as file:
            size_bytes = 0
            with contextlib.suppress(OSError):
                while written := file.write(bytes(_BLOCK_BYTES)):
                    size_bytes += written
            file.truncate(max(0, size_bytes - left_bytes))

    def empty(self) -> None:
        """Give the room back."""
        self._balloon.unlink(missing_ok=True)

    def forbid_writing(self) -> None:
        """Mount it read-only; nobody may have a file open to write."""
        for attempt in range(_ATTEMPTS):
            try:
                self._mount("tmpfs", "-o", "remount,ro")
                return
            except subprocess.CalledProcessError:
                # A process that was killed keeps its files until the kernel has taken it down.
                if attempt == _ATTEMPTS - 1:
                    raise
                select_nothing(_PAUSE_S)

    def allow_writing(self) -> None:
        """Undo `forbid_writing`."""
        self._mount("tmpfs", "-o", "remount,rw")

    def _mount(self, *words: str) -> None:
        source, *options = words
        subprocess.run(["mount", *options, source, str(self.folder)], check=True, capture_output=True)

    def __enter__(self) -> Disk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, capture_output=True)
