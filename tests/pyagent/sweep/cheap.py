"""Sweeps whose runs take a tenth of a second: real ones, on a dataset that ships."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from pyagent.sweep.execute import Result, attempt
from pyagent.sweep.file import Sweep, load_sweep

CHEAP: dict[str, Any] = {
    "name": "cheap",
    "base": {"dataset": "tram-replay"},
    "agent": {"budget": 40, "policies": ["best-static", "threshold"]},
    "seeds": {"count": 2},
    "grid": {"scenario.reward.slo_s": [0.5, 1.0, 2.0]},
}


def cheap_file(folder: Path, **sections: Any) -> Path:
    """CHEAP with some sections changed."""
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(CHEAP | sections))
    return path


def cheap_sweep(folder: Path, **sections: Any) -> Sweep:
    """The same, read."""
    return load_sweep(cheap_file(folder, **sections))


class InlineEngine:
    """Makes runs in the caller's process, one at each `wait`: what engines share is tested on it.

    Args:
        before: called with the number of runs made, before each.
    """

    def __init__(self, before: Callable[[int], None] = lambda made: None, slots: int = 2) -> None:
        self.before, self.slots = before, slots
        self.made: list[str] = []
        self._waiting: list[tuple[str, str]] = []

    @property
    def room(self) -> int:
        return self.slots - len(self._waiting)

    def submit(self, key: str, spec_json: str) -> None:
        self._waiting.append((key, spec_json))

    def wait(self, timeout_s: float) -> list[tuple[str, Result]]:
        if not self._waiting:
            return []
        self.before(len(self.made))
        key, spec_json = self._waiting.pop(0)
        self.made.append(key)
        return [(key, attempt(key, spec_json))]

    def __enter__(self) -> InlineEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.clear()
