"""A scenario with a recorded link in the place of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pyagent.scenario.load import parse_scenario
from pyagent.scenario.schema import ReplayLink, Scenario

# What says where and how a trace is read; the rest of a replay link is kept for another one.
_OF_THE_TRACE = {
    "uplink",
    "uplink_from",
    "downlink",
    "format",
    "rate_unit",
    "step_s",
    "max_hold_s",
    "time_column",
    "rate_column",
    "downlink_rate_column",
    "time_unit",
    "clock_back",
    "start_s",
    "end_s",
    "rate_scale",
    "offset_s",
}
_NAME_CHARACTERS = 64


def on_trace(
    scenario: Scenario,
    trace: Path,
    *,
    downlink: Path | None = None,
    **reading: Any,
) -> Scenario:
    """The scenario over a recorded link.

    What a replay link has beside its trace is kept. Another link is replaced whole, together with what only
    that one asks for: the UE stands still, nothing is in the way.

    Args:
        scenario: what to change.
        trace: of the uplink, and of the downlink too unless that has one of its own.
        downlink: its own trace.
        reading: how and which part of the traces is read, as in `link` of the scenario file.

    Raises:
        ScenarioError: a trace can't be used.
    """
    data = scenario.model_dump(mode="json")
    link = {"technology": "replay", "uplink": str(trace), **reading}
    if isinstance(scenario.link, ReplayLink):
        kept = {name: value for name, value in data["link"].items() if name not in _OF_THE_TRACE}
        link = {**kept, **link}
    else:
        data["mobility"] = {"model": "constant", "position_m": [0, 0, 1.5]}
        del data["environment"]
    if downlink is not None:
        link = {**link, "downlink": str(downlink), "downlink_rate_mbps": None}
    about = f"The recorded link {trace.name}, in the place of the link of {scenario.name}."
    named = {"name": _name(scenario.name, trace), "description": about}
    return parse_scenario({**data, **named, "link": link}, f"--trace {trace}")


def _name(scenario: str, trace: Path) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", trace.stem.lower()).strip("-")
    return f"{scenario}-{slug}"[:_NAME_CHARACTERS].rstrip("-")
