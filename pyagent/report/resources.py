"""What a run cost, and what each policy's requests cost."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pyagent.plots.data import MissingDataError, judged_rows, num_layers, read_scenario
from pyagent.report.files import Run
from pyagent.report.table import Grid

MEANS: Mapping[str, tuple[str, float, str]] = MappingProxyType(
    {
        "ue_compute_energy_j": ("UE computing J", 1.0, ".2f"),
        "ue_radio_energy_j": ("UE radio J", 1.0, ".2f"),
        "edge_compute_s": ("edge computing ms", 1e3, ".0f"),
        "edge_queue_s": ("edge queue ms", 1e3, ".1f"),
        "uplink_bytes": ("up kB", 1e-3, ".0f"),
        "downlink_bytes": ("down kB", 1e-3, ".2f"),
        "retries": ("steps re-sent", 1.0, ".2f"),
    }
)
"""Columns of decisions.parquet, the means of which are shown: title, factor to its unit, format."""

MIB = 2**20


def phases(run: Run) -> Grid:
    """What each phase of the run did, and how long it took."""
    done = run.summary.get("evaluations", {})
    rows = [
        [
            name,
            str(done[name]["decisions"]) if name in done else "",
            str(done[name]["forward_passes"]) if name in done else "",
            f"{seconds:.1f}",
        ]
        for name, seconds in run.summary.get("phase_s", {}).items()
    ]
    return Grid(["phase", "decisions", "LLM forward passes", "seconds"], rows)


def memory(run: Run) -> str:
    """The most memory that was used, in a sentence; empty where the run didn't note it."""
    peak = run.summary.get("peak_memory_bytes")
    if not isinstance(peak, int):
        return ""
    return f"Most memory of agent and language model: {peak / MIB:,.0f} MiB. The simulators are not in it."


def per_request(run: Run) -> Grid:
    """Means per request of each policy: energy, load, bytes.

    Raises:
        MissingDataError: there are no test decisions with these columns.
    """
    rows = judged_rows(run.path, MEANS)
    layers = num_layers(read_scenario(run.path))
    means = rows.groupby("policy", sort=False)[["split", *MEANS]].mean()
    if means.empty:
        raise MissingDataError("decisions.parquet has no test decisions")
    return Grid(
        ["policy", *(title for title, _, _ in MEANS.values()), "blocks on UE %"],
        [
            [
                str(policy),
                *(f"{factor * row[name]:{shown}}" for name, (_, factor, shown) in MEANS.items()),
                f"{100 * row['split'] / layers:.0f}",
            ]
            for policy, row in means.iterrows()
        ],
    )
