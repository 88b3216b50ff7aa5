"""From the rows of a file to a trace: what all formats with samples over time have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyagent.traces.clock import ClockBack, first_step_back, repaired
from pyagent.traces.errors import TraceError, at_line
from pyagent.traces.radio.text import counted, number, shown
from pyagent.traces.radio.trace import RadioTrace
from pyagent.traces.radio.units import VALID_UNITS, units_per_mbps

Floats = NDArray[np.float64]
Direction = Literal["uplink", "downlink"]

MAX_DURATION_S = 7 * 86_400.0
MAX_RATE_MBPS = 100_000.0
MAX_DELAY_MS = 60_000.0
USUAL_MBPS = (0.1, 2000.0)
"""Where the highest rate of a link's trace usually is; elsewhere a note asks about the unit."""
USUAL_STEP_S = 60.0
MAX_HOLD_S, USUAL_STEPS = 5.0, 3.0
"""How long a measured rate may stand in for missing ones: in s, or in usual steps if that is longer."""
LAST_TIME_S = 4_102_444_800.0
"""2100-01-01 as a UNIX time; what is later is no time in seconds."""


class DirectionError(TraceError):
    """The file has rates, but none of the direction that was asked for."""


@dataclass(frozen=True)
class Request:
    """A file and how it is to be read; None leaves it to the format."""

    path: Path
    text: str
    direction: Direction | None = None
    rate_unit: str | None = None
    step_s: float | None = None
    max_hold_s: float | None = None
    time_column: str | None = None
    rate_column: str | None = None
    time_unit: str | None = None
    clock_back: ClockBack = "refuse"

    def at(self, line: int, problem: str) -> TraceError:
        """The error for one line."""
        return at_line(self.path, line, problem)

    def refuse(self, problem: str) -> TraceError:
        """The error for the file."""
        return TraceError(f"{self.path}: {problem}")

    def no_rate_unit(self, why: str) -> None:
        """Refuse a unit from outside where the file says its own."""
        if self.rate_unit is not None:
            raise self.refuse(f"rate unit {self.rate_unit} was asked for, but {why}")

    def no_step(self) -> None:
        """Refuse a step where the file has times."""
        if self.step_s is not None:
            raise self.refuse(f"a step of {self.step_s:g} s was asked for, but this format has its own times")

    def no_hold(self) -> None:
        """Refuse a limit of holding where no rate can be missing."""
        if self.max_hold_s is not None:
            raise self.refuse(
                f"a rate may hold for {self.max_hold_s:g} s, but none is missing in this format"
            )

    def no_clock(self) -> None:
        """Refuse a repair of the clock where the file has none."""
        if self.clock_back != "refuse":
            raise self.refuse(f"clock back: {self.clock_back} was asked for, but this format has no clock")

    def unit_or(self, usual: str) -> tuple[str, float]:
        """The unit of the rates and how many of it are 1 Mbit/s."""
        unit = self.rate_unit or usual
        per_mbps = units_per_mbps(unit)
        if per_mbps is None:
            raise self.refuse(f"unknown rate unit {shown(unit)}, valid: {VALID_UNITS}")
        return unit, per_mbps

    def step_or_second(self) -> float:
        """The step of rows without times: what was asked for, or 1 s."""
        return 1.0 if self.step_s is None else self.step_s

    def time_s(self, line: int, name: str, text: str) -> float:
        """A time in seconds, from any origin; UNIX times too."""
        value = number(self.path, line, name, text)
        if value < 0:
            raise self.at(line, f"{name} is {text}, valid: >= 0")
        if value > LAST_TIME_S:
            raise self.at(line, f"{name} is {text}: after the year 2100 if these are seconds")
        return value

    def rate_mbps(self, line: int, name: str, text: str, per_mbps: float) -> float:
        """A rate in Mbit/s from a text in another unit."""
        rate = number(self.path, line, name, text) / per_mbps
        if problem := rate_problem(rate, name, text):
            raise self.at(line, problem)
        return rate


def rate_problem(rate_mbps: float, name: str, text: str) -> str | None:
    """What is wrong with a rate that the file says as `text`; None: nothing."""
    if rate_mbps < 0:
        return f"{name} is {text}, valid: >= 0"
    if rate_mbps > MAX_RATE_MBPS:
        return f"{name} is {text}: {rate_mbps:.6g} Mbit/s is more than any link has; is the unit right?"
    return None


@dataclass(frozen=True)
class Row:
    """One sample: its line, or what the format counts; rate_mbps NaN: missing; others: columns by name."""

    line: int
    time_s: float
    rate_mbps: float
    others: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """How a format's rows become steps.

    Args:
        name: of the format.
        rate_name: of the rate, for errors.
        place: what a row's number counts.
        merges: rows of the same time are averaged; otherwise refused.
        assumes_unit: the file doesn't say the unit of its rates.
        measured: rows are samples, so that one holds for a limited time only; otherwise until the next one,
            however long that is.
    """

    name: str
    rate_name: str
    place: str = "line"
    merges: bool = True
    assumes_unit: bool = False
    measured: bool = False


def assemble(
    request: Request,
    rows: list[Row],
    rules: Rules,
    notes: list[str],
    at: Callable[[int, str], TraceError] | None = None,
) -> RadioTrace:
    """Order, merge, hold, move to begin at 0, and end.

    Args:
        request: what is read.
        rows: in the order of the file.
        rules: of the format.
        notes: what the format has assumed already; what is done here is added.
        at: error for a row, by default for a line of the file.

    Raises:
        TraceError: no rate at all, times that go back, equal times where they aren't merged, a gap longer
            than may be held, or more than `MAX_DURATION_S`.
    """
    at = at or request.at
    rows = _in_order(request, rows, rules, notes, at)
    rows = _merged(rows, rules, notes)
    rows = _from_first_rate(request, rows, rules, notes)
    known = _known(rows)
    _check_holds(request, rows, known, rules, notes, at)
    times_s = np.array([row.time_s for row in rows])
    if times_s[0] > 0:
        notes.append(f"times moved so that the first row, at {times_s[0]:.10g} s, is 0")
    times_s -= times_s[0]
    rates = np.array([row.rate_mbps for row in rows])[known]
    if rules.assumes_unit and request.rate_unit is None:
        _note_unusual_rates(float(rates.max()), notes)
    columns = {name: np.array([row.others[name] for row in rows]) for name in rows[0].others}
    return RadioTrace(
        times_s=times_s,
        duration_s=_duration_s(times_s, notes),
        rate_mbps=rates,
        delay_ms=columns.pop("delay_ms", None),
        loss=columns.pop("loss", None),
        signals=columns,
        source=str(request.path),
        format=rules.name,
        notes=tuple(notes),
    )


def _in_order(
    request: Request, rows: list[Row], rules: Rules, notes: list[str], at: Callable[[int, str], TraceError]
) -> list[Row]:
    """Rows whose times don't go back: as they are, or as `clock_back` makes them."""
    times_s = np.array([row.time_s for row in rows], dtype=np.float64)
    if (place := first_step_back(times_s)) is not None:
        back_s, line = times_s[place - 1] - times_s[place], rows[place].line
        if request.clock_back == "refuse":
            raise at(
                line,
                f"time goes back by {back_s:.10g} s; valid: rows in the order of time, or --clock-back "
                "drop (leaves such rows out) or shift (moves all later rows)",
            )
        repair = repaired(times_s, request.clock_back)
        notes.append(f"{repair.note}; first: {rules.place} {line}, by {back_s:.10g} s")
        rows = [
            replace(row, time_s=float(time_s))
            for row, time_s, kept in zip(rows, repair.times_s, repair.kept, strict=True)
            if kept
        ]
    _check_times(rows, rules, at)
    return rows


def _check_times(rows: list[Row], rules: Rules, at: Callable[[int, str], TraceError]) -> None:
    for before, row in pairwise(rows):
        if row.time_s == before.time_s and not rules.merges:
            raise at(row.line, f"time {row.time_s:.10g} s is there twice; every row needs its own")
    if rows and rows[-1].time_s - rows[0].time_s > MAX_DURATION_S:
        late = next(row for row in rows if row.time_s - rows[0].time_s > MAX_DURATION_S)
        raise at(late.line, f"more than {MAX_DURATION_S:g} s after the first row; are the times in seconds?")


def _merged(rows: list[Row], rules: Rules, notes: list[str]) -> list[Row]:
    """Rows of the same time become their mean, of what is not missing."""
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row.time_s)]
    shared = [group for group in groups if len(group) > 1]
    if shared:
        count, where = sum(map(len, shared)), shared[0][1].line
        notes.append(
            f"{count} rows that share a time (first: {rules.place} {where}) are averaged to {len(shared)}"
        )
    return [_mean_row(group) if len(group) > 1 else group[0] for group in groups]


def _mean_row(group: list[Row]) -> Row:
    first = group[0]
    others = {name: _mean([row.others[name] for row in group]) for name in first.others}
    return Row(first.line, first.time_s, _mean([row.rate_mbps for row in group]), others)


def _mean(values: list[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return math.fsum(there) / len(there) if there else math.nan


def _from_first_rate(request: Request, rows: list[Row], rules: Rules, notes: list[str]) -> list[Row]:
    """Without the rows before the first rate: nothing is known that could be held there."""
    first = next((i for i, row in enumerate(rows) if not math.isnan(row.rate_mbps)), None)
    if first is None:
        raise request.refuse(f"no row has a {rules.rate_name}")
    if first > 0:
        late_s = rows[first].time_s - rows[0].time_s
        notes.append(f"no {rules.rate_name} at first: {counted(first, 'row')} ({late_s:.10g} s) left out")
    return rows[first:]


def _known(rows: list[Row]) -> NDArray[np.intp]:
    """int [rows]: the row whose rate each has, itself or the last one before it with a rate."""
    there = [i if not math.isnan(row.rate_mbps) else -1 for i, row in enumerate(rows)]
    return np.maximum.accumulate(np.array(there, dtype=np.intp))


def _check_holds(
    request: Request,
    rows: list[Row],
    known: NDArray[np.intp],
    rules: Rules,
    notes: list[str],
    at: Callable[[int, str], TraceError],
) -> None:
    """Note how long rates stand in for what isn't there; above the limit, refuse it."""
    times_s = np.array([row.time_s for row in rows])
    held_s = times_s[1:] - times_s[known[:-1]]
    usual_s = float(np.median(np.diff(times_s))) if len(rows) > 1 else 0.0
    unusual_s = max(MAX_HOLD_S, USUAL_STEPS * usual_s)
    limit_s = request.max_hold_s or (unusual_s if rules.measured else math.inf)
    if np.any(held_s > limit_s):
        place = int(np.argmax(held_s > limit_s))
        raise at(
            rows[place + 1].line,
            f"no {rules.rate_name} for {held_s[place]:.10g} s; one may hold for {limit_s:.10g} s, "
            "--max-hold sets another limit",
        )
    longest_s = float(held_s.max(initial=0.0))
    missing = int(np.count_nonzero(known != np.arange(len(rows))))
    if missing:
        what = f"no {rules.rate_name} in {counted(missing, 'row')}"
        notes.append(f"{what}: the one before holds, for {longest_s:.10g} s at most")
    elif longest_s > (1.5 * usual_s if rules.measured else unusual_s):
        notes.append(f"rows are {longest_s:.10g} s apart at most: a {rules.rate_name} holds as long")


def _note_unusual_rates(most_mbps: float, notes: list[str]) -> None:
    low, high = USUAL_MBPS
    if not low <= most_mbps <= high:
        notes.append(
            f"rates up to {most_mbps:.4g} Mbit/s are unusual: if the unit is another, set the rate unit"
        )


def _duration_s(times_s: Floats, notes: list[str]) -> float:
    """The last row holds for the median step."""
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
    usual = "the median step" if len(times_s) > 1 else "it is the only one"
    if step_s > USUAL_STEP_S:
        notes.append(f"rows {step_s:.10g} s apart are unusual: are the times in seconds?")
    notes.append(f"the last row holds for {step_s:.10g} s ({usual})")
    return float(times_s[-1]) + step_s
