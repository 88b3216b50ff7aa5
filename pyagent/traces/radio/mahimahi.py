"""Mahimahi's link traces (.up, .down): when one packet of 1500 bytes may leave."""

from __future__ import annotations

import re
from array import array

import numpy as np

from pyagent.traces.radio.samples import MAX_DURATION_S, MAX_RATE_MBPS, Request
from pyagent.traces.radio.text import counted, data_lines, shown
from pyagent.traces.radio.trace import RadioTrace

NAME = "mahimahi"
PACKET_BYTES = 1500
_MBPS_OF_ONE_PER_MS = PACKET_BYTES * 8 / 1e3
_MAX_MS = int(MAX_DURATION_S * 1e3)
_MAX_PACKETS_PER_MS = int(MAX_RATE_MBPS / _MBPS_OF_ONE_PER_MS)
_SHORT_MS = 1000
_MILLISECONDS = re.compile(r"[0-9]{1,18}")


def looks_like(head: list[str]) -> bool:
    """Whole numbers, one per line."""
    return bool(head) and all(_MILLISECONDS.fullmatch(line) for line in head)


def read(request: Request) -> RadioTrace:
    """Steps of 1 ms, equal neighbours merged.

    A packet at t ms is the bits of the millisecond that ends at t, so that as many bits have passed by any
    whole millisecond as packets may have left. The loop is as long as the last line says (as in Mahimahi),
    and a packet at 0 is taken into the first millisecond.
    """
    request.no_rate_unit("each line of this format is a time in ms; rates are --format rate-per-line")
    request.no_clock()
    request.no_step()
    request.no_hold()
    at_ms = _read_milliseconds(request)
    ends_ms, packets = np.unique(np.maximum(at_ms, 1), return_counts=True)
    # Between two milliseconds with packets that aren't neighbours there is a step without.
    idle_from_ms = ends_ms[np.append(np.diff(ends_ms) > 1, False)]
    begins_ms = np.concatenate([ends_ms - 1, idle_from_ms, [0] if ends_ms[0] > 1 else []])
    counts = np.concatenate([packets, np.zeros(len(begins_ms) - len(packets))])
    order = np.argsort(begins_ms)
    begins_ms, counts = begins_ms[order], counts[order]
    changes = np.append(True, np.diff(counts) != 0)
    notes = [
        f"{counted(len(at_ms), 'line')}: each is a time in ms at which {PACKET_BYTES} bytes may leave",
        f"the loop lasts as long as the last line says: {at_ms[-1]} ms",
    ]
    if at_ms[-1] < _SHORT_MS:
        notes.append("a loop this short is unusual: are the lines times? (rates are --format rate-per-line)")
    return RadioTrace(
        times_s=begins_ms[changes] / 1e3,
        duration_s=float(at_ms[-1]) / 1e3,
        rate_mbps=counts[changes] * _MBPS_OF_ONE_PER_MS,
        delay_ms=None,
        loss=None,
        signals={},
        source=str(request.path),
        format=NAME,
        notes=tuple(notes),
    )


def _read_milliseconds(request: Request) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """int64 [lines], not decreasing."""
    times = array("q")
    last, busy = 0, 0
    for line, text in data_lines(request.text):
        if not _MILLISECONDS.fullmatch(text):
            raise request.at(line, f"{shown(text)}, valid: a whole number of milliseconds >= 0")
        value = int(text)
        if value < last:
            raise request.at(
                line, f"{value} ms after {last} ms: times must not go back (rates are --format rate-per-line)"
            )
        if value > _MAX_MS:
            raise request.at(line, f"{value} ms, valid: up to {_MAX_MS} ms")
        busy = busy + 1 if value == last else 1
        if busy > _MAX_PACKETS_PER_MS:
            raise request.at(line, f"{busy} packets in one millisecond are more than any link carries")
        times.append(value)
        last = value
    if last == 0:
        raise request.refuse("the last time is 0 ms, so that the loop would have no length")
    return np.frombuffer(times, dtype=np.int64)
