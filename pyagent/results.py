"""Tables of a result store: what was run, what came out, and how sure that is.

import pyagent.results
frame = pyagent.results.load("runs/store", where={"scenario": "default"})
pyagent.results.summary(frame, "reward")
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import ValidationError

from llm_split.problems import describe_problems
from pyagent.errors import UserError, reading
from pyagent.evaluation.statistics import mean_interval
from pyagent.sweep.spec import look_up, settings
from pyagent.sweep.store import INDEX, StoreError, open_index, store_errors, table_path

if TYPE_CHECKING:
    import xarray

DEFAULT_STORE = Path("runs/store")
Where = Mapping[str, Any]
"""Column or dotted path of a sweep file -> the value that is wanted."""
_ALWAYS = ("scenario", "dataset", "agent.budget")
_POLICY = "policy"


class ResultsError(UserError):
    """What is asked for isn't in the store."""


def load(
    store: Path | str = DEFAULT_STORE,
    *,
    where: Where | None = None,
    columns: Sequence[str] = (),
    keys: Collection[str] | None = None,
) -> pd.DataFrame:
    """Results of finished runs, one row for each run and policy.

    The same runs give the same table, whoever made them when: times and machines are in `runs`.

    Args:
        store: folder.
        where: only rows with these values.
        columns: more dotted paths to show; those that any sweep varied are always there.
        keys: only these runs.

    Returns:
        Columns `key`, dotted paths, `seed`, `policy`, then metrics; units are in the names.

    Raises:
        StoreError: no store, or one of another version.
        ResultsError: `where` or `columns` names what no run has.
    """
    place = Path(store)
    with _reading(place), closing(open_index(place)) as db:
        told = _told(db, "state = 'finished'", [*columns, *(where or {})])
        rows = [
            {**told[key], _POLICY: policy, **json.loads(metrics)}
            for key, policy, metrics in db.execute("SELECT key, policy, metrics FROM results ORDER BY place")
            if key in told and (keys is None or key in keys)
        ]
        paths = _shown(db, columns)
    return _filtered(rows, ["key", *paths, "seed", _POLICY], where)


def runs(
    store: Path | str = DEFAULT_STORE, *, where: Where | None = None, columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Every run: `state` (claimed, finished, failed), `wall_s`, `host`, `changed_at`, `sweep`, `error`.

    Args and errors are those of `load`.
    """
    place = Path(store)
    names = ("state", "wall_s", "host", "changed_at", "sweep", "error")
    with _reading(place), closing(open_index(place)) as db:
        told = _told(db, "TRUE", [*columns, *(where or {})])
        found = db.execute(f"SELECT key, {', '.join(names)} FROM runs")
        rows = [{**told[key], **dict(zip(names, more, strict=True))} for key, *more in found]
        paths = _shown(db, columns)
    return _filtered(rows, ["key", *paths, "seed", *names], where)


def states(store: Path | str = DEFAULT_STORE) -> dict[str, str]:
    """State of every run by key; empty where there is no store yet."""
    place = Path(store)
    if not (place / INDEX).is_file():
        return {}
    with store_errors(place), closing(open_index(place)) as db:
        return dict(db.execute("SELECT key, state FROM runs"))


def rerun(store: Path | str, key: str) -> pd.DataFrame:
    """Make a run again, in this process; an error is raised as it comes, and the store stays as it is.

    Args:
        store: folder.
        key: or its first digits.

    Returns:
        Its metrics, one row for each policy.

    Raises:
        ResultsError: no run, or several, with such a key; or a file that it needs is not here.
    """
    from pyagent.sweep.execute import execute
    from pyagent.sweep.spec import RunSpec

    place = Path(store)
    with store_errors(place), closing(open_index(place)) as db:
        found = db.execute("SELECT spec FROM runs WHERE substr(key, 1, ?) = ?", (len(key), key)).fetchall()
    if len(found) != 1:
        raise ResultsError(
            f"key = {key!r}: {len(found)} runs have such a key; valid: the first digits of one"
        )
    try:
        spec = RunSpec.model_validate_json(found[0][0], context={"folder": place})
    except ValidationError as error:
        problem = describe_problems(error, json.loads(found[0][0]), RunSpec)
        raise ResultsError(f"run {key} can't be made again here: {problem}") from error
    outcome = execute(spec)
    rows = [{_POLICY: policy, **metrics} for policy, metrics in outcome.metrics.items()]
    made: pd.DataFrame = pd.DataFrame(rows)
    return made


def tables(
    store: Path | str = DEFAULT_STORE, *, where: Where | None = None
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Key and own table of each finished run: decisions of a live run, checkpoints of a recorded one."""
    found = runs(store, where=where)
    for key in found.loc[found["state"] == "finished", "key"]:
        yield key, pd.read_parquet(table_path(Path(store), key))


def summary(frame: pd.DataFrame, metric: str = "reward") -> pd.DataFrame:
    """A metric's mean over seeds, with its 95 % interval over seeds (Student's).

    Args:
        frame: of `load`.
        metric: one of its columns.

    Returns:
        One row for each combination and policy: `seeds`, `mean`, `low`, `high`; without an interval (NaN)
        where there is one seed.

    Raises:
        ResultsError: there is no such metric.
    """
    require_metric(frame, metric)
    groups = [name for name in settings_of(frame) if name != "seed"] + [_POLICY]
    rows = []
    for values, part in frame.groupby(groups, sort=False, dropna=False):
        values_of_seeds = part[metric].dropna().to_numpy(dtype=float)
        told = dict(zip(groups, values, strict=True)) | {"seeds": len(values_of_seeds)}
        if len(values_of_seeds):
            told["mean"] = float(values_of_seeds.mean())
        if len(values_of_seeds) > 1:
            interval = mean_interval(values_of_seeds)
            told |= {"low": interval.low, "high": interval.high}
        rows.append(told)
    found: pd.DataFrame = pd.DataFrame(rows, columns=[*groups, "seeds", "mean", "low", "high"])
    return found


def require_metric(frame: pd.DataFrame, metric: str) -> None:
    """Raise ResultsError unless a table has this metric."""
    if metric not in metrics_of(frame):
        raise ResultsError(f"metric = {metric!r}: no such metric; valid: {', '.join(metrics_of(frame))}")


def settings_of(frame: pd.DataFrame) -> list[str]:
    """Columns that say what was run: those between `key` and `policy`."""
    names = list(frame.columns)
    return names[1 : names.index(_POLICY)]


def metrics_of(frame: pd.DataFrame) -> list[str]:
    """Columns that say what came out."""
    names = list(frame.columns)
    return names[names.index(_POLICY) + 1 :]


def as_xarray(frame: pd.DataFrame) -> xarray.Dataset:
    """A table of `load` as arrays, a dimension for each setting that has more than one value, and policy.

    Raises:
        ResultsError: xarray isn't installed.
    """
    try:
        import xarray  # noqa: F401 (pandas needs it)
    except ImportError as error:
        raise ResultsError("xarray is not installed; install ns3-llm-split[xarray]") from error
    varied = [name for name in settings_of(frame) if frame[name].nunique(dropna=False) > 1]
    found: xarray.Dataset = frame.set_index([*varied, _POLICY])[metrics_of(frame)].to_xarray()
    return found


@contextmanager
def _reading(store: Path) -> Iterator[None]:
    """A store may be anyone's: whatever its index holds, a refusal is one line."""
    with reading(f"store {store}", StoreError), store_errors(store):
        yield


def _shown(db: sqlite3.Connection, columns: Sequence[str]) -> list[str]:
    """Dotted paths that are columns of a table."""
    swept = [path for (path,) in db.execute("SELECT path FROM swept ORDER BY path")]
    return list(dict.fromkeys([*_ALWAYS, *swept, *columns]))


def _told(db: sqlite3.Connection, condition: str, more: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What each run was: key, dotted paths, seed."""
    paths = _shown(db, more)
    found = {}
    for key, spec in db.execute(f"SELECT key, spec FROM runs WHERE {condition}"):
        told = settings(json.loads(spec))
        found[key] = {"key": key, **{path: look_up(told, path) for path in paths}, "seed": told["seed"]}
    return found


def _filtered(rows: list[dict[str, Any]], first: Sequence[str], where: Where | None) -> pd.DataFrame:
    """A table of the rows that are wanted, by setting and seed."""
    for path, wanted in (where or {}).items():
        if rows and all(row.get(path) is None for row in rows):
            raise ResultsError(f"{path} = {wanted!r}: no run has {path!r}; valid: {', '.join(first)}, ...")
        rows = [row for row in rows if row.get(path) == wanted or str(row.get(path)) == str(wanted)]
    others = dict.fromkeys(name for row in rows for name in row)
    hidden = set(where or {}) - set(first) - {_POLICY}
    names = [*first, *(name for name in others if name not in first and name not in hidden)]
    table = pd.DataFrame(rows, columns=names)
    order = [*first[1 : first.index("seed")], "seed", "key"]
    ordered: pd.DataFrame = table.sort_values(order, key=_sortable, kind="stable", ignore_index=True)
    return ordered


def _sortable(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers as numbers; where there is anything else, all as text."""
    return column if pd.api.types.is_numeric_dtype(column) else column.map(str)
