"""The scenario file: all sections together.

One YAML file describes one experiment. Units are in the names. A field that is not here is an error,
so that a misspelt one never passes in silence.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from pyagent.scenario.schema.base import DataFile, Section
from pyagent.scenario.schema.compute import Edge, Model, Ue
from pyagent.scenario.schema.environment import Environment
from pyagent.scenario.schema.judging import Evaluation, Reward
from pyagent.scenario.schema.links import Link, WifiLink
from pyagent.scenario.schema.mobility import Mobility
from pyagent.scenario.schema.others import Others
from pyagent.scenario.schema.requests import Requests, Transport
from pyagent.scenario.schema.targets import Targets


class Scenario(Section):
    """One experiment."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    description: str = ""
    program: DataFile | None = None
    """a scenario program of one's own in C++ (docs/own-scenario-cpp.md); none: the built simulator"""
    mobility: Mobility
    link: Link = WifiLink()
    environment: Environment = Environment()
    others: list[Others] = []
    requests: Requests = Requests()
    transport: Transport = Transport()
    model: Model = Model()
    ue: Ue = Ue()
    edge: Edge = Edge()
    reward: Reward = Reward()
    evaluation: Evaluation = Evaluation()
    targets: Targets = Targets()

    @field_validator("link", mode="before")
    @classmethod
    def _wifi_unless_said(cls, link: Any) -> Any:
        return {"technology": "wifi", **link} if isinstance(link, dict) else link

    @model_validator(mode="after")
    def _window_fits_queue(self) -> Scenario:
        window, queue = self.transport.device_queue_window, self.link.device_queue_packets
        if window > queue:
            raise ValueError(
                f"transport.device_queue_window ({window}) must be at most the room of the "
                f"device queue ({queue}): else the UE overruns its own queue"
            )
        return self

    @model_validator(mode="after")
    def _targets_can_be_seen(self) -> Scenario:
        deadline_s = self.requests.deadline_s
        for name in ("ttft_s", "completion_s"):
            target_s = getattr(self.targets, name)
            if target_s is not None and target_s > deadline_s:
                raise ValueError(
                    f"targets.{name} ({target_s:g}) must be at most requests.deadline_s ({deadline_s:g}), "
                    "when a request is cut"
                )
        return self
