"""The ns-3 wheel of PyPI, unpacked: its headers and libraries are used, nothing of it is imported."""

from __future__ import annotations

import zipfile
from pathlib import Path

from llm_split.packages import FetchError, build_once, download_wheel, read_source
from pyagent.paths import NS3_REQUIREMENT

# The wheel names one Python release but only its C++ part is used, so any release of ours will do.
_ANY_PYTHON = ("--implementation=cp", "--python-version=3.11")


def fetch_ns3(folder: Path) -> Path:
    """Unpack the wheel into `folder` unless it is there; once, however many processes ask.

    Args:
        folder: where; see `pyagent.paths.ns3_folder`.

    Returns:
        The root to build against.

    Raises:
        FetchError: it could not be downloaded, or is not what was expected.
    """
    source: dict[str, object] = {"requirement": NS3_REQUIREMENT}
    build_once(folder, lambda: is_fetched(folder), _unpacked, source)
    return folder / "ns3"


def is_fetched(folder: Path) -> bool:
    """Whether `folder` holds that wheel."""
    return read_source(folder).get("requirement") == NS3_REQUIREMENT


def _unpacked(work: Path) -> Path:
    wheel = download_wheel(NS3_REQUIREMENT, work / "wheel", *_ANY_PYTHON)
    unpacked = work / "unpacked"
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked)
    except (zipfile.BadZipFile, OSError) as error:
        raise FetchError(f"{wheel.name}: can't be unpacked: {error}") from error
    headers, libraries = unpacked / "ns3" / "include" / "ns3", unpacked / "ns3" / "lib64"
    if not (headers / "core-module.h").is_file() or not any(libraries.glob("libns3*-core*.so")):
        raise FetchError(f"{wheel.name}: no ns3/include/ns3 or no ns3/lib64/libns3*-core*.so in it")
    return unpacked
