"""Radio traces that can't be used: each is one line that says where, what, and what would be valid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyagent.traces.errors import TraceError
from pyagent.traces.radio import read_radio_trace
from pyagent.traces.radio.text import MAX_BYTES

FOLDER = Path(__file__).parent / "invalid" / "radio"
KNOWN = (
    "splitsim (CSV with header t_s,rate_mbps[,delay_ms][,loss]); "
    "mahimahi (a time in ms per line, 1500 bytes each); "
    "time-rate (two columns, s and Mbit/s); "
    "drive-test (G-NetTrack CSV, kbit/s); "
    "rate-per-line (a rate per line, unit beside it); "
    "ntrace (JSON with entries of dateTime and dlBw, kbit/s); "
    "5gophers (CSV with seq_num and throughput_mbps); "
    "iperf3 (JSON of iperf3 -J); "
    "csv (any CSV, columns named by --time-column and --rate-column)"
)
HOLD = "; one may hold for 5 s, --max-hold sets another limit"
UNIT = " Mbit/s is more than any link has; is the unit right?"
ORDER = (
    "valid: rows in the order of time, or --clock-back drop (leaves such rows out) or shift "
    "(moves all later rows)"
)
TEXT = "; valid: UTF-8, or UTF-16 with a byte order mark"
MILLISECONDS = ", valid: a whole number of milliseconds >= 0"

# What follows the file's path.
ERRORS = {
    "ambiguous.csv": f": looks like splitsim and 5gophers; --format says which of: {KNOWN}",
    "blank.csv": ": empty",
    "comments-only.csv": f": no known format; --format says which of: {KNOWN}",
    "drive-absent-rows.csv": f":5: no UL_bitrate for 34 s{HOLD}",
    "drive-bits.csv": f":2: UL_bitrate is 250000000: 250000{UNIT}",
    "drive-gap.csv": f":8: no UL_bitrate for 6 s{HOLD}",
    "drive-goes-back.csv": ":4: time goes back by 2 s; " + ORDER,
    "drive-negative.csv": ":2: UL_bitrate is -5, valid: >= 0",
    "drive-no-rate.csv": ": no row has a UL_bitrate",
    "drive-short-row.csv": ":3: 14 cells, and the header has 15 columns",
    "drive-signal-word.csv": ":2: RSRP is 'good', valid: a number",
    "drive-stamp-no-second.csv": ":3: Timestamp is '2019.12.16_13.40.61', valid: like 2019.12.16_13.40.04",
    "drive-stamp.csv": ":3: Timestamp is '16/12/2019 13:40', valid: like 2019.12.16_13.40.04",
    "drive-word.csv": ":3: UL_bitrate is 'fast', valid: a number",
    "empty.csv": ": empty",
    "gophers-gap.csv": f":5: no throughput_mbps for 37 s{HOLD}",
    "gophers-negative.csv": ":2: throughput_mbps is -1, valid: >= 0",
    "gophers-sequence.csv": ":3: seq_num is '2.5', valid: a whole number",
    "gophers-two-runs.csv": ":4: seq_num is 1 after 2: another run or flow; keep one per file",
    "latin1.csv": ":3: not UTF-8 text" + TEXT,
    "mahimahi-decimal.up": f":25: '25.5'{MILLISECONDS}",
    "mahimahi-goes-back.up": ":4: 4 ms after 5 ms: times must not go back (rates are --format rate-per-line)",
    "mahimahi-negative.up": f":25: '-3'{MILLISECONDS}",
    "mahimahi-word.up": f":25: 'end of trace, and more text than one ...'{MILLISECONDS}",
    "mahimahi-year.up": ":3: 1576503604000 ms, valid: up to 604800000 ms",
    "mahimahi-zero.up": ": the last time is 0 ms, so that the loop would have no length",
    "movement.csv": ": holds movements, not rates; `splitsim scenario preview` draws them",
    "movement.gpx": ": holds movements, not rates; `splitsim scenario preview` draws them",
    "movement.tcl": ": holds movements, not rates; `splitsim scenario preview` draws them",
    "ntrace-cut-off.ntrace": ":3: not readable as JSON: Expecting value",
    "ntrace-date.ntrace": ': entries[0]: dateTime is "10.11.2020", valid: like 2020-11-10T12:50:03.550+01:00',
    "ntrace-empty.ntrace": ": no list of objects `entries`",
    "ntrace-goes-back.ntrace": ": entries[1]: time goes back by 5 s; " + ORDER,
    "ntrace-nan.ntrace": ": entries[0]: dlBw is NaN, valid: a number",
    "ntrace-negative.ntrace": ": entries[0]: dlBw is -5, valid: >= 0",
    "ntrace-no-date.ntrace": ": entries[0]: dateTime is null, valid: like 2020-11-10T12:50:03.550+01:00",
    "ntrace-no-entries.ntrace": f": no known format; --format says which of: {KNOWN}",
    "ntrace-no-rate.ntrace": ": no entry has ulBw or dlBw",
    "ntrace-text.ntrace": ': entries[0]: dlBw is "5", valid: a number',
    "ntrace-zone.ntrace": ": entries[1]: dateTime is with a time zone in some entries only",
    "own-duplicate-time.csv": ":3: time 0 s is there twice; every row needs its own",
    "own-goes-back.csv": ":3: time goes back by 2 s; " + ORDER,
    "own-loss-percent.csv": ":3: loss is 5, valid: 0 to 1",
    "own-missing-delay.csv": ":2: delay_ms is '-', valid: a number",
    "own-missing-rate.csv": ":3: rate_mbps is '', valid: a number",
    "own-negative-delay.csv": ":2: delay_ms is -3, valid: 0 to 60000",
    "own-no-rows.csv": ": no row has a rate_mbps",
    "own-no-time.csv": ":1: no column t_s",
    "own-open-quote.csv": ":3: not readable as CSV: unexpected end of data",
    "own-rsrp-positive.csv": ":2: rsrp_dbm is 90, valid: -160 to -20",
    "own-short-row.csv": ":3: 2 cells, and the header has 3 columns",
    "own-twice.csv": ":1: column rate_mbps is there 2 times",
    "own-typo.csv": ":1: unknown column 'delay', valid: t_s, rate_mbps, delay_ms, loss, "
    "rsrp_dbm, rsrq_db, snr_db, cqi, speed_mps",
    "own-underscore.csv": ":2: rate_mbps is '1_000', valid: a number",
    "rate-bytes.csv": ":1: unknown rate unit 'MBps', valid: bit/s, kbit/s, Mbit/s or Gbit/s",
    "rate-lost-unit.csv": ":2: '12.5' has no unit; --rate-unit says which",
    "rate-negative.csv": ":2: rate is -1 Mbits/sec, valid: >= 0",
    "rate-no-unit.txt": ":1: '13.9' has no unit; --rate-unit says which",
    "rate-too-much.csv": f":2: rate is 900 Gbits/sec: 900000{UNIT}",
    "rate-unknown-unit.csv": ":2: unknown rate unit 'MBytes/sec', valid: bit/s, kbit/s, Mbit/s or Gbit/s",
    "rate-word.csv": ":2: rate is 'error', valid: a number",
    "three-columns.txt": f": no known format; --format says which of: {KNOWN}",
    "time-rate-bits.txt": f":1: rate is 5000000: 5e+06{UNIT}",
    "time-rate-decimal-comma.txt": f": no known format; --format says which of: {KNOWN}",
    "time-rate-goes-back.txt": ":3: time goes back by 0.5 s; " + ORDER,
    "time-rate-inf.txt": ":2: rate is 'inf', valid: a number",
    "time-rate-milliseconds.txt": ":1: time is 1576503604000: after the year 2100 if these are seconds",
    "time-rate-nan.txt": ":2: rate is 'nan', valid: a number",
    "time-rate-negative-time.txt": ":1: time is -1, valid: >= 0",
    "time-rate-negative.txt": ":2: rate is -6, valid: >= 0",
    "time-rate-overflow.txt": ":2: rate is '1e999', valid: a finite number",
    "time-rate-short-row.txt": ":2: number of columns is 1, valid: 2, time (s) and rate (Mbit/s)",
    "time-rate-week.txt": ":2: more than 604800 s after the first row; are the times in seconds?",
    "utf16.csv": ":1: not UTF-16 text" + TEXT,
    "words.txt": f": no known format; --format says which of: {KNOWN}",
    "zero-byte.up": ":3: a zero byte; valid: text in UTF-8, or in UTF-16 with a byte order mark",
}


def test_the_table_is_complete() -> None:
    assert set(ERRORS) == {path.name for path in FOLDER.iterdir()}


@pytest.mark.parametrize("name", ERRORS)
def test_an_invalid_file_is_one_line(name: str) -> None:
    with pytest.raises(TraceError) as caught:
        read_radio_trace(FOLDER / name)
    assert str(caught.value) == f"{FOLDER / name}{ERRORS[name]}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '{"entries":' + "[" * 100_000,
            ": not readable as JSON: a number too long or nested too deeply",
        ),
        (
            '{"entries": [{"dateTime": "2020-11-10T12:50:03", "dlBw": 1' + "0" * 400 + "}]}",
            ": entries[0]: dlBw is 1000000000000000000000000000000000000...: "
            "1e+297 Mbit/s is more than any link has; is the unit right?",
        ),
        ("1\n" + "2\n" * 8334, ":8335: 8334 packets in one millisecond are more than any link carries"),
        (
            't_s,rate_mbps\n0,"' + "1" * 200_000 + '"\n',
            ":2: not readable as CSV: field larger than field limit (131072)",
        ),
    ],
    ids=["deep", "huge-number", "flood", "long-cell"],
)
def test_a_hostile_file_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "trace"
    path.write_text(text)
    with pytest.raises(TraceError) as caught:
        read_radio_trace(path)
    assert str(caught.value) == f"{path}{problem}"


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"^\S+: a folder; valid: a trace file$"):
        read_radio_trace(tmp_path)
    with pytest.raises(TraceError, match=r"^\S+/none: can't be read: No such file or directory$"):
        read_radio_trace(tmp_path / "none")
    with pytest.raises(TraceError, match=r"^/dev/zero: no regular file; valid: a trace file$"):
        read_radio_trace("/dev/zero")


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.up"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(TraceError, match=r"large.up: more than 64 MiB, which is the most that is read$"):
        read_radio_trace(path)


MAHIMAHI, TIMED, OWN, RATES, STAMPED, GOPHERS = (
    "1\n2\n",
    "0 5\n1 6\n",
    "t_s,rate_mbps\n0,1\n",
    "5.5,kbps\n",
    '{"entries": [{"dateTime": "2020-11-10T12:50:03", "dlBw": 5}]}',
    "seq_num,throughput_mbps\n1,5\n",
)
NO_STEP = ": a step of 2 s was asked for, but this format has its own times"
NO_HOLD = ": a rate may hold for 2 s, but none is missing in this format"


@pytest.mark.parametrize(
    ("text", "options", "problem"),
    [
        (
            TIMED,
            {"format": "pcap"},
            ": unknown format 'pcap', valid: splitsim, mahimahi, time-rate, drive-test, rate-per-line, "
            "ntrace, 5gophers, iperf3, csv",
        ),
        (TIMED, {"direction": "up"}, ": direction is 'up', valid: uplink or downlink"),
        (TIMED, {"step_s": 0.0}, ": step is 0 s, valid: 0.001 to 604800"),
        (TIMED, {"max_hold_s": float("nan")}, ": longest hold is nan s, valid: 0.001 to 604800"),
        (
            TIMED,
            {"rate_unit": "MB/s"},
            ": unknown rate unit 'MB/s', valid: bit/s, kbit/s, Mbit/s or Gbit/s",
        ),
        (
            TIMED,
            {"max_hold_s": 0.5},
            ":2: no rate for 1 s; one may hold for 0.5 s, --max-hold sets another limit",
        ),
        (TIMED, {"step_s": 2.0}, NO_STEP),
        (OWN, {"step_s": 2.0}, NO_STEP),
        (MAHIMAHI, {"step_s": 2.0}, NO_STEP),
        (STAMPED, {"step_s": 2.0}, NO_STEP),
        (MAHIMAHI, {"max_hold_s": 2.0}, NO_HOLD),
        (RATES, {"max_hold_s": 2.0}, NO_HOLD),
        (OWN, {"rate_unit": "kbit/s"}, ": rate unit kbit/s was asked for, but rate_mbps says Mbit/s"),
        (
            GOPHERS,
            {"rate_unit": "kbit/s"},
            ": rate unit kbit/s was asked for, but throughput_mbps says Mbit/s",
        ),
        (
            MAHIMAHI,
            {"rate_unit": "kbit/s"},
            ": rate unit kbit/s was asked for, but each line of this format is a time in ms; rates are "
            "--format rate-per-line",
        ),
        (
            RATES,
            {"rate_unit": "kbit/s"},
            ":1: '5.5,kbps' has its own unit, but rate unit kbit/s was asked for",
        ),
        (RATES, {"step_s": 604800.0, "format": "rate-per-line"}, None),
        (RATES * 2, {"step_s": 604800.0}, ": 2 steps of 604800 s, valid: up to 604800 s in all"),
        (STAMPED, {"direction": "uplink"}, ": no entry has ulBw"),
        (OWN, {"format": "drive-test"}, ":1: no column Timestamp"),
        (OWN, {"format": "drive-test", "direction": "downlink"}, ":1: no column Timestamp"),
        (OWN, {"format": "5gophers"}, ":1: no column seq_num"),
        (
            TIMED,
            {"format": "rate-per-line"},
            ":1: unknown rate unit '5', valid: bit/s, kbit/s, Mbit/s or Gbit/s",
        ),
        (TIMED, {"format": "ntrace"}, ":1: not readable as JSON: Extra data"),
        ("# none\n", {"format": "rate-per-line"}, ": no rate"),
        ("# none\n", {"format": "time-rate"}, ": no row has a rate"),
        ("# none\n", {"format": "splitsim"}, ": no header"),
        ("[1]", {"format": "ntrace"}, ": no list of objects `entries`"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, text: str, options: dict[str, Any], problem: str | None
) -> None:
    path = tmp_path / "trace"
    path.write_text(text)
    if problem is None:
        assert read_radio_trace(path, **options).duration_s == options["step_s"]
        return
    with pytest.raises(TraceError) as caught:
        read_radio_trace(path, **options)
    assert str(caught.value) == f"{path}{problem}"
