"""Each format gives exactly the steps that its file says, and notes all it assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyagent.traces.errors import TraceError
from pyagent.traces.radio import FORMATS, RadioTrace, read_radio_trace
from pyagent.traces.radio.units import units_per_mbps

HEADER = (
    "Timestamp,Longitude,Latitude,Speed,Operatorname,CellID,NetworkMode,RSRP,RSRQ,SNR,CQI,RSSI,"
    "DL_bitrate,UL_bitrate,State\n"
)


def drive(*rows: tuple[str, str, str], signals: str = "-90,-10,8.0,9") -> str:
    """A drive test; rows: minute and second, DL_bitrate, UL_bitrate."""
    lines = [
        f"2019.12.16_13.{clock},-8.4,51.8,18,A,1,5G,{signals},-80,{down},{up},D\n" for clock, down, up in rows
    ]
    return HEADER + "".join(lines)


def ntrace(*samples: tuple[str, str]) -> str:
    entries = [f'{{"dateTime": "2020-11-10T12:{clock}+01:00", "dlBw": {rate}}}' for clock, rate in samples]
    return f'{{"version": 1, "entries": [{", ".join(entries)}]}}'


VALID = {
    "splitsim": "t_s,rate_mbps,delay_ms,loss\n0,5,20,0\n1.5,0,30,1\n2,7.5,25,0.01\n",
    "mahimahi": "1\n1\n4\n5\n5\n8\n",
    "time-rate": "0.5 5\n1.5 0\n2.5 7.5\n",
    "drive-test": drive(("40.04", "100", "50"), ("40.05", "-", "60"), ("40.06", "300", "70")),
    "rate-per-line": "13.9,Mbits/sec\n500,Kbits/sec\n0,bits/sec\n1,Gbits/sec\n",
    "ntrace": ntrace(("50:03.550", "36620"), ("50:13.224", "null"), ("50:22.758", "96221")),
    "iperf3": '{"start": {"version": "iperf 3.12"}, "intervals": [{"streams": [], "sum": '
    '{"start": 0, "end": 1.0, "bits_per_second": 1e7, "omitted": false, "sender": true}}]}',
    "5gophers": "num_tcp_conn,seq_num,throughput_mbps\n8,3,92.1\n8,4,\n8,5,0\n8,6,150\n",
}


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def reader(text: str, *arguments: Any, **options: Any) -> RadioTrace:
        path = tmp_path / "trace"
        path.write_bytes(text.encode())
        return read_radio_trace(path, *arguments, **options)

    return reader


def steps(trace: RadioTrace) -> tuple[list[float], list[float]]:
    """Times with the duration as the last one, and rates."""
    return [*trace.times_s.tolist(), trace.duration_s], trace.rate_mbps.tolist()


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "csv"])  # csv: never guessed
def test_a_format_is_known_by_its_first_lines_also_after_windows(read: Any, name: str) -> None:
    plain, windows = read(VALID[name]), read("\ufeff" + VALID[name].replace("\n", "\r\n"))
    assert plain.format == windows.format == name
    assert steps(plain) == steps(windows) == steps(read(VALID[name], name))
    assert plain.notes == windows.notes
    assert plain.source.endswith("/trace")


def test_splitsim_csv(read: Any) -> None:
    trace = read(VALID["splitsim"])
    assert steps(trace) == ([0, 1.5, 2, 3.0], [5, 0, 7.5])
    assert trace.delay_ms.tolist() == [20, 30, 25]
    assert trace.loss.tolist() == [0, 1, 0.01]
    assert trace.signals == {}
    assert trace.notes == (
        "units as the header says; a row holds until the next",
        "the last row holds for 1 s (the median step)",
    )


def test_splitsim_csv_with_signals_and_comments_in_any_order(read: Any) -> None:
    text = "# made by hand\n CQI , rate_mbps,t_s,rsrp_dbm\n9,5,10,-90.5\n\n# later\n-,6,20,\n"
    trace = read(text)
    assert steps(trace) == ([0, 10, 20], [5, 6])
    assert trace.delay_ms is None
    assert trace.loss is None
    np.testing.assert_array_equal(trace.signals["cqi"], [9, np.nan])
    np.testing.assert_array_equal(trace.signals["rsrp_dbm"], [-90.5, np.nan])
    assert "times moved so that the first row, at 10 s, is 0" in trace.notes


def test_one_row_is_a_constant_link(read: Any) -> None:
    trace = read("t_s,rate_mbps\n0,10\n")
    assert steps(trace) == ([0, 1], [10])
    assert trace.notes[-1] == "the last row holds for 1 s (it is the only one)"


def test_mahimahi_packets_are_the_millisecond_that_ends_there(read: Any) -> None:
    trace = read(VALID["mahimahi"])
    ends, rates = steps(trace)
    assert ends == [0, 0.001, 0.003, 0.004, 0.005, 0.007, 0.008]
    assert rates == [24, 0, 12, 24, 0, 12]
    assert trace.bits_between(0, 0.008) == pytest.approx(6 * 12_000)
    assert trace.bits_between(0, 0.004) == pytest.approx(3 * 12_000)
    assert trace.notes == (
        "6 lines: each is a time in ms at which 1500 bytes may leave",
        "the loop lasts as long as the last line says: 8 ms",
        "a loop this short is unusual: are the lines times? (rates are --format rate-per-line)",
    )
    assert len(read("1\n1000\n").notes) == 2


@pytest.mark.parametrize(
    ("text", "ends", "rates"),
    [
        ("1\n2\n3\n", [0, 0.003], [12]),  # equal neighbours are one step
        ("0\n1\n2\n", [0, 0.001, 0.002], [24, 12]),
        ("5000\n", [0, 4.999, 5], [0, 12]),
        ("0\n0\n10\n", [0, 0.001, 0.009, 0.01], [24, 0, 12]),
    ],
)
def test_mahimahi_edges(read: Any, text: str, ends: list[float], rates: list[float]) -> None:
    assert steps(read(text, "mahimahi")) == (ends, rates)


def test_time_rate_starts_late_and_names_its_unit(read: Any) -> None:
    trace = read(VALID["time-rate"])
    assert steps(trace) == ([0, 1, 2, 3], [5, 0, 7.5])
    assert trace.notes == (
        "first column taken as seconds, second as Mbit/s (assumed)",
        "a rate holds until the next row",
        "times moved so that the first row, at 0.5 s, is 0",
        "the last row holds for 1 s (the median step)",
    )


def test_time_rate_with_commas_in_another_unit(read: Any) -> None:
    trace = read("1576503604.25, 5000\n1576503605.25,\t2500\n", rate_unit="kbit/s")
    assert steps(trace) == ([0, 1, 2], [5, 2.5])
    assert trace.notes[0] == "first column taken as seconds, second as kbit/s (as asked for)"
    assert trace.notes[2] == "times moved so that the first row, at 1576503604 s, is 0"


def test_equal_times_are_averaged_and_told(read: Any) -> None:
    trace = read("0 5\n1 6\n1 7\n1 11\n2 4\n3 1\n3 3\n")
    assert steps(trace) == ([0, 1, 2, 3, 4], [5, 8, 4, 2])
    assert "5 rows that share a time (first: line 3) are averaged to 2" in trace.notes


def test_what_is_unusual_is_asked_about(read: Any) -> None:
    trace = read("0 5000\n1000 6000\n2000 4000\n")
    assert trace.notes[2:4] == (
        "rates up to 6000 Mbit/s are unusual: if the unit is another, set the rate unit",
        "rows 1000 s apart are unusual: are the times in seconds?",
    )
    assert not any("unusual" in note for note in read("0 5000\n1 6000\n", rate_unit="Mbit/s").notes)
    gap = read("0 5\n1 6\n2 4\n60 5\n")
    assert steps(gap) == ([0, 1, 2, 60, 61], [5, 6, 4, 5])
    assert "rows are 58 s apart at most: a rate holds as long" in gap.notes


def test_drive_test_uplink_by_default_in_kbit(read: Any) -> None:
    trace = read(VALID["drive-test"])
    assert steps(trace) == ([0, 1, 2, 3], [0.05, 0.06, 0.07])
    assert {name: column.tolist() for name, column in trace.signals.items()} == {
        "rsrp_dbm": [-90] * 3,
        "rsrq_db": [-10] * 3,
        "snr_db": [8] * 3,
        "cqi": [9] * 3,
        "speed_mps": [5] * 3,
    }
    assert trace.notes[:3] == (
        "UL_bitrate read as kbit/s (the unit of this layout)",
        "Speed read as km/h",
        "begins at 2019-12-16 13:40:04 by its own clock",
    )


def test_drive_test_downlink_holds_what_is_missing(read: Any) -> None:
    trace = read(VALID["drive-test"], direction="downlink")
    assert steps(trace) == ([0, 1, 2, 3], [0.1, 0.1, 0.3])
    assert "no DL_bitrate in 1 row: the one before holds, for 2 s at most" in trace.notes
    assert steps(read(VALID["drive-test"], direction="downlink", rate_unit="Mbit/s"))[1] == [100, 100, 300]


def test_drive_test_with_late_first_rate_duplicates_and_gaps(read: Any) -> None:
    rows = [
        ("40.04", "9", "-"),
        ("40.05", "9", ""),
        ("40.06", "9", "1000"),
        ("40.06", "9", "-"),
        ("40.06", "9", "3000"),
        ("40.07", "9", "-"),
        ("40.11", "9", "4000"),
        ("40.12", "9", "5000"),
    ]
    trace = read(drive(*rows))
    # 1 s is the usual step, the four seconds without a row are held.
    assert steps(trace) == ([0, 1, 5, 6, 7], [2, 2, 4, 5])
    assert trace.notes[3:] == (
        "3 rows that share a time (first: line 5) are averaged to 1",
        "no UL_bitrate at first: 2 rows (2 s) left out",
        "no UL_bitrate in 1 row: the one before holds, for 5 s at most",
        "times moved so that the first row, at 2 s, is 0",
        "the last row holds for 1 s (the median step)",
    )


def test_drive_test_longer_gaps_only_when_allowed(read: Any) -> None:
    text = drive(
        ("40.04", "9", "1000"), ("40.05", "9", "2000"), ("40.06", "9", "3000"), ("41.00", "9", "4000")
    )
    with pytest.raises(TraceError, match=r":5: no UL_bitrate for 54 s; one may hold for 5 s"):
        read(text)
    held = read(text, max_hold_s=60)
    assert steps(held)[0] == [0, 1, 2, 56, 57]
    assert "rows are 54 s apart at most: a UL_bitrate holds as long" in held.notes
    even = drive(*((f"40.{second:02d}", "9", "1000") for second in (4, 5, 6, 8, 9, 10)))
    assert "rows are 2 s apart at most: a UL_bitrate holds as long" in read(even).notes


def test_drive_test_signals_that_cannot_be_are_missing(read: Any) -> None:
    rows = [("40.04", "9", "1000"), ("40.05", "9", "1000")]
    trace = read(drive(*rows, signals="-,2147483647,-,16"))
    for name in ("rsrp_dbm", "rsrq_db", "snr_db", "cqi"):
        assert np.isnan(trace.signals[name]).all()
    assert "2 values of RSRQ out of range, taken as missing" in trace.notes
    assert "2 values of CQI out of range, taken as missing" in trace.notes
    assert trace.summary()["columns"]["cqi"] == {
        "mean": None,
        "p5": None,
        "median": None,
        "p95": None,
        "missing_share": 1.0,
    }


def test_an_idle_log_is_called_one(read: Any) -> None:
    rows = [("40.04", "900", "0"), ("40.05", "900", "3"), ("40.06", "900", "0"), ("40.07", "900", "900")]
    idle = "is at most 0.05 Mbit/s: what was sent, not what the link could carry"
    assert any(note.startswith(f"75 % of UL_bitrate {idle}") for note in read(drive(*rows)).notes)
    assert not any(idle in note for note in read(drive(*rows), direction="downlink").notes)


def test_drive_test_with_downlink_only(read: Any) -> None:
    text = "Timestamp,dl_bitrate\n2019.12.16_13.40.04.500,2000\n2019.12.16_13.40.05,4000\n"
    trace = read(text)
    assert steps(trace) == ([0, 0.5, 1], [2, 4])
    assert trace.notes[0] == "DL_bitrate read as kbit/s (the unit of this layout)"
    assert trace.signals == {}


def test_rate_per_line_converts_line_by_line(read: Any) -> None:
    trace = read(VALID["rate-per-line"])
    assert steps(trace) == ([0, 1, 2, 3, 4], [13.9, 0.5, 0, 1000])
    assert trace.notes == (
        "rates in Mbits/sec (1 line), Kbits/sec (1 line), bits/sec (1 line), Gbits/sec (1 line)",
        "one line every 1 s (assumed)",
    )


def test_rate_per_line_without_units_needs_one(read: Any) -> None:
    trace = read("1500.5\n250\n", rate_unit="kbit/s", step_s=0.1)
    assert steps(trace) == ([0, 0.1, 0.2], [1.5005, 0.25])
    assert trace.notes == ("rates in kbit/s (2 lines)", "one line every 0.1 s (as asked for)")


def test_ntrace_holds_a_missing_rate(read: Any) -> None:
    trace = read(VALID["ntrace"])
    ends, rates = steps(trace)
    assert ends == pytest.approx([0, 9.674, 19.208, 28.812])
    assert rates == [36.62, 36.62, 96.221]
    assert trace.notes[:2] == (
        "dlBw read as kbit/s (the unit of this layout)",
        "begins at 2020-11-10 12:50:03.550000+01:00",
    )


def test_ntrace_entries_are_counted_and_uplink_comes_first(read: Any) -> None:
    text = ntrace(("50:03", '5000, "ulBw": 700'), ("50:03", '7000, "ulBw": 900'), ("50:13", "0"))
    trace = read(text)
    assert steps(trace) == ([0, 10, 20], [0.8, 0.8])
    assert "2 rows that share a time (first: entry 1) are averaged to 1" in trace.notes
    assert steps(read(text, direction="downlink"))[1] == [6, 0]


def test_five_gophers_holds_a_second_and_tells_the_connections(read: Any) -> None:
    trace = read(VALID["5gophers"])
    assert steps(trace) == ([0, 1, 2, 3, 4], [92.1, 92.1, 0, 150])
    assert "each rate is the sum over num_tcp_conn connections: 8" in trace.notes
    assert steps(read(VALID["5gophers"], step_s=0.5))[0] == [0, 0.5, 1, 1.5, 2]


@pytest.mark.parametrize(
    ("unit", "per_mbps"),
    [
        ("bit/s", 1e6),
        ("bps", 1e6),
        ("kbit/s", 1e3),
        ("Kbits/sec", 1e3),
        ("kbps", 1e3),
        ("Mbit/s", 1),
        ("Mbps", 1),
        ("mbits/sec", 1),
        ("Mb/s", 1),
        ("Gbits/sec", 1e-3),
        ("MB/s", None),
        ("MBps", None),
        ("MBytes/sec", None),
        ("Mbit", None),
        ("Tbit/s", None),
        ("", None),
    ],
)
def test_units_of_bits_are_known_and_bytes_are_not(unit: str, per_mbps: float | None) -> None:
    assert units_per_mbps(unit) == per_mbps
