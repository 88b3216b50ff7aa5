"""The files of a finished run that every report needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_split.plain import load_plain, one_line
from pyagent.errors import UserError

REPORT = "report.html"


class ReportError(UserError):
    """There is nothing here to report on."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        path: its folder.
        summary, meta: as in summary.json and meta.json.
        config_text: config.yaml as it is.
        config: the same, read.
    """

    path: Path
    summary: dict[str, Any]
    meta: dict[str, Any]
    config_text: str
    config: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.path.resolve().name


def open_run(path: Path) -> Run:
    """Read what a finished run left in its folder.

    Raises:
        ReportError: it is no folder of a finished run; the text names it and what is wrong.
    """
    if not path.is_dir():
        raise ReportError(f"run folder {path}: no such folder; valid: what splitsim run or evaluate wrote")
    meta = _json(path, "meta.json")
    # A run that writes its report is still running.
    if meta.get("status") not in ("finished", "running"):
        status = one_line(repr(meta.get("status")))
        raise ReportError(f"run folder {path}: meta.json says status {status}; valid: a finished run")
    summary = _json(path, "summary.json")
    if not isinstance(summary.get("policies"), dict):
        raise ReportError(f"run folder {path}: summary.json has no policies")
    text = _text(path, "config.yaml")
    try:
        config = load_plain(text)
    except ValueError as error:
        raise ReportError(f"run folder {path}: config.yaml can't be read as YAML") from error
    if not isinstance(config, dict):
        raise ReportError(f"run folder {path}: config.yaml is no scenario")
    return Run(path, summary, meta, text, config)


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ReportError(
            f"run folder {folder}: has no {name}; valid: what a finished splitsim run or evaluate wrote"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"run folder {folder}: {name} can't be read ({error})") from error


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        data = json.loads(_text(folder, name))
    except (ValueError, RecursionError) as error:
        raise ReportError(f"run folder {folder}: {name} can't be read as JSON ({error})") from error
    if not isinstance(data, dict):
        raise ReportError(f"run folder {folder}: {name} is no JSON object")
    return data
