"""Damaged files give a trace that keeps its promises or a TraceError, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pyagent.traces.errors import TraceError
from pyagent.traces.radio import FORMATS, RadioTrace, read_radio_trace

MUTATIONS = 150
TOKENS = [
    *(
        b"-",
        b"nan",
        b"inf",
        b"1e999",
        b"-1",
        b"0",
        b"1e-320",
        b"99999999999999999999",
        b"1_0",
        b"0x10",
        b"",
        b" ",
    ),
    *(
        b",",
        b'"',
        b"\n",
        b"\r",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"#",
        b"{",
        b"]",
        b"null",
        b"true",
        b";",
        b"\t",
    ),
    *("١٢".encode(), "−5".encode(), "\u2028".encode(), b"2019.13.45_99.99.99", b"0001-01-01T00:00:00+23:59"),
    *(b"9999-12-31T23:59:59-23:59", b"Mbits/sec", b"[[[[", b"Z"),
]
BASES = {
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
    "5gophers": b"num_tcp_conn,seq_num,throughput_mbps\n8,3,92.1\n8,4,\n8,5,0\n8,7,150\n",
}


def flip(content: bytearray, rng: random.Random) -> None:
    content[rng.randrange(len(content))] = rng.randrange(256)


def cut_off(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def drop(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(content))
    del content[at : at + rng.randrange(1, 8)]


def insert(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(content) + 1)
    content[at:at] = rng.choice(TOKENS)


def replace_number(content: bytearray, rng: random.Random) -> None:
    starts = [i for i, byte in enumerate(content) if chr(byte).isdigit()]
    if starts:
        at = rng.choice(starts)
        content[at : at + rng.randrange(1, 3)] = rng.choice(TOKENS)


def swap_lines(content: bytearray, rng: random.Random) -> None:
    lines = bytes(content).split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    content[:] = b"\n".join(lines)


def repeat_line(content: bytearray, rng: random.Random) -> None:
    lines = bytes(content).split(b"\n")
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    content[:] = b"\n".join(lines)


WAYS: list[Callable[[bytearray, random.Random], None]] = [
    *(flip, cut_off, drop, insert, replace_number, swap_lines, repeat_line)
]


def check(trace: RadioTrace) -> None:
    """What the class promises and the constructor can't see."""
    assert np.isfinite(trace.mean_rate_mbps)
    assert 0 <= trace.outage_share <= 1 + 1e-9
    assert trace.bits_between(0, trace.duration_s) == pytest.approx(
        trace.mean_rate_mbps * trace.duration_s * 1e6
    )
    assert trace.rate_mbps.max() <= 100_000
    assert trace.duration_s < 2 * 7 * 86_400
    assert trace.notes


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_read_or_refused(tmp_path: Path, name: str) -> None:
    rng = random.Random(name)
    path, outcomes = tmp_path / "trace", {"read": 0, "refused": 0}
    for number in range(MUTATIONS):
        content = bytearray(BASES[name])
        for _ in range(rng.randrange(1, 4)):
            if content:
                rng.choice(WAYS)(content, rng)
        path.write_bytes(content)
        problem = None
        try:
            check(read_radio_trace(path, name if number % 2 else None))
        except TraceError as error:
            problem = str(error)
        outcomes["read" if problem is None else "refused"] += 1
        assert problem is None or (problem.startswith(str(path)) and len(problem.splitlines()) == 1)
    # Damage that is never noticed, or a base that is refused, would test nothing.
    assert min(outcomes.values()) >= MUTATIONS / 50, outcomes
