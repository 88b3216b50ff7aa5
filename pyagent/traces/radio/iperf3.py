"""iperf3's JSON: what `iperf3 --json` (`-J`) or `--json-stream` writes, at the client or at the server.

The uplink is what the client sends. An interval's `sum` counts at the side that wrote the file; with
`--bidir`, `sum_bidir_reverse` has the other direction. Fields: iperf3's `iperf_api.c`, which says `sender`
in every sum.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from pyagent.traces.errors import TraceError
from pyagent.traces.radio.jsonfile import json_number, json_rate_mbps, parse_json, quoted
from pyagent.traces.radio.samples import (
    LAST_TIME_S,
    MAX_DURATION_S,
    Direction,
    DirectionError,
    Request,
)
from pyagent.traces.radio.text import counted, data_lines, shortened
from pyagent.traces.radio.trace import RadioTrace

NAME = "iperf3"
_START = re.compile(r'\{\s*"(?:title|start|intervals|event)"')
_KEY = re.compile(r'"(?:intervals|start|event)"\s*:')
_BIT_PER_S_PER_MBPS = 1e6
_SUMS = ("sum", "sum_bidir_reverse")
_CLOSE_S = 0.01


@dataclass(frozen=True)
class _Interval:
    """One interval of one direction; loss is NaN where it isn't reported."""

    place: int
    start_s: float
    end_s: float
    rate_mbps: float
    loss: float
    jitter_ms: float


def looks_like(head: list[str]) -> bool:
    """A JSON object that begins as iperf3's do."""
    text = "\n".join(head)
    return _START.match(text) is not None and _KEY.search(text) is not None


def read(request: Request) -> RadioTrace:
    """A step per interval; omitted intervals (`--omit`) are left out."""
    request.no_rate_unit("bits_per_second says bit/s")
    request.no_step()
    request.no_hold()
    request.no_clock()
    report = _report(request)
    notes: list[str] = []
    entries = _entries(request, report, notes)
    sums = _of_direction(request, report, entries, notes)
    intervals = [_interval(request, place, each) for place, each in sums]
    _note_loss(intervals, notes)
    return _trace(request, _in_order(request, intervals, notes), notes)


def _report(request: Request) -> dict[str, Any]:
    """The report, put together from its events where each line is one."""
    lines = list(data_lines(request.text))
    if lines[0][1].startswith('{"event"') or (len(lines) > 1 and lines[1][1].startswith('{"event"')):
        return _from_events(request, lines)
    report = parse_json(request, request.text)
    if not isinstance(report, dict):
        raise request.refuse("no JSON object with `intervals`")
    return report


def _from_events(request: Request, lines: list[tuple[int, str]]) -> dict[str, Any]:
    report: dict[str, Any] = {"intervals": []}
    for line, text in lines:
        event = parse_json(request, text, line)
        kind = event.get("event") if isinstance(event, dict) else None
        if kind == "interval":
            report["intervals"].append(event.get("data"))
        elif isinstance(kind, str) and kind not in report:
            report[kind] = event.get("data")
        else:
            raise request.at(line, f"event is {quoted(kind)}, valid: one start, intervals, one end")
    return report


def _entries(request: Request, report: dict[str, Any], notes: list[str]) -> list[tuple[int, dict[str, Any]]]:
    """Number and content of every interval that counts."""
    error = report.get("error")
    entries = report.get("intervals")
    if not isinstance(entries, list) or not entries:
        why = f": the test ended with the error {quoted(error)}" if error else ""
        raise request.refuse(f"no list of objects `intervals`{why}")
    if error:
        notes.append(f"the test ended with the error {quoted(error)}")
    kept = []
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise _at(request)(place, f"interval is {quoted(entry)}, valid: an object with sum or streams")
        if not _omitted(entry):
            kept.append((place, entry))
    if omitted := len(entries) - len(kept):
        notes.append(f"{counted(omitted, 'interval')} that the test omits (--omit) left out")
    if not kept:
        raise request.refuse("all intervals are omitted")
    return kept


def _omitted(entry: dict[str, Any]) -> bool:
    return any(each.get("omitted") is True for _, each in _sums(entry))


def _sums(entry: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The sums of an interval by name; of its streams where it has none."""
    sums = [(name, entry[name]) for name in _SUMS if isinstance(entry.get(name), dict)]
    streams = entry.get("streams")
    return (
        sums or [("stream", each) for each in streams if isinstance(each, dict)]
        if isinstance(streams, list)
        else sums
    )


def _of_direction(
    request: Request, report: dict[str, Any], entries: list[tuple[int, dict[str, Any]]], notes: list[str]
) -> list[tuple[int, dict[str, Any]]]:
    """One sum per interval, of the direction that was asked for, else of the uplink if it is there."""
    server = _is_server(report)
    reverse = _reverse(report)
    directions = [
        [(_direction(name, each, server, reverse), each) for name, each in _sums(entry)]
        for _, entry in entries
    ]
    present = {direction for sums in directions for direction, _ in sums}
    if not present:
        raise _at(request)(entries[0][0], "no sum and no stream")
    direction = request.direction or ("uplink" if "uplink" in present else "downlink")
    if direction not in present:
        raise DirectionError(f"{request.path}: this test has no {direction}, valid: {present.pop()}")
    side = "server" if server else "client"
    notes.append(
        f"{direction} (the client {'sends' if direction == 'uplink' else 'receives'}), as the {side} counts"
    )
    result = []
    for (place, _), sums in zip(entries, directions, strict=True):
        parts = [each for own, each in sums if own == direction]
        if not parts:
            raise _at(request)(place, f"no {direction}, which other intervals have")
        result.append((place, parts[0] if len(parts) == 1 else _total(request, place, parts)))
    _note_sender(report, result, notes)
    return result


def _is_server(report: dict[str, Any]) -> bool:
    start = report.get("start")
    return isinstance(start, dict) and "accepted_connection" in start


def _test_start(report: dict[str, Any]) -> dict[str, Any]:
    start = report.get("start")
    test = start.get("test_start") if isinstance(start, dict) else None
    return test if isinstance(test, dict) else {}


def _reverse(report: dict[str, Any]) -> bool:
    return _test_start(report).get("reverse") in (1, True)


def _direction(name: str, each: dict[str, Any], server: bool, reverse: bool) -> Direction:
    """By who sends; older versions don't say, and then by the test's mode."""
    sender = each.get("sender")
    if isinstance(sender, bool):
        return "uplink" if sender != server else "downlink"
    return "uplink" if (name == "sum_bidir_reverse") == reverse else "downlink"


def _total(request: Request, place: int, streams: list[dict[str, Any]]) -> dict[str, Any]:
    """Parallel streams together: rates and packets add up."""
    at = _at(request)
    total = dict(streams[0])
    for key in ("bits_per_second", "lost_packets", "packets"):
        if all(key in each for each in streams):
            total[key] = sum(json_number(each[key], key, place, at) for each in streams)
    if total.get("packets"):
        total["lost_percent"] = 100 * total.get("lost_packets", 0) / total["packets"]
    return total


def _at(request: Request) -> Any:
    def at(place: int, problem: str) -> TraceError:
        return request.refuse(f"intervals[{place}]: {problem}")

    return at


def _interval(request: Request, place: int, each: dict[str, Any]) -> _Interval:
    at = _at(request)
    start_s, end_s = (json_number(each.get(key), key, place, at) for key in ("start", "end"))
    if not 0 <= start_s <= end_s <= LAST_TIME_S:
        raise at(place, f"from {start_s:.10g} to {end_s:.10g} s, valid: 0 <= start <= end")
    rate = json_rate_mbps(each.get("bits_per_second"), "bits_per_second", _BIT_PER_S_PER_MBPS, place, at)
    lost, jitter_ms = (
        json_number(each[key], key, place, at) if each.get(key) is not None else np.nan
        for key in ("lost_percent", "jitter_ms")
    )
    if lost > 100 or lost < 0:
        raise at(place, f"lost_percent is {lost:.10g}, valid: 0 to 100")
    return _Interval(place, start_s, end_s, rate, lost / 100, jitter_ms)


def _in_order(request: Request, intervals: list[_Interval], notes: list[str]) -> list[_Interval]:
    """Intervals that follow each other, without those that hold for no time."""
    at = _at(request)
    kept = [each for each in intervals if each.end_s > each.start_s]
    if len(kept) < len(intervals):
        notes.append(f"{counted(len(intervals) - len(kept), 'interval')} of no length left out")
    if not kept:
        raise request.refuse("no interval has a length")
    for before, each in pairwise(kept):
        if abs(each.start_s - before.end_s) > max(_CLOSE_S, 0.1 * (before.end_s - before.start_s)):
            raise at(
                each.place,
                f"starts at {each.start_s:.10g} s, and the one before ends at {before.end_s:.10g} s",
            )
    if kept[-1].end_s - kept[0].start_s > MAX_DURATION_S:
        raise request.refuse(f"longer than {MAX_DURATION_S:g} s")
    return kept


def _note_sender(report: dict[str, Any], sums: list[tuple[int, dict[str, Any]]], notes: list[str]) -> None:
    protocol = _test_start(report).get("protocol")
    if isinstance(protocol, str):
        notes.append(f"protocol {shortened(protocol)}")
    if any(each.get("sender") is True for _, each in sums):
        notes.append("rates as sent, not as received; the other side's file has those")


def _note_loss(intervals: list[_Interval], notes: list[str]) -> None:
    lost = [each.loss for each in intervals if not np.isnan(each.loss)]
    jitter = [each.jitter_ms for each in intervals if not np.isnan(each.jitter_ms)]
    if lost:
        notes.append(
            f"lost_percent (up to {100 * max(lost):.4g}) read as loss; if the sender offered more than "
            "the link carries, a queue lost it, and replaying it counts it twice"
        )
    if jitter:
        notes.append(f"jitter_ms (up to {max(jitter):.4g}) left out: a trace has delays, not their variation")


def _trace(request: Request, intervals: list[_Interval], notes: list[str]) -> RadioTrace:
    begin_s = intervals[0].start_s
    times_s = np.array([each.start_s for each in intervals]) - begin_s
    loss = np.nan_to_num(np.array([each.loss for each in intervals]), nan=0.0)
    measured = any(not np.isnan(each.loss) for each in intervals)
    if begin_s > 0:
        notes.append(f"times moved so that the first interval, at {begin_s:.10g} s, is 0")
    return RadioTrace(
        times_s=times_s,
        duration_s=intervals[-1].end_s - begin_s,
        rate_mbps=np.array([each.rate_mbps for each in intervals]),
        delay_ms=None,
        loss=loss if measured else None,
        signals={},
        source=str(request.path),
        format=NAME,
        notes=tuple(notes),
    )
