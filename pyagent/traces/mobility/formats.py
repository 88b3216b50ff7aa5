"""What a format of mobility traces must bring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyagent.traces.mobility.source import Source
from pyagent.traces.mobility.tracks import Track


@dataclass(frozen=True)
class Format:
    """One format; each lives in its own module and is named in `read._MODULES`.

    Attributes:
        name: what callers and scenarios call it.
        title: what it is, for people.
        suffixes: of file names, with the dot, `.gz` left out; tells the format where content doesn't.
        recognises: whether the first characters of a file can only be this format's.
        read: the tracks of a file, in its order; raises TraceError.
        options: the fields of Options, beside the common ones, that it heeds.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    recognises: Callable[[str], bool]
    read: Callable[[Source], list[Track]]
    options: frozenset[str] = frozenset()
