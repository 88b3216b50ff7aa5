"""The result store: who may make a run, what survives, what is refused."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyagent import results
from pyagent.errors import UserError
from pyagent.sweep.execute import Failure, Outcome
from pyagent.sweep.spec import RunSpec
from pyagent.sweep.store import INDEX, Store, StoreError, table_path
from tests.conftest import small_scenario

SPEC = RunSpec(scenario=small_scenario(), policies=("random",), budget=4, seed=1)
OUTCOME = Outcome({"random": {"reward": -0.5, "ttft_s": None}}, b"table", 2.5, "here")


def seed(number: int) -> RunSpec:
    return SPEC.model_copy(update={"seed": number})


def keep(path: Path, key: str, spec: RunSpec, outcome: Outcome) -> None:
    """What a sweep of one run does."""
    with Store(path) as store:
        assert store.claim(key, spec, "s") == "ours"
        store.finish(key, outcome)


def test_a_run_is_claimed_once_and_its_result_kept(tmp_path: Path) -> None:
    with Store(tmp_path) as first, Store(tmp_path) as second:
        assert first.claim("a", SPEC, "s") == "ours"
        assert second.claim("a", SPEC, "s") == "busy"
        first.finish("a", OUTCOME)
        assert second.claim("a", SPEC, "s") == "finished"
        first.claim("b", seed(2), "s")
        first.fail("b", Failure("no coverage\ntrace", "here"))
        assert second.claim("b", seed(2), "s") == "failed"
        assert second.claim("b", seed(2), "s", retry_failed=True) == "ours"
        assert second.states() == {"a": "finished", "b": "claimed"}
    frame = results.load(tmp_path)
    assert frame[["key", "scenario", "seed", "policy", "reward"]].to_numpy().tolist() == [
        ["a", "small", 1, "random", -0.5]
    ]
    assert table_path(tmp_path, "a").read_bytes() == b"table"


def test_leaving_gives_back_what_was_not_finished(tmp_path: Path) -> None:
    with Store(tmp_path) as first:
        first.claim("a", SPEC, "s")
        scratch = first.scratch
        assert scratch.is_dir()
    assert not scratch.exists()
    with Store(tmp_path) as second:
        assert second.states() == {}


# Claims a run, says so, and waits for its end.
DYING = """
import sys
from pathlib import Path
from pyagent.sweep.spec import RunSpec
from pyagent.sweep.store import Store
store = Store(Path(sys.argv[1]))
spec = RunSpec.model_validate_json(sys.stdin.readline())
print(store.claim("a", spec, "s"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def dying(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has claimed run `a`."""
    with subprocess.Popen(
        [sys.executable, "-c", DYING, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(SPEC.model_dump_json() + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ours\n"
        yield process
        process.kill()


def test_a_dead_owners_claim_is_taken_over_at_once(tmp_path: Path, dying: subprocess.Popen[str]) -> None:
    with Store(tmp_path) as store:
        assert store.claim("a", SPEC, "s") == "busy"
        os.kill(dying.pid, signal.SIGKILL)
        dying.wait()
        assert store.claim("a", SPEC, "s") == "ours"
    (left,) = (tmp_path / "owners").iterdir()  # the dead one's, until somebody opens the store again
    with Store(tmp_path):
        assert not left.exists()
        assert len(list((tmp_path / "scratch").iterdir())) == 1


def test_a_claim_that_was_taken_over_ends_without_a_trace(tmp_path: Path) -> None:
    with Store(tmp_path) as slow, Store(tmp_path) as quick:
        slow.claim("a", SPEC, "s")
        assert slow._lock is not None
        slow._lock.close()  # as if the kernel had ended it
        quick.claim("a", SPEC, "s")
        slow.finish("a", OUTCOME)
        assert quick.states() == {"a": "claimed"}
        quick.finish("a", OUTCOME)
    assert len(results.load(tmp_path)) == 1


@contextmanager
def no_file_larger_than(size_bytes: int) -> Iterator[None]:
    """What a full disk does to a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room_bytes", [0, 4096, 100_000])
def test_a_full_disk_is_told_and_leaves_the_store_whole(tmp_path: Path, room_bytes: int) -> None:
    large = Outcome(OUTCOME.metrics, bytes(200_000), 1.0, "here")
    keep(tmp_path, "a", SPEC, OUTCOME)
    before = results.load(tmp_path)
    with pytest.raises(StoreError) as error, no_file_larger_than(room_bytes):
        keep(tmp_path, "b", seed(2), large)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)
    with sqlite3.connect(tmp_path / INDEX) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert results.load(tmp_path).equals(before)
    keep(tmp_path, "b", seed(2), large)  # with room again it goes on
    assert len(results.load(tmp_path)) == 2


@pytest.fixture
def public(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder that others may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def as_somebody_else(folder: Path) -> Iterator[None]:
    """With write permissions taken away, also from root."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_read_only_store_is_told_and_can_be_read(public: Path) -> None:
    keep(public / "store", "a", SPEC, OUTCOME)
    before = results.load(public / "store")
    with as_somebody_else(public):
        with pytest.raises(StoreError, match=r"store .*store: .*(denied|Read-only)"):
            Store(public / "store")
        assert results.load(public / "store").equals(before)
    assert results.load(public / "store").equals(before)


def test_another_version_and_another_file_are_refused(tmp_path: Path) -> None:
    with Store(tmp_path):
        pass
    with sqlite3.connect(tmp_path / INDEX) as db:
        db.execute("PRAGMA user_version = 7")
    for opening in (Store, results.load):
        with pytest.raises(StoreError, match="has schema 7; this version reads 1"):
            opening(tmp_path)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / INDEX).write_text("no database, but long enough to be looked at as one" * 30)
    for opening in (Store, results.load):
        with pytest.raises(StoreError, match="not a database"):
            opening(tmp_path / "foreign")
    with pytest.raises(StoreError, match="no such store"):
        results.load(tmp_path / "none")


def test_results_are_filtered_by_any_field(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.remember_swept(["scenario.requests.count"])
        for number, count in ((1, 4), (2, 4), (1, 6)):
            spec = RunSpec(
                scenario=small_scenario(requests={"count": count}),
                policies=("random",),
                budget=4,
                seed=number,
            )
            store.claim(f"{number}{count}", spec, "s")
            store.finish(
                f"{number}{count}", Outcome({"random": {"reward": number / count}}, b"", 1.0, "here")
            )
    frame = results.load(tmp_path, where={"scenario.requests.count": "4"})
    assert frame["key"].tolist() == ["14", "24"]
    assert results.load(tmp_path, where={"scenario.model.codec": "fp16", "seed": 1})["key"].tolist() == [
        "14",
        "16",
    ]
    assert results.load(tmp_path, where={"policy": "nobody"}).empty
    with pytest.raises(UserError, match=r"scenario\.model\.codek"):
        results.load(tmp_path, where={"scenario.model.codek": "fp16"})
    told = results.summary(results.load(tmp_path)).set_index("scenario.requests.count")
    assert told["seeds"].to_dict() == {4: 2, 6: 1}
    # Student's t with one degree of freedom is 12.706; two values apart by d: mean +- 12.706 d / 2.
    assert told["high"][4] - told["mean"][4] == pytest.approx(12.706 * 0.125, rel=1e-4)
    assert told["high"].isna()[6]
    pytest.importorskip("xarray")
    array = results.as_xarray(results.load(tmp_path))["reward"]
    assert float(array.sel({"scenario.requests.count": 4, "seed": 2, "policy": "random"})) == 0.5
