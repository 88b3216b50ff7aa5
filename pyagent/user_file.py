"""Python files of the user's own: running one, and errors in it as one line.

Such a file runs with the user's rights. Policies (`--policy`) and plugins (`--plugin`) are read here.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from llm_split.plain import one_line

_LONGEST_ERROR = 500
"""Characters of an error in the user's file; room for the names of all features."""


def run_file(
    path: Path, module_name: str, refusal: Callable[[str], Exception], label: str = ""
) -> ModuleType:
    """Run a file as a module. Its folder becomes the last place where Python looks for modules.

    Args:
        path: the file.
        module_name: under which other code finds the module; dataclasses and pickle look it up.
        refusal: makes the error.
        label: of the file in messages; empty: its path.

    Raises:
        Exception: what `refusal` made; it is no Python file, or raised something.
    """
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        # Last, so that a file there hides nothing of ours.
        sys.path.append(folder)
    label = label or str(path)
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise refusal(f"{label}: is no Python file; valid: a file whose name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise refusal(f"{label}: can't be run: {described(error, path)}") from cause(error)
    return module


def described(error: BaseException, path: Path) -> str:
    """Type, text and the last line of the user's file that was running."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).resolve() == path.resolve()
    ]
    where = f" (line {lines[-1]})" if lines else ""
    # Room for the names of all features, which the error of an unknown one lists.
    return f"{type(error).__name__}: {one_line(str(error), 500)}{where}"


def cause(error: BaseException) -> BaseException | None:
    """The error itself with `splitsim --debug`; else None: the message has its text and line already."""
    return error if os.environ.get("SPLITSIM_DEBUG") else None
