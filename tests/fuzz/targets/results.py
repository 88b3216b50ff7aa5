"""Recorded datasets, run folders, result stores, profiles: what was measured before."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from pyagent.commands.profile import read_profile
from pyagent.dataset import open_dataset
from pyagent.envs.observation import NAMES
from pyagent.envs.seed_quality import TABLE_FILE, QualityTable
from pyagent.errors import UserError
from pyagent.evaluation.rules import StepRule
from pyagent.plots.data import MissingDataError, explained, judged_rows, proxy_note, read_scenario
from pyagent.report.files import open_run
from pyagent.results import load, runs, summary
from pyagent.sweep.execute import Failure, Outcome
from pyagent.sweep.file import load_sweep
from pyagent.sweep.store import Store
from tests.fuzz.structured import damaged_json, damaged_parquet
from tests.fuzz.target import FileTarget, FolderTarget
from tests.fuzz.targets.checkpoints import small_dataset


class Datasets(FileTarget):
    """A recorded dataset, from anywhere."""

    name = "dataset"
    file_name = "dataset.parquet"

    def seeds(self) -> Sequence[bytes]:
        path = self.folder / "seed.parquet"
        small_dataset().save(path)
        return [path.read_bytes()]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_parquet(data, rng)

    def load(self, path: Path) -> None:
        dataset = open_dataset(path)
        for table in (dataset.train, dataset.test):
            assert np.isfinite(table.contexts).all()
            assert np.isfinite(table.rewards).all()


class Runs(FolderTarget):
    """The folder of a run, as reports and figures read it."""

    name = "run-folder"
    refusals = (UserError, MissingDataError)

    def make(self, folder: Path, number: int) -> None:
        scenario = small_dataset().scenario
        policies = {"threshold": {"reward": -1.5}, "best-static": {"reward": -2}}
        (folder / "config.yaml").write_text(scenario.model_dump_json())
        (folder / "meta.json").write_text(json.dumps({"status": "finished", "tool": "splitsim"}))
        rules = {"threshold": StepRule("snr_db", (17.0,), (32, 1)).to_json()}
        found = {"policies": policies, "best_static_split": 8, "rules": rules}
        (folder / "summary.json").write_text(json.dumps(found))
        observed = {f"obs_{name}": 20.0 for name in NAMES}
        rows = [
            {
                "phase": phase,
                "policy": policy,
                "split": 8,
                "reward": -1.5,
                "seed": 1,
                "decision": number,
                **observed,
            }
            for phase, policy in (("test", "threshold"), ("oracle", "static-8"))
            for number in range(2)
        ]
        pd.DataFrame(rows).to_parquet(folder / "decisions.parquet", index=False)

    def load(self, folder: Path) -> None:
        run = open_run(folder)
        assert isinstance(run.summary["policies"], dict)
        assert isinstance(proxy_note(folder), str)
        read_scenario(folder)
        assert len(judged_rows(folder, ("reward",)))
        assert explained(folder)[1]


class Stores(FolderTarget):
    """A result store, from anywhere."""

    name = "store"

    def make(self, folder: Path, number: int) -> None:
        sweep = folder / "sweep.yaml"
        sweep.write_text(json.dumps({"name": "a", "base": {"dataset": "tram-replay"}}))
        spec = load_sweep(sweep).points[0].model_copy(update={"dataset": Path("tram-replay")})
        sweep.unlink()
        with Store(folder) as store:
            store.remember_swept(["scenario.reward.slo_s"])
            for key in ("ab12", "cd34"):
                store.claim(key, spec, "a")
            store.finish("ab12", Outcome({"threshold": {"reward": -1.5, "regret": None}}, b"", 2.5, "here"))
            store.fail("cd34", Failure("it broke", "here"))

    def load(self, folder: Path) -> None:
        runs(folder)
        found = load(folder)
        if len(found) and "reward" in found.columns:
            summary(found, "reward")


class Profiles(FolderTarget):
    """The folder of a profile, as `splitsim profile` compares it with others."""

    name = "profile"

    def make(self, folder: Path, number: int) -> None:
        (folder / "profile.csv").write_text(_profile_csv())

    def load(self, folder: Path) -> None:
        read_profile(folder)


@cache
def _profile_csv() -> str:
    head = "model,num_layers,split,codec,channel,loss,burst_packets,concealment,interleaving,windows"
    head += ",delta_nll,delta_nll_stderr,delta_nll_low,delta_nll_high"
    rows = [
        f"tiny,4,{split},fp16,{channel},{loss},,{conceal},none,3,0.5,0.1,0.3,0.7"
        for split in (1, 3)
        for channel, loss, conceal in (
            ("none", 0, ""),
            ("packet", 0.1, "zero"),
            ("packet", 0.1, "running-mean"),
        )
    ]
    return "\n".join([head, *rows]) + "\n"


class QualityTables(FileTarget):
    """The table of the published environment's quality."""

    name = "quality-table"
    file_name = "table.json"

    def seeds(self) -> Sequence[bytes]:
        whole = QualityTable.load(TABLE_FILE)
        path = self.folder / "seed.json"
        whole.of_windows(np.arange(2)).save(path)
        return [path.read_bytes()]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_json(data, rng)

    def load(self, path: Path) -> None:
        table = QualityTable.load(path)
        ratio = table.perplexity_ratio(1, 0.05, np.random.default_rng(0))
        assert ratio >= 0
