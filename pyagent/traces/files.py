"""Trace files as bytes: regular files only, gzip unpacked on the way."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from pyagent.traces.errors import TraceError

_GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a trace file, unpacked where it is gzip. The caller limits how many it reads.

    Raises:
        TraceError: no regular file, unreadable, or damaged gzip; also while the caller reads.
    """
    try:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "no regular file"
            raise TraceError(f"{path}: {kind}; valid: a trace file")
        with path.open("rb") as plain:
            packed = plain.read(len(_GZIP)) == _GZIP
            plain.seek(0)
            if not packed:
                yield plain
                return
            with gzip.GzipFile(fileobj=plain) as unpacked:
                yield cast(IO[bytes], unpacked)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(f"{path}: damaged gzip file: {error}") from error
    except OSError as error:
        raise TraceError(f"{path}: can't be read: {error.strerror or error}") from error
    except ValueError as error:  # a zero character in the path
        raise TraceError(f"{path}: can't be read: {error}") from error
