"""How near the simulator and what learns on it come to what is known.

`python -m benchmarks.validity` runs every test that compares with an independent reference (those that use
the fixture `agree`, the slow ones too) and prints one JSON line: `promises`, `failed`, and for each promise
the largest difference that was found and the one that is allowed. `--page` writes the table of
docs/validity.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.page import put_table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "validity.md"
FIXTURE = "agree"
PROPERTY = "agreement"
"""As tests/agreement.py has it."""


@dataclass
class Promise:
    """What all comparisons of one name found.

    Attributes:
        name: the quantity.
        test: file of the tests.
        origin: of the reference.
        unit: of tolerance and difference.
        tolerance: the widest that is allowed.
        largest: difference.
        values: how many were compared.
    """

    name: str
    test: str
    origin: str
    unit: str
    tolerance: float = 0.0
    largest: float = 0.0
    values: int = 0


@dataclass(eq=False)
class Collector:
    """A plugin of pytest: keeps the tests that compare, and what they found."""

    promises: dict[str, Promise] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out tests that compare with nothing."""
        chosen = [item for item in items if FIXTURE in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over what a test found."""
        if report.failed:
            self.failed.append(report.nodeid)
        if report.skipped:
            self.skipped.append(report.nodeid)
        if report.when == "call":
            for name, row in report.user_properties:
                if name == PROPERTY:
                    self._note(report.nodeid.split("::")[0], row)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that can't be read is a failure too."""
        if report.failed:
            self.failed.append(report.nodeid)

    def _note(self, test: str, row: Any) -> None:
        found = self.promises.setdefault(
            row["promise"], Promise(row["promise"], test, row["origin"], row["unit"])
        )
        found.tolerance = max(found.tolerance, row["tolerance"])
        found.largest = max(found.largest, row["largest"])
        found.values += row["values"]


def measured(paths: list[str]) -> Collector:
    """Run the tests below some paths; what pytest prints goes to stderr."""
    collector = Collector()
    stdout, sys.stdout = sys.stdout, sys.stderr
    try:
        pytest.main([*paths, "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}"], plugins=[collector])
    finally:
        sys.stdout = stdout
    return collector


def table(promises: list[Promise]) -> str:
    """Markdown."""
    lines = [
        "| promise | tested in | allowed | largest difference | of values | reference |",
        "|---|---|---|---|---|---|",
    ]
    for promise in promises:
        allowed, largest = (_number(value, promise.unit) for value in (promise.tolerance, promise.largest))
        cells = (promise.name, f"`{promise.test}`", allowed, largest, promise.values, promise.origin)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def _number(value: float, unit: str) -> str:
    if value == 0:
        return "none"
    shown = f"{value:.2g}" if 1e-3 <= value < 1e3 else f"{value:.0e}".replace("e-0", "e-")
    return f"{shown} {unit}".strip()


def main(arguments: list[str] | None = None) -> int:
    """Entry point; 1 where something is further off than allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paths", nargs="*", default=[str(ROOT / "tests")], help="tests; default: all")
    parser.add_argument("--page", action="store_true", help="write the table of docs/validity.md")
    chosen = parser.parse_args(arguments)
    found = measured(chosen.paths)
    promises = sorted(found.promises.values(), key=lambda promise: (promise.test, promise.name))
    if chosen.page and not found.failed and not found.skipped:
        put_table(PAGE, "validity", table(promises))
    result = {
        "benchmark": "validity",
        "promises": len(promises),
        "failed": found.failed,
        "skipped": found.skipped,
        "largest": {promise.name: [promise.largest, promise.tolerance, promise.unit] for promise in promises},
    }
    print(json.dumps(result))
    return 1 if found.failed or not promises else 0


if __name__ == "__main__":
    sys.exit(main())
