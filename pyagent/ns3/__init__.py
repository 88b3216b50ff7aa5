"""The simulator's build: ns-3 fetched, the compiler and its packages looked for, CMake and Ninja run."""

from pyagent.ns3.build import SYSTEM, BuildError, Progress, build_simulator
from pyagent.ns3.fetch import fetch_ns3
from pyagent.ns3.toolchain import missing_packages

__all__ = ["SYSTEM", "BuildError", "Progress", "build_simulator", "fetch_ns3", "missing_packages"]
