"""What the slider of a report moves through: test episodes decision by decision, and tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyagent.plots import style
from pyagent.plots.data import (
    MissingDataError,
    column,
    focus_policy,
    judged_rows,
    num_layers,
    read_scenario,
    read_table,
)
from pyagent.report.files import Run
from pyagent.report.markup import rounded

DECISIONS_SHOWN = 6000
"""Most decisions in one page: whole episodes are left out beyond, so that a phone can open it."""

TOKENS_SHOWN = 40_000
"""Most token rows in one page."""

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "t": "arrival_s",
        "x": "x_m",
        "y": "y_m",
        "split": "split",
        "latency": "latency_s",
        "ttft": "ttft_s",
        "nll": "delta_nll",
        "reward": "reward",
        "loss": "loss",
        "radio": "loss_radio",
        "queue": "loss_queue",
        "late": "loss_late",
        "unsent": "loss_unsent",
    }
)
"""What the page knows of each decision, and its column. Seconds, metres, shares of 1, nat/token."""

OPTIONAL: Mapping[str, str] = MappingProxyType(
    {"snr": "obs_snr_db", "rate": "obs_phy_rate_mbps", "edge_wait": "edge_queue_s"}
)
"""The same, where the run has it. dB, Mbit/s, seconds."""

TOKEN_PARTS = ("ue_s", "uplink_s", "resend_s", "edge_s", "rest_s")
_LOST = ("lost_radio", "lost_queue", "lost_late", "lost_unsent")
_KEYS = ("policy", "seed", "replicate")


@dataclass(frozen=True, eq=False)
class Episodes:
    """Test episodes of every policy.

    Attributes:
        policies: names, the one to look at first in front.
        rows: their decisions, those of one episode in order of time; oracle_split is NaN where not known.
        tokens: rows of tokens.parquet of the same episodes.
        no_tokens: why a request that has none here has none.
        layers: L.
        left_out: what is not here, as a sentence; empty where all is.
    """

    policies: tuple[str, ...]
    rows: pd.DataFrame
    tokens: pd.DataFrame
    no_tokens: str
    layers: int
    left_out: str

    @property
    def places_m(self) -> NDArray[np.float64]:
        """Where decisions were made, float64 [decisions, 2]."""
        return np.column_stack([column(self.rows, name) for name in ("x_m", "y_m")])

    def to_json(self) -> dict[str, Any]:
        """As the page's script reads it: columns of each episode, rows of each request's tokens."""
        splits = sorted({int(split) for split in self.rows["split"]} | self._oracle_splits())
        return {
            "layers": self.layers,
            "splits": {str(s): colour for s, colour in style.split_colours(splits, self.layers).items()},
            "left_out": self.left_out,
            "no_tokens": self.no_tokens,
            "episodes": [self._episode(key, rows) for key, rows in self._ordered()],
            "tokens": {"/".join(map(str, key)): _token_rows(rows) for key, rows in _grouped(self.tokens)},
        }

    def _ordered(self) -> list[tuple[tuple[Any, ...], pd.DataFrame]]:
        return sorted(_grouped(self.rows), key=lambda item: (self.policies.index(item[0][0]), *item[0][1:]))

    def _oracle_splits(self) -> set[int]:
        return {int(split) for split in self.rows["oracle_split"].dropna()}

    def _episode(self, key: tuple[Any, ...], rows: pd.DataFrame) -> dict[str, Any]:
        known = {**COLUMNS, **{name: c for name, c in OPTIONAL.items() if c in rows.columns}}
        return {
            **dict(zip(_KEYS, map(_plain, key), strict=True)),
            "decision": [int(number) for number in rows["decision"]],
            "failed": [bool(failed) for failed in rows["failed"]],
            "oracle": rounded(rows["oracle_split"]),
            **{name: rounded(rows[column]) for name, column in known.items()},
        }


def read_episodes(run: Run) -> Episodes:
    """Test episodes as far as one page holds them: the same seeds of every policy.

    Raises:
        MissingDataError: there are no test decisions, or the scenario can't be read.
    """
    layers = num_layers(read_scenario(run.path))
    rows = judged_rows(run.path, (*_KEYS[1:], "decision", "failed", *COLUMNS.values()))
    tested = list(dict.fromkeys(rows["policy"]))
    policies = tuple(dict.fromkeys([focus_policy(run.path, tested), *tested]))
    rows = rows[rows["arrival_s"].notna()].sort_values([*_KEYS[1:], "arrival_s"], kind="stable")
    rows = _with_oracle(run, rows)
    if rows.empty:
        raise MissingDataError("decisions.parquet has no dated test decisions")
    shown, left_out = _what_fits(rows, len(policies))
    tokens, why = _tokens(run, shown)
    return Episodes(policies, shown, tokens, why, layers, left_out)


def _with_oracle(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    try:
        oracle = read_table(run.path, "oracle", ("seed", "decision", "split"))
    except MissingDataError:
        unknown: pd.DataFrame = rows.assign(oracle_split=np.nan)
        return unknown
    best = oracle[["seed", "decision", "split"]].drop_duplicates(["seed", "decision"])
    joined: pd.DataFrame = rows.merge(
        best.rename(columns={"split": "oracle_split"}), on=["seed", "decision"], how="left"
    )
    return joined


def _what_fits(rows: pd.DataFrame, policies: int) -> tuple[pd.DataFrame, str]:
    """As many (seed, replicate) as fit, whole if one of them fits, and what that leaves out."""
    most = max(1, DECISIONS_SHOWN // policies)
    short = rows.groupby(list(_KEYS)).head(most)
    sizes = short.groupby(["replicate", "seed"]).size().cumsum()
    fitting = sizes.index[(sizes <= DECISIONS_SHOWN) | (np.arange(len(sizes)) == 0)]
    kept = pd.MultiIndex.from_frame(short[["replicate", "seed"]]).isin(fitting)
    shown: pd.DataFrame = short[kept]
    missing = rows.groupby(list(_KEYS)).ngroups - shown.groupby(list(_KEYS)).ngroups
    said = [f"{missing} more episodes are in decisions.parquet."] if missing else []
    said += [f"Only the first {most} decisions of an episode are here."] if len(short) < len(rows) else []
    return shown, " ".join(said)


def _tokens(run: Run, shown: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    columns = (*_KEYS, "decision", "token", "begun_s", *TOKEN_PARTS, "resent", "fragments", *_LOST)
    try:
        tokens = read_table(run.path, "tokens", columns)
    except MissingDataError as error:
        return pd.DataFrame(columns=list(columns)), str(error)
    request = [*_KEYS, "decision"]
    there = pd.MultiIndex.from_frame(tokens[request]).isin(pd.MultiIndex.from_frame(shown[request]))
    kept: pd.DataFrame = tokens[there]
    sizes = kept.groupby("decision").size().cumsum()
    fitting = sizes.index[sizes <= TOKENS_SHOWN]
    if len(fitting) == len(sizes):
        return kept, "they are kept of policies that play live only"
    return (
        kept[kept["decision"].isin(fitting)],
        f"a page holds those of the first {len(fitting)} requests of policies that play live only",
    )


def _grouped(rows: pd.DataFrame) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    for key, group in rows.groupby(list(_KEYS), sort=False):
        assert isinstance(key, tuple)
        yield key, group


def _token_rows(rows: pd.DataFrame) -> dict[str, list[list[Any]]]:
    """By decision: start, parts in milliseconds, times sent again, fragments, of which lost."""
    table = pd.DataFrame(
        {
            **{name: rounded(1e3 * rows[name]) for name in ("begun_s", *TOKEN_PARTS)},
            "resent": rows["resent"].to_numpy(),
            "fragments": rows["fragments"].to_numpy(),
            "lost": rows[list(_LOST)].sum(axis=1).to_numpy(),
        },
        dtype=object,
    )
    groups = table.groupby(rows["decision"].to_numpy(), sort=False)
    return {str(decision): group.to_numpy().tolist() for decision, group in groups}


def _plain(value: Any) -> Any:
    """numpy's numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else value
