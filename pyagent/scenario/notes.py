"""What is valid in a scenario, and still may not be meant."""

from __future__ import annotations

from pyagent.scenario.schema import Movement, Scenario, TraceMobility, WaypointMobility


def notes(scenario: Scenario) -> list[str]:
    """One line for each thing that its author may not expect."""
    if scenario.program:
        return []  # it may move everybody by itself
    groups = [("mobility", scenario.mobility, 1)]
    groups += [
        (f"others.{i}.mobility", group.mobility, group.count) for i, group in enumerate(scenario.others)
    ]
    episode_end_s = scenario.requests.expected_end_s
    return [
        f"the path of {field} goes on to {path_end_s:.0f} s, but an episode ends at about "
        f"{episode_end_s:.0f} s; requests.count makes it longer, and {field}.offset_s lets seeds begin "
        "later on the path"
        for field, movement, ues in groups
        if (path_end_s := _path_end_s(movement, ues)) > episode_end_s
    ]


def _path_end_s(mobility: Movement, ues: int) -> float:
    """Simulated time at which the last part of the paths of so many UEs is reached; 0 of other motions."""
    if isinstance(mobility, WaypointMobility):
        return mobility.waypoints[-1][0] - mobility.offset_s[1]
    if not isinstance(mobility, TraceMobility):
        return 0.0
    tracks = mobility.tracks()
    followed = tracks if mobility.choose == "seed" else tracks[:ues]
    ends_s = (track.leave_s - (track.enter_s if mobility.from_entry else 0.0) for track in followed)
    return max(ends_s) - mobility.offset_s[1]
