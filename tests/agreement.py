"""Comparison with an independent reference, and how near it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

PROPERTY = "agreement"
"""Of a test's report: what `python -m benchmarks.validity` makes its table of."""


class Agreement:
    """Fails where found values are further from the expected ones than allowed, and tells how far they are.

    Args:
        tell: keeps a property with the test's report, as pytest's `record_property`.
    """

    def __init__(self, tell: Callable[[str, object], None]) -> None:
        self._tell = tell

    def __call__(
        self,
        promise: str,
        found: ArrayLike,
        expected: ArrayLike,
        *,
        origin: str,
        within: float | None = None,
        share: float | None = None,
        unit: str = "",
    ) -> None:
        """Compare; exactly one of `within` and `share` is given.

        Args:
            promise: the quantity; those of one name become one row of the table.
            found: what our code gives, any shape.
            expected: what the reference gives, of the same shape or one number.
            origin: where the reference comes from.
            within: largest difference allowed, in `unit`.
            share: largest difference allowed, as a share of the expected value.
            unit: of the values.
        """
        assert (within is None) != (share is None), "give either within or share"
        ours, reference = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
        assert ours.size > 0, f"{promise}: nothing to compare"
        assert reference.shape in ((), ours.shape), f"{promise}: {ours.shape} against {reference.shape}"
        difference = np.abs(ours - reference)
        if share is not None:
            difference = difference / np.abs(reference)
        tolerance, largest = share if within is None else within, float(difference.max())
        row: dict[str, Any] = {
            "promise": promise,
            "origin": origin,
            "unit": unit if share is None else "%",
            "tolerance": tolerance if share is None else 100 * share,
            "largest": largest if share is None else 100 * largest,
            "values": ours.size,
        }
        self._tell(PROPERTY, row)
        worst = np.unravel_index(int(np.argmax(difference)), difference.shape)
        assert largest <= tolerance, (
            f"{promise}: {ours[worst]:.9g} instead of "
            f"{np.broadcast_to(reference, ours.shape)[worst]:.9g} {unit}, off by {row['largest']:.3g} "
            f"{row['unit']}, allowed {row['tolerance']:.3g}"
        )
