"""The page on scenarios in C++: every program on it compiles, links and runs as it is written there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pages import blocks

from pyagent.paths import REPOSITORY, ns3_folder, simulator_executable
from pyagent.scenario.compile import write_simulator_config
from pyagent.scenario.load import parse_scenario
from pyagent.scenario.preview import check_in_ns3, preview
from pyagent.scenario.schema import Scenario

pytestmark = pytest.mark.ns3

PAGE = REPOSITORY / "docs" / "own-scenario-cpp.md"
BLOCKS = list(blocks(PAGE.read_text(encoding="utf-8")))
CPP = ["\n".join(block.lines) + "\n" for block in BLOCKS if block.language == "cpp"]
WHOLE = [text for text in CPP if text.startswith("#include")]
PARTS = [text for text in CPP if not text.startswith("#include")]
BOTH = '#include "ns3/splitsim-module.h"\nusing namespace ns3;\nusing namespace splitsim;\n'
AROUND = (
    BOTH
    + "void Part(const Episode& episode, NodeContainer ues)\n{{\nconst auto& config = episode.config;\n{}}}\n"
)
"""What the page has said before a part of a program."""


def build_folder() -> Path:
    return simulator_executable().parent


def compiler(source: Path, *options: str) -> list[str]:
    """The compiler's command line for a scenario program in this build, without optimisation."""
    entries = json.loads((build_folder() / "compile_commands.json").read_text())
    command = next(entry["command"] for entry in entries if entry["file"].endswith("/split-corridor.cc"))
    flags = shlex.split(command.partition(" -o ")[0])
    return [*(flag for flag in flags if flag != "-O3"), "-Werror", *options, str(source)]


def succeed(command: list[str]) -> str:
    done = subprocess.run(
        command, cwd=build_folder(), capture_output=True, text=True, timeout=170, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def built(text: str, folder: Path) -> Path:
    """A program of the page, linked as `splitsim_program` links."""
    source, made, program = folder / "mine.cc", folder / "mine.o", folder / "mine"
    source.write_text(text)
    succeed(compiler(source, "-o", str(made), "-c"))
    *_, link = succeed(["ninja", "-t", "commands", "split-corridor"]).splitlines()
    link, swapped = re.subn(r"\S*/split-corridor\.cc\.o", shlex.quote(str(made)), link)
    link, renamed = re.subn(r"-o \S+", f"-o {shlex.quote(str(program))}", link)
    assert (swapped, renamed) == (1, 1)
    succeed(["sh", "-c", link])
    return program


def scenario(program: Path, **sections: Any) -> Scenario:
    """The page's scenario file."""
    (text,) = ("\n".join(block.lines) for block in BLOCKS if block.language == "yaml")
    return parse_scenario({**yaml.safe_load(text), **sections, "program": str(program)}, "tram")


def test_the_page_has_two_programs_and_a_part() -> None:
    assert (len(WHOLE), len(PARTS)) == (2, 1)


@pytest.fixture(scope="module")
def tram(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(WHOLE[0], tmp_path_factory.mktemp("tram"))


def test_the_tram_of_the_page_goes_as_the_page_says(tram: Path) -> None:
    """8 m/s along y = 5, at the access point in the middle of the episode; the file's others are there."""
    shown = scenario(tram, requests={"count": 2, "mean_extra_gap_s": 0.0})
    seen = preview(shown, 1)
    # Two requests 4 s apart from 2 s on, each cut 4 s after it came.
    assert seen.request_s == pytest.approx([2, 6], abs=0.01)
    end_s = seen.request_s[-1] + 4
    np.testing.assert_allclose(seen.ues_m[0, :, 0], 8 * (seen.time_s - end_s / 2), atol=1e-6)
    np.testing.assert_allclose(seen.ues_m[0, :, 1:], np.broadcast_to([5, 1.5], (len(seen.time_s), 2)))
    assert len(seen.ues_m) == 3
    check_in_ns3(shown)


def test_the_program_of_the_page_answers_itself(tram: Path, tmp_path: Path) -> None:
    config = write_simulator_config(scenario(tram, requests={"count": 2}), tmp_path / "tram.json")
    printed = succeed([str(tram), f"--config={config}", "--self=0", "--pace=1"])
    assert json.loads(printed)["sim_s"] > 10


@pytest.mark.skipif(not ns3_folder().is_dir(), reason="this build takes the ns-3 of the system")
def test_a_build_folder_of_ones_own_has_the_program(tmp_path: Path) -> None:
    """The page's second way to build, up to the compiler: Ninja has the command that links the program."""
    (lines,) = (block.lines for block in BLOCKS if block.language == "sh" and "cmake -S" in str(block.lines))
    (page,) = (block.lines for block in BLOCKS if block.language == "cmake")
    mine = tmp_path / "with blank" / "mine"
    mine.mkdir(parents=True)
    (mine / "CMakeLists.txt").write_text("\n".join(page))
    (mine / "tram.cc").write_text(WHOLE[0])
    *configure, build = lines
    script = [
        "set -e",
        f"export PYTHONPATH={shlex.quote(str(REPOSITORY))}",
        *configure,
        build.replace(" tram", " -t commands tram"),
    ]
    text = "\n".join(script).replace("(python ", f"({shlex.quote(sys.executable)} ")
    done = subprocess.run(
        ["sh", "-c", text],
        cwd=mine.parent,
        capture_output=True,
        text=True,
        timeout=170,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert " -o programs/tram " in done.stdout


def test_the_program_by_hand_has_three_ues_and_runs(tmp_path: Path) -> None:
    program = built(WHOLE[1], tmp_path)
    shown = scenario(program, others=[], requests={"count": 2})
    seen = preview(shown, 1)
    assert [path[0].tolist() for path in seen.ues_m[1:]] == [[4, 2, 1.5], [-6, 3, 1.5]]
    assert seen.moving.tolist() == [True, False, False]
    config = write_simulator_config(shown, tmp_path / "shown.json")
    assert "events" in succeed([str(program), f"--config={config}", "--self=0", "--pace=1"])


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_the_page_compiles(part: str, tmp_path: Path) -> None:
    source = tmp_path / "part.cc"
    source.write_text(AROUND.format(part))
    succeed(compiler(source, "-fsyntax-only"))


def included(header: Path) -> set[Path]:
    """A header of the library and those of the library that it includes."""
    known, left = set[Path](), [header.resolve()]
    while left:
        path = left.pop()
        known.add(path)
        names = re.findall(r'#include "([^"]+)"', path.read_text())
        paths = [(path.parent / name).resolve() for name in names]
        left += [path for path in paths if path.is_file() and path not in known]
    return known


def clashes(names: set[str], folder: Path) -> str:
    """What the compiler says where classes of these names are in our namespace and ns-3's are known too."""
    (ns3,) = {
        Path(word) for word in compiler(folder / "names.cc") if word.endswith("/include") and "ns3/" in word
    }
    class_of_ours = re.compile(
        rf"^(?:class|struct|enum|enum class) (?:{'|'.join(sorted(names))})\b", re.MULTILINE
    )
    headers = [path for path in sorted((ns3 / "ns3").glob("*.h")) if class_of_ours.search(path.read_text())]
    lines = [f"#include <ns3/{path.name}>" for path in headers]
    lines += ["namespace splitsim {", *(f"class {name};" for name in sorted(names)), "}"]
    lines += ["using namespace ns3;", "using namespace splitsim;"]
    lines += [f"void Use(const {name}*);" for name in sorted(names)]
    (folder / "names.cc").write_text("\n".join(lines) + "\n")
    command = compiler(folder / "names.cc", "-fsyntax-only")
    return subprocess.run(command, cwd=build_folder(), capture_output=True, text=True, timeout=170).stderr


def test_no_class_of_the_library_is_named_as_one_of_ns_3(tmp_path: Path) -> None:
    """The page has both namespaces used: a name in both could not be written without its namespace."""
    ours = {
        name
        for path in included(REPOSITORY / "ns3_scenarios" / "include" / "ns3" / "splitsim-module.h")
        for name in re.findall(r"^(?:class|struct) (\w+)", path.read_text(), re.MULTILINE)
    }
    assert {"TrackPoint", "Link", "World"} <= ours
    assert clashes(ours, tmp_path) == ""
    assert "is ambiguous" in clashes({"Waypoint"}, tmp_path)  # as it was once
