"""The radio technologies, one file each; a new one joins the union here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pyagent.scenario.schema.links.base import Backhaul, Fading, RadioLink
from pyagent.scenario.schema.links.lte import LteLink
from pyagent.scenario.schema.links.replay import ReplayLink
from pyagent.scenario.schema.links.wifi import PathLoss, WifiLink

Link = Annotated[WifiLink | LteLink | ReplayLink, Field(discriminator="technology")]

__all__ = [
    "Backhaul",
    "Fading",
    "Link",
    "LteLink",
    "PathLoss",
    "RadioLink",
    "ReplayLink",
    "WifiLink",
]
