"""The commands that faults strike: how each is called, what it has finished so far, what it has made.

What is compared is equal to the last bit. Left out is what a clock or a path decides: `wall_s`, `phase_s`,
`written_at`, `changed_at`, the command line with its folder, TensorBoard's events (each has its time), and
what only this process counted: `peak_memory_bytes`, `evaluations` (passes of the language model that a
resumed run did not need again).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml
from safetensors import safe_open

from pyagent import results
from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.sweep.store import INDEX, open_index
from tests.conftest import SMALL, small_scenario
from tests.pyagent.sweep.cheap import cheap_file

Content = dict[str, Any]
"""What must be equal: tables as frames, all else as text or bytes."""
WEAK = {"mobility": {"position_m": [122, 0, 1.5]}}
"""So far from the access point that packets are lost and the language model is asked."""
TINY: dict[str, Any] = WEAK | {
    "requests": {**SMALL["requests"], "count": 2},
    "model": {**SMALL["model"], "splits": [1, 32]},
}
_CLOCKED = {"wall_s", "phase_s", "peak_memory_bytes", "evaluations"}


@dataclass(frozen=True)
class Unit:
    """Something finished that must never be lost nor made again.

    Attributes:
        decisions: in it.
        stamp: changes when it is made again.
    """

    decisions: int
    stamp: object = None


Finished = Mapping[str, Unit]


@dataclass(frozen=True)
class Subject:
    """A command.

    Attributes:
        name: in the names of cases.
        live: whether it plays ns-3.
        arguments: (folder with its input, output) -> words after `splitsim`; also what goes on.
        finished: of an output.
        content: of an output that is complete, and of what was printed.
        shares: whether two at once on one output share the work; the second is refused otherwise.
    """

    name: str
    live: bool
    arguments: Callable[[Path, Path], list[str | Path]]
    finished: Callable[[Path], Finished]
    content: Callable[[Path, str], Content]
    shares: bool = False


def _train(inputs: Path, out: Path) -> list[str | Path]:
    words: list[str | Path] = ["--decisions", "60", "--seed", "3", "--resume", "--json"]
    return ["train", _few_episodes(inputs), "--out", out, *words]


def _trained(out: Path) -> Finished:
    latest = out / "latest.json"
    return {"played": Unit(json.loads(latest.read_text())["played"])} if latest.is_file() else {}


def _training(out: Path, stdout: str) -> Content:
    latest = (out / "latest.json").read_text()
    checkpoint = out / json.loads(latest)["checkpoint"]
    told = {name: value for name, value in json.loads(stdout).items() if name != "training"}
    return {"latest": latest, "told": told, **_files(checkpoint)}


def _record(inputs: Path, out: Path) -> list[str | Path]:
    scenario = _scenario(inputs)
    seeds: list[str | Path] = ["--train-seeds", "2", "--test-seeds", "1"]
    return ["record", scenario, "--out", out / "data.parquet", *seeds, "--slim", "--json"]


def _recorded(out: Path) -> Finished:
    return _units(out / "data.parquet.parts", "t*-*.parquet")


def _recording(out: Path, stdout: str) -> Content:
    file = out / "data.parquet"
    about = json.loads(pq.read_schema(file).metadata[b"splitsim"])
    same = {name: value for name, value in about.items() if name not in ("wall_s", "written_at", "command")}
    return {"rows": pd.read_parquet(file), "about": same, "files": sorted(p.name for p in out.iterdir())}


def _run(inputs: Path, out: Path) -> list[str | Path]:
    who: list[str | Path] = ["--policies", "threshold,linucb,surrogate-argmax"]
    return [
        "run",
        _scenario(inputs),
        "--budget",
        "4",
        "--seed",
        "3",
        *who,
        "--out",
        out,
        "--resume",
        "--json",
    ]


def _evaluate(inputs: Path, out: Path) -> list[str | Path]:
    policy = inputs / "policy.py"
    if not policy.is_file():
        policy.write_text("class Lowest:\n    def split(self, features, splits):\n        return splits[0]\n")
    who: list[str | Path] = ["--policy", f"{policy}:Lowest", "--against", "threshold"]
    return ["evaluate", _scenario(inputs), *who, "--out", out, "--resume", "--json"]


def _journal(out: Path) -> Finished:
    return _units(out / "journal", "*[0-9].*")


def _ran(out: Path, stdout: str) -> Content:
    summary = json.loads((out / "summary.json").read_text())
    told = {name: value for name, value in summary.items() if name not in _CLOCKED}
    assert json.loads(stdout)["policies"] == summary["policies"]
    frames = {path.name: pd.read_parquet(path) for path in sorted(out.glob("*.parquet"))}
    kept = {"config": (out / "config.yaml").read_text(), "report": (out / "report.html").is_file()}
    checkpoint = out / "checkpoint"  # of who learned a model
    return {"summary": told, **frames, **kept, **(_files(checkpoint) if checkpoint.is_dir() else {})}


def _sweep(inputs: Path, out: Path) -> list[str | Path]:
    sweep = {"base": {"dataset": str(_few_episodes(inputs))}, "grid": {"scenario.reward.slo_s": [0.5, 2.0]}}
    file = cheap_file(inputs, agent={"budget": 10, "policies": ["best-static", "threshold"]}, **sweep)
    return ["sweep", file, "--store", out, "--retry-failed", "--workers", "1", "--json"]


def _live_sweep(inputs: Path, out: Path) -> list[str | Path]:
    file = inputs / "live.yaml"
    agent = {"budget": 4, "policies": ["threshold"]}
    sweep = {
        "name": "live",
        "base": {"scenario": str(_scenario(inputs))},
        "agent": agent,
        "seeds": {"count": 2},
    }
    file.write_text(yaml.safe_dump(sweep))
    return ["sweep", file, "--store", out, "--retry-failed", "--workers", "1", "--json"]


def _swept(out: Path) -> Finished:
    if not (out / INDEX).is_file():
        return {}
    with closing(open_index(out)) as db:
        rows = db.execute("SELECT key, decisions, changed_at FROM runs WHERE state = 'finished'").fetchall()
    return {key: Unit(decisions, changed_at) for key, decisions, changed_at in rows}


def _sweeping(out: Path, stdout: str) -> Content:
    tables = {path.name: pd.read_parquet(path) for path in sorted(out.glob("runs/*/*.parquet"))}
    left = [p.name for name in ("owners", "scratch") for p in (out / name).iterdir()]
    return {"results": results.load(out), "left": left, **tables}


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("train", False, _train, _trained, _training),
        Subject("sweep", False, _sweep, _swept, _sweeping, shares=True),
        Subject("record", True, _record, _recorded, _recording),
        Subject("run", True, _run, _journal, _ran),
        Subject("evaluate", True, _evaluate, _journal, _ran),
        Subject("live-sweep", True, _live_sweep, _swept, _sweeping, shares=True),
    )
}


def differing(a: Content, b: Content) -> list[str]:
    """Names of what is not equal."""
    return sorted(name for name in a.keys() | b.keys() if not _equal(a.get(name), b.get(name)))


def _equal(a: Any, b: Any) -> bool:
    if not (isinstance(a, pd.DataFrame) and isinstance(b, pd.DataFrame)):
        return bool(type(a) is type(b) and a == b)
    try:
        pd.testing.assert_frame_equal(a, b, check_exact=True)
    except AssertionError:
        return False
    return True


def torn(out: Path) -> list[str]:
    """Files that bear the name of a whole one and can't be opened.

    Left out is what nobody takes for whole: `.partial` names, checkpoints that latest.json doesn't name, what
    others print, and what a sweep throws away.
    """
    return [f"{path}: {error}" for path in _meant_whole(out) if (error := _problem(path)) is not None]


def _meant_whole(out: Path) -> Iterator[Path]:
    unnamed = {folder.name for folder in out.glob("checkpoint-*")}
    if (out / "latest.json").is_file():
        unnamed.discard(json.loads((out / "latest.json").read_text())["checkpoint"])
    for path in sorted(out.rglob("*")):
        inside = set(path.relative_to(out).parts)
        if path.is_file() and path.suffix != ".partial" and not inside & {"logs", "scratch", *unnamed}:
            yield path


def _problem(path: Path) -> str | None:
    try:
        if path.suffix == ".parquet":
            pd.read_parquet(path)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".yaml":
            yaml.safe_load(path.read_text(encoding="utf-8"))
        elif path.suffix == ".safetensors":
            with safe_open(path, "numpy") as tensors:  # type: ignore[no-untyped-call]
                _ = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
        elif path.name == INDEX:
            with closing(sqlite3.connect(path)) as db:
                (found,) = db.execute("PRAGMA integrity_check").fetchone()
                return None if found == "ok" else str(found)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _few_episodes(inputs: Path) -> Path:
    """Three training episodes and one to test on, of a dataset that ships."""
    path = inputs / "few.parquet"
    if not path.is_file():
        whole = open_dataset(shipped_dataset("tram-replay"))
        seeds = whole.rows.groupby("part")["seed"].unique()
        kept = [*seeds["train"][:3], *seeds["test"][:1]]
        rows = whole.rows[whole.rows["seed"].isin(kept)].reset_index(drop=True)
        Dataset(whole.scenario, rows, whole.about).save(path)
    return path


def _scenario(inputs: Path) -> Path:
    path = inputs / "tiny.yaml"
    if not path.is_file():
        path.write_text(yaml.safe_dump(small_scenario(**TINY).model_dump(mode="json")))
    return path


def _units(folder: Path, pattern: str) -> Finished:
    found = [path for path in folder.glob(pattern) if not path.name.startswith(".")]
    return {path.name: Unit(TINY["requests"]["count"], path.stat().st_mtime_ns) for path in found}


def _files(folder: Path) -> Content:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
