"""Temporary folders: gone with their object, and with a process that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pyagent.temporary import OWNER, PREFIX, TemporaryFolder, remove_abandoned

HOLDING = """
import sys
from pathlib import Path
from pyagent.temporary import TemporaryFolder
folder = TemporaryFolder(Path(sys.argv[1]))
(folder.path / "left.txt").write_text("left")
print(folder.path, flush=True)
sys.stdin.read()
"""


def holder(place: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has such a folder, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=20)


def test_a_folder_is_private_and_goes_with_its_object(tmp_path: Path) -> None:
    with TemporaryFolder(tmp_path) as path:
        assert path.parent == tmp_path
        assert path.name.startswith(PREFIX)
        assert path.stat().st_mode & 0o777 == 0o700
        (path / "inner").mkdir()
    assert not list(tmp_path.iterdir())
    folder = TemporaryFolder(tmp_path)
    folder.remove()
    folder.remove()
    forgotten = TemporaryFolder(tmp_path)
    del forgotten
    assert not list(tmp_path.iterdir())


def test_it_goes_with_its_process(tmp_path: Path) -> None:
    process, path = holder(tmp_path)
    assert path.is_dir()
    end(process)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    living, kept = holder(tmp_path)
    killed, left = holder(tmp_path)
    killed.kill()
    end(killed)
    assert (left / "left.txt").is_file()
    # The next process removes it without being asked, and leaves what is in use.
    after, own = holder(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {kept.name, own.name}
    for process in (living, after):
        end(process)
    assert not list(tmp_path.iterdir())


def test_a_stopped_process_keeps_its_folder(tmp_path: Path) -> None:
    process, path = holder(tmp_path)
    process.send_signal(signal.SIGSTOP)
    try:
        assert remove_abandoned(tmp_path) == []
        assert (path / "left.txt").is_file()
    finally:
        process.send_signal(signal.SIGCONT)
        end(process)


def test_what_belongs_to_others_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (f"{PREFIX}of-somebody", "other", f".{PREFIX}not-held-yet"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / OWNER).touch()
    (tmp_path / f".{PREFIX}not-held-yet" / OWNER).touch()
    (tmp_path / f"{PREFIX}of-another-machine").mkdir()
    (tmp_path / f"{PREFIX}of-another-machine" / ".owner-elsewhere").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "other")
    (tmp_path / f"{PREFIX}file").touch()
    assert remove_abandoned(tmp_path) == []
    (abandoned := tmp_path / f"{PREFIX}abandoned").mkdir()
    (abandoned / OWNER).touch()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: abandoned.stat().st_uid + 1)
        assert remove_abandoned(tmp_path) == []
    assert remove_abandoned(tmp_path) == [abandoned]
    assert len(list(tmp_path.iterdir())) == 6


def test_a_forked_copy_leaves_it_alone(tmp_path: Path) -> None:
    folder = TemporaryFolder(tmp_path)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            folder.remove()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert folder.path.is_dir()
    assert remove_abandoned(tmp_path) == []
    folder.remove()
    assert not list(tmp_path.iterdir())


def test_a_place_that_cant_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError):
        TemporaryFolder()
