"""What the agent does changes nothing of the world that it meets, and the seed alone makes that world."""

from __future__ import annotations

from typing import Any

import pytest
from episodes import ALL_LOCAL, HALF, MIN_SPLIT, Decision, make_scenario, play, same_record

pytestmark = pytest.mark.ns3

WALK: dict[str, Any] = {"model": "random-waypoint", "area_x_m": (2, 40), "area_y_m": (-10, 10)}
CLUTTER: dict[str, Any] = {
    "shadowing": {"std_db": 4, "decorrelation_m": 6},
    "obstacles": [{"count": 3, "mobility": WALK, "radius_m": 1.5, "height_m": 2.5, "loss_db": 12}],
}
CONTENTION: list[dict[str, Any]] = [{"count": 3, "traffic": {"rate_kbps": 1000}}]


def requests(decisions: list[Decision]) -> list[tuple[Any, ...]]:
    """When they come and how long they are, as the state says it and as the record does."""
    return [
        (
            *(state.sim_time_s, state.raw["prompt_tokens"], state.raw["output_tokens"]),
            *(record.arrival_s, record.prompt_tokens, record.output_tokens),
        )
        for state, record in decisions
    ]


def way(decisions: list[Decision]) -> list[float]:
    """Where the UE is, and how fast, at each arrival."""
    return [
        value
        for state, _ in decisions
        for value in (*state.position_m, state.raw["speed_mps"], state.raw["distance_m"])
    ]


def differ(one: list[Decision], other: list[Decision]) -> bool:
    return any(not same_record(a, b) for (_, a), (_, b) in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Decision]]:
    """The same seed under other actions and other MAC draws, in a loaded cell."""
    scenario = make_scenario(mobility=WALK, others=CONTENTION)
    return {
        "min-split": play(scenario, 11, MIN_SPLIT),
        "half": play(scenario, 11, HALF),
        "all-local": play(scenario, 11, ALL_LOCAL),
        "mixed": play(scenario, 11, lambda k: k % 3),
        "replicate": play(scenario, 11, MIN_SPLIT, replicate=1),
        "seed": play(scenario, 12, MIN_SPLIT),
    }


@pytest.mark.parametrize("name", ["half", "all-local", "mixed", "replicate"])
def test_actions_and_replicates_leave_the_world_alone(runs: dict[str, list[Decision]], name: str) -> None:
    assert requests(runs[name]) == requests(runs["min-split"])
    # ns-3's walk adds up its position whenever a packet asks for it, so the last bits depend on how many did.
    assert way(runs[name]) == pytest.approx(way(runs["min-split"]), abs=1e-9)


@pytest.mark.parametrize("environment", [{}, CLUTTER], ids=["open", "cluttered"])
def test_beacons_of_an_idle_cell_show_the_same_channel_whatever_the_actions(
    environment: dict[str, Any],
) -> None:
    # In a loaded cell one beacon in many collides, or waits into another fading block, in one of the runs.
    scenario = make_scenario(mobility=WALK, environment=environment)
    quiet = play(scenario, 11, ALL_LOCAL)
    for action in (MIN_SPLIT, HALF):
        for (one, _), (other, _) in zip(play(scenario, 11, action), quiet, strict=True):
            assert one.raw["snr_db"] == pytest.approx(other.raw["snr_db"], abs=1e-6)
            assert one.raw["snr_age_s"] == pytest.approx(other.raw["snr_age_s"], abs=1e-6)


def test_replicates_differ_in_what_the_mac_does(runs: dict[str, list[Decision]]) -> None:
    assert differ(runs["replicate"], runs["min-split"])


def test_another_seed_is_another_world(runs: dict[str, list[Decision]]) -> None:
    assert requests(runs["seed"]) != requests(runs["min-split"])
    assert way(runs["seed"]) != pytest.approx(way(runs["min-split"]), abs=1)
    assert differ(runs["seed"], runs["min-split"])


def test_the_same_seed_gives_the_same_records_bit_for_bit(runs: dict[str, list[Decision]]) -> None:
    again = play(make_scenario(mobility=WALK, others=CONTENTION), 11, MIN_SPLIT)
    for (state, record), (first_state, first_record) in zip(again, runs["min-split"], strict=True):
        assert (state.raw, state.position_m) == (first_state.raw, first_state.position_m)
        assert same_record(record, first_record)
