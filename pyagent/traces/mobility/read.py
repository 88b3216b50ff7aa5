"""From a file of any known format to tracks."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from pathlib import Path

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility.formats import Format
from pyagent.traces.mobility.options import COMMON_OPTIONS, Options
from pyagent.traces.mobility.source import Source
from pyagent.traces.mobility.tracks import Tracks

_MODULES = ("ns2", "fcd", "bonnmotion", "gpx", "csvfile")
"""Each has a FORMAT: a new format is one file beside these and its name here."""
_FORMATS: list[Format] = [import_module(f"pyagent.traces.mobility.{module}").FORMAT for module in _MODULES]
_LISTED = 12
FORMATS = {known.name: known for known in _FORMATS}


def read_tracks(path: str | Path, format: str | None = None, options: Options | None = None) -> Tracks:
    """Read a mobility trace.

    Args:
        path: the file, plain or gzip.
        format: a name in FORMATS; None tells it from the content, else from the file's name.
        options: None is `Options()`.

    Raises:
        TraceError: the file can't be read, its format can't be told, an option isn't one of that
            format, or a line holds something that can't be used; the message names file and line.
    """
    source = Source(Path(path), options or Options())
    known = _named(format) if format is not None else _told(source)
    _check_options(source, known)
    tracks = known.read(source)
    if not tracks and source.faults:
        valid = _listed(list(source.faults))
        raise TraceError(f"{source.path}: node {source.options.node!r}: not in the file; valid: {valid}")
    if not tracks:
        raise TraceError(f"{source.path}: holds no node; valid: {known.title}")
    _note_faults(source)
    return Tracks(source.path, known.name, {track.node: track for track in tracks}, tuple(source.notes))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _note_faults(source: Source) -> None:
    if source.faults:
        count, (node, fault) = len(source.faults), next(iter(source.faults.items()))
        source.notes.append(
            f"{count} node{'s' if count > 1 else ''} with a fault left out, first {node!r}: {fault}"
        )


def _named(name: str) -> Format:
    if name not in FORMATS:
        raise TraceError(f"format = {name!r}: not known; valid: {', '.join(FORMATS)}")
    return FORMATS[name]


def _told(source: Source) -> Format:
    head = source.head()
    names = [suffix.lower() for suffix in source.path.suffixes]
    suffix = next((name for name in reversed(names) if name != ".gz"), "")
    by_content = [known for known in FORMATS.values() if known.recognises(head)]
    by_suffix = [known for known in FORMATS.values() if suffix in known.suffixes]
    for candidates in (by_content, by_suffix):
        if len(candidates) == 1:
            return candidates[0]
    raise TraceError(
        f"{source.path}: can't tell its format from content or suffix; "
        f"valid: say format = one of {', '.join(FORMATS)}"
    )


def _check_options(source: Source, known: Format) -> None:
    for option in fields(Options):
        value = getattr(source.options, option.name)
        if value != option.default and option.name not in known.options | COMMON_OPTIONS:
            valid = ", ".join(sorted(known.options)) or "none"
            raise TraceError(
                f"{source.path}: {option.name} = {value!r}: not an option of format {known.name}; "
                f"valid: {valid}"
            )
