"""What a run folder holds, as the figures need it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from llm_split.devices import CardError, load_shape
from pyagent.envs.observation import NAMES
from pyagent.errors import reading
from pyagent.evaluation.explain import Explanation, Told, explain
from pyagent.scenario.load import ScenarioError, load_scenario
from pyagent.scenario.preview import Preview
from pyagent.scenario.schema import Scenario

FOCUS = ("surrogate-argmax", "ppo-imagination", "threshold", "best-static")
"""Policies by how much they have to show on a map or over time."""

PREVIEW = "preview.json"


class MissingDataError(Exception):
    """The run folder lacks what a figure draws; the text says what."""


class NothingToDrawError(MissingDataError):
    """Runs like this one never have what the figure draws."""


def read_table(run: Path, name: str, columns: Iterable[str]) -> pd.DataFrame:
    """A parquet table of the run.

    Args:
        run: run folder.
        name: file name without suffix.
        columns: those that the figure can't do without.

    Raises:
        MissingDataError: no such file, it can't be read, it has no rows, or a column is missing.
    """
    path = run / f"{name}.parquet"
    if not path.is_file():
        raise MissingDataError(f"there is no {path.name}")
    with reading(path.name, MissingDataError):
        table: pd.DataFrame = pd.read_parquet(path)
    lacking = sorted(set(columns) - set(table.columns))
    if lacking:
        raise MissingDataError(f"{path.name} lacks {', '.join(lacking)}")
    if table.empty:
        raise MissingDataError(f"{path.name} has no rows")
    return table


def read_summary(run: Path) -> dict[str, Any]:
    """`summary.json`, or an empty dictionary where there is none that can be read."""
    try:
        summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return summary if isinstance(summary, dict) else {}


def read_scenario(run: Path) -> Scenario:
    """The run's scenario.

    Raises:
        MissingDataError: `config.yaml` is not there or not valid.
    """
    path = run / "config.yaml"
    if not path.is_file():
        raise MissingDataError("there is no config.yaml")
    try:
        return load_scenario(path)
    except ScenarioError as error:
        raise MissingDataError(str(error)) from error


def read_preview(run: Path) -> Preview | None:
    """`preview.json`: the first test episode as ns-3 shows it; None where there is none that can be read."""
    try:
        return Preview.from_json(json.loads((run / PREVIEW).read_text(encoding="utf-8")))
    except (OSError, LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        return None


def num_layers(scenario: Scenario) -> int:
    """L of the deployed model.

    Raises:
        MissingDataError: the model has no shape card.
    """
    try:
        return load_shape(scenario.model.deployed).num_layers
    except CardError as error:
        raise MissingDataError(str(error)) from error


def proxy_note(run: Path) -> str:
    """What stands in small print on every figure; empty where the deployed model itself was run."""
    note = read_summary(run).get("proxy_note")
    if isinstance(note, str):
        return note
    try:
        return read_scenario(run).model.proxy_note
    except MissingDataError:
        return ""


def with_reward(policies: Any) -> dict[str, dict[str, Any]]:
    """Of the policies of `summary.json` those that have a reward, in their order."""
    return {
        str(name): entry
        for name, entry in (policies.items() if isinstance(policies, dict) else ())
        if isinstance(entry, dict) and np.isfinite(as_number(entry.get("reward")))
    }


def phase_rows(run: Path, phase: str, columns: Iterable[str]) -> pd.DataFrame:
    """Rows of one phase of `decisions.parquet`.

    Raises:
        MissingDataError: see `read_table`; or the phase has no rows.
    """
    table = read_table(run, "decisions", {"phase", "policy", *columns})
    rows: pd.DataFrame = table[table["phase"] == phase]
    if rows.empty:
        raise MissingDataError(f"decisions.parquet has no rows of phase {phase!r}")
    return rows


def judged_rows(run: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Test decisions of every policy of `summary.json`, in its order.

    A policy that holds one split and was not played live has the oracle's runs of that split.

    Raises:
        MissingDataError: see `read_table`; or there are no such decisions.
    """
    table = read_table(run, "decisions", {"phase", "policy", "split", *columns})
    tested, static = (table[table["phase"] == phase] for phase in ("test", "oracle"))
    summary = read_summary(run)
    held = {
        "min-split": static["split"].min(),
        "all-local": _all_local(run),
        "best-static": best if isinstance(best := summary.get("best_static_split"), int) else None,
    }
    policies = summary.get("policies")
    found = []
    for name in policies if isinstance(policies, dict) else dict.fromkeys(tested["policy"]):
        rows = tested[tested["policy"] == name]
        if rows.empty and name in held:
            rows = static[static["split"] == held[name]].assign(policy=name)
        found.append(rows)
    judged: pd.DataFrame = pd.concat(found, ignore_index=True) if found else tested
    if judged.empty:
        raise MissingDataError("decisions.parquet has no test decisions")
    return judged


def _all_local(run: Path) -> int | None:
    """L, None where the scenario is not known."""
    try:
        return num_layers(read_scenario(run))
    except MissingDataError:
        return None


def focus_policy(run: Path, tested: Sequence[str]) -> str:
    """The user's own policy where one was tested (`guests` of summary.json), else the first of `FOCUS`."""
    guests = read_summary(run).get("guests", [])
    return next((name for name in (*guests, *FOCUS) if name in tested), tested[0])


def focus_episode(run: Path, columns: Iterable[str]) -> pd.DataFrame:
    """One episode to look at: first test seed and replicate, of the first policy that has something to show.

    Returns:
        Its decisions in time order, at least one.

    Raises:
        MissingDataError: see `phase_rows`; or every arrival time is NaN.
    """
    rows = phase_rows(run, "test", {"seed", "replicate", "arrival_s", *columns})
    policy = focus_policy(run, list(dict.fromkeys(rows["policy"])))
    rows = rows[(rows["policy"] == policy) & rows["arrival_s"].notna()]
    for key in ("seed", "replicate"):
        rows = rows[rows[key] == rows[key].min()]
    if rows.empty:
        raise MissingDataError(f"decisions.parquet has no dated test decisions of {policy}")
    ordered: pd.DataFrame = rows.sort_values("arrival_s")
    return ordered


def column(rows: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column as float64 [rows]."""
    return rows[name].to_numpy(dtype=np.float64)


def read_told(run: Path) -> dict[str, Told]:
    """What the run's policies say of themselves, by name; those whose entry can't be read are left out."""
    rules = read_summary(run).get("rules")
    told = {}
    for name, entry in rules.items() if isinstance(rules, dict) else ():
        with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError):
            told[str(name)] = Told.from_json(entry)
    return told


def explained(
    run: Path, policy: str | None = None, features: Sequence[str] | None = None
) -> tuple[pd.DataFrame, dict[str, Explanation]]:
    """Test decisions of every policy, and when each plays which split.

    Args:
        run: run folder.
        policy: the only one to explain; None: all.
        features: see `pyagent.evaluation.explain.explain`.

    Raises:
        MissingDataError: see `judged_rows`; or the decisions can't be explained.
    """
    rows = judged_rows(run, ("seed", *(f"obs_{name}" for name in NAMES)))
    rows = rows if policy is None else rows[rows["policy"] == policy]
    with reading("decisions.parquet", MissingDataError):
        return rows, explain(rows, read_told(run), features)


def as_number(value: Any) -> float:
    """A number of `summary.json`; NaN for None, a missing or another kind of value."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def as_interval(value: Any) -> tuple[float, float]:
    """A [low, high] of `summary.json`; NaN, NaN for anything else."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return as_number(value[0]), as_number(value[1])
    return float("nan"), float("nan")
