"""The folder of a run: what was run, what came out, and that no other run writes there meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pyagent.errors import UserError, writing
from pyagent.files import LOCK, hold, is_partial, write_text_whole, write_whole
from pyagent.paths import REPOSITORY, is_checkout
from pyagent.plugins import loaded_plugins
from pyagent.scenario.carried import FOLDER as DATA
from pyagent.scenario.carried import Carried, carry
from pyagent.scenario.schema import Scenario

CONFIG, META = "config.yaml", "meta.json"
TOOL = "splitsim"
OURS = {
    LOCK,
    META,
    CONFIG,
    "checkpoint",
    DATA,
    "decisions.parquet",
    "journal",
    "learning.parquet",
    "logs",
    "oracle.parquet",
    "plots",
    "predictions.parquet",
    "preview.json",
    "report.html",
    "summary.json",
    "tensorboard",
    "tokens.parquet",
}
"""What a run writes; a folder that holds anything else is never cleared."""
PACKAGES = ("ns3-llm-split", "torch", "transformers", "numpy", "gymnasium", "stable-baselines3", "protobuf")


class FolderError(UserError):
    """The run's folder can't be used."""


@dataclass(frozen=True)
class Plan:
    """What makes two runs the same, beside the code.

    Attributes:
        scenario: resolved.
        command: with every option.
    """

    scenario: Scenario
    command: str


class RunFolder:
    """Files of one run; see `open_run_folder`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.checkpoint = path / "checkpoint"
        self.journal = path / "journal"
        self.tensorboard = path / "tensorboard"

    def finished(self) -> dict[str, Any] | None:
        """The summary of the run in this folder; None where it has not come to its end."""
        if _meta(self.path).get("status") != "finished":
            return None
        found: dict[str, Any] = json.loads((self.path / "summary.json").read_text(encoding="utf-8"))
        return found

    def write_json(self, name: str, data: Any) -> Path:
        """Write JSON, whole or not at all."""
        return write_text_whole(self.path / name, json.dumps(data, indent=1) + "\n")

    def write_text(self, name: str, text: str) -> Path:
        """Write text, whole or not at all."""
        return write_text_whole(self.path / name, text)

    def write_table(self, name: str, frame: pd.DataFrame) -> Path:
        """Write parquet, whole or not at all."""
        return write_whole(self.path / name, lambda path: frame.to_parquet(path, index=False))


def default_run_path(scenario: Scenario, budget: int, seed: int, options: Sequence[str] = ()) -> Path:
    """`runs/<name>-<hash>` under the current folder; the hash covers the arguments and the code."""
    code = [_version(PACKAGES[0]), git_commit()]
    key = json.dumps([scenario.model_dump(mode="json"), budget, seed, *code, *options], sort_keys=True)
    return Path("runs") / f"{scenario.name}-{hashlib.sha256(key.encode()).hexdigest()[:10]}"


@contextmanager
def open_run_folder(path: Path, plan: Plan, *, resume: bool = False) -> Iterator[RunFolder]:
    """Make the folder and hold it for one run. An earlier run of ours in it is replaced.

    Args:
        path: the folder.
        plan: of the run; written first of all.
        resume: leave an earlier run's files where they are, if it was planned so by the same code.

    Raises:
        FolderError: it can't be written, holds something else, another run is using it, or the one to be
            resumed was another.
    """
    named = f"run folder {path}"
    with writing(named, FolderError, taken="another run is using it; give another --out"):
        path.mkdir(parents=True, exist_ok=True)
        _refuse_strangers(path)
        lock = hold(path / LOCK)
    with lock:
        with writing(named, FolderError):
            folder = _begun(path, plan, resume)
        yield folder


def _begun(path: Path, plan: Plan, resume: bool) -> RunFolder:
    """The folder with what says whose it is, before there is anything else that may be lost."""
    folder = RunFolder(path)
    # Both may fail, so before anything is removed. The traces are perhaps this folder's own copies: the run
    # is made again from its config.yaml.
    said, carried = describe(plan.scenario, plan.command, "running"), carry(plan.scenario)
    config = resolved_yaml(carried)
    if resume and (path / META).is_file() and (path / CONFIG).is_file():
        _refuse_another(path, plan, config)
        if folder.finished() is not None:
            return folder
    else:
        _clear(path)
    folder.write_json(META, said)
    carried.copy_to(path)
    _clear_data(path, carried)
    folder.write_text(CONFIG, config)
    folder.logs.mkdir(exist_ok=True)
    return folder


def _refuse_strangers(path: Path) -> None:
    """Raise FolderError unless every entry is one that a run writes, and meta.json says that a run did."""
    entries = {entry.name for entry in path.iterdir() if not (is_partial(entry) and _named(entry) in OURS)}
    strangers = sorted(entries - OURS)
    if strangers or (entries - {LOCK} and not _is_ours(path / META)):
        found = strangers[0] if strangers else sorted(entries)[0]
        raise FolderError(
            f"run folder {path}: holds files that no run of splitsim wrote ({found}); valid: a new or empty "
            "folder, or that of an earlier run"
        )


def _named(partial: Path) -> str:
    """What a partial file was to become."""
    return partial.stem[1:]


def _refuse_another(path: Path, plan: Plan, planned: str) -> None:
    """Raise FolderError unless the folder's run was planned so by this code."""
    meta = _meta(path)
    config = path / CONFIG
    same = {
        "scenario": config.is_file() and config.read_text(encoding="utf-8") == planned,
        "command": meta.get("command") == plan.command,
        "git_commit": meta.get("git_commit") == git_commit(),
        "plugins": meta.get("plugins", []) == _plugins(),
    }
    other = [name for name, equal in same.items() if not equal]
    if other:
        raise FolderError(
            f"--resume: the run in {path} had another {' and '.join(other)} ({meta.get('command')}); valid: "
            "what it was started with, or no --resume to replace it"
        )


def _is_ours(meta: Path) -> bool:
    return _meta(meta.parent).get("tool") == TOOL


def _meta(path: Path) -> dict[str, Any]:
    """meta.json, or nothing where there is none that can be read."""
    try:
        data = json.loads((path / META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _clear(path: Path) -> None:
    """Remove an earlier run's files, but for its copies of data files."""
    entries = [entry for entry in path.iterdir() if entry.name not in (LOCK, DATA)]
    # meta.json goes last: a run killed in here leaves a folder that is still known as ours.
    for entry in sorted(entries, key=lambda e: e.name == META):
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _clear_data(path: Path, carried: Carried) -> None:
    """Remove copies of data files that this run does not use."""
    used = {(path / name).parent for name in carried.files}
    data = path / DATA
    for folder in set(data.iterdir() if data.is_dir() else ()) - used:
        shutil.rmtree(folder)


@cache
def git_commit() -> str:
    """The commit of the code, with "+changes" where files differ from it; "unknown" outside git.

    That of the first call: it is this code that runs, and a run says the same at its beginning and its end.

    Raises:
        OSError: the machine has no room for git. An "unknown" would keep the run from being resumed.
    """
    if not is_checkout():  # a wheel may lie inside somebody else's repository
        return "unknown"
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+changes" if _git("status", "--porcelain") else "")
    except (FileNotFoundError, PermissionError, subprocess.SubprocessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(REPOSITORY), *arguments], check=True, capture_output=True, text=True, timeout=10
    ).stdout.strip()


def describe(scenario: Scenario, command: str, status: str, **more: Any) -> dict[str, Any]:
    """What meta.json says: versions, machine, commit, the command that reproduces the run."""
    return {
        "tool": TOOL,
        "schema": 1,
        "status": status,
        "scenario": scenario.name,
        "command": command,
        "git_commit": git_commit(),
        "python": sys.version.split()[0],
        "packages": {name: _version(name) for name in PACKAGES},
        "plugins": _plugins(),
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count()},
        "written_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **more,
    }


def _plugins() -> list[dict[str, str]]:
    return [plugin.data for plugin in loaded_plugins()]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def resolved_yaml(carried: Carried) -> str:
    """The scenario with every default written out, its data files named as their copies in the folder."""
    return yaml.safe_dump(carried.scenario, sort_keys=False)
