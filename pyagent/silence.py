"""How long ns-3 may be silent."""

from __future__ import annotations

import math
import os

from pyagent.errors import UserError

STEP_TIMEOUT_S = 300.0
"""Unless SPLITSIM_STEP_TIMEOUT_S says otherwise."""


def step_timeout_s() -> float:
    """How long ns-3 may be silent before it is given up.

    Raises:
        UserError: SPLITSIM_STEP_TIMEOUT_S is no number of seconds above 0.
    """
    said = os.environ.get("SPLITSIM_STEP_TIMEOUT_S")
    if said is None:
        return STEP_TIMEOUT_S
    try:
        found = float(said)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise UserError(f"SPLITSIM_STEP_TIMEOUT_S = {said!r}: valid: seconds, more than 0")
    return found
