"""How long the other side is waited for; time in which this process itself could not run is left out."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Iterable

LOOK_S = 1.0
"""The longest sleep. One that took much longer than it was to take says that this process was stopped."""


class Patience:
    """The time that is left of a wait.

    Ctrl-Z, a batch system or a frozen container stops the agent, and mostly the simulator with it: when both
    go on, the simulator has not been silent for that long.

    Args:
        timeout_s: longest wait in seconds, from now on.
    """

    def __init__(self, timeout_s: float) -> None:
        self._deadline_s = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds that are left; 0 when it is over."""
        return max(0.0, self._deadline_s - time.monotonic())

    def leave_out(self, begun_s: float, longest_s: float) -> None:
        """Give back the time in which this process was stopped.

        Args:
            begun_s: when a sleep began, on the clock of `time.monotonic`; it ends now.
            longest_s: how long it should have taken at most.
        """
        stopped_s = time.monotonic() - begun_s - longest_s
        if stopped_s > LOOK_S:
            self._deadline_s += stopped_s


def sleep(poller: select.poll, waits: Iterable[Patience], most_s: float = LOOK_S) -> None:
    """Until something that the poller watches happens, for at most a second, and no longer than any may wait.

    Args:
        poller: with all that can end the wait.
        waits: those who wait.
        most_s: a shorter bound of the sleep.
    """
    waiting = list(waits)
    longest_s = min([LOOK_S, most_s, *(patience.left_s for patience in waiting)])
    begun_s = time.monotonic()
    poller.poll(math.ceil(longest_s * 1000))
    for patience in waiting:
        patience.leave_out(begun_s, longest_s)
