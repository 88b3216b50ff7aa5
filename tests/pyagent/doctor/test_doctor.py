"""`splitsim doctor`: every failure is seen, told with its remedy, and keeps no other check from looking."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pyagent.cli import app
from pyagent.doctor import CHECKS, Check, Finding, Result, Status, checks, examine, live_loop
from pyagent.doctor.examination import ok
from pyagent.ns3.toolchain import missing_packages


def look(name: str) -> Finding:
    """One of the real checks."""
    (result,) = examine([check for check in CHECKS if check.name == name])
    return result.finding


def fake_simulator(folder: Path, script: str) -> Path:
    path = folder / "simulator"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.ns3
@pytest.mark.model
def test_a_machine_with_everything_is_told_so_as_json() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"], catch_exceptions=False)
    told = json.loads(done.stdout)
    assert (done.exit_code, told["ok"]) == (0, True), told
    found = {check["name"]: check["found"] for check in told["checks"]}
    assert set(found) == {check.name for check in CHECKS}
    assert found["ns-3"].startswith("ns-3 3.")
    played = re.fullmatch(
        r"(\d+) decisions in ([0-9.]+) s, (\d+) of \3 fragments arrived", found["live loop"]
    )
    assert played is not None, found["live loop"]
    assert float(played[2]) >= live_loop.LIVE_S


def test_threads_are_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # torch is loaded: it is the reason alone that changes
    monkeypatch.setenv("SPLITSIM_CORES", "1")
    found = look("threads").found
    assert re.fullmatch(
        r"\d+ for the language model \(OMP_NUM_THREADS = 3\); 1 simulators at a time", found
    ), found
    monkeypatch.setenv("SPLITSIM_CORES", "none")
    assert look("threads") == Finding(
        Status.FAIL,
        "UserError: SPLITSIM_CORES = 'none': valid: a whole number, 1 or more",
        "mend what the message says, or report it as a bug",
    )


def test_a_missing_simulator_fails_with_the_command_that_builds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPLITSIM_NS3", str(tmp_path / "none"))
    found = look("simulator")
    assert (found.status, found.remedy) == (Status.FAIL, "make build")
    assert str(tmp_path / "none") in found.found
    assert look("live loop") == Finding(Status.FAIL, "no simulator to play", "see simulator above")
    assert look("ns-3").status != Status.FAIL  # it says which ns-3 a build would take


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo 'no such module' >&2; exit 3", "no such module"), ("exec sleep 600", "waited 0.5 s")],
    ids=["exits", "hangs"],
)
def test_a_broken_simulator_fails_in_the_live_loop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, said: str
) -> None:
    monkeypatch.setattr(live_loop, "ANSWER_S", 0.5 if "sleep" in script else 20.0)
    monkeypatch.setenv("SPLITSIM_NS3", str(fake_simulator(tmp_path, script)))
    assert look("simulator").status == Status.OK  # it is there and can be started
    found = look("live loop")
    assert found.status == Status.FAIL
    assert said in found.found
    assert "\n" not in found.found


@pytest.mark.parametrize(
    ("check", "remedy"),
    [
        ("model weights", "splitsim models fetch smollm2-135m"),
        ("text", "splitsim texts fetch wikitext-2"),
    ],
)
def test_missing_data_fail_with_the_command_that_fetches_them(
    check: str, remedy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path))
    found = look(check)
    assert (found.status, found.remedy) == (Status.FAIL, remedy)
    assert str(tmp_path) in found.found


def test_a_cache_that_cannot_be_written_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path / "file" / "cache"))
    found = look("cache")
    assert found.status == Status.FAIL
    assert "can't be written (Not a directory)" in found.found
    assert "SPLITSIM_CACHE" in found.remedy


@pytest.mark.parametrize(
    ("limit", "status"), [("LITTLE_BYTES", Status.WARN), ("TOO_LITTLE_BYTES", Status.FAIL)]
)
def test_little_disk_warns_and_too_little_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, status: Status
) -> None:
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path / "not" / "made" / "yet"))
    assert look("free disk").status == Status.OK
    monkeypatch.setattr(checks, limit, 10**18)  # no disk has as much
    found = look("free disk")
    assert found.status == status
    assert found.remedy


def test_missing_packages_matter_only_without_a_simulator(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SPLITSIM_NS3", str(tmp_path / "none"))
    found = look("compiler")
    assert found.status == Status.FAIL
    assert found.remedy == f"sudo apt-get install {' '.join(missing_packages('build'))}"
    assert {"g++", "cmake", "ninja-build"} <= set(found.remedy.split())
    monkeypatch.setenv("SPLITSIM_NS3", str(fake_simulator(tmp_path, "exit 0")))
    assert look("compiler").status == Status.WARN


def test_neither_a_crash_nor_a_hang_keeps_the_next_check_from_looking() -> None:
    def crash() -> Finding:
        raise RuntimeError("the first line\nthe second")

    def hang() -> Finding:
        threading.Event().wait()
        raise AssertionError("unreachable")

    results = list(
        examine([Check("a", crash), Check("b", hang, limit_s=0.1), Check("c", lambda: ok("fine"))])
    )
    assert [result.name for result in results] == ["a", "b", "c"]
    assert [result.finding.status for result in results] == [Status.FAIL, Status.FAIL, Status.OK]
    assert results[0].finding.found == "RuntimeError: the first line"
    assert results[1].finding.found == "no answer in 0.1 s"


@pytest.mark.parametrize(
    ("status", "exit_code"), [(Status.OK, 0), (Status.WARN, 0), (Status.FAIL, 1)], ids=str
)
def test_the_exit_status_says_whether_a_run_would_work(
    monkeypatch: pytest.MonkeyPatch, status: Status, exit_code: int
) -> None:
    finding = Finding(status, "as [found]", "do this")
    monkeypatch.setattr("pyagent.doctor.CHECKS", (Check("thing", lambda: finding),))
    done = CliRunner().invoke(app, ["doctor"], catch_exceptions=False)
    assert done.exit_code == exit_code
    for text in ("thing", status.value, "as [found]", "do this"):
        assert text in done.stdout
    told = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert told["ok"] == (exit_code == 0)
    assert told["checks"][0].items() >= Result("thing", finding, 0.0).to_json().items() - {("wall_s", 0.0)}


def test_every_check_has_a_name_of_its_own() -> None:
    names: list[Any] = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
