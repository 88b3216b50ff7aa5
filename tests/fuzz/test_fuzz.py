"""Every corpus file and some fresh inputs for each target, and that the harness sees what goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pyagent.errors import UserError
from tests.fuzz.__main__ import main
from tests.fuzz.campaign import Limits, fuzz
from tests.fuzz.target import CORPUS, FileTarget, Generator, Target, corpus, judge
from tests.fuzz.targets import TARGETS

NAMES = [kind.name for kind in TARGETS]
HEAVY = {
    *("dataset", "gguf", "journal", "learner", "model-folder", "model-half", "policy-zip", "run-folder"),
    *("scenario", "store", "surrogate", "sweep"),
}
"""Targets that take ten milliseconds and more for an input."""


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """A target that hangs or dies leaves no process behind."""
    yield
    assert not psutil.Process(os.getpid()).children(recursive=True)


def read_many(kind: type[Target], folder: Path, damaged: int) -> dict[str, int]:
    """How many were accepted and refused: sound ones, the corpus, damaged ones. Anything else fails."""
    target = kind(folder)
    generator = Generator(target, seed=20_251_125)
    sound = len(target.seeds())
    outcomes = {"accepted": 0, "refused": 0}
    for number in range(sound + len(corpus(kind.name)) + damaged):
        data = generator.next()
        verdict = judge(target, data)
        generator.learn(data, verdict)
        assert verdict.kind in outcomes, f"input {number}: {verdict.words}\n{verdict.why}\n{data[:2000]!r}"
        outcomes[verdict.kind] += 1
        # A target that refused these would test next to nothing.
        assert number >= sound or verdict.kind == "accepted", verdict.why
    return outcomes


@pytest.mark.parametrize("kind", TARGETS, ids=NAMES)
def test_damage_is_read_or_refused(kind: type[Target], tmp_path: Path) -> None:
    outcomes = read_many(kind, tmp_path, 10 if kind.name in HEAVY else 100)
    assert outcomes["refused"] or not kind.refusals


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS, ids=NAMES)
def test_much_damage_is_read_or_refused(kind: type[Target], tmp_path: Path) -> None:
    read_many(kind, tmp_path, 100 if kind.name in HEAVY else 1000)


def test_the_corpus_belongs_to_targets() -> None:
    folders = {path.name for path in CORPUS.iterdir()}
    assert {name for name in folders if not name.startswith("cpp-")} <= set(NAMES)


class Weak(FileTarget):
    """Goes wrong in every way that the harness must see."""

    name = "weak"
    cpu_limit_s = 0.3
    growth_bytes = 2**28

    def seeds(self) -> list[bytes]:
        return [b"sound", b"refuse", b"crash", b"lines", b"memory", b"hang", b"die", b"sound again"]

    def load(self, path: Path) -> None:
        what = path.read_bytes()
        if what == b"refuse":
            raise UserError("no")
        if what == b"crash":
            raise KeyError("x")
        if what == b"lines":
            raise UserError("one\ntwo")
        if what == b"memory":
            bytearray(2**30)
        while what == b"hang":
            pass
        if what == b"die":
            os.kill(os.getpid(), signal.SIGKILL)


def test_all_that_goes_wrong_is_counted_and_kept(tmp_path: Path) -> None:
    outcome = fuzz(Weak, Limits(8, time.monotonic() + 60), 1, tmp_path)
    assert (outcome.inputs, outcome.accepted, outcome.refused) == (8, 2, 1)
    assert (outcome.crashes, outcome.hangs) == (4, 1)
    kept = {path.read_bytes(): path.with_suffix(".txt").read_text() for path in outcome.saved}
    assert set(kept) == {b"crash", b"lines", b"memory", b"hang", b"die"}
    assert kept[b"crash"].startswith("KeyError at test_fuzz.py")
    assert kept[b"lines"].startswith("UserError of 2 lines")
    assert kept[b"memory"].startswith("MemoryError")
    assert "status 9" in kept[b"die"]


def counted(capsys: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main([*arguments, "--programs", "none"])
    return status, json.loads(capsys.readouterr().out)


def test_the_command_prints_one_line_and_is_deterministic(tmp_path: Path, capsys: Any) -> None:
    arguments = ("--inputs", "40", "--target", "text", "--target", "radio-mahimahi", "--out", str(tmp_path))
    first = counted(capsys, *arguments)
    assert first == (
        0,
        {"fuzz_inputs": 80, "crashes": 0, "hangs": 0, "targets": {"text": 40, "radio-mahimahi": 40}},
    )
    assert counted(capsys, *arguments) == first


def test_seconds_are_kept(tmp_path: Path, capsys: Any) -> None:
    status, found = counted(capsys, "--seconds", "1", "--target", "text", "--out", str(tmp_path))
    assert status == 0
    assert found["fuzz_inputs"] > 1


def test_the_same_seed_makes_the_same_inputs(tmp_path: Path) -> None:
    def made(seed: int) -> list[bytes]:
        target = next(kind for kind in TARGETS if kind.name == "wire-info")(tmp_path)
        generator, inputs = Generator(target, seed), []
        for _ in range(60):
            inputs.append(generator.next())
            generator.learn(inputs[-1], judge(target, inputs[-1]))
        return inputs

    assert made(1) == made(1)
    assert made(1) != made(2)


def test_an_unknown_target_is_refused(capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--target", "nothing"])
    assert ended.value.code == 2
    assert "valid: wire-init, " in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_command_takes_its_child_along() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "100", "--target", "text"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        parent = psutil.Process(process.pid)
        while not (children := parent.children()):
            assert process.poll() is None
        process.kill()  # no time to tidy up
        psutil.wait_procs(children, 20)
        assert not any(child.is_running() for child in children)
