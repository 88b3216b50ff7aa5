"""The scenario file: every field, its unit, its default and what is valid.

Importing it loads the plugins, which may add codecs and links to what is valid.
"""

from pyagent.plugins import load_plugins
from pyagent.scenario.schema.compute import Edge, Model, Ue
from pyagent.scenario.schema.environment import Environment
from pyagent.scenario.schema.judging import Evaluation, Reward
from pyagent.scenario.schema.links import (
    Backhaul,
    Fading,
    Link,
    LteLink,
    PathLoss,
    RadioLink,
    ReplayLink,
    WifiLink,
)
from pyagent.scenario.schema.mobility import (
    ConstantMobility,
    GaussMarkovMobility,
    LinearMobility,
    Mobility,
    Movement,
    RandomWalkMobility,
    RandomWaypointMobility,
    RingMobility,
    ScatterMobility,
    TraceMobility,
    WaypointMobility,
)
from pyagent.scenario.schema.others import Others, Traffic
from pyagent.scenario.schema.own_link import register_link
from pyagent.scenario.schema.requests import Fec, Requests, Transport
from pyagent.scenario.schema.scenario import Scenario
from pyagent.scenario.schema.targets import Targets

__all__ = [
    "Backhaul",
    "ConstantMobility",
    "Edge",
    "Environment",
    "Evaluation",
    "Fading",
    "Fec",
    "GaussMarkovMobility",
    "LinearMobility",
    "Link",
    "LteLink",
    "Mobility",
    "Model",
    "Movement",
    "Others",
    "PathLoss",
    "RadioLink",
    "RandomWalkMobility",
    "RandomWaypointMobility",
    "ReplayLink",
    "Requests",
    "Reward",
    "RingMobility",
    "ScatterMobility",
    "Scenario",
    "Targets",
    "TraceMobility",
    "Traffic",
    "Transport",
    "Ue",
    "WaypointMobility",
    "WifiLink",
    "register_link",
]

load_plugins()
