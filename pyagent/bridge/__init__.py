"""Bridge to ns-3: drives any simulator that speaks ns3-gym's protocol as a Gymnasium environment.

>>> from pyagent.bridge import Ns3Env
>>> with Ns3Env("./my-scenario", ["--duration=10"], seed=7, transport="tcp") as env:  # doctest: +SKIP
...     observation, info = env.reset()
"""

from pyagent.bridge.env import Ns3Env
from pyagent.bridge.errors import BridgeError, ProtocolError, SimulatorDied, SimulatorTimeout
from pyagent.bridge.process import SimulatorProcess
from pyagent.bridge.vector import Ns3VectorEnv, make_vec

__all__ = [
    "BridgeError",
    "Ns3Env",
    "Ns3VectorEnv",
    "ProtocolError",
    "SimulatorDied",
    "SimulatorProcess",
    "SimulatorTimeout",
    "make_vec",
]
