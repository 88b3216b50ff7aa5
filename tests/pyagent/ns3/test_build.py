"""`splitsim build`: real CMake, Ninja and compiler on a small project in place of the simulator's sources."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pyagent import paths
from pyagent.cli import app
from pyagent.errors import UserError
from pyagent.ns3 import BuildError, build_simulator, missing_packages
from pyagent.ns3.plain_paths import plain_path
from pyagent.paths import REPOSITORY

PROJECT = """
cmake_minimum_required(VERSION 3.18)
project(small LANGUAGES CXX)
if(NOT EXISTS "${NS3_ROOT}")
  message(FATAL_ERROR "
  Reason given by package: no ns-3 in ${NS3_ROOT}")
endif()
file(GLOB MORE CONFIGURE_DEPENDS more-*.cc)
add_executable(splitsim-ns3 main.cc ${MORE})
add_executable(splitsim-tests EXCLUDE_FROM_ALL main.cc)
"""


class Told:
    """What a build says, in order."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.total = self.steps = 0

    @contextmanager
    def phase(self, name: str, doing: str, total: int) -> Iterator[None]:
        self.phases.append(name)
        self.total = total
        self.steps = 0
        yield

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.steps += steps


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of one file."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(PROJECT)
    (folder / "main.cc").write_text("int main() { return 7; }\n")
    monkeypatch.setattr("pyagent.ns3.build.shipped", lambda: folder)
    return folder


def test_what_has_changed_is_built_and_nothing_else_is_said(sources: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "build"

    def build(root: Path = tmp_path) -> Told:
        told = Told()
        program = build_simulator(folder, root, 1, told)
        assert subprocess.run([program], check=False).returncode == 7
        return told

    first = build()
    assert first.phases == ["configure", "build"]
    assert first.steps == 2  # compiled and linked
    assert first.total in (2, 3)  # Ninja 1.12 counts its look at the globs, too
    assert build().phases == []
    (sources / "main.cc").write_text("int main() { return 3 + 4; }\n")
    assert build().phases == ["build"]
    (sources / "more-a.cc").write_text("int more() { return 1; }\n")
    more = build()  # found by its name, as a link is
    assert (more.phases, more.steps) == (["build"], 2)
    assert build().phases == []
    assert build(sources).phases == ["configure", "build"]  # another ns-3: CMake starts afresh


@pytest.mark.parametrize("cache", ["cache", "it's"], ids=["linked-from-the-cache", "linked-from-tmp"])
def test_any_folder_can_be_built_in_and_what_is_built_stays_so(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    """CMake refuses `"`, `;`, `\\` and `#`, globs `[`; Ninja 1.11 builds all again behind a `'`."""
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path / cache))
    odd = tmp_path / "a b'c\"d=ü #1 %d [x];$e\\f"
    shutil.move(sources, odd / "sources")
    monkeypatch.setattr("pyagent.ns3.build.shipped", lambda: odd / "sources")
    (odd / "sources" / "more-a.cc").write_text('#include "more.h"\n')
    (odd / "sources" / "more.h").write_text("int more();\n")
    first, again = Told(), Told()
    for told in (first, again):
        program = build_simulator(odd / "build", odd, 1, told)
        assert program == odd / "build" / "splitsim-ns3"
        assert subprocess.run([program], check=False).returncode == 7
    assert (first.phases, first.steps) == (["configure", "build"], 3)
    assert again.phases == []
    link = plain_path(odd / "build")
    shutil.rmtree(odd)
    plain_path(tmp_path / "it's")
    assert not link.is_symlink()  # of what is gone, nothing stays


def test_links_in_a_folder_that_others_may_write_to_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path))
    (tmp_path / "links").mkdir()
    (tmp_path / "links").chmod(0o777)
    with pytest.raises(UserError, match="others may write to it"):
        plain_path(tmp_path / "it's")


@pytest.mark.parametrize("sign", [",", ":"])
def test_an_ns3_that_the_linker_cannot_be_told_of_is_refused_first(
    sources: Path, tmp_path: Path, sign: str
) -> None:
    root = tmp_path / f"a{sign}b"
    with pytest.raises(UserError, match=f"the linker can't be given a path with '{sign}'"):
        build_simulator(tmp_path / "build", root, 1, Told())


def test_the_tests_are_built_beside_the_program(sources: Path, tmp_path: Path) -> None:
    program = build_simulator(tmp_path / "plain", tmp_path, 1, Told())
    assert not program.with_name("splitsim-tests").exists()
    program = build_simulator(tmp_path / "both", tmp_path, 1, Told(), tests=True)
    for built in (program, program.with_name("splitsim-tests")):
        assert subprocess.run([built], check=False).returncode == 7


def test_what_the_compiler_refuses_is_one_line_and_a_file(sources: Path, tmp_path: Path) -> None:
    (sources / "main.cc").write_text("int main() { return missing; }\n")
    with pytest.raises(BuildError) as refusal:
        build_simulator(tmp_path / "build", tmp_path, 1, Told())
    message = str(refusal.value)
    assert re.search(r"main\.cc:1:\d+: error: .*missing", message)
    assert "\n" not in message
    assert "missing" in (tmp_path / "build" / "build.log").read_text()
    assert f"{tmp_path / 'build' / 'build.log'}" in message


def test_what_cmake_refuses_is_its_reason(sources: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=f"no ns-3 in {tmp_path}/none .*configure.log"):
        build_simulator(tmp_path / "build", tmp_path / "none", 1, Told())


def test_missing_packages_are_one_line_and_status_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = subprocess.run(
        [shutil.which("env") or "/usr/bin/env", f"PATH={tmp_path}", sys.executable, "-m", "pyagent", "build"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"with `sudo apt-get install {' '.join(missing_packages('build'))}`")


def test_make_and_splitsim_read_one_list_of_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for program in ("bash", "dirname", "id", "python3"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    done = subprocess.run(
        [tmp_path / "bash", REPOSITORY / "tools" / "system-packages"],
        env={"PATH": str(tmp_path), "NS3": "system", "PYTHON": "another"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    named = re.search(r"names\): (.*);", done.stderr)
    assert named is not None, done.stderr
    assert named[1].split() == missing_packages("build", "tests", "system")


def test_a_compiler_that_cxx_names_counts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    assert missing_packages("build") == ["g++"]
    monkeypatch.setenv("CXX", "sh -c")
    assert missing_packages("build") == []


def test_two_kinds_of_ns3_at_once_are_refused(tmp_path: Path) -> None:
    for arguments, said in (
        (["--system", "--ns3-root", str(tmp_path)], "--ns3-root and --system: give one of them"),
        (["--ns3-root", str(tmp_path / "none")], "none: no such folder"),
    ):
        done = CliRunner().invoke(app, ["build", *arguments])
        assert said in str(done.exception)


def test_an_installed_wheel_builds_into_the_cache_by_its_sources(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SPLITSIM_NS3", raising=False)
    assert paths.build_folder() == REPOSITORY / "build" / "ns3"
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path)
    sources.rename(tmp_path / "ns3_scenarios")
    folders = []
    for text in ("int main() {}", "int main() { return 1; }"):
        (paths.shipped() / "main.cc").write_text(text)
        paths._sources_key.cache_clear()
        folders.append(paths.build_folder())
    paths._sources_key.cache_clear()
    assert folders[0] != folders[1]
    assert {folder.parent for folder in folders} == {tmp_path / "cache" / "simulator"}
    assert paths.ns3_folder().parent == tmp_path / "cache" / "ns3"
    with pytest.raises(paths.SimulatorNotFoundError, match="run `splitsim build`"):
        paths.simulator_executable()
