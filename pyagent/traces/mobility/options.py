"""What a caller may decide about reading a mobility trace."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyagent.traces.clock import CLOCK_BACK, ClockBack
from pyagent.traces.errors import TraceError


@dataclass(frozen=True)
class Options:
    """Choices for `read_tracks`; the first four hold for every format.

    Attributes:
        max_speed_mps: a faster move is refused: it is a jump, degrees, or another unit.
        max_samples: samples of all nodes together; reading takes about 130 bytes each.
        max_bytes: size of the file, unpacked.
        node: the only node that is needed: others with a fault are left out, with a note, instead of
            refusing the file. None: all are needed.
        activity: ns2: SUMO's activity file, whose start and stop say when a node is there.
        geo: fcd: whether x and y are longitude and latitude; None: told from the file, or refused.
        gaps: fcd, gpx: what a node's absence between two samples means; `join` is a straight line.
        dimensions: bonnmotion: 3 where each waypoint is t x y z; None: 2, where that is certain.
        elevation: gpx: z is the elevation above the file's first point; otherwise z is 0.
        speed_mps: gpx: the constant speed along tracks or routes; times of the file are not used then.
        clock_back: gpx, csv: what is done with points whose time is before that of the point above; see
            `pyagent.traces.clock.repaired`.

    Raises:
        TraceError: a value is out of range.
    """

    max_speed_mps: float = 150.0
    max_samples: int = 2_000_000
    max_bytes: int = 256 * 2**20
    node: str | None = None
    activity: Path | None = None
    geo: bool | None = None
    gaps: Literal["refuse", "join"] = "refuse"
    dimensions: Literal[2, 3] | None = None
    elevation: bool = False
    speed_mps: float | None = None
    clock_back: ClockBack = "refuse"

    def __post_init__(self) -> None:
        for name in ("max_speed_mps", "max_samples", "max_bytes", "speed_mps"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise TraceError(f"{name} = {value!r}: must be above 0")
        if self.gaps not in ("refuse", "join"):
            raise TraceError(f"gaps = {self.gaps!r}: not known; valid: refuse, join")
        if self.clock_back not in CLOCK_BACK:
            raise TraceError(f"clock_back = {self.clock_back!r}: not known; valid: {', '.join(CLOCK_BACK)}")
        if self.dimensions not in (None, 2, 3):
            raise TraceError(f"dimensions = {self.dimensions!r}: not known; valid: 2, 3")


COMMON_OPTIONS = frozenset({"max_speed_mps", "max_samples", "max_bytes", "node"})
