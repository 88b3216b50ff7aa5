"""Where things lie, in a checkout and where a wheel was installed.

Both have the folders `pyagent`, `llm_split` and `ns3_scenarios` side by side. A checkout builds and fetches
inside itself; what was installed is left alone, and builds go into the user's cache.
"""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

from llm_split.packages import default_cache_dir
from pyagent.errors import UserError

REPOSITORY = Path(__file__).resolve().parent.parent
"""The checkout's root; of a wheel, the folder that it was installed into."""
PROGRAM = "splitsim-ns3"
NS3_REQUIREMENT = "ns3==3.44.post0"
"""The wheel of ns-3 that the simulator is built against unless another ns-3 is asked for."""


class SimulatorNotFoundError(UserError):
    """There is no built simulator."""


def is_checkout() -> bool:
    """Whether this code runs from a clone of the repository, not from an installed wheel."""
    return (REPOSITORY / "pyproject.toml").is_file()


def shipped() -> Path:
    """The folder of what ships beside the Python code: C++ sources, scenarios, traces."""
    return REPOSITORY / "ns3_scenarios"


def shipped_scenarios() -> dict[str, Path]:
    """The ready-made scenarios by name."""
    return {path.stem: path for path in sorted((shipped() / "scenarios").glob("*.yaml"))}


def ns3_folder() -> Path:
    """Where the ns-3 wheel is unpacked."""
    if is_checkout():
        return REPOSITORY / ".cache" / "ns3"
    return default_cache_dir() / "ns3" / NS3_REQUIREMENT.partition("==")[2]


def build_folder() -> Path:
    """Where `splitsim build` builds: a checkout's `build/ns3`, else a folder of the user's cache.

    The latter's name changes with the C++ sources, so that an upgrade never runs the old simulator.
    """
    return (
        REPOSITORY / "build" / "ns3" if is_checkout() else default_cache_dir() / "simulator" / _sources_key()
    )


def simulator_executable(own: Path | None = None) -> Path:
    """The ns-3 program: a scenario's own, else SPLITSIM_NS3 when set, else what was built last.

    Raises:
        SimulatorNotFoundError: no executable file is there.
    """
    path = own or Path(os.environ.get("SPLITSIM_NS3", build_folder() / PROGRAM))
    if not (path.is_file() and os.access(path, os.X_OK)):
        build = "make build" if is_checkout() else "splitsim build"
        remedy = "build it" if own else f"run `{build}`, or set SPLITSIM_NS3 to the program"
        raise SimulatorNotFoundError(
            f"{'program' if own else 'simulator'} {path}: not an executable file; {remedy}"
        )
    return path


@functools.cache
def _sources_key() -> str:
    """Changes with whatever the simulator is compiled from."""
    digest = hashlib.sha256(NS3_REQUIREMENT.encode())
    suffixes = {".cc", ".h", ".proto", ".cmake", ".txt"}
    for path in sorted(path for path in shipped().rglob("*") if path.suffix in suffixes):
        digest.update(f"\0{path.relative_to(shipped())}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
