"""Clocks that step back: what may be done with the samples after such a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

ClockBack = Literal["refuse", "drop", "shift"]
CLOCK_BACK: tuple[str, ...] = get_args(ClockBack)
"""`refuse` the file; `drop` the samples until the clock has caught up; `shift` all later samples."""


@dataclass(frozen=True)
class Repair:
    """Times that no longer go back.

    Attributes:
        kept: bool [n], the samples that stay.
        times_s: float64 [n], the time of each; never decreasing over those that stay.
        note: a sentence about the change, without the place; None: no time went back.
    """

    kept: NDArray[np.bool_]
    times_s: NDArray[np.float64]
    note: str | None = None


def first_step_back(times_s: NDArray[np.float64]) -> int | None:
    """The index of the first sample that is earlier than the one before it; None: there is none."""
    back = np.diff(times_s) < 0
    return int(np.argmax(back)) + 1 if back.any() else None


def repaired(times_s: NDArray[np.float64], clock_back: ClockBack) -> Repair:
    """Samples in the order of recording, with the effect of a clock that was set back removed.

    Args:
        times_s: float64 [n].
        clock_back: `drop` leaves out every sample before the latest time so far. `shift` takes the clock
            for wrong: the first sample after a step back follows the one before it by the median step of
            the others, and all later samples are moved as far. `refuse` changes nothing.
    """
    steps_s = np.diff(times_s)
    back = steps_s < 0
    everything = np.ones(len(times_s), dtype=np.bool_)
    if clock_back == "refuse" or not back.any():
        return Repair(everything, times_s)
    count = int(np.count_nonzero(back))
    often = "once" if count == 1 else f"{count} times"
    if clock_back == "drop":
        kept = times_s >= np.maximum.accumulate(times_s)
        left_out = len(kept) - int(np.count_nonzero(kept))
        note = f"the clock goes back {often}: {left_out} of an earlier time left out (clock back: drop)"
        return Repair(kept, times_s, note)
    forward = steps_s[steps_s > 0]
    usual_s = float(np.quantile(forward, 0.5, method="lower")) if len(forward) else 1.0
    moved_s = np.cumsum(np.where(back, usual_s - steps_s, 0.0))
    note = (
        f"the clock goes back {often}: later times moved by {moved_s[-1]:.10g} s in all (clock back: shift)"
    )
    return Repair(everything, times_s + np.concatenate([[0.0], moved_s]), note)
