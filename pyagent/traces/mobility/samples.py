"""Samples as they are read, with their lines, and the checks that turn them into tracks."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pyagent.traces.mobility.source import Source
from pyagent.traces.mobility.tracks import FloatArray, Track

MAX_NODES = 10_000
ROUNDING = 1e-6  # of a speed worked out from times and places
JUMP_HINT = "degrees, mixed units or a jump?"


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

    def track(self, source: Source, stays: bool = False, table: FloatArray | None = None) -> Track:
        """The checked track.

        Args:
            table: [n, 4], times in seconds and places in metres, where the samples' own aren't.

        Raises:
            TraceError: a time goes back or has two places, or a move is too fast.
        """
        table = self.table if table is None else table
        times, places = table[:, 0], table[:, 1:]
        gaps_s = np.diff(times)
        moves_m = np.linalg.norm(np.diff(places, axis=0), axis=1)
        limit = source.options.max_speed_mps
        with np.errstate(over="ignore"):
            farthest_m = limit * gaps_s * (1 + ROUNDING)
        repeated = gaps_s == 0
        if (at := _first(gaps_s < 0)) is not None:
            problem = f"goes back in time; valid: not before {times[at - 1]:.10g} s"
            raise source.bad(self.lines[at], "time", float(times[at]), f"node {self.node!r} {problem}")
        if (at := _first(repeated & (moves_m > 0))) is not None:
            problem = "is in two places; valid: one place a time"
            raise source.bad(self.lines[at], "time", float(times[at]), f"node {self.node!r} {problem}")
        if (at := _first(~repeated & (moves_m > farthest_m))) is not None:
            way_m, gap_s = float(moves_m[at - 1]), float(gaps_s[at - 1])
            raise source.error(
                self.lines[at],
                f"node {self.node!r} moves {way_m:.6g} m in {gap_s:.6g} s, {way_m / gap_s:.6g} m/s "
                f"({JUMP_HINT}); valid: at most {limit:g} m/s (max_speed_mps)",
            )
        kept = np.concatenate([[True], ~repeated])
        return Track(self.node, times[kept], places[kept], stays)


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
        return iter(self._samples.values())

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

    def tracks(self, stays: bool = False) -> list[Track]:
        """The checked tracks of samples in metres."""
        return [samples.track(self._source, stays) for samples in self]

    def _new(self, node: str, line: int) -> Samples:
        if not node.strip():
            raise self._source.bad(line, "node", node, "missing value; valid: a name")
        if len(self._samples) == MAX_NODES:
            raise self._source.error(line, f"more than {MAX_NODES} nodes")
        samples = self._samples[node] = Samples(node)
        return samples
