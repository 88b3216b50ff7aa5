"""iperf3's JSON: directions, streams, UDP, omitted intervals and failed tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyagent.traces.errors import TraceError
from pyagent.traces.radio import DirectionError, RadioTrace, read_radio_trace


def counted(start: float, end: float, mbps: float, sender: bool | None = True, **more: Any) -> dict[str, Any]:
    """One sum, as iperf3 writes it."""
    by = {} if sender is None else {"sender": sender}
    return {
        "start": start,
        "end": end,
        "seconds": end - start,
        "bytes": round(mbps * 1e6 / 8 * (end - start)),
        "bits_per_second": mbps * 1e6,
        "omitted": False,
        **by,
        **more,
    }


def report(*intervals: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "start": {"version": "iperf 3.12", "connecting_to": {"host": "h"}},
        "intervals": [*intervals],
        **more,
    }


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def reader(content: Any, **options: Any) -> RadioTrace:
        path = tmp_path / "test.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent="\t"))
        return read_radio_trace(path, **options)

    return reader


def test_intervals_are_steps_and_the_last_may_be_short(read: Any) -> None:
    trace = read(
        report(*({"sum": counted(*each)} for each in ((0, 1, 10), (1, 2.0001, 20), (2.0001, 2.5, 4))))
    )
    assert (trace.format, trace.duration_s, trace.loss) == ("iperf3", 2.5, None)
    assert trace.times_s.tolist() == [0, 1, 2.0001]
    assert trace.rate_mbps.tolist() == [10, 20, 4]
    assert trace.notes == (
        "uplink (the client sends), as the client counts",
        "rates as sent, not as received; the other side's file has those",
    )


def test_omitted_intervals_are_left_out(read: Any) -> None:
    # With --omit 1 the times begin again at 0 after the omitted second.
    trace = read(report({"sum": counted(0, 1, 99, omitted=True)}, {"sum": counted(0, 1, 10)}))
    assert trace.rate_mbps.tolist() == [10]
    assert "1 interval that the test omits (--omit) left out" in trace.notes


def test_parallel_streams_without_a_sum_add_up(read: Any) -> None:
    trace = read(report({"streams": [counted(0, 1, 10), counted(0, 1, 5)]}))
    assert trace.rate_mbps.tolist() == [15]


def test_both_directions_at_once(read: Any) -> None:
    both = report({"sum": counted(0, 1, 10), "sum_bidir_reverse": counted(0, 1, 30, sender=False)})
    assert read(both).rate_mbps.tolist() == [10]
    assert read(both, direction="downlink").rate_mbps.tolist() == [30]


@pytest.mark.parametrize(
    ("start", "sender", "direction"),
    [
        ({"connecting_to": {}}, False, "downlink"),  # --reverse, the client's file
        ({"accepted_connection": {}}, False, "uplink"),  # the server's file of a plain test
        ({"accepted_connection": {}}, True, "downlink"),  # and of --reverse
        ({"test_start": {"reverse": 1}}, None, "downlink"),  # before sums said who sends
        ({"test_start": {"reverse": 0}}, None, "uplink"),
    ],
)
def test_the_direction_is_the_clients(
    read: Any, start: dict[str, Any], sender: bool | None, direction: str
) -> None:
    content = {"start": start, "intervals": [{"sum": counted(0, 1, 7, sender)}]}
    trace = read(content, direction=direction)
    assert trace.rate_mbps.tolist() == [7]
    assert trace.notes[0].startswith(f"{direction} (the client ")
    other = "uplink" if direction == "downlink" else "downlink"
    with pytest.raises(DirectionError, match=f"this test has no {other}, valid: {direction}$"):
        read(content, direction=other)


def test_udp_has_losses(read: Any) -> None:
    udp = {"jitter_ms": 0.25, "lost_packets": 5, "packets": 100, "lost_percent": 5.0}
    content = report({"sum": counted(0, 1, 9.5, False, **udp)}, {"sum": counted(1, 2, 10, False)})
    trace = read(content)
    assert trace.loss.tolist() == [0.05, 0]
    assert any(note.startswith("lost_percent (up to 5) read as loss") for note in trace.notes)
    assert any(note.startswith("jitter_ms (up to 0.25) left out") for note in trace.notes)


def test_events_a_line_each(read: Any) -> None:
    events = [
        {"event": "start", "data": {"version": "iperf 3.17", "connecting_to": {}}},
        {"event": "interval", "data": {"sum": counted(0, 1, 10)}},
        {"event": "interval", "data": {"sum": counted(1, 2, 20)}},
        {"event": "end", "data": {}},
    ]
    trace = read("".join(json.dumps(event) + "\n" for event in events))
    assert (trace.format, trace.rate_mbps.tolist()) == ("iperf3", [10, 20])


def test_a_test_that_was_interrupted_is_read_with_a_note(read: Any) -> None:
    error = "interrupt - the client has terminated"
    trace = read(report({"sum": counted(0, 1, 10)}, error=error))
    assert f'the test ended with the error "{error}"' in trace.notes


@pytest.mark.parametrize(
    ("content", "options", "problem"),
    [
        (
            report(error="unable to connect to server"),
            {},
            'no list of objects `intervals`: the test ended with the error "unable to connect to server"',
        ),
        (report({"sum": counted(0, 1, 9, omitted=True)}), {}, "all intervals are omitted"),
        (report({}), {}, "intervals[0]: no sum and no stream"),
        (report({"sum": counted(0, 1, -1)}), {}, "intervals[0]: bits_per_second is -1000000.0, valid: >= 0"),
        (
            report({"sum": {**counted(0, 1, 1), "end": None}}),
            {},
            "intervals[0]: end is null, valid: a number",
        ),
        (report({"sum": counted(1, 0, 1)}), {}, "intervals[0]: from 1 to 0 s, valid: 0 <= start <= end"),
        (
            report({"sum": counted(0, 1, 1)}, {"sum": counted(5, 6, 1)}),
            {},
            "intervals[1]: starts at 5 s, and the one before ends at 1 s",
        ),
        (
            report({"sum": counted(0, 1, 1, lost_percent=101)}),
            {},
            "intervals[0]: lost_percent is 101, valid: 0 to 100",
        ),
        (report({"sum": counted(0, 1, 1)}), {"rate_unit": "kbit/s"}, "rate unit kbit/s was asked for, but"),
        (json.dumps(report({"sum": counted(0, 1, 1)})) * 2, {}, None),  # two tests in one file
    ],
)
def test_refusals(read: Any, content: Any, options: dict[str, Any], problem: str | None) -> None:
    with pytest.raises(TraceError) as caught:
        read(content, **options)
    message = str(caught.value).partition("test.json:")[2]
    assert message.startswith(f" {problem}" if problem else "1: not readable as JSON: Extra data")
