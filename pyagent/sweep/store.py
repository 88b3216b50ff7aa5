"""The result store: a folder with one parquet file per run and one SQLite index of all runs.

A run is claimed before it is made, so that two sweeps on one store share the work instead of doing it twice.
An owner holds a lock on a file of its own as long as it lives; the kernel lets go of it however the owner
ends, so a dead owner's claim can be told at once and is taken over, also across containers. A result is first
a whole file, by renaming, then one transaction: the index never names what isn't there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal

from llm_split.plain import one_line
from pyagent.errors import UserError
from pyagent.files import write_whole
from pyagent.scenario.carried import carry
from pyagent.sweep.execute import Failure, Outcome
from pyagent.sweep.spec import RunSpec

SCHEMA = 1
"""Of the index, in SQLite's user_version."""
INDEX = "index.sqlite"
BUSY_S = 60.0
"""How long a transaction may wait for those of other sweeps."""

State = Literal["claimed", "finished", "failed"]
Claim = Literal["ours", "finished", "failed", "busy"]

_TABLES = """
CREATE TABLE owners (
    id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, started_at TEXT NOT NULL
);
CREATE TABLE runs (
    key TEXT PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('claimed', 'finished', 'failed')),
    owner TEXT NOT NULL REFERENCES owners (id), sweep TEXT NOT NULL, kind TEXT NOT NULL,
    decisions INTEGER NOT NULL, spec TEXT NOT NULL,
    changed_at TEXT NOT NULL, wall_s REAL, host TEXT, error TEXT
);
CREATE TABLE results (
    key TEXT NOT NULL REFERENCES runs (key), place INTEGER NOT NULL, policy TEXT NOT NULL,
    metrics TEXT NOT NULL, PRIMARY KEY (key, policy)
);
CREATE TABLE swept (path TEXT PRIMARY KEY);
"""


class StoreError(UserError):
    """The store can't be opened, read or written."""


@dataclass(frozen=True)
class Owner:
    """A process that makes runs for a store."""

    id: str
    host: str
    pid: int
    started_at: str


class Store:
    """A result store, open for sweeping. A context manager; leaving it gives back every claim.

    Args:
        path: the folder; made where it is missing.

    Raises:
        StoreError: it can't be written, or is none of this version. So do the methods.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = Owner(uuid.uuid4().hex, socket.gethostname(), os.getpid(), _now())
        self._lock: IO[str] | None = None
        with self._told():
            for folder in ("runs", "owners", "scratch"):
                (path / folder).mkdir(parents=True, exist_ok=True)
            self._db = _connect(path)
            try:
                self._lock = _hold(self._lock_file(self.owner.id))
                self.scratch.mkdir()
                with self._transaction():
                    self._forget_the_dead()
                    self._db.execute("INSERT INTO owners VALUES (?, ?, ?, ?)", _owner_row(self.owner))
            except BaseException:
                self.close()
                raise

    @property
    def scratch(self) -> Path:
        """A folder of this owner's; it is removed with it."""
        return self.path / "scratch" / self.owner.id

    def remember_swept(self, paths: Sequence[str]) -> None:
        """Dotted paths that were varied, so that tables show them."""
        with self._told(), self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO swept VALUES (?)", [(path,) for path in paths])

    def states(self) -> dict[str, State]:
        """State of every run that is known, by key."""
        with self._told():
            return dict(self._db.execute("SELECT key, state FROM runs"))

    def speeds(self) -> dict[str, float]:
        """Measured seconds per decision of finished runs, by `RunSpec.kind`."""
        query = "SELECT kind, SUM(wall_s) / SUM(decisions) FROM runs WHERE state = 'finished' GROUP BY kind"
        with self._told():
            return dict(self._db.execute(query))

    def claim(self, key: str, spec: RunSpec, sweep: str, *, retry_failed: bool = False) -> Claim:
        """Take a run on, unless it is finished, has failed, or another living sweep has it.

        Args:
            key: of the run.
            spec: what it is.
            sweep: name of the sweep.
            retry_failed: also take one that has failed.

        Returns:
            `ours` when it is ours now.
        """
        with self._told():
            carried = carry(spec.scenario)
            carried.copy_to(self.path)
        plain = json.dumps({**spec.model_dump(mode="json"), "scenario": carried.scenario})
        with self._told(), self._transaction():
            found = self._db.execute("SELECT state, owner FROM runs WHERE key = ?", (key,)).fetchone()
            if found is not None:
                state, owner = found
                if state == "finished" or (state == "failed" and not retry_failed):
                    return "finished" if state == "finished" else "failed"
                if state == "claimed" and owner != self.owner.id and self._lives(owner):
                    return "busy"
            self._db.execute(
                "INSERT OR REPLACE INTO runs (key, state, owner, sweep, kind, decisions, spec, changed_at)"
                " VALUES (?, 'claimed', ?, ?, ?, ?, ?, ?)",
                (key, self.owner.id, sweep, spec.kind, spec.decisions, plain, _now()),
            )
        return "ours"

    def finish(self, key: str, outcome: Outcome) -> None:
        """Keep a run's results."""
        with self._told():
            target = table_path(self.path, key)
            target.parent.mkdir(exist_ok=True)
            write_whole(target, lambda partial: partial.write_bytes(outcome.table))
            with self._transaction():
                if self._settle(key, "finished", outcome.wall_s, outcome.host, None):
                    self._db.executemany(
                        "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)",
                        [
                            (key, place, policy, json.dumps(metrics))
                            for place, (policy, metrics) in enumerate(outcome.metrics.items())
                        ],
                    )

    def fail(self, key: str, failure: Failure) -> None:
        """Keep that and why a run has failed."""
        with self._told(), self._transaction():
            self._settle(key, "failed", None, failure.host, failure.error)

    def close(self) -> None:
        """Give back every claim; twice is fine."""
        with self._told():
            try:
                if self._lock is not None and not self._lock.closed:
                    with self._transaction():
                        self._release(self.owner.id)
            finally:
                self._db.close()
                if self._lock is not None:
                    self._lock.close()
                self._lock_file(self.owner.id).unlink(missing_ok=True)
                shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        # What stopped us (a full disk) may stop this too, and must not be hidden by it.
        with contextlib.suppress(StoreError):
            self.close()

    def _settle(self, key: str, state: State, wall_s: float | None, host: str, error: str | None) -> bool:
        """End a claim; False where it is no longer ours, since somebody took us for dead."""
        changed = self._db.execute(
            "UPDATE runs SET state = ?, changed_at = ?, wall_s = ?, host = ?, error = ?"
            " WHERE key = ? AND owner = ? AND state = 'claimed'",
            (state, _now(), wall_s, host, error, key, self.owner.id),
        )
        return changed.rowcount == 1

    def _lock_file(self, owner: str) -> Path:
        return self.path / "owners" / f"{owner}.lock"

    def _lives(self, owner: str) -> bool:
        """Whether an owner still holds its lock."""
        try:
            with open(self._lock_file(owner)) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _forget_the_dead(self) -> None:
        """Give back what dead owners had claimed, and remove what they left lying."""
        for (owner,) in self._db.execute("SELECT id FROM owners").fetchall():
            if owner != self.owner.id and not self._lives(owner):
                self._release(owner)
                self._lock_file(owner).unlink(missing_ok=True)
                shutil.rmtree(self.path / "scratch" / owner, ignore_errors=True)

    def _release(self, owner: str) -> None:
        self._db.execute("DELETE FROM runs WHERE owner = ? AND state = 'claimed'", (owner,))
        self._db.execute(
            "DELETE FROM owners WHERE id = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE owner = owners.id)",
            (owner,),
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        with store_errors(self.path):
            yield


@contextlib.contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """What the file system or SQLite refuses, as one line about the store."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else _refusal(path)) or one_line(str(error))
        foreign = type(error) is sqlite3.DatabaseError  # the index is none, or was damaged by others
        raise StoreError(
            f"store {path}: {reason}{'' if foreign else '; what was finished is kept'}"
        ) from error


def _refusal(path: Path) -> str | None:
    """Why the system lets nobody write to a folder; SQLite only says that it is unable to open its file."""
    try:
        with tempfile.TemporaryFile(dir=path):
            return None
    except OSError as error:
        return error.strerror


def table_path(store: Path, key: str) -> Path:
    """Where a run's table is; spread over folders, since some file systems are slow with many files."""
    return store / "runs" / key[:2] / f"{key}.parquet"


def open_index(path: Path) -> sqlite3.Connection:
    """The index, to read only; works on a read-only file system.

    Raises:
        StoreError: there is no store, or one of another version.
    """
    file = path / INDEX
    if not file.is_file():
        raise StoreError(f"store {path}: no such store; `splitsim sweep FILE --store {path}` makes one")
    with store_errors(path):
        for mode in ("mode=ro", "immutable=1"):  # nobody can write where the log's files can't be made
            db = sqlite3.connect(f"{file.resolve().as_uri()}?{mode}", uri=True, timeout=BUSY_S)
            try:
                _check_version(db, path)
            except sqlite3.OperationalError:
                db.close()
                if mode == "immutable=1":
                    raise
            else:
                return db
    raise AssertionError("unreachable")


def _connect(path: Path) -> sqlite3.Connection:
    if not (path / INDEX).exists():
        _make_index(path)
    db = sqlite3.connect(path / INDEX, timeout=BUSY_S, isolation_level=None)
    try:
        _check_version(db, path)
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
    except BaseException:
        db.close()
        raise
    return db


def _make_index(path: Path) -> None:
    """An empty index, there whole or not at all: whoever is first puts his in its place."""
    partial = path / f".{INDEX}-{uuid.uuid4().hex}.partial"
    try:
        with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")  # kept in the file
            db.executescript(f"{_TABLES}; PRAGMA user_version = {SCHEMA};")
        with contextlib.suppress(FileExistsError):
            os.link(partial, path / INDEX)
    finally:
        partial.unlink(missing_ok=True)


def _check_version(db: sqlite3.Connection, path: Path) -> None:
    (found,) = db.execute("PRAGMA user_version").fetchone()
    db.execute("SELECT 1 FROM sqlite_master").fetchone()
    if found != SCHEMA:
        raise StoreError(f"store {path}: has schema {found}; this version reads {SCHEMA}")


def _hold(path: Path) -> IO[str]:
    """An exclusive lock on a new file, until it is closed."""
    file = open(path, "x")  # noqa: SIM115 (held as long as the owner lives)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _owner_row(owner: Owner) -> tuple[Any, ...]:
    return owner.id, owner.host, owner.pid, owner.started_at


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
