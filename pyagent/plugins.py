"""Plugins: Python files of the user's own that register codecs, surrogates and links.

`splitsim --plugin FILE.py COMMAND` and the variable SPLITSIM_PLUGINS name them. **They run with the user's
rights.** The option only extends the variable, so every process that a command starts loads the same plugins.
The command line loads them at its start; in other processes, the first import of the scenario's schema does.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from pyagent.errors import UserError, reading
from pyagent.user_file import run_file

VARIABLE = "SPLITSIM_PLUGINS"
"""Files, with the system's separator of paths (a colon on Linux) between."""


class PluginError(UserError):
    """A plugin can't be loaded."""


@dataclass(frozen=True)
class Plugin:
    """A plugin that is loaded.

    Attributes:
        path: of the file, absolute.
        sha256: of its contents when it was loaded.
    """

    path: Path
    sha256: str

    @property
    def data(self) -> dict[str, str]:
        """For meta.json."""
        return {"file": str(self.path), "sha256": self.sha256}


_loaded: dict[Path, Plugin] = {}


def add_plugins(files: list[str]) -> None:
    """Add files to those that are named by `VARIABLE`, for this process and those that it starts.

    Raises:
        PluginError: there is no such file, or a separator of paths is in its name.
    """
    for file in files:
        path = _existing("--plugin", file)
        if os.pathsep in str(path):
            raise PluginError(f"--plugin = {file!r}: valid: a path without {os.pathsep!r}")
        if path not in _named():
            os.environ[VARIABLE] = os.pathsep.join([*map(str, _named()), str(path)])


def load_plugins() -> None:
    """Run the plugins that `VARIABLE` names and that this process has not run yet.

    Raises:
        PluginError: there is no such file, or it can't be run.
    """
    for path in _named():
        if path not in _loaded:
            with reading(path, PluginError):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
            # Before it runs: it imports modules that load plugins.
            _loaded[path] = Plugin(path, digest)
            try:
                run_file(path, _module_name(path), PluginError, f"plugin {path}")
            except BaseException:
                del _loaded[path]
                raise


def loaded_plugins() -> tuple[Plugin, ...]:
    """The plugins of this process, in the order in which they were loaded."""
    return tuple(_loaded.values())


def plugin_options() -> list[str]:
    """Options of `splitsim` that name the plugins of this process."""
    return [part for path in _loaded for part in ("--plugin", str(path))]


def _named() -> list[Path]:
    files = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [_existing(VARIABLE, file) for file in files if file]


def _existing(named_by: str, file: str) -> Path:
    path = Path(file)
    if not path.is_file():
        raise PluginError(f"{named_by} = {file!r}: no such file")
    return path.resolve()


def _module_name(path: Path) -> str:
    """The same in every process, and another for another file of the same name."""
    stem = re.sub(r"\W", "_", path.stem)
    return f"splitsim_plugin_{stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
