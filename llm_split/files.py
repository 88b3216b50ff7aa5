"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """Write a UTF-8 text beside the file, and give it the file's name when it is complete.

    One process at a time may write a file. What a killed one left is overwritten by the next.

    Raises:
        OSError: it can't be written; nothing is left behind.
    """
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="")
        os.replace(part, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
