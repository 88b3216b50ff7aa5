"""What stands in the way, and bands and channels of Wi-Fi: what is accepted, and each mistake's one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pyagent.scenario.compile import deploy
from pyagent.scenario.load import ScenarioError, parse_scenario
from pyagent.scenario.schema import Fading, Scenario, WifiLink

REPOSITORY = Path(__file__).parents[3]
HALL = {"x_m": [0, 20], "y_m": [0, 10], "z_m": [0, 6]}
FORKLIFT = {
    "mobility": {"model": "random-waypoint", "area_x_m": [0, 20], "area_y_m": [0, 10]},
    "radius_m": 1,
    "height_m": 2.5,
    "loss_db": 10,
}
WHOLE = {
    "shadowing": {"std_db": 4, "decorrelation_m": 6},
    "buildings": [{**HALL, "rooms_x": 4}, {**HALL, "x_m": [20, 30], "walls": "wood"}],
    "zones": [{"x_m": [0, 2], "y_m": [0, 2], "loss_db": 30, "name": "lift"}],
    "obstacles": [{**FORKLIFT, "count": 3}],
}


def parse(**sections: Any) -> Scenario:
    data = {"name": "test", "mobility": {"model": "constant", "position_m": [5, 0, 1.5]}}
    return parse_scenario({**data, **sections}, "my.yaml")


def test_the_simulator_gets_the_whole_environment_and_nothing_else() -> None:
    given = parse(environment=WHOLE).environment.simulator()
    assert given["shadowing"] == {"std_db": 4, "decorrelation_m": 6}
    assert [building["walls"] for building in given["buildings"]] == ["concrete-with-windows", "wood"]
    assert given["buildings"][0]["rooms_x"] == 4
    assert given["zones"] == [{"x_m": (0, 2), "y_m": (0, 2), "z_m": None, "loss_db": 30}]
    assert given["obstacles"][0]["count"] == 3
    assert given["obstacles"][0]["mobility"]["model"] == "random-waypoint"


def test_a_resolved_environment_is_read_back_as_it_was() -> None:
    scenario = parse(environment=WHOLE, link={"fading": {"model": "rayleigh-block"}})
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"fog": 1}, "environment.fog = 1: unknown field; valid: shadowing, buildings, zones, obstacles"),
        (
            {"shadowing": {"std_db": -1, "decorrelation_m": 6}},
            "environment.shadowing.std_db = -1: too small; valid: number, at least 0, at most 30",
        ),
        (
            {"shadowing": {"std_db": 3, "decorrelation_m": 0}},
            "environment.shadowing.decorrelation_m = 0: too small; valid: number, more than 0",
        ),
        (
            {"buildings": [{**HALL, "x_m": [20, 0]}]},
            "environment.buildings.0: x_m is [low, high] and needs low < high",
        ),
        (
            {"buildings": [{**HALL, "z_m": [3, 3]}]},
            "environment.buildings.0: z_m is [low, high] and needs low < high",
        ),
        (
            {"buildings": [HALL, {**HALL, "x_m": [19, 30]}]},
            "environment: buildings 0 and 1 overlap; they may touch, no more",
        ),
        (
            {"buildings": [{**HALL, "walls": "glass"}]},
            "environment.buildings.0.walls = 'glass': unknown; valid: wood, concrete-with-windows, "
            "concrete-without-windows, stone-blocks",
        ),
        (
            {"buildings": [{**HALL, "floors": 0}]},
            "environment.buildings.0.floors = 0: too small; valid: integer, at least 1, at most 1000",
        ),
        (
            {"zones": [{"x_m": [0, 1], "y_m": [0, 1]}]},
            "environment.zones.0.loss_db: missing; valid: number, at least 0, at most 200",
        ),
        (
            {"zones": [{"x_m": [0, 1], "y_m": [2, 1], "loss_db": 3}]},
            "environment.zones.0: y_m is [low, high] and needs low < high",
        ),
        (
            {"obstacles": [{**FORKLIFT, "radius_m": 0}]},
            "environment.obstacles.0.radius_m = 0: too small; valid: number, more than 0",
        ),
        (
            {"obstacles": [{**FORKLIFT, "count": 0}]},
            "environment.obstacles.0.count = 0: too small; valid: integer, at least 1, at most 100",
        ),
    ],
)
def test_a_wrong_environment_is_one_line(environment: dict[str, Any], expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(environment=environment)
    assert str(caught.value) == f"my.yaml: {expected}"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({"band_ghz": 60}, "link.band_ghz = 60: band_ghz is 60; valid: 2.4, 5, 6"),
        (
            {"standard": "80211ac", "band_ghz": 2.4},
            "link: band_ghz of 80211ac is 2.4; valid: 5",
        ),
        ({"standard": "80211n", "band_ghz": 6}, "link: band_ghz of 80211n is 6; valid: 2.4, 5"),
        (
            {"standard": "80211n", "channel_width_mhz": 80},
            "link: channel_width_mhz of 80211n at 5 GHz is 80; valid: 20, 40",
        ),
        (
            {"band_ghz": 2.4, "channel_width_mhz": 80},
            "link: channel_width_mhz of 80211ax at 2.4 GHz is 80; valid: 20, 40",
        ),
        (
            {"channel_width_mhz": 80, "channel": 36},
            "link: channel of 80 MHz at 5 GHz is 36; valid: 42, 58, 106, 122, 138, 155",
        ),
        (
            {"access_points_m": [[0, 0, 3], [0, 0, 3]]},
            "link: access_points_m: two of them are at one place",
        ),
        ({"access_points_m": []}, "link.access_points_m = []: has no entries; valid: list of"),
        (
            {"roaming": {"policy": "nearest"}},
            "link.roaming.policy = 'nearest': unknown; valid: strongest, sticky",
        ),
        (
            {"roaming": {"hysteresis_db": -1}},
            "link.roaming.hysteresis_db = -1: too small; valid: number, at least 0",
        ),
        (
            {"fading": {"model": "rayleigh-block", "m": 3}},
            "link.fading: m is 3.0; rayleigh-block has m = 1, another m is model: nakagami-block",
        ),
    ],
)
def test_a_wrong_wifi_link_is_one_line(link: dict[str, Any], expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(link=link)
    assert str(caught.value).startswith(f"my.yaml: {expected}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("link", "channel", "frequency_hz"),
    [
        ({}, 36, 5.18e9),
        ({"channel_width_mhz": 80}, 42, 5.21e9),
        ({"channel_width_mhz": 160, "channel": 114}, 114, 5.57e9),
        ({"band_ghz": 2.4, "channel": 6}, 6, 2.437e9),
        ({"band_ghz": 2.4, "channel_width_mhz": 40}, 3, 2.422e9),
        ({"band_ghz": 6, "channel_width_mhz": 160}, 15, 6.025e9),
        ({"band_ghz": 6, "channel": 233}, 233, 7.115e9),
    ],
)
def test_a_channel_number_is_a_frequency(link: dict[str, Any], channel: int, frequency_hz: float) -> None:
    """IEEE 802.11-2020, annex E."""
    wifi = WifiLink.model_validate(link)
    assert wifi.channel_number == channel
    assert wifi.frequency_hz == pytest.approx(frequency_hz)
    assert wifi.simulator()["channel"] == channel


def test_rayleigh_is_nakagami_with_m_1() -> None:
    rayleigh = Fading.model_validate({"model": "rayleigh-block"})
    assert rayleigh.simulator(5e9) == Fading(model="nakagami-block", m=1).simulator(5e9)


@pytest.mark.parametrize("page", ["wifi", "environment"])
def test_the_example_in_the_docs_is_valid(page: str) -> None:
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert deploy(parse_scenario(yaml.safe_load(example))).splits
