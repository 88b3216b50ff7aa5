"""`splitsim build`: ns-3 fetched and the simulator compiled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pyagent.errors import UserError


def build(
    ns3_root: Annotated[
        Path | None,
        typer.Option(
            help="Folder of another ns-3, with include/ and lib/ or lib64/. [default: PyPI's wheel]"
        ),
    ] = None,
    system: Annotated[
        bool, typer.Option("--system", help="The ns-3 that pkg-config knows (Debian's libns3-dev).")
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=1, max=1024, help="Compilers at a time.", show_default="one for each core")
    ] = os.cpu_count() or 1,
    tests: Annotated[
        bool, typer.Option("--tests", help="The tests and examples in C++ too (they need libzmq).")
    ] = False,
) -> None:
    """Fetch ns-3 and compile the simulator, into the user's cache or a checkout's build/; print its path.

    What is up to date is left alone. Needs a C++20 compiler and a few packages; names those that are missing.

    Example: splitsim build --jobs 2
    """
    from pyagent.campaign.progress import PhaseProgress
    from pyagent.ns3 import SYSTEM, build_simulator
    from pyagent.paths import build_folder

    if ns3_root is not None and system:
        raise UserError("--ns3-root and --system: give one of them")
    if ns3_root is not None and not ns3_root.is_dir():
        raise UserError(
            f"--ns3-root = {ns3_root}: no such folder; valid: one with include/ and lib/ or lib64/"
        )
    root = SYSTEM if system else ns3_root
    with PhaseProgress() as progress:
        print(build_simulator(build_folder(), root, jobs, progress, tests=tests))
