"""What each format is read into, worked out by hand."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility import FORMATS, Options, Track, Tracks, read_tracks

Read = Callable[..., Tracks]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a text as a file of a name."""

    def read(name: str, text: str, **options: object) -> Tracks:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_tracks(path, options=Options(**options))  # type: ignore[arg-type]

    return read


def points(track: Track) -> list[list[float]]:
    """Times and places, [n][4]."""
    return np.column_stack([track.times_s, track.positions_m]).round(9).tolist()


# ns-2


def ns2(*commands: str, start: str = "0 0 1.5") -> str:
    places = [f"$node_(0) set {axis}_ {value}\n" for axis, value in zip("XYZ", start.split(), strict=True)]
    return "".join(places) + "".join(
        f'$ns_ at {time} "$node_(0) setdest {rest}"\n'
        for time, _, rest in (each.partition(" ") for each in commands)
    )


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        # Starts late, arrives after 5 s, waits, goes on.
        (
            ["2 30 40 10", "10 30 0 4"],
            [[0, 0, 0, 1.5], [2, 0, 0, 1.5], [7, 30, 40, 1.5], [10, 30, 40, 1.5], [20, 30, 0, 1.5]],
        ),
        # Turns half-way, and the last command counts to its arrival.
        (["0 100 0 10", "5 50 60 20"], [[0, 0, 0, 1.5], [5, 50, 0, 1.5], [8, 50, 60, 1.5]]),
        # Arrives just when the next command comes.
        (["0 10 0 1", "10 10 10 2"], [[0, 0, 0, 1.5], [10, 10, 0, 1.5], [15, 10, 10, 1.5]]),
        # Speed 0 stops where the node is.
        (
            ["0 10 0 1", "4 10 0 0", "6 10 0 2"],
            [[0, 0, 0, 1.5], [4, 4, 0, 1.5], [6, 4, 0, 1.5], [9, 10, 0, 1.5]],
        ),
        # A destination that is the place: nothing to go, at any speed.
        (["1 0 0 5"], [[0, 0, 0, 1.5], [1, 0, 0, 1.5]]),
        # The same command twice is one.
        (["1 1 0 1", "1 1 0 1"], [[0, 0, 0, 1.5], [1, 0, 0, 1.5], [2, 1, 0, 1.5]]),
        ([], [[0, 0, 0, 1.5]]),
    ],
)
def test_ns2_commands(read: Read, commands: list[str], expected: list[list[float]]) -> None:
    track = read("a.tcl", ns2(*commands)).tracks["0"]
    assert points(track) == expected
    assert track.stays


def test_ns2_takes_comments_hop_counts_and_a_late_start(read: Read) -> None:
    tracks = read(
        "a.ns_movements",
        "# made by hand\r\n$god_ set-dist 0 1 2\r\n"
        '$ns_ at 3.0 "$node_(7) set X_ -5.5"\r\n$ns_ at 3.0 "$node_(7) set Y_ 5e6";  # UTM\r\n'
        '$ns_ at 3.5 "$god_ set-dist 0 1 1"\r\n\r\n'
        '$ns_ at 4.0 "$node_(7) setdest -5.5 5000002 1.0"\r\n',
    )
    assert points(tracks.tracks["7"]) == [[3, -5.5, 5e6, 0], [4, -5.5, 5e6, 0], [6, -5.5, 5e6 + 2, 0]]


def test_ns2_activity_says_when_nodes_are_there(read: Read, tmp_path: Path) -> None:
    activity = tmp_path / "activity.tcl"
    activity.write_text(
        '$ns_ at 2.0 "$g(0) start"; # SUMO-ID: a\n$ns_ at 30.0 "$g(0) stop"; # SUMO-ID: a\n', encoding="utf-8"
    )
    track = read("a.tcl", ns2("1 10 0 1"), activity=activity).tracks["0"]
    assert points(track) == [[2, 1, 0, 1.5], [11, 10, 0, 1.5], [30, 10, 0, 1.5]]
    assert not track.stays
    activity.write_text('$ns_ at 20.0 "$g(0) start"\n', encoding="utf-8")
    track = read("a.tcl", ns2("1 10 0 1"), activity=activity).tracks["0"]
    assert points(track) == [[20, 10, 0, 1.5]]
    assert track.stays


def test_ns2_nodes_come_in_the_files_order(read: Read) -> None:
    still = "$node_(9) set X_ 1\n$node_(9) set Y_ 1\n"
    assert list(read("a.tcl", still + ns2("1 10 0 1")).tracks) == ["9", "0"]


def test_a_small_room_is_not_taken_for_degrees(read: Read) -> None:
    read("a.tcl", ns2("0 0.5 0 1", "60 0 0.5 1", "120 0 0 1"))


# SUMO FCD


def fcd(*steps: tuple[float, str], heading: str = "") -> str:
    body = "".join(f'<timestep time="{time}">{movers}</timestep>\n' for time, movers in steps)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{heading}<fcd-export>\n{body}</fcd-export>\n'


def test_fcd_vehicles_and_people_enter_and_leave(read: Read) -> None:
    tracks = read(
        "a.xml",
        fcd(
            (0, '<vehicle id="car" x="-100" y="5" speed="0"/>'),
            (0.5, '<vehicle id="car" x="-95.5" y="5" speed="9"/>'),
            (1, '<person id="p" x="7" y="8.5" z="4" speed="1"/>'),
        ),
    )
    assert list(tracks.tracks) == ["car", "p"]
    assert points(tracks.tracks["car"]) == [[0, -100, 5, 0], [0.5, -95.5, 5, 0]]
    assert points(tracks.tracks["p"]) == [[1, 7, 8.5, 4]]
    assert not tracks.tracks["p"].stays


def test_fcd_absence_is_joined_on_request(read: Read) -> None:
    steps = fcd(
        (0, '<vehicle id="a" x="200" y="0"/><vehicle id="b" x="0" y="0"/>'),
        (1, '<vehicle id="b" x="0" y="0"/>'),
        (2, '<vehicle id="a" x="220" y="0"/><vehicle id="b" x="0" y="0"/>'),
    )
    joined = read("a.xml", steps, gaps="join").tracks["a"]
    assert joined.position_at(1).tolist() == [210, 0, 0]


def test_fcd_same_sample_twice_is_one(read: Read) -> None:
    twice = '<vehicle id="a" x="200" y="0"/>' * 2
    assert points(read("a.xml", fcd((0, twice))).tracks["a"]) == [[0, 200, 0, 0]]


# 10 m/s northwards at 52 degrees, where a degree of latitude has about 111 260 m.
STEP_DEGREES = 10 / 111_260
DRIVE = [(t, f'<vehicle id="a" x="13.4" y="{52 + t * STEP_DEGREES:.9f}" speed="10"/>') for t in range(5)]


@pytest.mark.parametrize(
    ("heading", "options", "steps"),
    [
        ("", {}, DRIVE),  # told from speeds
        ("", {"geo": True}, [(t, text.replace(' speed="10"', "")) for t, text in DRIVE]),
        (
            '<!-- <fcd-output.geo value="true"/> -->\n',
            {},
            [(t, text.replace(' speed="10"', "")) for t, text in DRIVE],
        ),
    ],
)
def test_fcd_degrees_become_metres(
    read: Read, heading: str, options: dict[str, object], steps: list[tuple[float, str]]
) -> None:
    track = read("a.xml", fcd(*steps, heading=heading), **options).tracks["a"]
    assert np.diff(track.positions_m[:, 1]) == pytest.approx(10, rel=1e-3)
    assert track.positions_m[:, 0] == pytest.approx(0, abs=1e-6)


def test_fcd_small_place_in_metres_is_told_by_speeds(read: Read) -> None:
    # Back and forth within half a metre, 0.4 m a step.
    steps = [(t, f'<person id="a" x="{10 + 0.4 * (t % 2)}" y="3" speed="0.4"/>') for t in range(40)]
    assert read("a.xml", fcd(*steps)).tracks["a"].length_m == pytest.approx(0.4 * 39)


# BonnMotion


def test_bonnmotion_2d_and_3d(read: Read) -> None:
    tracks = read("a.movements", "0.0 1 2 10 11 2 20 11 2\n5 -3 4e2\n")
    assert points(tracks.tracks["0"]) == [[0, 1, 2, 0], [10, 11, 2, 0], [20, 11, 2, 0]]
    assert points(tracks.tracks["1"]) == [[5, -3, 400, 0]]
    assert tracks.tracks["1"].stays
    tracks = read("a.movements", "0 1 2 3 10 11 2 4\n", dimensions=3)
    assert points(tracks.tracks["0"]) == [[0, 1, 2, 3], [10, 11, 2, 4]]


# GPX


def gpx(*parts: str, version: str = "1/1") -> str:
    return (
        f'<?xml version="1.0"?>\n<gpx xmlns="http://www.topografix.com/GPX/{version}">{"".join(parts)}</gpx>'
    )


def trkpt(lat: float, lon: float, time: str = "", ele: float | None = None, tag: str = "trkpt") -> str:
    height = "" if ele is None else f"<ele>{ele}</ele>"
    return f'<{tag} lat="{lat}" lon="{lon}">{height}{f"<time>{time}</time>" if time else ""}</{tag}>\n'


def trk(*segments: str, name: str = "") -> str:
    return f"<trk><name>{name}</name>{''.join(f'<trkseg>{points}</trkseg>' for points in segments)}</trk>"


def haversine_m(a: tuple[float, float], b: tuple[float, float], radius_m: float = 6_371_000.0) -> float:
    """Great-circle distance of two (latitude, longitude), on a sphere."""
    (p, q), (r, s) = (map(math.radians, place) for place in (a, b))
    h = math.sin((r - p) / 2) ** 2 + math.cos(p) * math.cos(r) * math.sin((s - q) / 2) ** 2
    return 2 * radius_m * math.asin(math.sqrt(h))


@pytest.mark.parametrize("version", ["1/0", "1/1"])
def test_gpx_times_with_fractions_and_offsets(read: Read, version: str) -> None:
    tracks = read(
        "a.gpx",
        gpx(
            '<wpt lat="0" lon="0"/>',
            trk(
                trkpt(50, 8, "2024-05-01T10:00:01.25Z")
                + trkpt(50, 8, "2024-05-01T12:00:02+02:00")
                + trkpt(50, 8, "2024-05-01T04:30:03.5-05:30"),
                name="a",
            ),
            trk(trkpt(50.001, 8, "2024-05-01T10:00:00"), name="a"),
            trk(trkpt(50.001, 8, "2024-05-01T10:00:09"), name="a (2)"),
            trk(name="empty"),
            version=version,
        ),
    )
    assert list(tracks.tracks) == ["a", "a (2)", "a (2) (2)"]
    assert tracks.tracks["a"].times_s.tolist() == [1.25, 2, 3.5]
    assert tracks.tracks["a (2)"].times_s.tolist() == [0]


def test_gpx_metres_are_those_of_the_ellipsoid(read: Read) -> None:
    # Vincenty on WGS 84: 0.001 degrees at 45 degrees are 111.132 m north, 78.847 m east.
    tracks = read(
        "a.gpx",
        gpx(trk(trkpt(44.9995, 8, "2024-05-01T10:00:00Z") + trkpt(45.0005, 8, "2024-05-01T10:01:00Z"))),
    )
    assert tracks.tracks["trk 1"].length_m == pytest.approx(111.132, abs=0.001)
    tracks = read(
        "a.gpx", gpx(trk(trkpt(45, 8, "2024-05-01T10:00:00Z") + trkpt(45, 8.001, "2024-05-01T10:01:00Z")))
    )
    assert tracks.tracks["trk 1"].length_m == pytest.approx(78.847, abs=0.001)


def test_gpx_over_the_180th_meridian(read: Read) -> None:
    text = gpx(
        trk(trkpt(-17, 179.9995, "2024-05-01T10:00:00Z") + trkpt(-17, -179.9995, "2024-05-01T10:01:00Z"))
    )
    assert read("a.gpx", text).tracks["trk 1"].length_m == pytest.approx(
        haversine_m((-17, 179.9995), (-17, 180.0005)), rel=5e-3
    )


def test_gpx_elevation_is_left_out_unless_asked_for(read: Read) -> None:
    text = gpx(trk(trkpt(50, 8, "2024-05-01T10:00:00Z", 211.5) + trkpt(50, 8, "2024-05-01T10:01:00Z", 200.0)))
    assert read("a.gpx", text).tracks["trk 1"].positions_m[:, 2].tolist() == [0, 0]
    assert read("a.gpx", text, elevation=True).tracks["trk 1"].positions_m[:, 2].tolist() == [0, -11.5]


def test_gpx_route_without_times_at_constant_speed(read: Read) -> None:
    corners = [(50.0, 8.0), (50.001, 8.0), (50.001, 8.0), (50.001, 8.002)]
    route = f"<rte><name>plan</name>{''.join(trkpt(*place, tag='rtept') for place in corners)}</rte>"
    track = read("a.gpx", gpx(route), speed_mps=2.0).tracks["plan"]
    assert len(track.times_s) == 3
    assert track.duration_s == pytest.approx(track.length_m / 2)
    assert track.length_m == pytest.approx(sum(map(haversine_m, corners, corners[1:])), rel=5e-3)


def test_gpx_tracks_go_before_routes(read: Read) -> None:
    route = f"<rte><name>plan</name>{trkpt(50, 8, tag='rtept')}</rte>"
    assert list(read("a.gpx", gpx(route, trk(trkpt(50, 8, "2024-05-01T10:00:00Z"), name="real"))).tracks) == [
        "real"
    ]


def test_gpx_segments_are_joined_on_request(read: Read) -> None:
    text = gpx(trk(trkpt(50, 8, "2024-05-01T10:00:00Z"), trkpt(50.001, 8, "2024-05-01T10:01:00Z")))
    assert len(read("a.gpx", text, gaps="join").tracks["trk 1"].times_s) == 2


def test_gpx_extensions_dont_pass_for_points_fields(read: Read) -> None:
    point = trkpt(50, 8, "2024-05-01T10:00:00Z").replace(
        "</trkpt>", '<e:time xmlns:e="urn:e">never</e:time><extensions><time>no</time></extensions></trkpt>'
    )
    assert read("a.gpx", gpx(trk(point))).tracks["trk 1"].times_s.tolist() == [0]


# CSV


def test_csv_with_and_without_heights(read: Read) -> None:
    tracks = read(
        "a.csv", "\ufeff# far off\r\nt_s,node,x_m,y_m\r\n0,a,1e6,-2\r\n0,b,5,5\r\n\r\n1,a,1000001,-2\r\n"
    )
    assert points(tracks.tracks["a"]) == [[0, 1e6, -2, 0], [1, 1e6 + 1, -2, 0]]
    assert points(tracks.tracks["b"]) == [[0, 5, 5, 0]]
    assert points(read("a.csv", 'z_m,node,t_s,y_m,x_m\n3,"a, b",.5,2,1\n').tracks["a, b"]) == [[0.5, 1, 2, 3]]


def test_the_speed_limit_is_the_callers(read: Read) -> None:
    text = "t_s,node,x_m,y_m\n0,plane,0,0\n1,plane,250,0\n"
    assert read("a.csv", text, max_speed_mps=250.0).tracks["plane"].max_speed_mps == 250


# What receivers do


def test_gpx_speed_decides_whatever_the_times_are(read: Read) -> None:
    times = ("2024-05-01T10:00:00Z", "no time", "2024-05-01T09:00:00Z", "")
    text = gpx(trk("".join(trkpt(50 + 0.0001 * i, 8, time) for i, time in enumerate(times))))
    tracks = read("a.gpx", text, speed_mps=2.0)
    track = tracks.tracks["trk 1"]
    assert track.times_s == pytest.approx(track.length_m / 2 / 3 * np.arange(4))
    assert tracks.notes == ("the times of the file are not used: speed_mps = 2",)


def test_a_clock_that_steps_back_in_gpx_and_csv(read: Read) -> None:
    seconds = (0, 1, 2, 1, 3)
    text = "t_s,node,x_m,y_m\n" + "".join(f"{t},a,{i},0\n" for i, t in enumerate(seconds))
    dropped = read("a.csv", text, clock_back="drop")
    assert points(dropped.tracks["a"]) == [[0, 0, 0, 0], [1, 1, 0, 0], [2, 2, 0, 0], [3, 4, 0, 0]]
    assert dropped.notes == (
        "node 'a': the clock goes back once: 1 of an earlier time left out (clock back: drop)",
    )
    # After the step a second later than the point above, and all later points as much: 2 s.
    assert read("a.csv", text, clock_back="shift").tracks["a"].times_s.tolist() == [0, 1, 2, 3, 5]
    track = "".join(trkpt(50 + 1e-5 * i, 8, f"2024-05-01T10:00:0{t}Z") for i, t in enumerate(seconds))
    assert read("a.gpx", gpx(trk(track)), clock_back="drop").tracks["trk 1"].times_s.tolist() == [0, 1, 2, 3]


def test_points_of_one_second_far_apart_are_a_jump(read: Read) -> None:
    far = [(50.0, "10:00:00"), (50.01, "10:00:01"), (50.0, "10:00:01"), (50.0, "10:00:02")]
    text = gpx(trk("".join(trkpt(lat, 8, f"2024-05-01T{clock}Z") for lat, clock in far)))
    with pytest.raises(TraceError, match=r":3: time = '2024-05-01T10:00:01Z': .* in two places, 556\.\d+ m"):
        read("a.gpx", text)


GOOD_TRACK = trk(
    trkpt(50, 8, "2024-05-01T10:00:00Z") + trkpt(50.0001, 8, "2024-05-01T10:00:09Z"), name="good"
)
FAULTY_TRACKS = {
    "placeholder": trkpt(50, 8, "1970-01-01T00:00:00Z") + trkpt(50.0001, 8, "1970-01-01T00:00:00Z"),
    "back": trkpt(50, 8, "2024-05-01T10:00:09Z") + trkpt(50.0001, 8, "2024-05-01T10:00:00Z"),
    "no time": trkpt(50, 8),
    "bad time": trkpt(50, 8, "noon"),
    "nowhere": trkpt(95, 8, "2024-05-01T10:00:00Z"),
    "far": trkpt(10, 8, "2024-05-01T10:00:00Z"),
    "jump": trkpt(50, 8, "2024-05-01T10:00:00Z") + trkpt(50.1, 8, "2024-05-01T10:00:01Z"),
    "no place": '<trkpt lon="8"><time>2024-05-01T10:00:00Z</time></trkpt>',
}


@pytest.mark.parametrize("name", FAULTY_TRACKS)
def test_a_fault_in_another_track_does_not_stop_the_chosen_one(read: Read, name: str) -> None:
    text = gpx(trk(FAULTY_TRACKS[name], name="faulty"), GOOD_TRACK)
    with pytest.raises(TraceError):
        read("a.gpx", text)
    tracks = read("a.gpx", text, node="good")
    assert tracks.tracks["good"].times_s.tolist() == [0, 9]
    assert tracks.notes[-1].startswith("1 node with a fault left out, first 'faulty': ")
    if name != "far":  # then the good track is the one that is far away
        with pytest.raises(TraceError):
            read("a.gpx", text, node="faulty")


@pytest.mark.parametrize(
    ("name", "text", "node"),
    [
        ("a.csv", "t_s,node,x_m,y_m\n0,b,1,-\n0,a,1,2\n1,a,1,3\n", "a"),
        ("a.csv", "t_s,node,x_m,y_m\n0,b,1,1\n1,b,900,1\n0,a,1,2\n1,a,1,3\n", "a"),
        ("a.movements", "0 1 2 5 900000 2\n0 1 2 9 1 3\n", "1"),
        ("a.movements", "0 1 2 nan 1 2\n0 1 2 9 1 3\n", "1"),
        (
            "a.tcl",
            '$ns_ at 1.0 "$node_(1) setdest 1 1 1"\n$node_(1) set X_ 1\n' + ns2("0 10 0 1"),
            "0",
        ),
        (
            "a.xml",
            fcd(
                (0, '<vehicle id="a" x="200" y="0"/><vehicle id="b" x="0" y="0"/>'),
                (1, '<vehicle id="a" x="201" y="0"/>'),
                (2, '<vehicle id="a" x="202" y="0"/><vehicle id="b" x="0" y="0"/>'),
            ),
            "a",
        ),
    ],
)
def test_the_chosen_node_is_read_in_every_format(read: Read, name: str, text: str, node: str) -> None:
    with pytest.raises(TraceError):
        read(name, text)
    tracks = read(name, text, node=node)
    assert list(tracks.tracks) == [node]
    assert len(tracks.notes) == 1


# Telling formats apart

SMALL = {
    "ns2": ns2("1 1 0 1"),
    "fcd": fcd((0, '<vehicle id="a" x="200" y="0"/>')),
    "bonnmotion": "0 1 2 9 1 2\n",
    "gpx": gpx(trk(trkpt(50, 8, "2024-05-01T10:00:00Z"))),
    "csv": "t_s,node,x_m,y_m\n0,a,1,2\n",
}


def test_every_format_has_a_sample_here() -> None:
    assert set(SMALL) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_is_told_from_content_and_gzip_is_read(tmp_path: Path, name: str) -> None:
    plain, packed = tmp_path / "trace.txt", tmp_path / "trace.gz"
    plain.write_text(SMALL[name], encoding="utf-8")
    packed.write_bytes(gzip.compress(SMALL[name].encode()))
    assert read_tracks(plain).format == name
    assert read_tracks(packed).format == name
    assert read_tracks(plain, name).source == plain
