"""Real files, which stay where they are; and the traces that ship."""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
import math
import os
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility import Options, Tracks, read_tracks

REPOSITORY = Path(__file__).parents[3]
SAMPLES = Path(os.environ.get("SPLITSIM_SHARED", REPOSITORY.parent / "shared")) / "samples"
TRACES = REPOSITORY / "ns3_scenarios" / "scenarios" / "traces"

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no {SAMPLES}")


@pytest.fixture(scope="module")
def fcd() -> Tracks:
    return read_tracks(SAMPLES / "sumo-grid10.fcd.xml")


@needs_samples
def test_sumo_fcd_counts(fcd: Tracks) -> None:
    root = ET.parse(SAMPLES / "sumo-grid10.fcd.xml").getroot()
    samples = [(mover.attrib["id"], float(mover.attrib["x"])) for step in root for mover in step]
    assert len(fcd.tracks) == 10
    for name, track in fcd.tracks.items():
        assert track.positions_m[:, 0].tolist() == [x for node, x in samples if node == name]


@needs_samples
def test_sumo_exports_of_one_run_agree(fcd: Tracks) -> None:
    """The ns-2 file sends a node at t to where it is at t, so that it is there one step later."""
    ns2 = read_tracks(
        SAMPLES / "sumo-grid10.ns2mobility.tcl",
        options=Options(activity=SAMPLES / "sumo-grid10.ns2activity.tcl"),
    )
    assert list(ns2.tracks) == list(fcd.tracks)
    for name, track in fcd.tracks.items():
        other = ns2.tracks[name]
        assert (other.enter_s, other.leave_s) == (track.enter_s, track.leave_s + 1)
        moved = np.array([other.position_at(t_s + 1) for t_s in track.times_s])
        assert np.linalg.norm(moved - track.positions_m, axis=1).max() < 0.1


@needs_samples
def test_bonnmotion_exports() -> None:
    one = read_tracks(SAMPLES / "bonnmotion.ns_movements").tracks["0"]
    assert one.position_at(0).tolist() == [329.82427591159615, 66.06016140869389, 0]
    # The file says in a comment when the node arrives.
    assert one.position_at(91.87745989691848) == pytest.approx([378.37542668840655, 45.5928630482057, 0])
    assert one.position_at(100) == pytest.approx([378.37542668840655, 45.5928630482057, 0])
    ten = read_tracks(SAMPLES / "rwp_10.ns_movements")
    assert len(ten.tracks) == 10
    assert {round(track.leave_s, 6) for track in ten.tracks.values()} == {600.0}


@needs_samples
@pytest.mark.parametrize(("file", "nodes"), [("around-visnjan-with-car.gpx", 1), ("cerknicko-jezero.gpx", 7)])
def test_gpx_lengths_against_the_sphere(file: str, nodes: int) -> None:
    tracks = read_tracks(SAMPLES / file)
    assert len(tracks.tracks) == nodes
    root = ET.parse(SAMPLES / file).getroot()
    namespace = root.tag.partition("}")[0] + "}"
    lengths = []
    for track in root.iter(f"{namespace}trk"):
        places = [
            (math.radians(float(point.attrib["lat"])), math.radians(float(point.attrib["lon"])))
            for point in track.iter(f"{namespace}trkpt")
        ]
        if places:
            lengths.append(sum(_haversine_m(a, b) for a, b in pairwise(places)))
    assert [track.length_m for track in tracks.tracks.values()] == pytest.approx(lengths, rel=4e-3)


def _haversine_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    h = math.sin((b[0] - a[0]) / 2) ** 2 + math.cos(a[0]) * math.cos(b[0]) * math.sin((b[1] - a[1]) / 2) ** 2
    return 2 * 6_371_000.0 * math.asin(math.sqrt(h))


@needs_samples
@pytest.mark.parametrize(
    "file",
    [
        "sumo-grid10.ns2activity.tcl",
        "sumo-grid10.ns2config.tcl",
        "Verizon-LTE-short.up",
        "5gophers-walking.csv",
        "nyu-mets-QTrain.csv",
        "Sweden_Telia_Stockholm_north_Nov2020.ntrace",
    ],
)
def test_other_files_are_refused(file: str) -> None:
    with pytest.raises(TraceError):
        read_tracks(SAMPLES / file)


@pytest.mark.parametrize(
    ("name", "nodes", "seconds", "metres", "speed_mps"),
    [
        ("highway", 25, 199, 2996, (20, 42)),
        ("urban-grid", 12, 299, 903, (10, 17)),
        ("crowd", 30, 238, 191, (1, 2.5)),
    ],
)
def test_traces_that_ship(
    name: str, nodes: int, seconds: float, metres: float, speed_mps: tuple[float, float]
) -> None:
    path = TRACES / f"{name}.fcd.xml.gz"
    tracks = read_tracks(path)
    assert path.stat().st_size < 150_000
    assert len(tracks.tracks) == nodes
    assert tracks.end_s == seconds
    lower, upper = tracks.bounds_m
    assert (upper - lower)[:2].max() == pytest.approx(metres, abs=5)
    low, high = speed_mps
    assert all(low < track.max_speed_mps < high + 0.5 for track in tracks.tracks.values())


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The script that made them."""
    spec = importlib.util.spec_from_file_location("make_sumo_traces", TRACES / "make_sumo_traces.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@needs_samples
def test_what_is_kept_of_sumos_output(fcd: Tracks, maker: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "compact.xml"
    path.write_text(maker.compact(SAMPLES / "sumo-grid10.fcd.xml"), encoding="utf-8")
    compact = read_tracks(path)
    assert list(compact.tracks) == list(fcd.tracks)
    for name, track in compact.tracks.items():
        assert track.times_s.tolist() == fcd.tracks[name].times_s.tolist()
        assert np.abs(track.positions_m - fcd.tracks[name].positions_m).max() < 0.05 + 1e-9
    assert path.stat().st_size < (SAMPLES / "sumo-grid10.fcd.xml").stat().st_size / 2


def test_the_script_makes_the_same_again(maker: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("sumo", reason="eclipse-sumo isn't installed")
    if importlib.metadata.version("eclipse-sumo") != "1.28.0":
        pytest.skip("the traces are of eclipse-sumo 1.28.0")
    for run in maker.RUNS:
        made = maker.make(run, tmp_path)
        assert gzip.decompress(made.read_bytes()) == gzip.decompress((TRACES / made.name).read_bytes())


# What people reported as unreadable; the right values are those of the folder's INDEX.md.


@needs_samples
def test_placeholder_times_and_a_speed() -> None:
    path = SAMPLES / "reports" / "placeholder-times.gpx"
    with pytest.raises(TraceError, match=r":3: time = '1970-01-01T00:00:00Z': .*; valid: .* or speed_mps"):
        read_tracks(path)
    tracks = read_tracks(path, options=Options(speed_mps=10.0))
    track = tracks.tracks["trk 1"]
    # 0.001 degrees at 10 degrees north on WGS 84: 110.61 m north, 109.64 m east.
    assert track.times_s == pytest.approx([0, 11.061, 22.025], abs=0.002)
    assert tracks.notes == ("the times of the file are not used: speed_mps = 10",)


@needs_samples
def test_two_points_in_one_second() -> None:
    tracks = read_tracks(SAMPLES / "reports" / "two-points-in-one-second.gpx")
    track = tracks.tracks["trk 1"]
    assert track.times_s.tolist() == [0, 1, 3]
    north = track.positions_m[:, 1] - track.positions_m[0, 1]
    assert north / north[-1] == pytest.approx([0, 25 / 60, 1])  # the mean of 20 and 30 of 60
    assert len(tracks.notes) == 1
    assert "2 points that share a time (first: line 5) are averaged to 1" in tracks.notes[0]
