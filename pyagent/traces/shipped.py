"""Radio traces that ship, by name."""

from __future__ import annotations

from pathlib import Path

from pyagent.paths import shipped
from pyagent.traces.errors import TraceError

_SUFFIXES = (".csv", ".up", ".down")


def shipped_radio_traces() -> dict[str, Path]:
    """The radio traces that ship, by the name of their file without its last suffix."""
    folder = shipped() / "scenarios" / "traces"
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in _SUFFIXES}


def find_radio_trace(name: str) -> Path:
    """The file of this path, else the shipped trace of this name.

    Raises:
        TraceError: there is neither.
    """
    path = Path(name)
    known = shipped_radio_traces()
    # A name too long for the file system, or one with a zero character, counts as absent.
    try:
        if path.exists() or path.is_symlink():
            return path
    except (OSError, ValueError):
        pass
    if name in known:
        return known[name]
    raise TraceError(f"{name}: no such file, and no trace that ships; valid: a file, or {', '.join(known)}")
