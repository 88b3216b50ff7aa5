"""CMake and Ninja, with what they say kept in two files and shortened to what a person needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Protocol

from llm_split.packages import locked
from pyagent.errors import UserError
from pyagent.ns3.fetch import fetch_ns3, is_fetched
from pyagent.ns3.plain_paths import check_library_path, plain_path
from pyagent.ns3.toolchain import how_to_install, missing_packages
from pyagent.paths import NS3_REQUIREMENT, PROGRAM, ns3_folder, shipped

SYSTEM = "system"
"""The root that stands for an ns-3 that pkg-config knows."""
TESTS = "splitsim-tests"
_STEP = re.compile(r"\[\d+/(\d+)\]")
_LOOKS = re.compile("Re-checking globbed directories|Re-running CMake")
"""Steps that are taken whether or not there is something to do."""


class BuildError(UserError):
    """The simulator could not be built; the text is one line that says why, or where all of it is."""


class Progress(Protocol):
    """Who is told how far a build is; see `pyagent.campaign.progress.PhaseProgress`."""

    def phase(self, name: str, doing: str, total: int) -> AbstractContextManager[None]:
        """Something begins that takes `total` steps."""
        ...

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Some of them are done."""
        ...


def build_simulator(
    folder: Path, ns3_root: Path | str | None, jobs: int, progress: Progress, *, tests: bool = False
) -> Path:
    """Compile what has changed; nothing is said or done when nothing has.

    Args:
        folder: for everything that comes out; made where missing.
        ns3_root: folder with an ns-3's headers and libraries, or `SYSTEM`; None fetches PyPI's wheel.
        jobs: compilers at a time.
        progress: told how far it is.
        tests: the tests and examples in C++ as well.

    Returns:
        The program.

    Raises:
        BuildError: a package is missing, or CMake or the compiler refused.
        FetchError: the wheel could not be fetched.
    """
    _require_packages(ns3_root, tests)
    root = SYSTEM if ns3_root == SYSTEM else str(Path(ns3_root or _fetched(progress)).resolve())
    _make_folder(folder)
    with locked(folder.parent / f"{folder.name}.lock"):
        _configure(folder, root, progress)
        _compile(folder, jobs, progress, tests)
    return folder / PROGRAM


def _require_packages(ns3_root: Path | str | None, tests: bool) -> None:
    purposes = ["build", *(["tests"] if tests else []), *([SYSTEM] if ns3_root == SYSTEM else [])]
    missing = missing_packages(*purposes)
    if missing:
        raise BuildError(
            "the simulator can't be built, these packages are missing (Debian's names): "
            f"{', '.join(missing)}; install them, for example with `{how_to_install(missing)}`"
        )


def _fetched(progress: Progress) -> Path:
    folder = ns3_folder()
    if is_fetched(folder):
        return fetch_ns3(folder)
    with progress.phase("fetch", f"fetching ns-3 ({NS3_REQUIREMENT}, 80 MB) into {folder}", 1):
        root = fetch_ns3(folder)
        progress.advance()
    return root


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"{folder}: can't be made ({error.strerror})") from error


def _configure(folder: Path, root: str, progress: Progress) -> None:
    """Run CMake, from scratch where settings have changed: it remembers what it found for good."""
    sources, build, ns3 = plain_path(shipped()), plain_path(folder), _plain_root(root)
    links = [str(path) for path in (sources, build, ns3) if Path(path).is_symlink()]
    settings = "\n".join([f"NS3_ROOT={root} CXX={os.environ.get('CXX', '')}", *links, ""])
    told = folder / "settings"
    if (folder / "build.ninja").exists() and told.is_file() and told.read_text() == settings:
        return
    told.unlink(missing_ok=True)
    (folder / "CMakeCache.txt").unlink(missing_ok=True)
    shutil.rmtree(folder / "CMakeFiles", ignore_errors=True)
    command = ["cmake", "-S", str(sources), "-B", str(build), "-G", "Ninja", f"-DNS3_ROOT={ns3}"]
    log = folder / "configure.log"
    with progress.phase("configure", f"configuring the simulator for ns-3 in {root}", 1):
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        log.write_text(done.stdout, encoding="utf-8")
        progress.advance()
    if done.returncode != 0:
        reason = re.search(r"Reason given by package: (.*)", done.stdout)
        first = reason or re.search(r"CMake Error.*\n+ *(.*)", done.stdout)
        raise BuildError(f"CMake: {first[1].strip() if first else 'failed'} (all that it said: {log})")
    told.write_text(settings)


def _plain_root(root: str) -> str:
    if root == SYSTEM:
        return root
    check_library_path(Path(root))
    return str(plain_path(Path(root)))


def _compile(folder: Path, jobs: int, progress: Progress, tests: bool) -> None:
    what = "the simulator and its tests" if tests else "the simulator"
    command = ["ninja", "-C", str(plain_path(folder)), "-j", str(jobs), "all", *([TESTS] if tests else [])]
    log = folder / "build.log"
    said: list[str] = []
    with (
        log.open("w", buffering=1, encoding="utf-8") as writer,  # by lines, for whoever follows it
        ExitStack() as phases,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running,
    ):
        assert running.stdout is not None
        begun = False
        for line in running.stdout:
            writer.write(line)
            step = _STEP.match(line)
            if step is None:
                said.append(line.strip())
            elif not _LOOKS.search(line):
                if not begun:  # only now is it known that there is something to do, and how much
                    phases.enter_context(
                        progress.phase("build", f"building {what} ({jobs} jobs)", int(step[1]))
                    )
                    begun = True
                progress.advance()
    if running.returncode != 0:
        first = next((line for line in said if "error:" in line), said[-1] if said else "ninja failed")
        raise BuildError(f"the simulator could not be built: {first} (all that the compiler said: {log})")
