"""A recorded dataset's file: what was played, and its tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_split.packages import default_cache_dir
from llm_split.plain import one_line
from llm_split.texts.catalogue import BUILT_IN
from pyagent.dataset.table import PARTS, Part, RecordedTable, recorded_table
from pyagent.envs.network import is_exact
from pyagent.envs.observation import NAMES
from pyagent.envs.scoring import make_composer
from pyagent.errors import UserError, reason, writing
from pyagent.files import is_file, write_whole
from pyagent.reward import RewardComposer
from pyagent.scenario.carried import CarriedFileError, carry, unpack
from pyagent.scenario.compile import Deployment, deploy
from pyagent.scenario.load import ScenarioError, parse_scenario
from pyagent.scenario.schema import Scenario

FORMAT = 1
KEY = b"splitsim"
CLEAN = "clean_delta_nll"
"""Entry of a dataset's description: part -> dNLL of each split without loss, nats/token."""
SHIPPED = Path(__file__).parent / "shipped"
NEEDED = (
    *("part", "seed", "replicate", "decision", "action", "latency_s", "delta_nll", "ue_energy_j", "failed"),
    *("prompt_loss", "output_loss", "generated_tokens", "output_tokens", "uplink_bytes", "ttft_s", "tpot_s"),
    *(f"obs_{name}" for name in NAMES),
)
"""Columns that learning needs; the others are for those who look closer."""


class DatasetError(UserError):
    """A file is no recorded dataset, or not one for this use."""


@dataclass(frozen=True)
class Dataset:
    """Every split of a scenario on the same seeds.

    Attributes:
        scenario: what was played.
        rows: one per (part, seed, replicate, decision, action), the columns `NEEDED` at least.
        about: versions, the command that made it, its wall-clock seconds.
    """

    scenario: Scenario
    rows: pd.DataFrame
    about: dict[str, Any]

    @cached_property
    def deployment(self) -> Deployment:
        """Splits and sizes."""
        return deploy(self.scenario)

    @cached_property
    def composer(self) -> RewardComposer:
        """The scenario's reward."""
        return make_composer(self.scenario)

    @cached_property
    def clean_delta_nll(self) -> NDArray[np.float64]:
        """dNLL [S] of each split on the training part's prompts when nothing is lost, nats/token.

        A recording that does not state them is older than them; the means of its requests that lost nothing
        stand for them.

        Raises:
            ValueError: the stated ones are no numbers, or a split has no request that lost nothing.
        """
        splits = self.deployment.splits
        if is_exact(self.scenario):
            return np.zeros(len(splits))
        if CLEAN not in self.about:
            return self._means_without_loss()
        try:
            clean = np.array(self.about[CLEAN]["train"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"its {CLEAN} has no numbers of the part train") from error
        if clean.shape != (len(splits),) or not np.isfinite(clean).all():
            raise ValueError(f"its {CLEAN} has shape {clean.shape}, valid: {len(splits)} finite numbers")
        return clean

    def _means_without_loss(self) -> NDArray[np.float64]:
        table, clip = self.train, self.scenario.reward.delta_nll_clip
        generated = table.network[..., 2]
        whole = ~table.lossy & (generated > 0)
        if not (some := whole.any((0, 2))).all():
            split = self.deployment.splits[int(np.argmin(some))]
            raise ValueError(f"it has no {CLEAN}, and no request at split {split} that lost nothing")
        excess = np.where(whole, table.components[..., 1] - clip * (1 - generated), 0.0).sum((0, 2))
        return np.asarray(excess / np.where(whole, generated, 0.0).sum((0, 2)))

    @property
    def switching_cost(self) -> float:
        """The scenario's price of a change of split, which no table holds."""
        return self.composer.weights.switching

    @cached_property
    def train(self) -> RecordedTable:
        """What may be learned from."""
        return self._table("train")

    @cached_property
    def test(self) -> RecordedTable:
        """What everything is judged on."""
        return self._table("test")

    def _table(self, part: Part) -> RecordedTable:
        rows = self.rows[self.rows["part"] == part].assign(reward=0.0)
        table = recorded_table(rows, self.scenario)
        if not np.isfinite(table.contexts).all():  # sizes of requests are read from them
            raise ValueError("contexts are not all finite numbers")
        return table.with_weights(self.composer)

    def save(self, path: Path) -> None:
        """Write one parquet file, whole or not at all."""
        table = pa.Table.from_pandas(self.rows, preserve_index=False)
        carried = carry(self.scenario)
        about = {**self.about, "format": FORMAT, "scenario": carried.scenario, "files": carried.packed()}
        metadata = {**(table.schema.metadata or {}), KEY: json.dumps(about).encode()}
        table = table.replace_schema_metadata(metadata)
        write_whole(path, lambda partial: pq.write_table(table, partial, compression="zstd"))

    def slim(self) -> Dataset:
        """Only what learning needs, in single precision: a tenth of the bytes."""
        narrow = self.rows[list(NEEDED)].copy()
        floats = narrow.select_dtypes("float64").columns
        narrow[floats] = narrow[floats].astype(np.float32)
        for name in ("replicate", "decision", "action", "generated_tokens", "output_tokens"):
            narrow[name] = narrow[name].astype(np.int16)
        return Dataset(self.scenario, narrow, self.about)


def open_dataset(path: Path) -> Dataset:
    """Read what :meth:`Dataset.save` wrote.

    Raises:
        DatasetError: no such file, not a recorded dataset, of another format, or incomplete.
    """
    if not path.is_file():
        raise DatasetError(f"dataset {path}: no such file; `splitsim record SCENARIO --out {path}` makes one")
    try:
        metadata = pq.read_schema(path).metadata or {}
        about = json.loads(metadata[KEY])
        rows = pd.read_parquet(path)
    except (OSError, KeyError, TypeError, ValueError, RecursionError, pa.ArrowException) as error:
        raise DatasetError(f"dataset {path}: is no recorded dataset ({_reason(error)})") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = one_line(repr(about.get("format") if isinstance(about, dict) else None))
        raise DatasetError(f"dataset {path}: has format {found}; this version reads {FORMAT}")
    lacking = [name for name in NEEDED if name not in rows.columns]
    if lacking:
        raise DatasetError(f"dataset {path}: lacks the columns {', '.join(lacking)}")
    more = {name: value for name, value in about.items() if name not in ("format", "scenario", "files")}
    return _whole(Dataset(_scenario(about, path), rows, more), path)


def _scenario(about: dict[str, Any], path: Path) -> Scenario:
    """The scenario of a dataset; its data files are put into the cache."""
    cache = default_cache_dir()
    try:
        data = _with_old_defaults(about["scenario"])
        with writing(f"cache {cache}", DatasetError):
            unpack(about.get("files", {}), cache)
        return parse_scenario(data, "its scenario", cache)
    except (KeyError, CarriedFileError, ScenarioError) as error:
        raise DatasetError(
            f"dataset {path}: {reason(error)}; valid: a dataset recorded by this version of splitsim"
        ) from error


def _with_old_defaults(scenario: Any) -> Any:
    """The scenario with the former defaults of fields that an older recording does not name.

    They are the built-in text and weights as they were loaded.
    """
    if not isinstance(scenario, dict) or not isinstance(scenario.get("model"), dict):
        return scenario
    return {**scenario, "model": {"text": BUILT_IN, "quantise": False, **scenario["model"]}}


def _whole(dataset: Dataset, path: Path) -> Dataset:
    for part in PARTS:
        try:
            table: RecordedTable = getattr(dataset, part)
        except (ValueError, TypeError) as error:  # TypeError: text where numbers should be
            raise DatasetError(f"dataset {path}: {part}: {reason(error)}") from error
        if not len(table):
            raise DatasetError(f"dataset {path}: {part}: has no rows")
        for name in ("contexts", "rewards", "components", "network"):
            if not np.isfinite(getattr(table, name)).all():
                raise DatasetError(f"dataset {path}: {part}: {name} are not all finite numbers")
    try:
        _ = dataset.clean_delta_nll
    except ValueError as error:
        raise DatasetError(f"dataset {path}: {error}; record it again") from error
    return dataset


def _reason(error: Exception) -> str:
    return "its own description is missing" if isinstance(error, KeyError) else reason(error)


def shipped_dataset(name: str) -> Path:
    """The dataset of this name that ships, or `name` as a path.

    Raises:
        DatasetError: neither is there.
    """
    found = SHIPPED / f"{name}.parquet"
    if is_file(found):
        return found
    if not is_file(Path(name)):
        ships = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.parquet")))
        raise DatasetError(
            f"dataset {one_line(name)!r}: no such file, and none of that name ships; valid: {ships}"
        )
    return Path(name)
