"""Which part of a trace an episode plays, as Python works it out, against what ns-3 replays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyagent.scenario.load import load_scenario
from pyagent.scenario.on_trace import on_trace
from pyagent.scenario.preview import preview_json
from pyagent.scenario.schema import ReplayLink
from pyagent.scenario.trace_parts import offset_s, played_parts_s
from tests.conftest import small_scenario

LENGTH_S = 100


@pytest.mark.ns3
@pytest.mark.parametrize("seed", [3002, 5])
def test_the_simulator_begins_where_it_is_said(tmp_path: Path, seed: int) -> None:
    """The rate is 1 Mbit/s in the first second of the trace, 2 in the next, and so on: it tells the time."""
    trace = tmp_path / "clock.csv"
    trace.write_text("t_s,rate_mbps\n" + "".join(f"{s},{1 + s}\n" for s in range(LENGTH_S)))
    link = {"technology": "replay", "uplink": trace}
    scenario = small_scenario(link=link, requests={"count": 3, "start_s": 5})
    assert isinstance(scenario.link, ReplayLink)
    shown = preview_json(scenario, seed)
    at_s, rate_mbps = np.array(shown["time_s"]), np.array(shown["link"]["phy_rate_mbps"])
    later = at_s >= 2  # the rate is the mean of the second before
    middle_s = (offset_s(scenario.link, seed) + at_s[later] - 0.5) % LENGTH_S
    inside = (middle_s > 1) & (middle_s < LENGTH_S - 1)
    # A mean over a second of steps of a second lies within a step of the ramp.
    np.testing.assert_allclose(rate_mbps[later][inside], middle_s[inside] + 0.5, atol=0.51)


def test_parts_are_seconds_of_the_file_and_loop(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("t_s,rate_mbps\n0,5\n60,5\n")
    data = {"technology": "replay", "uplink": trace, "start_s": 10, "end_s": 50, "offset_s": [30, 30]}
    link = ReplayLink.model_validate(data)
    assert played_parts_s(link, 1, 10) == [(40, 50)]
    assert played_parts_s(link, 1, 55) == [(40, 50), (10, 50), (10, 15)]


def test_the_description_is_that_of_what_was_run(tmp_path: Path) -> None:
    trace = tmp_path / "mine.csv"
    trace.write_text("t_s,rate_mbps\n0,5\n60,5\n")
    changed = on_trace(load_scenario("tram-replay"), trace)
    assert "tram ride" not in changed.description
    assert changed.description == "The recorded link mine.csv, in the place of the link of tram-replay."
