"""Data files that travel with what was made from a scenario: run folders, datasets and stores.

A scenario names its traces by their paths on the machine where it was read. Whatever is kept for others holds
copies of the files instead, and names each `data/<first 16 digits of its SHA-256>/<its name>`, relative to
the folder of the copies.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import uuid
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from llm_split.plain import one_line
from pyagent.files import is_file, write_whole
from pyagent.scenario.schema import Scenario

FOLDER = "data"
"""Where the copies lie, below the folder of what was made."""
LARGEST_BYTES = 256 * 2**20
"""Of all files together that are taken out of a dataset: the most that a reader of traces accepts of one."""
_NAME = re.compile(rf"{FOLDER}/([0-9a-f]{{16}})/([^/\0]{{1,255}})")
_LOCAL = ("program",)
"""Fields whose files stay where they are: a program is of no use on another machine."""


class CarriedFileError(ValueError):
    """A data file that was carried is damaged, or has a name that none is given."""


@dataclass(frozen=True)
class Carried:
    """A scenario that can be read where its files are not.

    Attributes:
        scenario: plain data, as `Scenario.model_dump(mode="json")`, but for the names of the files.
        files: where each named file is on this machine.
    """

    scenario: dict[str, Any]
    files: dict[str, Path]

    def copy_to(self, folder: Path) -> None:
        """Put copies below `folder`, unless they are there."""
        for name, source in self.files.items():
            _put(folder / name, source.read_bytes())

    def packed(self) -> dict[str, str]:
        """The files' bytes as text, by name: base64 of zlib's format."""
        return {
            name: base64.b64encode(zlib.compress(source.read_bytes(), 9)).decode()
            for name, source in self.files.items()
        }


def carry(scenario: Scenario) -> Carried:
    """Name the data files of a scenario by their contents.

    Raises:
        OSError: a file can't be read any more.
    """
    files: dict[str, Path] = {}
    data = scenario.model_dump(mode="json")
    _rename(data, scenario.model_dump(exclude=set(_LOCAL)), files)
    return Carried(data, files)


def _rename(plain: Any, typed: Any, files: dict[str, Path]) -> None:
    """Replace in `plain` what is a path in `typed`; both are nested alike."""
    items = typed.items() if isinstance(typed, dict) else enumerate(typed)
    for key, value in items:
        if isinstance(value, Path):
            status = value.stat()
            name = _name(value, (status.st_mtime_ns, status.st_size))
            files[name] = value
            plain[key] = name
        elif isinstance(value, dict | list | tuple):
            _rename(plain[key], value, files)


@lru_cache(maxsize=64)
def _name(path: Path, version: tuple[int, int]) -> str:
    """The name of a copy; `version` tells when the file was changed."""
    return f"{FOLDER}/{_digest(path.read_bytes())}/{path.name}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def unpack(files: Any, folder: Path) -> None:
    """Write files that :meth:`Carried.packed` gave below `folder`, unless they are there.

    Raises:
        CarriedFileError: a file is damaged, too large, or has another name than carried files have.
        OSError: `folder` can't be written.
    """
    if not isinstance(files, dict):
        raise CarriedFileError("its data files are no mapping of names to contents")
    room = LARGEST_BYTES
    for name, text in files.items():
        content = _unpacked(name, text, room)
        room -= len(content)
        _put(folder / name, content)


def _unpacked(name: str, text: Any, room: int) -> bytes:
    parts = _NAME.fullmatch(name)
    if parts is None or parts[2] in (".", ".."):
        raise CarriedFileError(f"data file {one_line(repr(name))}: no name of a carried file")
    try:
        inflater = zlib.decompressobj()
        content = inflater.decompress(base64.b64decode(text, validate=True), room)
    except (TypeError, ValueError, binascii.Error, zlib.error) as error:
        raise CarriedFileError(f"data file {one_line(parts[2])!r}: damaged") from error
    if not inflater.eof:
        raise CarriedFileError(f"data file {one_line(parts[2])!r}: damaged, or over {LARGEST_BYTES} bytes")
    if _digest(content) != parts[1]:
        raise CarriedFileError(f"data file {one_line(parts[2])!r}: its content is not what was recorded with")
    return content


def _put(target: Path, content: bytes) -> None:
    """Write a file whole; several processes may write the same one at a time."""
    if is_file(target) and target.read_bytes() == content:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    own = target.with_name(f".{uuid.uuid4().hex}")
    write_whole(own, lambda partial: partial.write_bytes(content)).replace(target)
