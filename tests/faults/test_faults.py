"""The harness sees what it looks for; and a short soak finds nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from tests.faults.case import all_cases
from tests.faults.marked import MARK, Marked, send
from tests.faults.strikes import FAULTS
from tests.faults.subjects import SUBJECTS, differing, torn
from tests.running import printed_json

SOAK_S = 110.0


def test_every_fault_befalls_a_command_and_every_command_is_killed_and_interrupted() -> None:
    cases = {tuple(name.split(":")) for name in all_cases()}
    assert {fault for _, fault in cases} == FAULTS.keys()
    for number in ("kill-agent", "interrupt-twice", "no-descriptors", "second", "clock-jumps"):
        assert {(subject, number) for subject in SUBJECTS} <= cases
    assert ("run", "stop-ns3") in cases
    assert ("train", "stop-ns3") not in cases


def test_half_a_file_is_seen_unless_its_name_says_so(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(100)})
    frame.to_parquet(tmp_path / "whole.parquet")
    content = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "whole.json").write_text("{}")
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as db:
        db.execute("CREATE TABLE t (a)")
    (tmp_path / ".half.parquet.partial").write_bytes(content[:-10])
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "half.json").write_text("{")
    assert torn(tmp_path) == []
    (tmp_path / "half.parquet").write_bytes(content[:-10])
    (tmp_path / "half.json").write_text("{")
    (tmp_path / "half.safetensors").write_bytes(b"half")
    assert [Path(told.split(":")[0]).name for told in torn(tmp_path)] == [
        "half.json",
        "half.parquet",
        "half.safetensors",
    ]


def test_what_is_not_equal_is_named() -> None:
    whole = {"table": pd.DataFrame({"a": [1.0, float("nan")]}), "told": {"n": 1}}
    same = {"table": whole["table"].copy(), "told": {"n": 1}}
    assert differing(whole, same) == []
    assert differing(whole, {"told": {"n": 2}, "more": b""}) == ["more", "table", "told"]
    last_bit = pd.DataFrame({"a": [1.0 + 2**-52, float("nan")]})
    assert differing(whole, same | {"table": last_bit}) == ["table"]


def test_an_orphan_is_seen_and_ended(tmp_path: Path) -> None:
    with Marked(["--version"], tmp_path, warm=False) as process:
        assert process.until(lambda: False) is False
        assert process.exit_code() == 0
        with subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(600)"],
            env={**os.environ, MARK: process.mark},
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as orphan:
            assert orphan.stdout is not None
            assert orphan.stdout.readline() == b"up\n"
            assert process.alive() == [orphan.pid]
            process.end_all()
            assert orphan.wait(10) == -signal.SIGKILL
        assert process.alive() == []


def test_a_hang_is_seen(tmp_path: Path) -> None:
    with Marked(["--version"], tmp_path, warm=False) as process:
        send(process.pid, signal.SIGSTOP)
        begin = time.monotonic()
        assert not process.ends_within(0.2)
        assert time.monotonic() - begin >= 0.2
        send(process.pid, signal.SIGCONT)
        assert process.ends_within(60)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_short_soak_finds_nothing(tmp_path: Path) -> None:
    # In a process of its own: it adopts what its commands leave behind.
    found = printed_json(
        "tests.faults", "--seconds", str(SOAK_S), "--seed", "1", "--out", str(tmp_path), timeout_s=850
    )
    assert found["faults"] >= 1
    assert found["resume_equal"]
