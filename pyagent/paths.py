"""Where things lie: the simulator that was built, the scenarios that ship, the runs."""

from __future__ import annotations

import os
from pathlib import Path

from pyagent.errors import UserError

REPOSITORY = Path(__file__).resolve().parent.parent


class SimulatorNotFoundError(UserError):
    """There is no built simulator."""


def simulator_executable() -> Path:
    """The ns-3 program: SPLITSIM_NS3 when set, else what `make build` made.

    Raises:
        SimulatorNotFoundError: no executable file is there.
    """
    path = Path(os.environ.get("SPLITSIM_NS3", REPOSITORY / "build" / "ns3" / "splitsim-ns3"))
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise SimulatorNotFoundError(
            f"simulator {path}: not an executable file; run `make build`, or set SPLITSIM_NS3 to the program"
        )
    return path


def shipped_scenarios() -> dict[str, Path]:
    """The ready-made scenarios by name."""
    folder = REPOSITORY / "ns3_scenarios" / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
