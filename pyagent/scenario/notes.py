"""What is valid in a scenario, and still may not be meant."""

from __future__ import annotations

from pyagent.scenario.schema import Movement, Scenario, TraceMobility, WaypointMobility


def notes(scenario: Scenario) -> list[str]:
    """One line for each thing that its author may not expect."""
    path_end_s, episode_end_s = _path_end_s(scenario.mobility), scenario.requests.expected_end_s
    if scenario.program or path_end_s is None or path_end_s <= episode_end_s:
        return []
    return [
        f"the path of mobility goes on to {path_end_s:.0f} s, but an episode ends at about "
        f"{episode_end_s:.0f} s; requests.count makes it longer, and mobility.offset_s lets seeds begin "
        "later on the path"
    ]


def _path_end_s(mobility: Movement) -> float | None:
    """Simulated time at which the last part of a path is reached; None of a motion without an end."""
    if isinstance(mobility, WaypointMobility):
        return mobility.waypoints[-1][0] - mobility.offset_s[1]
    if not isinstance(mobility, TraceMobility):
        return None
    tracks = mobility.tracks()
    followed = tracks if mobility.choose == "seed" else tracks[:1]
    ends_s = (track.leave_s - (track.enter_s if mobility.from_entry else 0.0) for track in followed)
    return max(ends_s) - mobility.offset_s[1]
