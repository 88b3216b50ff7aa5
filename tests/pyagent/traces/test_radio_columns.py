"""Any CSV whose columns are named: separators, headers, numbers and times as people's files have them."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyagent.traces.errors import TraceError
from pyagent.traces.radio import RadioTrace, read_radio_trace

Options = dict[str, Any]
BY_NAME: Options = {"time_column": "time", "rate_column": "rate", "rate_unit": "Mbit/s"}


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def reader(content: str | bytes, **options: Any) -> RadioTrace:
        path = tmp_path / "trace.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_radio_trace(path, **options)

    return reader


def refusal(read: Any, content: str | bytes, **options: Any) -> str:
    with pytest.raises(TraceError) as caught:
        read(content, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value).partition("trace.csv")[2]


COMMAS = "time,rate,latitude\n0,14.0,10.9\n1,19.7,10.9\n2,10.8,10.9\n"


@pytest.mark.parametrize(
    "content",
    [
        COMMAS,
        COMMAS.replace(",", "\t"),
        COMMAS.replace(",", ";").replace(".", ","),  # a German spreadsheet
        "sep=;\n" + COMMAS.replace(",", ";"),  # Excel's own first line
        "Device: phone\nStart, with a comma\n\n" + COMMAS,  # a logger's preamble
        "#" + COMMAS + "# end\n",  # gnuplot's header
        COMMAS.replace("\n", ",\n").replace("latitude,", "latitude"),  # a separator too many in each row
        COMMAS.replace("time,rate", '"Time","RATE"'),
        gzip.compress(COMMAS.encode()),
        codecs.BOM_UTF8 + COMMAS.encode(),
        COMMAS.replace("\n", "\r\n").encode("utf-16"),  # Excel's "Unicode text"; with a byte order mark
    ],
)
def test_one_table_in_many_dresses(read: Any, content: str | bytes) -> None:
    trace = read(content, **BY_NAME)
    assert (trace.format, trace.duration_s) == ("csv", 3)
    assert trace.times_s.tolist() == [0, 1, 2]
    assert trace.rate_mbps.tolist() == [14.0, 19.7, 10.8]
    assert any(note.lower() == "rate read as mbit/s (as asked for)" for note in trace.notes)


def test_columns_by_number_with_and_without_header(read: Any) -> None:
    numbers: Options = {"time_column": "1", "rate_column": "2", "rate_unit": "kbit/s"}
    for content in (COMMAS, COMMAS.partition("\n")[2]):
        assert read(content, **numbers).rate_mbps.tolist() == [0.014, 0.0197, 0.0108]
    mixed: Options = {**numbers, "time_column": "time"}
    assert read(COMMAS, **mixed).rate_mbps.tolist() == [0.014, 0.0197, 0.0108]


@pytest.mark.parametrize(
    ("title", "factor"), [("rate_mbps", 1.0), ("DL (kbit/s)", 1e-3), ("Throughput [Gbps]", 1e3)]
)
def test_the_unit_may_stand_in_the_name(read: Any, title: str, factor: float) -> None:
    trace = read(f"t,{title}\n0,5\n1,6\n", time_column="t", rate_column=title)
    assert trace.rate_mbps == pytest.approx([5 * factor, 6 * factor])


@pytest.mark.parametrize(
    ("title", "times", "unit", "expected"),
    [
        ("t", ["10", "11.5", "12"], None, [0, 1.5, 2]),
        ("elapsed_ms", ["0", "1500", "2000"], None, [0, 1.5, 2]),
        ("elapsed", ["0", "1500", "2000"], "ms", [0, 1.5, 2]),
        ("t", ["1682017021000", "1682017022500", "1682017023000"], None, [0, 1.5, 2]),
        ("t", ["1682017021000000000", "1682017022500000000"], None, [0, 1.5]),
        ("t", ["1682017021", "1682017022"], None, [0, 1]),
        ("t", ["2023-04-20T13:57:01.250Z", "2023-04-20T15:57:02+02:00"], None, [0, 0.75]),
        ("t", ["2023-04-20 13:57:01 CDT", "2023-04-20 13:57:02 CDT"], None, [0, 1]),
        ("t", ["2020.01.31_23.59.59", "2020.02.01_00.00.01"], None, [0, 2]),
        ("t", ["20.04.2023 13:57:01", "21.04.2023 13:57:01"], None, [0, 86400]),
        ("t", ["4/20/2023 12:59:59 PM", "4/20/2023 1:00:01 PM"], None, [0, 2]),
        ("t", ["1/2/2023 13:57:01", "1/2/2023 13:57:03"], None, [0, 2]),  # one day, whichever it is
        ("t", ["13:57:01", "13:57:02.5"], None, [0, 1.5]),
    ],
)
def test_times(read: Any, title: str, times: list[str], unit: str | None, expected: list[float]) -> None:
    content = f"{title};rate\n" + "".join(f"{time};5\n" for time in times)
    trace = read(
        content, time_column=title, time_unit=unit, rate_column="rate", rate_unit="Mbit/s", max_hold_s=1e5
    )
    assert trace.times_s == pytest.approx(expected, abs=1e-6)


def test_the_zone_that_is_not_known_is_a_note(read: Any) -> None:
    content = "time,rate\n2023-04-20 13:57:01 CDT,5\n"
    notes = read(content, **BY_NAME).notes
    assert "zone CDT is taken for one fixed zone; only differences of times count" in notes
    assert "begins at 2023-04-20 13:57:01 CDT by its own clock" in notes


def test_missing_rates_are_held_and_rows_of_one_time_averaged(read: Any) -> None:
    trace = read("time,rate\n0,4\n1,NaN\n1,\n2,6\n2,8\n", **BY_NAME)
    assert trace.rate_mbps.tolist() == [4, 4, 7]


def test_rows_at_a_fixed_step(read: Any) -> None:
    trace = read(COMMAS, rate_column="rate", rate_unit="Mbit/s", step_s=0.5)
    assert (trace.times_s.tolist(), trace.duration_s) == ([0, 0.5, 1], 1.5)


def test_a_clock_that_steps_back(read: Any) -> None:
    content = "time,rate\n10,1\n11,2\n12,3\n9,4\n10,5\n13,6\n"
    assert ":5: time goes back by 3 s; valid: rows in the order of time, or --clock-back drop" in refusal(
        read, content, **BY_NAME
    )
    dropped = read(content, **BY_NAME, clock_back="drop")
    assert (dropped.times_s.tolist(), dropped.rate_mbps.tolist()) == ([0, 1, 2, 3], [1, 2, 3, 6])
    assert any("2 of an earlier time left out" in note for note in dropped.notes)
    # The row after the step follows by the median step of 1 s; 10 to 13 is a step of 3 s.
    shifted = read(content, **BY_NAME, clock_back="shift")
    assert shifted.times_s.tolist() == [0, 1, 2, 3, 4, 7]
    assert shifted.rate_mbps.tolist() == [1, 2, 3, 4, 5, 6]
    assert any("later times moved by 4 s in all" in note for note in shifted.notes)


def test_the_clock_may_step_back_in_splitsims_own_format_too(read: Any) -> None:
    content = "t_s,rate_mbps\n0,1\n2,2\n1,3\n3,4\n"
    assert read(content, clock_back="drop").rate_mbps.tolist() == [1, 2, 4]
    np.testing.assert_allclose(read(content, clock_back="shift").times_s, [0, 2, 4, 6])


@pytest.mark.parametrize(
    ("content", "options", "problem"),
    [
        (
            COMMAS,
            {},
            ": a CSV of no known format, with the columns 'time', 'rate', 'latitude'; --time-column and "
            "--rate-column name two, --rate-unit the unit of the rates",
        ),
        (
            COMMAS,
            {**BY_NAME, "rate_column": "speed"},
            ": no column 'speed'; valid: 'time', 'rate', 'latitude', or",
        ),
        (COMMAS, {**BY_NAME, "rate_column": "9"}, ": no column '9'; valid: 'time', 'rate', 'latitude', or"),
        (
            COMMAS,
            {**BY_NAME, "rate_unit": None},
            ": column 'rate' doesn't say its unit; valid: --rate-unit bit/s",
        ),
        (COMMAS, {**BY_NAME, "rate_unit": "MB/s"}, ": unknown rate unit 'MB/s', valid: bit/s"),
        (
            COMMAS,
            {**BY_NAME, "time_column": None},
            ": valid: either --time-column, or --step where rows have no",
        ),
        (
            COMMAS,
            {**BY_NAME, "format": "mahimahi"},
            ": columns and a time unit are options of --format csv, not of",
        ),
        (COMMAS, {"time_column": "time"}, ": the columns are 'time', 'rate', 'latitude'; --time-column and"),
        (COMMAS, {**BY_NAME, "time_unit": "h"}, ": time unit is 'h', valid: s, ms, us, ns"),
        (COMMAS, {**BY_NAME, "clock_back": "hold"}, ": clock back is 'hold', valid: refuse, drop, shift"),
        ("time,rate,rate\n0,1,2\n", BY_NAME, ":1: column 'rate' is there 2 times; valid: its number"),
        ("time,rate\n", BY_NAME, ": no row below the header in line 1"),
        ("time,rate\n0,5\n1\n", BY_NAME, ":3: 1 cells, and the header has 2 columns"),
        ("time,rate\n0,fast\n", BY_NAME, ":2: rate is 'fast', valid: a number"),
        ("time,rate\n0,-1\n", BY_NAME, ":2: rate is -1, valid: >= 0"),
        ('time,rate\n0,"1,234"\n', BY_NAME, ":2: rate is '1,234': thousands or decimals; valid: no comma"),
        ("time;rate\n0;1,5\n1;2.5\n", BY_NAME, ":3: rate is '2.5': the column has decimal commas and points"),
        ("time,rate\nnoon,5\n", BY_NAME, ":2: time is 'noon', valid: a number, or a time like 2023-04-20"),
        ("time,rate\n2023-02-30 10:00:00,5\n", BY_NAME, ":2: time is '2023-02-30 10:00:00': no such date"),
        ("time,rate\n13:57:61,5\n", BY_NAME, ":2: time is '13:57:61': no time of day"),
        (
            "time,rate\n1/2/2023 10:00:00,5\n2/2/2023 10:00:00,5\n",
            BY_NAME,
            ":2: time is '1/2/2023 10:00:00': day and month can't be told apart",
        ),
        (
            "time,rate\n2023-11-05 01:59:59 CDT,5\n2023-11-05 01:00:00 CST,5\n",
            BY_NAME,
            ":3: time is '2023-11-05 01:00:00 CST': CST after CDT; how far they are apart isn't known",
        ),
        ("time,rate\n10:00:00,5\n5,5\n", BY_NAME, ":3: time is '5', valid: a number, or a time like"),
        (
            "time_s,rate\n1682017021000,5\n",
            {**BY_NAME, "time_column": "time_s"},
            ":2: time_s is 1682017021000: after",
        ),
        (b"\x1f\x8bno", BY_NAME, ": damaged gzip file"),
        ("1\n2\n", {"clock_back": "drop"}, ": clock back: drop was asked for, but this format has no clock"),
    ],
)
def test_refusals(read: Any, content: str | bytes, options: Options, problem: str) -> None:
    assert refusal(read, content, **options).startswith(problem)
