"""Where things lie: the simulator that was built, the scenarios that ship, the runs."""

from __future__ import annotations

import os
from pathlib import Path

from pyagent.errors import UserError

REPOSITORY = Path(__file__).resolve().parent.parent


class SimulatorNotFoundError(UserError):
    """There is no built simulator."""


def simulator_executable(own: Path | None = None) -> Path:
    """The ns-3 program: a scenario's own, else SPLITSIM_NS3 when set, else what `make build` made.

    Raises:
        SimulatorNotFoundError: no executable file is there.
    """
    path = own or Path(os.environ.get("SPLITSIM_NS3", REPOSITORY / "build" / "ns3" / "splitsim-ns3"))
    if not (path.is_file() and os.access(path, os.X_OK)):
        remedy = "build it" if own else "run `make build`, or set SPLITSIM_NS3 to the program"
        raise SimulatorNotFoundError(
            f"{'program' if own else 'simulator'} {path}: not an executable file; {remedy}"
        )
    return path


def shipped_scenarios() -> dict[str, Path]:
    """The ready-made scenarios by name."""
    folder = REPOSITORY / "ns3_scenarios" / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
