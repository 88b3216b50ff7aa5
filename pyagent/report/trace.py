"""Which part of a recorded link each test seed played."""

from __future__ import annotations

from pyagent.plots.data import MissingDataError, judged_rows, read_scenario
from pyagent.report.files import Run
from pyagent.report.table import Grid
from pyagent.scenario.schema import ReplayLink
from pyagent.scenario.trace_parts import played_parts_s

_MOST_PARTS = 3


def trace_grid(run: Run) -> Grid | None:
    """Seconds of the trace that each test seed played; None: no recorded link, or no test decisions."""
    try:
        scenario, rows = read_scenario(run.path), judged_rows(run.path, ("seed", "arrival_s"))
    except MissingDataError:
        return None
    link = scenario.link
    if not isinstance(link, ReplayLink):
        return None
    last_s = rows.groupby("seed")["arrival_s"].max().dropna()
    cells = [
        [str(seed), _text(played_parts_s(link, int(str(seed)), end_s + scenario.requests.deadline_s))]
        for seed, end_s in last_s.items()
    ]
    return Grid(["test seed", f"seconds of {link.uplink.name}"], cells)


def _text(parts: list[tuple[float, float]]) -> str:
    shown = [f"{start:.1f} to {end:.1f}" for start, end in parts[:_MOST_PARTS]]
    more = [f"and {len(parts) - _MOST_PARTS} times more"] if len(parts) > _MOST_PARTS else []
    return ", ".join([*shown, *more])
