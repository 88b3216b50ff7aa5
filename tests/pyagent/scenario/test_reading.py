"""What a scenario's recorded files were read as, and a node chosen among faulty ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyagent.scenario.load import parse_scenario
from pyagent.scenario.reading import reading_notes
from pyagent.scenario.schema import Scenario
from pyagent.traces.errors import TraceError

TRACKS = """<gpx xmlns="http://www.topografix.com/GPX/1/1">
<trk><name>parked</name><trkseg>
<trkpt lat="50" lon="8"><time>1970-01-01T00:00:00Z</time></trkpt>
<trkpt lat="50.001" lon="8"><time>1970-01-01T00:00:00Z</time></trkpt>
</trkseg></trk>
<trk><name>walk</name><trkseg>
<trkpt lat="50" lon="8"><time>2024-05-01T10:00:00Z</time></trkpt>
<trkpt lat="50.0002" lon="8"><time>2024-05-01T10:00:09Z</time></trkpt>
</trkseg></trk></gpx>
"""


def walking(folder: Path, **mobility: Any) -> Scenario:
    (folder / "log.gpx").write_text(TRACKS)
    data = {"name": "x", "mobility": {"model": "trace", "file": "log.gpx", **mobility}}
    return parse_scenario(data, "x.yaml", folder)


def test_the_chosen_node_is_followed_whatever_the_others_are(tmp_path: Path) -> None:
    scenario = walking(tmp_path, node="walk")
    (track,) = scenario.mobility.simulator()["tracks"]
    assert [row[0] for row in track["rows"]] == [0, 9]
    (line,) = reading_notes(scenario)
    assert line.startswith(f"{tmp_path}/log.gpx, read as gpx: 1 node with a fault left out, first 'parked': ")
    with pytest.raises(TraceError, match=r"time = '1970-01-01T00:00:00Z': .* or speed_mps"):
        walking(tmp_path)


def test_a_speed_takes_the_place_of_times(tmp_path: Path) -> None:
    scenario = walking(tmp_path, node="walk", speed_mps=2.0)
    # 0.0002 degrees at 50 degrees north on WGS 84 are 22.25 m.
    (track,) = scenario.mobility.simulator()["tracks"]
    assert track["rows"][-1][0] == pytest.approx(22.25 / 2, abs=0.01)
    assert reading_notes(scenario) == [
        f"{tmp_path}/log.gpx, read as gpx: the times of the file are not used: speed_mps = 2"
    ]


def test_a_replayed_link_names_its_format(tmp_path: Path) -> None:
    (tmp_path / "link.csv").write_text("0 5\n1 6\n")
    link = {"technology": "replay", "uplink": "link.csv"}
    mobility = {"model": "constant", "position_m": [0, 0, 1.5]}
    scenario = parse_scenario({"name": "x", "mobility": mobility, "link": link}, "x.yaml", tmp_path)
    (line,) = reading_notes(scenario)
    assert line.startswith(f"{tmp_path}/link.csv, read as time-rate: first column taken as seconds, ")
