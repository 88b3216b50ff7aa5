"""Damaged files: either tracks or a TraceError, and nothing else."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility import FORMATS, read_tracks

SAMPLES = {
    "ns2": b"""$node_(0) set X_ 1
$node_(0) set Y_ 2.5
$node_(0) set Z_ 0
$ns_ at 0.0 "$node_(0) setdest 10.5 2 1.5"
$ns_ at 9.5 "$node_(0) setdest 1 -2 0.5"
""",
    "fcd": b"""<?xml version="1.0" encoding="UTF-8"?>
<fcd-export>
<timestep time="0.00"><vehicle id="a" x="100.5" y="2" speed="1"/></timestep>
<timestep time="1.00"><vehicle id="a" x="101.5" y="2" speed="1"/><person id="b" x="1" y="2"/></timestep>
</fcd-export>
""",
    "bonnmotion": b"0.0 1 2 10.5 11 2 20 11 -2\n5 -3 4e2\n0 1 1 7 2 2\n",
    "gpx": b"""<?xml version="1.0"?>
<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>a</name>
<trkseg><trkpt lat="50.0" lon="8.0"><ele>100</ele><time>2024-05-01T10:00:00Z</time></trkpt>
<trkpt lat="50.0001" lon="8.0001"><time>2024-05-01T12:00:09.5+02:00</time></trkpt></trkseg></trk></gpx>
""",
    "csv": b"t_s,node,x_m,y_m,z_m\n0,a,1,2,3\n0.5,b,-1,2e3,0\n1,a,2,2,3\n",
}


def mutated(data: bytes, draw: random.Random) -> bytes:
    """One to three bytes changed, put in or taken out, or the end cut off."""
    result = bytearray(data)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(result))
        kind = draw.randrange(10)
        if kind < 5:
            result[at] = draw.choice([draw.randrange(256), ord(draw.choice("0123456789.-+eE<>&\"'/ \n"))])
        elif kind < 7:
            result.insert(at, draw.randrange(256))
        elif kind < 9 and len(result) > 1:
            del result[at]
        else:
            del result[at + 1 :]
    return bytes(result)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_a_mutated_file_is_read_or_refused(tmp_path: Path, name: str, packed: bool) -> None:
    draw = random.Random(f"{name} {packed}")
    original = gzip.compress(SAMPLES[name], mtime=0) if packed else SAMPLES[name]
    path = tmp_path / "trace"
    path.write_bytes(original)
    assert read_tracks(path).format == name
    refusals = []
    for _ in range(300):
        path.write_bytes(mutated(original, draw))
        try:
            read_tracks(path, draw.choice([name, None]))
        except TraceError as error:
            refusals.append(str(error))
    assert refusals
    assert [text for text in refusals if "\n" in text or not text.startswith(str(path))] == []
