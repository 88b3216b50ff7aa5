"""The comparison itself: it can fail, and its figures become the table."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.validity import Collector, table
from tests.agreement import PROPERTY, Agreement


def compared(found: Any, expected: Any, **tolerance: float) -> dict[str, Any]:
    """What is told of a comparison that holds."""
    told: list[Any] = []
    agree = Agreement(lambda name, row: told.append((name, row)))
    agree("length", found, expected, origin="ruler", **tolerance)
    [(name, row)] = told
    assert name == PROPERTY
    assert isinstance(row, dict)
    return row


def test_what_is_near_enough_passes_and_tells_how_near() -> None:
    row = compared([1.0, 2.5], [1.1, 2.4], within=0.2)
    assert (row["largest"], row["tolerance"], row["values"]) == (pytest.approx(0.1), 0.2, 2)
    row = compared([1.0, 22.0], [1.0, 20.0], share=0.11)
    assert (row["largest"], row["tolerance"], row["unit"]) == (pytest.approx(10), pytest.approx(11), "%")
    assert compared(3, 3, within=0)["largest"] == 0


@pytest.mark.parametrize(
    ("found", "expected", "tolerance", "said"),
    [
        ([1.0, 3.0], [1.0, 2.0], {"within": 0.5}, "length: 3 instead of 2 , off by 1"),
        (float("nan"), 1.0, {"within": 0.5}, "instead of 1"),
        (1.0, float("nan"), {"share": 0.5}, "instead of nan"),
        ([], [], {"within": 0.5}, "nothing to compare"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], {"within": 0.5}, r"\(2,\) against \(3,\)"),
        (1.0, 1.0, {}, "either within or share"),
        (1.0, 1.0, {"within": 0.1, "share": 0.1}, "either within or share"),
    ],
)
def test_what_is_not_fails(found: Any, expected: Any, tolerance: dict[str, float], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        compared(found, expected, **tolerance)


class Report:
    """What pytest tells of a test."""

    failed = skipped = False
    when = "call"

    def __init__(self, test: str, row: dict[str, Any]) -> None:
        self.nodeid, self.user_properties = f"tests/{test}.py::test_it[1]", [(PROPERTY, row), ("other", 1)]


def test_rows_of_one_promise_are_one_line_with_the_worst_of_them() -> None:
    collector = Collector()
    for found in (1.01, 1.004):
        collector.pytest_runtest_logreport(Report("a", compared(found, 1.0, share=0.02)))  # type: ignore[arg-type]
    collector.pytest_runtest_logreport(Report("b", compared(5, 5, within=0) | {"promise": "count"}))  # type: ignore[arg-type]
    lines = table(list(collector.promises.values())).splitlines()
    assert lines[2:] == [
        "| length | `tests/a.py` | 2 % | 1 % | 2 | ruler |",
        "| count | `tests/b.py` | none | none | 1 | ruler |",
    ]
