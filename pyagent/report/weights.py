"""Tables of a run at other weights of the reward, and of what a failed request costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table

from llm_split.plain import fixed
from pyagent.evaluation.weights import CHARGED, REST, FailureCost, Rereading
from pyagent.plots.data import MissingDataError
from pyagent.plots.weights import read_again
from pyagent.report.files import ReportError, Run
from pyagent.report.table import Grid

COLUMNS_OF_A_TABLE = 7
"""Readings beside `as run` in one table of the terminal."""
NOT_TRAINED_AGAIN = (
    "The decisions are those of the run: policies were trained and tuned at its weights, and are not trained "
    "or tuned again."
)


@dataclass(frozen=True)
class Reweighed:
    """A run at other weights.

    Attributes:
        found: rewards of every reading, and what failures cost.
    """

    found: Rereading

    @property
    def grid(self) -> Grid:
        """Reward and rank of each policy in each reading; best static split, oracle and tau below."""
        return self._grid(range(len(self.found.readings)))

    def _grid(self, readings: Sequence[int]) -> Grid:
        found = self.found
        rows = [
            [name, *(self._cell(place, index) for index in readings)]
            for place, name in enumerate(found.policies)
        ]
        return Grid(
            ["policy", *(found.readings[index].name for index in readings)],
            [*rows, *_static_rows(found, readings), ["Kendall's tau", *(_tau(found, i) for i in readings)]],
        )

    def _cell(self, place: int, index: int) -> str:
        return f"{_fixed(self.found.rewards[place, index])} ({self.found.ranks[place, index]})"

    @property
    def swaps(self) -> Grid:
        """Pairs of policies in another order than as run, with paired differences."""
        rows = [
            [
                f"{swap.above} - {swap.below}",
                reading.name,
                _difference(swap.as_run),
                _difference(swap.there),
                "yes" if swap.clear else "no",
            ]
            for reading, swaps in zip(self.found.readings, self.found.swaps, strict=True)
            for swap in swaps
        ]
        headings = ["difference of", "at", "as run [95 %]", "there [95 %]", "clear"]
        return Grid(headings, rows)

    @property
    def failure_grid(self) -> Grid:
        """Mean penalty of a failed request by term, and its part of all that the policy pays."""
        headings = [
            "policy",
            "failed",
            *CHARGED,
            "other terms",
            "a failed one",
            "a served one",
            "of the penalty",
        ]
        return Grid(
            headings, [[name, *_failure_cells(self.found.failures[name])] for name in self.found.policies]
        )

    @property
    def fails(self) -> bool:
        """True if any test request failed."""
        return any(cost.failed for cost in self.found.failures.values())

    def notes(self) -> Iterator[str]:
        """The verdict, and what limits it."""
        yield self.found.verdict()
        yield NOT_TRAINED_AGAIN
        if self.found.unweighed:
            yield f"Not re-read, because its weight is 0: {', '.join(self.found.unweighed)}."
        if not self.found.statics:
            yield "Best static split and oracle are not re-made: the run kept no runs of every split."

    def terminal(self) -> Group:
        """The same for a terminal."""
        others = range(1, len(self.found.readings))
        parts = [others[i : i + COLUMNS_OF_A_TABLE] for i in range(0, len(others), COLUMNS_OF_A_TABLE)]
        tables = [_table(self._grid([0, *part]), "mean reward (rank)") for part in parts]
        if self.swaps.rows:
            tables.append(_table(self.swaps, "pairs of policies that swap"))
        if self.fails:
            tables.append(_table(self.failure_grid, "what a failed request costs: mean penalties as run"))
        return Group(*tables, *self.notes())


def reweighed(run: Run, factors: str | None = None) -> Reweighed:
    """Re-read a run.

    Args:
        run: a finished run.
        factors: as `pyagent.evaluation.weights.own_readings` reads them; None: half and twice each weight.

    Raises:
        MissingDataError: the run lacks what is needed.
        UserError: `factors` names no weight, or no factor.
    """
    return Reweighed(read_again(run.path, factors))


def reweighed_or_refused(run: Run, factors: str | None) -> Reweighed:
    """`reweighed` for a user who asked for nothing else.

    Raises:
        ReportError: the run lacks what is needed.
        UserError: `factors` names no weight, or no factor.
    """
    try:
        return reweighed(run, factors)
    except MissingDataError as error:
        raise ReportError(
            f"run folder {run.path}: can't be read at other weights, because {error}"
        ) from error


def _static_rows(found: Rereading, readings: Sequence[int]) -> Iterable[list[str]]:
    if not found.statics:
        return []
    statics = [found.statics[index] for index in readings]
    return [
        ["best static, tuned anew", *(_fixed(s.best_series.mean()) for s in statics)],
        ["its split", *(str(s.best) for s in statics)],
        ["oracle, made anew", *(_fixed(s.oracle_series.mean()) for s in statics)],
    ]


def _failure_cells(cost: FailureCost) -> list[str]:
    share = f"{cost.failed} of {cost.decisions}"
    served = "-" if cost.served is None else _fixed(cost.served)
    part = "-" if cost.part is None else f"{100 * cost.part:.0f} %"
    if not cost.failed:
        return [share, *["-"] * (len(CHARGED) + 2), served, part]
    terms = [_fixed(cost.terms[term]) for term in CHARGED]
    other = _fixed(sum(cost.terms[term] for term in REST))
    return [share, *terms, other, _fixed(cost.total), served, part]


def _tau(found: Rereading, index: int) -> str:
    tau = found.tau(index)
    return "-" if tau is None else f"{tau:.2f}"


def _difference(values: tuple[float, float, float]) -> str:
    return f"{values[0]:+.3f} [{values[1]:+.3f}, {values[2]:+.3f}]"


def _fixed(value: Any) -> str:
    return fixed(float(value), 3)


def _table(grid: Grid, title: str) -> Table:
    table = Table(title=title)
    for place, heading in enumerate(grid.headings):
        table.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for row in grid.rows:
        table.add_row(*row)
    return table
