"""Whether a policy's decisions meet the scenario's targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pyagent.reward import FloatArray
from pyagent.scenario.schema.targets import ACCEPTED_SHARE

Verdict = dict[str, Any]


def judge(rows: pd.DataFrame, targets: Mapping[str, float]) -> dict[str, Verdict]:
    """Pass or fail of each target, JSON-ready.

    Args:
        rows: decisions of one policy; columns ttft_s, tpot_s, latency_s, delta_nll, ue_energy_j, failed.
        targets: name -> what is accepted at most, names as in `Targets`.

    Returns:
        name -> `target`, `value` (of the statistic that is judged: the 95th percentile of a time, the mean of
        the rest; None where that request failed or, for TPOT, none asked for two tokens), `passed`.
    """
    return {name: _verdict(rows, name, target) for name, target in targets.items()}


def _verdict(rows: pd.DataFrame, name: str, target: float) -> Verdict:
    if name in ("delta_nll", "ue_energy_j"):
        value = float(rows[name].mean())
    else:
        times_s = _times_s(rows, name)
        # With no request to judge there is none that breaks it.
        if not times_s.size:
            return {"target": target, "value": None, "passed": True}
        # The smallest time that this share of the requests keeps; infinite ones sort last.
        value = float(np.quantile(times_s, ACCEPTED_SHARE, method="inverted_cdf"))
    return {"target": target, "value": value if np.isfinite(value) else None, "passed": value <= target}


def _times_s(rows: pd.DataFrame, name: str) -> FloatArray:
    """Seconds of each request that has this time, infinite where it failed."""
    column = {"completion_s": "latency_s"}.get(name, name)
    times_s = rows[column].to_numpy(dtype=np.float64, copy=True)
    failed = rows["failed"].to_numpy(dtype=bool)
    # A request for one token has no time per token; all else that is missing was lost by a failure.
    times_s[failed] = np.inf
    kept: FloatArray = times_s[~np.isnan(times_s)]
    return kept
