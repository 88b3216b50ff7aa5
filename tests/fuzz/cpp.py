"""The fuzz targets in C++, programs of libFuzzer that `make sanitize` builds (ns3_scenarios/fuzz)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.campaign import Finds, Limits, Outcome
from tests.fuzz.target import CORPUS

PREFIX = "cpp-"
"""Of their names on the command line: `cpp-zmtp` is the program `fuzz-zmtp`."""
FOLDER = Path("build/sanitize/fuzz")
"""Where `make sanitize` puts them."""
TIMEOUT_S = 20
"""Of one input, by the clock."""
MEMORY_MIB = 2048
"""Of the process; AddressSanitizer takes a part of it."""
GRACE_S = 120
"""After its time is over, for the input under way and to tell what it saw."""
_RUNS = re.compile(r"stat::number_of_executed_units: *(\d+)")
_WHAT = re.compile(r"SUMMARY: (.*)")


def programs(folder: Path = FOLDER) -> dict[str, Path]:
    """The programs that are built, by target."""
    return {PREFIX + path.name.removeprefix("fuzz-"): path for path in sorted(folder.glob("fuzz-*"))}


def fuzz_program(name: str, program: Path, limits: Limits, seed: int, out: Path) -> Outcome:
    """Let a program of libFuzzer read inputs; it ends at the first crash, then another goes on.

    Args:
        name: of the target.
        program: its file.
        limits: how long.
        seed: of libFuzzer's random numbers.
        out: folder for what is found, in a folder of the target's name.
    """
    outcome, finds = Outcome(), Finds(out / name)
    while outcome.inputs < limits.inputs and (left_s := _left_s(limits)) >= 1:
        before = outcome.crashes + outcome.hangs
        with tempfile.TemporaryDirectory(prefix="splitsim-fuzz-") as scratch:
            grown, artefacts = Path(scratch, "corpus"), Path(scratch, "found")
            grown.mkdir()
            artefacts.mkdir()
            told = _run(
                program, name, limits.inputs - outcome.inputs, left_s, seed + before, grown, artefacts
            )
            outcome.inputs += max(1, int(found[1]) if (found := _RUNS.search(told)) else 0)
            _collect(artefacts, told, finds, outcome)
        if outcome.crashes + outcome.hangs == before:
            break
    outcome.accepted = outcome.inputs - outcome.crashes - outcome.hangs
    return outcome


def _left_s(limits: Limits) -> float:
    """No longer than a system call can wait."""
    return min(limits.deadline - time.monotonic(), 1e6)


def _run(
    program: Path, name: str, inputs: int, left_s: float, seed: int, grown: Path, artefacts: Path
) -> str:
    """What it said on stderr."""
    options = {
        "runs": inputs,
        "max_total_time": int(left_s),
        "seed": seed % 2**31 or 1,
        "timeout": TIMEOUT_S,
        "rss_limit_mb": MEMORY_MIB,
        "max_len": 16_384,
        "artifact_prefix": f"{artefacts}/",
        "print_final_stats": 1,
        "verbosity": 0,
    }
    own = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
    command = [str(program), *(f"-{key}={value}" for key, value in options.items()), str(grown), *own]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **sanitizer_options()},
    ) as process:
        try:
            return process.communicate(timeout=left_s + GRACE_S)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            return f"SUMMARY: did not end\n{process.communicate()[1]}"
        finally:
            process.kill()


def sanitizer_options() -> dict[str, str]:
    """What the sanitizers are told by the environment; see ns3_scenarios/fuzz/suppressions."""
    folder = Path(__file__).resolve().parents[2] / "ns3_scenarios" / "fuzz" / "suppressions"
    return {
        "ASAN_OPTIONS": "detect_stack_use_after_return=0:allocator_may_return_null=0",
        "LSAN_OPTIONS": f"suppressions={folder / 'leaks.txt'}:print_suppressions=0",
        "UBSAN_OPTIONS": f"print_stacktrace=1:suppressions={folder / 'undefined.txt'}",
    }


def _collect(artefacts: Path, told: str, finds: Finds, outcome: Outcome) -> None:
    summary = _WHAT.search(told)
    for path in sorted(artefacts.iterdir()):
        hung = path.name.startswith("timeout-")
        outcome.hangs += hung
        outcome.crashes += not hung
        what = "hang" if hung else summary[1] if summary else path.name.split("-")[0]
        finds.keep(path.read_bytes(), what, told[-20_000:], outcome)
    if told.startswith("SUMMARY: did not end"):
        outcome.hangs += 1
        finds.keep(b"", "hang", told[-20_000:], outcome)
    elif "stat::" not in told and not any(artefacts.iterdir()):
        print(told[-2000:], file=sys.stderr)
        raise RuntimeError("the fuzz target did not start, see above")
