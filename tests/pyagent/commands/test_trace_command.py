"""`splitsim trace`: the table, the JSON, the picture, and one line for what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pyagent.cli import app
from pyagent.errors import UserError
from pyagent.plots.trace import trace_figure
from pyagent.traces.radio import read_radio_trace

OWN = "t_s,rate_mbps,delay_ms,loss,snr_db\n0,10,20,0,15\n2,0,90,1,\n3,4,30,0.1,5\n8,4,30,0.1,5\n"


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["trace", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own [1].csv"
    path.write_text(OWN)
    return path


def cells(table: str, first: str) -> list[str]:
    line = next(line for line in table.splitlines() if line.startswith(f"│ {first} "))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_the_table_says_what_the_file_holds_and_what_was_assumed(own: Path) -> None:
    table = run(own)
    assert table.splitlines()[0] == f"{own}, read as splitsim (recognised by its content)"
    assert cells(table, "mean rate") == ["mean rate", "4.8", "Mbit/s"]
    assert cells(table, "max rate") == ["max rate", "10", "Mbit/s, of means over 1 s"]
    assert cells(table, "duration, then it begins again")[1:] == ["10", "s"]
    assert cells(table, "time in outages")[1:] == ["10", "%"]
    assert cells(table, "longest outage")[1:] == ["1", "s"]
    assert cells(table, "delay_ms")[1:] == ["34", "20", "30", "90", "0"]
    assert cells(table, "snr_db")[1:] == ["7.222", "5", "5", "15", "10"]
    assert "units as the header says; a row holds until the next" in table


def test_json_is_the_summary_of_the_part_asked_for(own: Path) -> None:
    found = json.loads(run(own, "--json"))
    assert found == {**read_radio_trace(own).summary(), "files": []}
    part = json.loads(run(own, "--start", 1, "--end", 4, "--offset", 1.5, "--scale", 2, "--json"))
    expected = read_radio_trace(own).cut(1, 4).offset(1.5).scaled(2)
    assert part == {**expected.summary(), "files": []}
    assert part["rate_mbps"]["mean"] == pytest.approx(2 * 14 / 3)
    assert part["notes"][-3:] == ["cut from 1 to 4 s", "begun 1.5 s into the loop", "rates times 2"]


def test_options_reach_the_reader(tmp_path: Path) -> None:
    rates, drive = tmp_path / "rates", tmp_path / "drive"
    rates.write_text("5\n6\n7\n")
    options = ("--format", "rate-per-line", "--rate-unit", "kbit/s", "--step", "0.5")
    found = json.loads(run(rates, *options, "--json"))
    assert (found["rate_mbps"]["mean"], found["duration_s"]) == (pytest.approx(0.006), 1.5)
    drive.write_text(
        "Timestamp,DL_bitrate,UL_bitrate\n2019.12.16_13.40.04,2000,1\n"
        "2019.12.16_13.40.05,2000,1\n2019.12.16_13.40.25,2000,1\n"
    )
    found = json.loads(run(drive, "--direction", "downlink", "--max-hold", "20", "--json"))
    assert found["rate_mbps"]["mean"] == 2


def test_columns_of_any_csv_are_named(tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_text("at;down\n500;2,5\n1500;3,5\n1000;4,5\n")
    options = ("--time-column", "at", "--time-unit", "ms", "--rate-column", "down", "--rate-unit", "Mbit/s")
    found = json.loads(run(path, *options, "--clock-back", "drop", "--json"))
    assert (found["format"], found["rate_mbps"]["mean"], found["rows"]) == ("csv", 3.0, 2)
    assert run(path, *options, "--clock-back", "drop").startswith(f"{path}, read as csv (as asked for)")


def test_a_shipped_trace_is_known_by_its_name() -> None:
    found = json.loads(run("tram-lte", "--json"))
    assert (found["duration_s"], Path(found["source"]).name) == (300, "tram-lte.csv")
    with pytest.raises(UserError) as caught:
        run("trams")
    names = "cell-uplink, tram-lte, tram-lte.down"
    assert str(caught.value) == f"trams: no such file, and no trace that ships; valid: a file, or {names}"


def test_a_plot_is_written_as_png_and_pdf(own: Path, tmp_path: Path) -> None:
    files = json.loads(run(own, "--plot", tmp_path / "new" / "picture.png", "--json"))["files"]
    assert files == [str(tmp_path / "new" / f"picture{suffix}") for suffix in (".png", ".pdf")]
    assert Path(files[0]).read_bytes().startswith(b"\x89PNG")
    assert Path(files[1]).read_bytes().startswith(b"%PDF")


def test_the_figure_draws_every_column_and_marks_mean_and_outages(own: Path) -> None:
    figure = trace_figure(read_radio_trace(own))
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels == ["Rate [Mbit/s]", "Delay [ms]", "Loss [%]", "SNR [dB]"]
    rate, distribution, _, _, loss, *_ = figure.axes
    steps: Any = rate.patches[0]
    np.testing.assert_array_equal(steps.get_data().values, [10, 0, 4, 4])
    np.testing.assert_array_equal(steps.get_data().edges, [0, 2, 3, 8, 10])
    loss_steps: Any = loss.patches[0]
    np.testing.assert_allclose(loss_steps.get_data().values, [0, 100, 10, 10])
    (outage,) = rate.patches[1:]
    assert outage.get_extents().transformed(rate.transData.inverted()).intervalx == pytest.approx([2, 3])
    shares: Any = distribution.patches[0]
    # 1 s without, 7 s of 4 Mbit/s, 2 s of 10 Mbit/s.
    np.testing.assert_allclose(shares.get_data().edges, np.arange(0, 101, 10))
    np.testing.assert_allclose(shares.get_data().values, [0, *[4] * 7, 10, 10])
    assert [line.get_ydata()[0] for line in rate.lines] == pytest.approx([4.8])  # type: ignore[index]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "rate",
        "mean, 4.8 Mbit/s",
        "outage (0 for 0.2 s or longer)",
    ]


def test_many_steps_are_drawn_as_means(tmp_path: Path) -> None:
    path = tmp_path / "x.up"
    path.write_text("".join(f"{at}\n" for at in range(2, 20_001, 2)))
    trace = read_radio_trace(path)
    steps: Any = trace_figure(trace).axes[0].patches[0]
    assert len(steps.get_data().values) == 1200
    assert steps.get_data().values.mean() == pytest.approx(6.0)


def test_a_dead_link_can_be_drawn(tmp_path: Path) -> None:
    path = tmp_path / "dead.csv"
    path.write_text("t_s,rate_mbps,cqi\n0,0,\n1,0,\n")
    assert trace_figure(read_radio_trace(path)).axes[0].get_ylim() == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--start", "9", "--end", "3"], "can't be cut from 9 to 3 s, valid: 0 <= start < end <= 10"),
        (["--scale", "0"], "rates can't be scaled by 0, valid: 1e-6 to 1e6"),
        (["--direction", "sideways"], "direction is 'sideways', valid: uplink or downlink"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_2(own: Path, arguments: list[str], problem: str) -> None:
    with pytest.raises(UserError) as caught:
        run(own, *arguments)
    assert str(caught.value) == f"{own}: {problem}"


def test_a_plot_that_cannot_be_written_is_one_line(own: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^--plot is '\S+/file/x', and can't be written: File exists$"):
        run(own, "--plot", tmp_path / "file" / "x")
    with pytest.raises(UserError, match=r"^--plot is '\.', valid: the name of a file$"):
        run(own, "--plot", ".")


def test_the_exit_status_is_2(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("t_s,rate_mbps\n0,-1\n")
    command = [sys.executable, "-m", "pyagent.cli", "trace", str(bad)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"splitsim: {bad}:2: rate_mbps is -1, valid: >= 0\n"
