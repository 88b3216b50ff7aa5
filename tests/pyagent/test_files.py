"""Files that are there whole or not at all, and locks that end with whoever holds them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pyagent.files import hold, is_partial, write_text_whole, write_whole


class FullError(OSError):
    """What a full disk raises."""


def half(path: Path) -> None:
    path.write_text("hal")
    raise FullError


def half_a_folder(path: Path) -> None:
    path.mkdir()
    half(path / "inner.json")


@pytest.mark.parametrize("write", [half, half_a_folder])
def test_what_fails_leaves_the_old_and_nothing_else(tmp_path: Path, write: object) -> None:
    write_text_whole(tmp_path / "a", "old")
    with pytest.raises(FullError):
        write_whole(tmp_path / "a", write)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_folder_takes_an_older_ones_place(tmp_path: Path) -> None:
    for number in ("one", "two"):

        def write(path: Path, number: str = number) -> None:
            path.mkdir()
            (path / number).write_text(number)
            assert is_partial(path)

        write_whole(tmp_path / "a", write)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["a", "a/two"]


def test_a_lock_is_one_processes_and_ends_with_it(tmp_path: Path) -> None:
    holding = (
        "import sys; from pathlib import Path; from pyagent.files import hold;"
        "lock = hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holding, str(tmp_path / "lock")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError):
            hold(tmp_path / "lock")
        other.kill()
        other.wait()
    hold(tmp_path / "lock").close()
