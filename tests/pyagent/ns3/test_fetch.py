"""The ns-3 wheel: downloaded by the real pip from a folder, unpacked once, refused where it isn't ns-3."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from llm_split.packages import FetchError
from pyagent.ns3 import fetch_ns3
from pyagent.paths import NS3_REQUIREMENT

VERSION = NS3_REQUIREMENT.partition("==")[2]
FILES = ("ns3/include/ns3/core-module.h", "ns3/lib64/libns3.44-core.so")


def offer(folder: Path, files: tuple[str, ...]) -> None:
    """A wheel of that name, for the release of Python that the real one names."""
    wheel = folder / f"ns3-{VERSION}-cp311-none-any.whl"
    info = f"ns3-{VERSION}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: ns3\nVersion: {VERSION}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: cp311-none-any\n")
        for name in files:
            archive.writestr(name, "")


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip looks, and nowhere else."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_it_is_fetched_once_and_its_root_is_what_cmake_wants(shelf: Path, tmp_path: Path) -> None:
    offer(shelf, FILES)
    root = fetch_ns3(tmp_path / "ns3-here")
    assert (root / "include" / "ns3" / "core-module.h").is_file()
    (shelf / f"ns3-{VERSION}-cp311-none-any.whl").unlink()
    assert fetch_ns3(tmp_path / "ns3-here") == root  # without the shelf


@pytest.mark.parametrize("files", [FILES[:1], FILES[1:], None], ids=["no library", "no headers", "no wheel"])
def test_what_is_no_ns3_is_refused_and_leaves_nothing(
    shelf: Path, tmp_path: Path, files: tuple[str, ...] | None
) -> None:
    if files is not None:
        offer(shelf, files)
    with pytest.raises(FetchError, match=r"could not download ns3==|no ns3/include/ns3 or no ns3/lib64"):
        fetch_ns3(tmp_path / "ns3-here")
    assert not (tmp_path / "ns3-here").exists()


def test_a_wheel_writes_nowhere_but_into_its_folder(shelf: Path, tmp_path: Path) -> None:
    """Names that climb out or are absolute are cut down to what stays inside."""
    outside = tmp_path / "absolute"
    offer(shelf, (*FILES, "../../../climbed", "ns3/../../climbed", str(outside)))
    folder = tmp_path / "here" / "ns3"
    fetch_ns3(folder)
    assert not outside.exists()
    climbed = [path for path in tmp_path.rglob("*climbed*") if not path.is_relative_to(folder)]
    assert climbed == []
