"""Mobility and radio traces, a target for each format."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pyagent.traces.clock import CLOCK_BACK
from pyagent.traces.errors import TraceError
from pyagent.traces.mobility import FORMATS as MOBILITY_FORMATS
from pyagent.traces.mobility import Options, read_tracks
from pyagent.traces.radio import FORMATS as RADIO_FORMATS
from pyagent.traces.radio import RadioTrace, read_radio_trace
from tests.fuzz.mutate import damaged, damaged_text
from tests.fuzz.target import FileTarget, Target

_MOBILITY = {
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
_RADIO = {
    "splitsim": b"t_s,rate_mbps,delay_ms,loss,cqi\n0,5,20,0,9\n1.5,0,30,1,\n2,7.5,25,0.01,3\n4,1,1,0,-\n",
    "mahimahi": b"1\n1\n4\n5\n5\n8\n100\n1000\n",
    "time-rate": b"0.5 5\n1.5 0\n2.5 7.5\n2.5 8\n3.5,1\n",
    "drive-test": b"Timestamp,Speed,RSRP,CQI,DL_bitrate,UL_bitrate\n"
    b"2019.12.16_13.40.04,10,-90,9,100,50\n2019.12.16_13.40.04,10,-,9,-,60\n"
    b"2019.12.16_13.40.05,0,-90,-,300,-\n2019.12.16_13.40.07,0,-91,3,300,1\n",
    "rate-per-line": b"13.9,Mbits/sec\n500,Kbits/sec\n0 bits/sec\n1,Gbits/sec\n",
    "ntrace": b'{"version": 1, "entries": [\n{"dateTime": "2020-11-10T12:50:03.550+01:00", "dlBw": 36620},\n'
    b'{"dateTime": "2020-11-10T12:50:13.224+01:00", "dlBw": null, "ulBw": 7.5},\n'
    b'{"dateTime": "2020-11-10T12:50:22.758+01:00", "dlBw": 96221, "ulBw": 100}]}\n',
    "iperf3": b'{"start": {"connecting_to": {"host": "h"}, "test_start": {"protocol": "UDP"}},\n'
    b'"intervals": [{"streams": [], "sum": {"start": 0, "end": 1.0, "bits_per_second": 10000000.5, '
    b'"omitted": false, "sender": false, "jitter_ms": 0.5, "lost_packets": 1, "lost_percent": 10}},\n'
    b'{"streams": [{"start": 1.0, "end": 2, "bits_per_second": 2e7, "sender": false}]}], "error": "stopped"}',
    "csv": b"made by a phone\nat;rate (Mbit/s);place\n2023-04-20 13:57:01 CDT;14,5;a\n"
    b"2023-04-20 13:57:02 CDT;-;b\n2023-04-20 13:57:02 CDT;10,8;\n2023-04-20 13:57:04 CDT;1e1;d\n",
    "5gophers": b"num_tcp_conn,seq_num,throughput_mbps\n8,3,92.1\n8,4,\n8,5,0\n8,7,150\n",
}


_NO_CLOCK = ("mahimahi", "rate-per-line", "5gophers", "iperf3")


class _Trace(FileTarget):
    """A file of one format; every other one must be told from its content."""

    refusals = (TraceError,)
    file_name = "trace"
    format: ClassVar[str]
    sample: ClassVar[bytes]

    def seeds(self) -> Sequence[bytes]:
        return [self.sample]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_text(data, rng)

    def load(self, path: Path) -> None:
        told = None if path.stat().st_size % 2 else self.format
        try:
            self.check(path, told)
        except TraceError as error:
            if not str(error).startswith(str(path)):
                raise AssertionError(f"does not say which file: {error}") from error
            raise

    def check(self, path: Path, told: str | None) -> None:
        """Read it and look at what came of it."""
        raise NotImplementedError


class _MobilityTrace(_Trace):
    def seeds(self) -> Sequence[bytes]:
        return [self.sample, gzip.compress(self.sample, mtime=0)]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        if data.startswith(b"\x1f\x8b"):
            return damaged(data, rng)
        changed = damaged_text(data, rng)
        return gzip.compress(changed, 1, mtime=0) if rng.randrange(20) == 0 else changed

    def check(self, path: Path, told: str | None) -> None:
        size = path.stat().st_size
        options: dict[str, Any] = {"node": "a"} if size % 3 else {}
        if self.format in ("gpx", "csv"):
            options["clock_back"] = CLOCK_BACK[size % len(CLOCK_BACK)]
        if self.format == "gpx" and size % 5 == 0:
            options["speed_mps"] = 2.0
        tracks = read_tracks(path, told, Options(**options))
        assert tracks.tracks
        for track in tracks.tracks.values():
            assert np.isfinite(track.positions_m).all()
            assert np.isfinite(track.times_s).all()
            assert (np.diff(track.times_s) > 0).all()


class _RadioTrace(_Trace):
    def check(self, path: Path, told: str | None) -> None:
        size = path.stat().st_size
        options: dict[str, Any] = {}
        if self.format not in _NO_CLOCK:
            options["clock_back"] = CLOCK_BACK[size % len(CLOCK_BACK)]
        if self.format == "csv":
            options |= {"time_column": ("at", "1")[size % 2], "rate_column": "2", "rate_unit": "Mbit/s"}
        _check_radio(read_radio_trace(path, told, **options))


def _check_radio(trace: RadioTrace) -> None:
    """What the class promises and the constructor can't see."""
    assert np.isfinite(trace.mean_rate_mbps)
    assert 0 <= trace.outage_share <= 1 + 1e-9
    carried, expected = trace.bits_between(0, trace.duration_s), trace.mean_rate_mbps * trace.duration_s * 1e6
    assert np.isclose(carried, expected, rtol=1e-6, atol=1e-6)
    assert trace.rate_mbps.max() <= 100_000
    assert trace.duration_s < 2 * 7 * 86_400
    assert trace.notes


def _kinds(base: type[_Trace], prefix: str, samples: dict[str, bytes]) -> tuple[type[Target], ...]:
    return tuple(
        type(
            f"{base.__name__}-{name}", (base,), {"name": f"{prefix}-{name}", "format": name, "sample": sample}
        )
        for name, sample in samples.items()
    )


MOBILITY = _kinds(_MobilityTrace, "mobility", _MOBILITY)
RADIO = _kinds(_RadioTrace, "radio", _RADIO)
assert set(_MOBILITY) == set(MOBILITY_FORMATS), "a format without a fuzz target"
assert set(_RADIO) == set(RADIO_FORMATS), "a format without a fuzz target"
