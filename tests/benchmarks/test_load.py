"""What benchmarks.load watches for, at small sizes: nothing grows, and nothing is left."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.load import PARTS, footprint, growth, left_over, markdown, write_page
from tests.running import printed_json


def test_growth_is_that_of_the_line_whatever_one_sample_says() -> None:
    at = list(range(20))
    values = [5 + 0.5 * x for x in at]
    assert growth(at, values) == pytest.approx(0.5 * 19)
    values[7] = 1000
    assert growth(at, values) == pytest.approx(0.5 * 19)
    assert growth([1], [2]) == 0


def test_what_is_left_behind_is_counted(tmp_path: Path) -> None:
    before = footprint(tmp_path)
    (tmp_path / "left.log").write_text("x")
    with (tmp_path / "left.log").open(), subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert left_over(tmp_path, before) == {"processes": 1, "fds": 2, "temp_files": 1}
        process.communicate()


def measured(*parts: str, **sizes: Any) -> Any:
    options = [f"--{name}={value}" for name, value in sizes.items()]
    return printed_json("benchmarks.load", "--quick", *parts, *options, timeout_s=600)


@pytest.mark.ns3
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_small_loads_grow_nothing_and_leave_nothing(tmp_path: Path) -> None:
    found = measured()
    assert found.pop("benchmark") == "load"
    assert set(found) == set(PARTS)
    nothing = {"processes": 0, "fds": 0, "temp_files": 0}
    assert found["episodes"]["left"] == found["vector"]["left"] == nothing
    assert found["vector"]["equal"] == found["vector"]["environments"] == 6
    assert found["ues"]["ues"] == 50
    assert found["ues"]["decisions"] == 2
    for name in ("hours", "episodes"):
        grown = found[name]["growth"]
        assert grown["agent_rss_mib"] < 2
        assert abs(grown["agent_fds"]) + abs(grown["simulators_fds"]) < 1
        assert abs(grown["temp_files"]) < 1
    page = tmp_path / "load.md"
    page.write_text("<!-- table: python -m benchmarks.load -->\n<!-- end of table -->\n")
    write_page(found, tmp_path / "load.json", page)
    assert markdown(found) in page.read_text()


@pytest.mark.ns3
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ns3s_memory_does_not_grow_with_the_frames_of_the_phone() -> None:
    """With one cancelled event kept for each change of its radio's state it grew by 15 MiB here."""
    assert measured("hours", hours=0.1)["hours"]["growth"]["simulators_rss_mib"] < 5
