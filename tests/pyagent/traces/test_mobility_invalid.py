"""Files that are refused, each with the one line that says where and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility import Options, read_tracks

FOLDER = Path(__file__).parent / "invalid" / "mobility"

# Of a message, the file's name stands for its path.
REFUSED: list[tuple[str, Options, str]] = [
    (
        "moves.tcl",
        Options(activity=FOLDER / "activity-bad-line.tcl"),
        "activity-bad-line.tcl:1: line = '$ns_ at 0.0 \"$g(0) begin\"': not an activity; valid: "
        '$ns_ at S "$g(ID) start|stop"',
    ),
    (
        "moves.tcl",
        Options(activity=FOLDER / "activity-missing-node.tcl"),
        "activity-missing-node.tcl: node '0' has no start; valid: every node of the movements",
    ),
    (
        "moves.tcl",
        Options(activity=FOLDER / "activity-no-start.tcl"),
        "activity-no-start.tcl:1: stop = 9.0: node '0': out of turn; valid: one start and, "
        "later, one stop a node",
    ),
    (
        "moves.tcl",
        Options(activity=FOLDER / "activity-other-node.tcl"),
        "activity-other-node.tcl: node '7' starts but has no movement; valid: the nodes of the movements",
    ),
    (
        "moves.tcl",
        Options(activity=FOLDER / "activity-stop-first.tcl"),
        "activity-stop-first.tcl:2: stop = 3.0: node '0': out of turn; valid: one start and, "
        "later, one stop a node",
    ),
    (
        "bonnmotion-2d-or-3d.movements",
        Options(),
        "bonnmotion-2d-or-3d.movements:1: all lines fit t x y and t x y z; valid: say dimensions = 2 or 3",
    ),
    (
        "bonnmotion-3d.movements",
        Options(),
        "bonnmotion-3d.movements:1: 8 values; valid: one or more times the 3 of t x y; for t x "
        "y z say dimensions = 3",
    ),
    (
        "bonnmotion-backwards.movements",
        Options(),
        "bonnmotion-backwards.movements:1: time = 9.0: node '0' goes back in time; valid: not before 10 s",
    ),
    (
        "bonnmotion-blank-line.movements",
        Options(),
        "bonnmotion-blank-line.movements:2: 0 values; valid: one or more times the 3 of t x y",
    ),
    (
        "bonnmotion-comma.movements",
        Options(),
        "bonnmotion-comma.movements:1: x = '5,5': not a number; valid: a finite decimal number",
    ),
    (
        "bonnmotion-jump.movements",
        Options(),
        "bonnmotion-jump.movements:1: node '0' moves 4999 m in 1 s, 4999 m/s (degrees, mixed "
        "units or a jump?); valid: at most 150 m/s (max_speed_mps)",
    ),
    (
        "bonnmotion-short.movements",
        Options(),
        "bonnmotion-short.movements:2: 5 values; valid: one or more times the 3 of t x y",
    ),
    (
        "csv-backwards.csv",
        Options(),
        "csv-backwards.csv:4: time = 1.0: node 'a' goes back in time; valid: not before 2 s, "
        "or clock_back = 'drop' or 'shift'",
    ),
    (
        "csv-column-twice.csv",
        Options(),
        "csv-column-twice.csv:1: column x_m is twice; valid: t_s,node,x_m,y_m[,z_m]",
    ),
    ("csv-dash.csv", Options(), "csv-dash.csv:3: x_m = '-': missing value; valid: a finite decimal number"),
    ("csv-decimal-comma.csv", Options(), "csv-decimal-comma.csv:2: 5 values; valid: 4, t_s,node,x_m,y_m"),
    (
        "csv-degrees.csv",
        Options(),
        "csv-degrees.csv:1: column = 'lat': not known (degrees: make metres of them, or use "
        "GPX); valid: t_s,node,x_m,y_m[,z_m]",
    ),
    (
        "csv-empty-value.csv",
        Options(),
        "csv-empty-value.csv:3: x_m = '': missing value; valid: a finite decimal number",
    ),
    ("csv-empty.csv", Options(), "csv-empty.csv: no header; valid: t_s,node,x_m,y_m[,z_m]"),
    (
        "csv-header-only.csv",
        Options(),
        "csv-header-only.csv: holds no node; valid: CSV with the columns t_s,node,x_m,y_m[,z_m]",
    ),
    ("csv-inf.csv", Options(), "csv-inf.csv:3: x_m = '1e999': not a number; valid: a finite decimal number"),
    (
        "csv-jump.csv",
        Options(),
        "csv-jump.csv:3: node 'a' moves 1200 m in 1 s, 1200 m/s (degrees, mixed units or a "
        "jump?); valid: at most 150 m/s (max_speed_mps)",
    ),
    ("csv-latin1.csv", Options(), "csv-latin1.csv:2: not text; valid: UTF-8"),
    (
        "csv-missing-column.csv",
        Options(),
        "csv-missing-column.csv:1: column y_m is missing; valid: t_s,node,x_m,y_m[,z_m]",
    ),
    ("csv-nan.csv", Options(), "csv-nan.csv:3: x_m = 'NaN': missing value; valid: a finite decimal number"),
    (
        "csv-no-header.csv",
        Options(),
        "csv-no-header.csv:1: column = '0': not known; valid: t_s,node,x_m,y_m[,z_m]",
    ),
    ("csv-no-node.csv", Options(), "csv-no-node.csv:2: node = '': missing value; valid: a name"),
    ("csv-quote.csv", Options(), "csv-quote.csv:2: not CSV: unexpected end of data"),
    (
        "csv-semicolons.csv",
        Options(),
        "csv-semicolons.csv:1: column = 't_s;node;x_m;y_m': not known; valid: t_s,node,x_m,y_m[,z_m]",
    ),
    (
        "csv-too-close.csv",
        Options(),
        "csv-too-close.csv:3: node 'a' moves 1 m in 2.22045e-16 s, 4.5036e+15 m/s (degrees, "
        "mixed units or a jump?); valid: at most 150 m/s (max_speed_mps)",
    ),
    (
        "csv-two-places.csv",
        Options(),
        "csv-two-places.csv:2: time = 2.0: node 'a' is in two places, 200 m from their mean; valid: one "
        "place a time, or within 150 m (max_speed_mps, a second)",
    ),
    (
        "csv-underscore.csv",
        Options(),
        "csv-underscore.csv:2: x_m = '1_000': not a number; valid: a finite decimal number",
    ),
    (
        "csv-unknown-column.csv",
        Options(),
        "csv-unknown-column.csv:1: column = 'speed': not known; valid: t_s,node,x_m,y_m[,z_m]",
    ),
    (
        "damaged.csv.gz",
        Options(),
        "damaged.csv.gz: damaged gzip file: Compressed file ended before the end-of-stream "
        "marker was reached",
    ),
    (
        "fcd-absent.xml",
        Options(),
        "fcd-absent.xml:10: node 'a' is absent between 0 s and 2 s; valid: no absence, or gaps "
        "= 'join' for a straight line",
    ),
    (
        "fcd-ambiguous.xml",
        Options(),
        "fcd-ambiguous.xml: x from 13.4 to 13.42 and y from 52.52 to 52.52 may be metres or "
        "degrees; valid: say geo = true or false",
    ),
    (
        "fcd-backwards.xml",
        Options(),
        "fcd-backwards.xml:5: time = 4.0: timestep goes back in time; valid: not before 5 s",
    ),
    (
        "fcd-clock-time.xml",
        Options(),
        "fcd-clock-time.xml:2: time = '00:01:00': not a number; valid: a finite decimal number",
    ),
    ("fcd-cut-off.fcd", Options(), "fcd-cut-off.fcd:4: not well-formed XML: unclosed token"),
    (
        "fcd-doctype.xml",
        Options(),
        "fcd-doctype.xml:1: DOCTYPE is not allowed in a trace; valid: XML without one",
    ),
    (
        "fcd-empty.xml",
        Options(),
        "fcd-empty.xml: holds no node; valid: SUMO FCD XML: fcd-export with timesteps of "
        "vehicles, persons or containers",
    ),
    (
        "fcd-foreign-element.xml",
        Options(),
        "fcd-foreign-element.xml:3: element 'plane' in a timestep; valid: vehicle, person, container",
    ),
    (
        "fcd-id-twice.xml",
        Options(),
        "fcd-id-twice.xml:4: id = 'a': both a vehicle and a person; valid: one id each",
    ),
    ("fcd-net.xml", Options(), "fcd-net.xml:1: root element = 'net': another format; valid: fcd-export"),
    ("fcd-no-id.xml", Options(), "fcd-no-id.xml:3: node = '': missing value; valid: a name"),
    ("fcd-no-x.xml", Options(), "fcd-no-x.xml:3: x = '': missing value; valid: a finite decimal number"),
    (
        "fcd-nowhere.xml",
        Options(),
        "fcd-nowhere.xml:3: x = '-1073741824.0': farther than a place on Earth can be; valid: up to 1e+08 m",
    ),
    (
        "fcd-speed-kmh.xml",
        Options(),
        "fcd-speed-kmh.xml: by their speeds nodes go 108 m, by their places 30 m; valid: "
        "metres and m/s, which agree within a factor of 2",
    ),
    (
        "fcd-teleport.xml",
        Options(),
        "fcd-teleport.xml:6: node 'a' moves 800 m in 1 s, 800 m/s (degrees, mixed units or a "
        "jump?); valid: at most 150 m/s (max_speed_mps)",
    ),
    (
        "fcd-two-places.xml",
        Options(),
        "fcd-two-places.xml:4: time = 5.0: node 'a' is in two places; valid: one place a time",
    ),
    (
        "fcd-z-sometimes.xml",
        Options(),
        "fcd-z-sometimes.xml:6: node 'a' has z in some samples only; valid: in all or none",
    ),
    (
        "gpx-backwards.gpx",
        Options(),
        "gpx-backwards.gpx:5: time = '2024-05-01T10:00:03Z': node 'walk' goes back in time; valid: not "
        "before '2024-05-01T10:00:07Z', or clock_back = 'drop' or 'shift'",
    ),
    (
        "gpx-bad-time.gpx",
        Options(),
        "gpx-bad-time.gpx:4: time = '2024-05-01 10:00': not a time; valid: YYYY-MM-DDThh:mm:ss[.s][Z|+hh:mm]",
    ),
    (
        "gpx-elevation-missing.gpx",
        Options(elevation=True),
        "gpx-elevation-missing.gpx:5: point has no ele, which elevation = true needs; valid: in every point",
    ),
    (
        "gpx-february-30.gpx",
        Options(),
        "gpx-february-30.gpx:4: time = '2024-02-30T10:00:00Z': not a time; valid: "
        "YYYY-MM-DDThh:mm:ss[.s][Z|+hh:mm]",
    ),
    (
        "gpx-latitude.gpx",
        Options(),
        "gpx-latitude.gpx:5: latitude = 95.0: not on Earth; valid: -90 to 90 degrees",
    ),
    (
        "gpx-no-latitude.gpx",
        Options(),
        "gpx-no-latitude.gpx:3: lat = '': missing value; valid: a finite decimal number",
    ),
    (
        "gpx-no-time.gpx",
        Options(),
        "gpx-no-time.gpx:4: point has no time; valid: in every point, or speed_mps for a constant speed",
    ),
    (
        "gpx-null-island.gpx",
        Options(),
        "gpx-null-island.gpx:5: node 'walk' moves 78451.4 m in 7 s, 11207.3 m/s (degrees, "
        "mixed units or a jump?); valid: at most 150 m/s (max_speed_mps)",
    ),
    (
        "gpx-one-time-missing.gpx",
        Options(),
        "gpx-one-time-missing.gpx:5: point has no time; valid: in every point, or "
        "speed_mps for a constant speed",
    ),
    (
        "gpx-same-second.gpx",
        Options(),
        "gpx-same-second.gpx:4: time = '2024-05-01T10:00:00Z': the same in all 2 points of track 'walk'; "
        "valid: times of a clock, or speed_mps for a constant speed",
    ),
    (
        "gpx-placeholder.gpx",
        Options(),
        "gpx-placeholder.gpx:4: time = '1970-01-01T01:00:00+01:00': before GPS (1980), and others are "
        "after: a placeholder in track 'walk'; valid: times of a clock, or speed_mps for a constant speed",
    ),
    (
        "gpx-two-segments.gpx",
        Options(),
        "gpx-two-segments.gpx:8: track 'walk' has a new segment here, and where it was in "
        "between is not known; valid: one segment, or gaps = 'join' for a straight line",
    ),
    (
        "gpx-waypoints-only.gpx",
        Options(),
        "gpx-waypoints-only.gpx: holds no node; valid: GPX 1.0 or 1.1: tracks, else routes, with points",
    ),
    (
        "gpx-wide.gpx",
        Options(),
        "gpx-wide.gpx:4: latitude = 40.0: of 40 to 60 in the file, over which one plane is off "
        "by 22 %; valid: at most 1 %",
    ),
    (
        "ns2-backwards.tcl",
        Options(),
        "ns2-backwards.tcl:4: time = 4.0: node '0' goes back in time; valid: not before 5 s",
    ),
    (
        "ns2-degrees.tcl",
        Options(),
        "ns2-degrees.tcl:5: places look like degrees: by their speeds nodes would go 256, by "
        "their places 0.00251945; valid: metres",
    ),
    (
        "ns2-empty.tcl",
        Options(),
        "ns2-empty.tcl: holds no node; valid: ns-2 movements: set X_/Y_/Z_ and setdest lines, "
        "metres and seconds",
    ),
    (
        "ns2-jump.tcl",
        Options(),
        "ns2-jump.tcl:4: X_ = '90': node '0' has moved already; valid: before its first setdest",
    ),
    ("ns2-nan.tcl", Options(), "ns2-nan.tcl:3: x = 'nan': missing value; valid: a finite decimal number"),
    (
        "ns2-negative-speed.tcl",
        Options(),
        "ns2-negative-speed.tcl:3: speed = '-1.0': not plausible; valid: 0 to 150 m/s (max_speed_mps)",
    ),
    (
        "ns2-negative-time.tcl",
        Options(),
        "ns2-negative-time.tcl:3: time = '-5.0': out of range; valid: seconds from 0 to 1e+10",
    ),
    (
        "ns2-never-arrives.tcl",
        Options(),
        "ns2-never-arrives.tcl:3: speed = 1e-320: node '0' never arrives; valid: 0, or by 1e+10 s",
    ),
    (
        "ns2-no-quote.tcl",
        Options(),
        "ns2-no-quote.tcl:3: line = '$ns_ at 5.0 $node_(0) setdest 10 0 1.0': not a movement; "
        'valid: $node_(ID) set X_|Y_|Z_ M, or $ns_ at S "$node_(ID) setdest X Y SPEED"',
    ),
    (
        "ns2-no-start.tcl",
        Options(),
        "ns2-no-start.tcl:1: node '0' has no X_ before its first setdest; valid: $node_(0) set X_ M",
    ),
    (
        "ns2-no-y.tcl",
        Options(),
        "ns2-no-y.tcl:2: node '0' has no Y_ before its first setdest; valid: $node_(0) set Y_ M",
    ),
    (
        "ns2-other-tcl.tcl",
        Options(),
        "ns2-other-tcl.tcl:1: line = 'set opt(nn) 10': not a movement; valid: $node_(ID) set "
        'X_|Y_|Z_ M, or $ns_ at S "$node_(ID) setdest X Y SPEED"',
    ),
    (
        "ns2-too-fast.tcl",
        Options(),
        "ns2-too-fast.tcl:3: speed = '400': not plausible; valid: 0 to 150 m/s (max_speed_mps)",
    ),
    (
        "ns2-two-commands.tcl",
        Options(),
        "ns2-two-commands.tcl:4: time = 5.0: node '0' gets two commands at once; valid: one command a time",
    ),
    (
        "ns2-two-starts.tcl",
        Options(),
        "ns2-two-starts.tcl:3: X_ = '7': node '0' starts in two places; valid: one place at one time",
    ),
    (
        "unknown.txt",
        Options(),
        "unknown.txt: can't tell its format from content or suffix; valid: say format = one of "
        "ns2, fcd, bonnmotion, gpx, csv",
    ),
]


@pytest.mark.parametrize(
    ("file", "options", "message"), REFUSED, ids=[message.split(":")[0] for *_, message in REFUSED]
)
def test_a_bad_file_gives_one_line_that_names_it(file: str, options: Options, message: str) -> None:
    with pytest.raises(TraceError) as caught:
        read_tracks(FOLDER / file, options=options)
    assert str(caught.value) == f"{FOLDER}/{message}"


def test_every_bad_file_is_in_the_table() -> None:
    named = {file for file, *_ in REFUSED} | {
        options.activity.name for _, options, _ in REFUSED if options.activity
    }
    assert named == {path.name for path in FOLDER.iterdir()}


@pytest.mark.parametrize(
    ("path", "format", "options", "message"),
    [
        ("gone.csv", None, {}, "gone.csv: can't be read: No such file or directory"),
        (".", None, {}, ".: a folder; valid: a trace file"),
        ("gone.csv", "kml", {}, "format = 'kml': not known; valid: ns2, fcd, bonnmotion, gpx, csv"),
        (
            "csv-jump.csv",
            None,
            {"elevation": True},
            "csv-jump.csv: elevation = True: not an option of format csv; valid: clock_back",
        ),
        (
            "fcd-empty.xml",
            None,
            {"speed_mps": 2.0},
            "fcd-empty.xml: speed_mps = 2.0: not an option of format fcd; valid: gaps, geo",
        ),
        ("csv-jump.csv", None, {"max_samples": 1}, "csv-jump.csv:3: more than 1 samples (max_samples)"),
        ("csv-jump.csv", None, {"max_bytes": 20}, "csv-jump.csv: larger than 20 bytes (max_bytes)"),
        ("fcd-empty.xml", None, {"max_bytes": 20}, "fcd-empty.xml: larger than 20 bytes (max_bytes)"),
    ],
)
def test_what_isnt_a_line_of_the_file(
    path: str, format: str | None, options: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER)
    with pytest.raises(TraceError) as caught:
        read_tracks(path, format, Options(**options))  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_speed_mps": 0.0}, "max_speed_mps = 0.0: must be above 0"),
        ({"speed_mps": float("nan")}, "speed_mps = nan: must be above 0"),
        ({"gaps": "ignore"}, "gaps = 'ignore': not known; valid: refuse, join"),
        ({"dimensions": 4}, "dimensions = 4: not known; valid: 2, 3"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(TraceError) as caught:
        Options(**options)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "many.csv",
            b"t_s,node,x_m,y_m\n" + b"".join(b"0,%d,0,0\n" % node for node in range(10_001)),
            "many.csv:10002: more than 10000 nodes",
        ),
        ("long.movements", b"0 " * (2**23 + 1), "long.movements:1: line longer than 16777216 bytes"),
        ("deep.gpx", b"<gpx>\n" + b"<a>" * 64, "deep.gpx:2: elements nested deeper than 64"),
    ],
)
def test_files_without_end(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TraceError) as caught:
        read_tracks(tmp_path / name)
    assert str(caught.value) == f"{tmp_path}/{message}"
