"""Samples as they are read, with their lines, and the checks that turn them into tracks."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pyagent.traces.clock import first_step_back, repaired
from pyagent.traces.mobility.source import Source
from pyagent.traces.mobility.tracks import FloatArray, Track

MAX_NODES = 10_000
ROUNDING = 1e-6  # of a speed worked out from times and places
CLOCK_STEP_S = 1.0  # of a receiver that samples faster than its clock shows
JUMP_HINT = "degrees, mixed units or a jump?"


Quote = Callable[[int, float], str]


class Samples:
    """The samples of one node, in the file's order."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.lines = array("q")
        self.values = array("d")

    def __len__(self) -> int:
        return len(self.lines)

    def append(self, line: int, t_s: float, x: float, y: float, z: float) -> None:
        """One sample; x and y in metres, or in degrees until they are projected."""
        self.lines.append(line)
        self.values.extend((t_s, x, y, z))

    @property
    def table(self) -> FloatArray:
        """The samples, [n, 4]: time and place."""
        return np.array(self.values, dtype=np.float64).reshape(-1, 4)

    def track(
        self,
        source: Source,
        stays: bool = False,
        table: FloatArray | None = None,
        recorded: bool = False,
        quote: Quote | None = None,
    ) -> Track:
        """The checked track.

        Args:
            table: [n, 4], times in seconds and places in metres, where the samples' own aren't.
            recorded: by a receiver, whose clock may step back (`clock_back`) or be slower than its samples:
                several places at one time become their mean.
            quote: the file's own text of a time, from the line and the time in seconds, for errors.

        Raises:
            TraceError: a time goes back or has two places, or a move is too fast.
        """
        table = self.table if table is None else table
        lines = np.array(self.lines)
        _refuse_step_back(source, self.node, lines, table[:, 0], recorded, quote)
        if recorded:
            lines, table = _repaired(source, self.node, lines, table)
            unchanged = source.options.clock_back == "refuse"
            lines, table = _averaged(source, self.node, lines, table, quote if unchanged else None)
        times, places = table[:, 0], table[:, 1:]
        gaps_s = np.diff(times)
        moves_m = np.linalg.norm(np.diff(places, axis=0), axis=1)
        limit = source.options.max_speed_mps
        with np.errstate(over="ignore"):
            farthest_m = limit * gaps_s * (1 + ROUNDING)
        repeated = gaps_s == 0
        if (at := _first(repeated & (moves_m > 0))) is not None:
            problem = "is in two places; valid: one place a time"
            raise source.bad(int(lines[at]), "time", float(times[at]), f"node {self.node!r} {problem}")
        if (at := _first(~repeated & (moves_m > farthest_m))) is not None:
            way_m, gap_s = float(moves_m[at - 1]), float(gaps_s[at - 1])
            raise source.error(
                int(lines[at]),
                f"node {self.node!r} moves {way_m:.6g} m in {gap_s:.6g} s, {way_m / gap_s:.6g} m/s "
                f"({JUMP_HINT}); valid: at most {limit:g} m/s (max_speed_mps)",
            )
        kept = np.concatenate([[True], ~repeated])
        return Track(self.node, times[kept], places[kept], stays)


def _refuse_step_back(
    source: Source,
    node: str,
    lines: NDArray[np.int64],
    times_s: FloatArray,
    recorded: bool,
    quote: Quote | None,
) -> None:
    at = first_step_back(times_s)
    if at is None or (recorded and source.options.clock_back != "refuse"):
        return
    value = float(times_s[at]) if quote is None else quote(int(lines[at]), float(times_s[at]))
    latest_s = float(times_s[at - 1])
    before = f"{latest_s:.10g} s" if quote is None else repr(quote(int(lines[at - 1]), latest_s))
    way_out = ", or clock_back = 'drop' or 'shift'" if recorded else ""
    raise source.bad(
        int(lines[at]), "time", value, f"node {node!r} goes back in time; valid: not before {before}{way_out}"
    )


def _repaired(
    source: Source, node: str, lines: NDArray[np.int64], table: FloatArray
) -> tuple[NDArray[np.int64], FloatArray]:
    """The samples after what `clock_back` says."""
    repair = repaired(table[:, 0], source.options.clock_back)
    if repair.note is None:
        return lines, table
    source.notes.append(f"node {node!r}: {repair.note}")
    return lines[repair.kept], np.column_stack([repair.times_s, table[:, 1:]])[repair.kept]


def _averaged(
    source: Source, node: str, lines: NDArray[np.int64], table: FloatArray, quote: Quote | None
) -> tuple[NDArray[np.int64], FloatArray]:
    """Samples of one time become one at the mean of their places; times don't go back.

    Raises:
        TraceError: a place is farther from the mean than a node can move in a second.
    """
    times, firsts, groups, sizes = np.unique(
        table[:, 0], return_index=True, return_inverse=True, return_counts=True
    )
    if len(times) == len(table):
        return lines, table
    sums = np.zeros((len(times), 3))
    np.add.at(sums, groups, table[:, 1:])
    # A sample that stands alone keeps its place to the last bit.
    places = np.where(sizes[:, np.newaxis] > 1, sums / sizes[:, np.newaxis], table[firsts, 1:])
    away_m = np.linalg.norm(table[:, 1:] - places[groups], axis=1)
    limit_m = source.options.max_speed_mps * CLOCK_STEP_S
    if (away_m > limit_m).any():
        at = int(np.argmax(away_m > limit_m))
        line, time_s = int(lines[at]), float(table[at, 0])
        raise source.bad(
            line,
            "time",
            time_s if quote is None else quote(line, time_s),
            f"node {node!r} is in two places, {away_m[at]:.6g} m from their mean; valid: one place a time, "
            f"or within {limit_m:g} m (max_speed_mps, a second)",
        )
    if (away_m > 0).any():
        shared = sizes > 1
        line = int(lines[int(firsts[shared][0]) + 1])
        source.notes.append(
            f"node {node!r}: {int(sizes[shared].sum())} points that share a time (first: line {line}) "
            f"are averaged to {int(shared.sum())}"
        )
    return lines[firsts], np.column_stack([times, places])


def _first(wrong: NDArray[np.bool_]) -> int | None:
    """The sample after the first wrong step."""
    return int(np.argmax(wrong)) + 1 if wrong.any() else None


class Nodes:
    """The samples of all nodes, in the order in which the file names them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._samples: dict[str, Samples] = {}
        self._count = 0

    def __iter__(self) -> Iterator[Samples]:
        """The nodes without a fault."""
        faults = self._source.faults
        return iter([samples for samples in self._samples.values() if samples.node not in faults])

    def add(self, node: str, line: int, t_s: float, x: float, y: float, z: float) -> None:
        """One sample of a node, new or known.

        Raises:
            TraceError: the file has more samples or nodes than allowed, or the name is empty.
        """
        self._count += 1
        if self._count > self._source.options.max_samples:
            raise self._source.error(
                line, f"more than {self._source.options.max_samples} samples (max_samples)"
            )
        samples = self._samples.get(node)
        if samples is None:
            samples = self._new(node, line)
        samples.append(line, t_s, x, y, z)

    def tracks(self, stays: bool = False, recorded: bool = False) -> list[Track]:
        """The checked tracks of samples in metres; see `Samples.track`."""
        tracks = []
        for samples in self:
            with self._source.sparing(samples.node):
                tracks.append(samples.track(self._source, stays, recorded=recorded))
        return tracks

    def _new(self, node: str, line: int) -> Samples:
        if not node.strip():
            raise self._source.bad(line, "node", node, "missing value; valid: a name")
        if len(self._samples) == MAX_NODES:
            raise self._source.error(line, f"more than {MAX_NODES} nodes")
        samples = self._samples[node] = Samples(node)
        return samples
