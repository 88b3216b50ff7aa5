"""How the recorded files of a scenario were understood."""

from __future__ import annotations

from pyagent.scenario.schema import ReplayLink, Scenario
from pyagent.scenario.schema.mobility import TraceMobility


def reading_notes(scenario: Scenario) -> list[str]:
    """One line for each trace: its file, the format it was read as, and what was assumed or changed."""
    lines = []
    for mobility in (scenario.mobility, *(group.mobility for group in scenario.others)):
        if isinstance(mobility, TraceMobility):
            tracks = mobility.recorded()
            lines.append(_line(str(tracks.source), tracks.format, tracks.notes))
    if isinstance(scenario.link, ReplayLink):
        for trace in filter(None, (scenario.link.uplink_trace(), scenario.link.downlink_trace())):
            lines.append(_line(trace.source, trace.format, trace.notes))
    return list(dict.fromkeys(lines))


def _line(source: str, format: str, notes: tuple[str, ...]) -> str:
    return ": ".join(filter(None, (f"{source}, read as {format}", "; ".join(notes))))
