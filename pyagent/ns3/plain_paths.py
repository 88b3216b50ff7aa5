"""Folders under names that CMake, Ninja and the compiler can take, whatever they are called.

CMake refuses quotes, semicolons, backslashes and number signs in a path, and takes brackets for a pattern.
Ninja 1.11 builds everything again where a path holds an apostrophe. Such a folder is used through a link.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path

from llm_split.packages import default_cache_dir
from pyagent.errors import UserError

_PLAIN = re.compile(r"[\w/.+=@~ -]+")
_UNUSABLE = re.compile(r"[,:\n]")


class UnusablePathError(UserError):
    """No tool can be given this path, under whatever name."""


def plain_path(folder: Path) -> Path:
    """The folder itself if its name is plain, else a link to it.

    Args:
        folder: what exists; it is resolved.

    Raises:
        UnusablePathError: the link can't be made.
    """
    folder = folder.resolve()
    if _PLAIN.fullmatch(str(folder)):
        return folder
    links = _links()
    link = links / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    try:
        _make_private(links)
        _remove_dangling(links)
        with contextlib.suppress(FileExistsError):
            link.symlink_to(folder)
    except OSError as error:
        reason = f"{link} can't be made ({error.strerror})"
        raise UnusablePathError(f"{folder}: CMake needs a link to it, and {reason}") from error
    return link


def check_library_path(folder: Path) -> None:
    """Refuse an ns-3 that no program can be linked with: the linker ends a path at a comma or a colon.

    Raises:
        UnusablePathError: there is one in the path.
    """
    found = _UNUSABLE.search(str(folder.resolve()))
    if found:
        raise UnusablePathError(
            f"ns-3 in {str(folder)!r}: the linker can't be given a path with {found[0]!r} in it; "
            "valid: a folder without commas and colons"
        )


def _links() -> Path:
    """Where links are: it must be plain itself, and still be there at the next build."""
    links = default_cache_dir().absolute() / "links"
    return links if _PLAIN.fullmatch(str(links)) else Path(f"/tmp/splitsim-links-{os.getuid()}")


def _make_private(folder: Path) -> None:
    """Make a folder that nobody else can put links into; one that somebody else has made is refused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(1, "belongs to somebody else, or others may write to it")


def _remove_dangling(links: Path) -> None:
    """Remove links to folders that are gone."""
    for link in links.iterdir():
        if not link.exists():
            link.unlink(missing_ok=True)
