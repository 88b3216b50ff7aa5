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
from pyagent.scenario.schema.mobility import Mobility, TraceMobility
from pyagent.scenario.schema.others import Others
from pyagent.scenario.schema.requests import Requests, Transport
from pyagent.scenario.schema.targets import Targets


class Scenario(Section):
    """One experiment."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    """lower-case letters, digits, - and _; names the run folder"""
    description: str = ""
    """one line for lists and reports"""
    program: DataFile | None = None
    """a scenario program of one's own in C++ (docs/own-scenario-cpp.md); none: the built simulator"""
    mobility: Mobility
    """how the agent's UE moves"""
    link: Link = WifiLink()
    """radio technology between UEs and edge, and the wire behind it"""
    environment: Environment = Environment()
    """what stands in the way of the radio, beside distance and fading"""
    others: list[Others] = []
    """groups of other UEs: they load the radio and the edge"""
    requests: Requests = Requests()
    """when requests come and how long they are"""
    transport: Transport = Transport()
    """how activations travel"""
    model: Model = Model()
    """the model as it is cut, and what loss does to it"""
    ue: Ue = Ue()
    """the phone"""
    edge: Edge = Edge()
    """the server"""
    reward: Reward = Reward()
    """what a decision is worth"""
    evaluation: Evaluation = Evaluation()
    """how much of what is run to judge policies"""
    targets: Targets = Targets()
    """what the user would accept; every run says pass or fail for each"""

    @field_validator("link", mode="before")
    @classmethod
    def _wifi_unless_said(cls, link: Any) -> Any:
        return {"technology": "wifi", **link} if isinstance(link, dict) else link

    @model_validator(mode="after")
    def _tracks_fit(self) -> Scenario:
        if isinstance(self.mobility, TraceMobility):
            for track in self.mobility.tracks()[: None if self.mobility.choose == "seed" else 1]:
                if track.enter_s > 0 and not self.mobility.from_entry:
                    raise ValueError(
                        f"mobility.file: node {track.node!r} enters at {track.enter_s:g} s, but the agent's "
                        "UE must be there from 0 s; valid: another node, a later start_s, or from_entry: true"
                    )
        for i, group in enumerate(self.others):
            if isinstance(group.mobility, TraceMobility) and group.mobility.choose == "in-order":
                known = len(group.mobility.tracks())
                if group.count > known:
                    raise ValueError(f"others.{i}.count = {group.count}: its trace has only {known} nodes")
        return self

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
    def _link_holds_all_ues(self) -> Scenario:
        ues, room = 1 + sum(group.count for group in self.others), self.link.max_ues
        if room is not None and ues > room:
            raise ValueError(f"others has {ues - 1} UEs and the agent's is one more: this link holds {room}")
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
