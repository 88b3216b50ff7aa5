"""How hard each cut of a model is hit by loss and by coding: the study, its plan and its files.

A profile lies in one folder: `plan.json`, one `windows/NNNN.json` for every window that is done, and
`profile.csv`, which is made anew from these after each window. A profile that was stopped goes on with the
next window and ends with the same bytes as one that was not.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from llm_split.codecs import codec_names
from llm_split.files import write_whole
from llm_split.impairment import CONCEALMENTS, INTERLEAVINGS, Impairment
from llm_split.partition import SplitModel
from llm_split.study import MEASURES, Cell, Condition, Estimate, Study, Table
from llm_split.weights import BITS

LOSSES = (0.01, 0.05, 0.1, 0.2)
_PLAN, _WINDOWS, CSV_FILE = "plan.json", "windows", "profile.csv"

# 97.5 % quantiles of Student's t with 1, 2, ... degrees of freedom, from any table of it.
_T_975: tuple[float, ...] = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_T_975 += (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)
_T_975 += (2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)
_Z_975 = 1.960


ALL_LOCAL = Condition("fp16")
"""What an all-local cut is measured under: half precision costs nothing."""


class ProfileError(ValueError):
    """A plan is not valid, or a folder holds another profile; the message says what would be."""


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        model: name, folder or hub id.
        text: name or path.
        splits: cuts, each in 1..num_layers-1. With `ue_bits` below 16 all local is measured, too: there
            quantised weights are all that costs quality.
        losses: shares of packets or values lost; empty: nothing is lost, also not the first token.
        codecs: that are tried without loss.
        codec: under which loss is tried.
        windows: at most so many.
        window_tokens: W; the first half is the prompt, the second is scored.
        stderr: a cell known this well, in nats/token, gets no further windows; 0 uses all for all.
        burst: mean burst length in packets.
        concealment, interleaving: see `Impairment`.
        payload_bytes: of a packet.
        deployed_hidden_size: width that is sent instead of the model's own; 0: its own.
        spare_first_token: position 0 is never lost.
        dtype: of the weights.
        seed: of losses.
        ue_bits, edge_bits: width of the linear weights of the blocks on each side; 16: as they were loaded.
    """

    model: str
    text: str
    splits: tuple[int, ...]
    losses: tuple[float, ...] = LOSSES
    codecs: tuple[str, ...] = ("fp16", "int8", "int4", "int4-token")
    codec: str = "fp16"
    windows: int = 16
    window_tokens: int = 128
    stderr: float = 0.03
    burst: float = 8.0
    concealment: str = "running-mean"
    interleaving: str = "none"
    payload_bytes: int = 1400
    deployed_hidden_size: int = 0
    spare_first_token: bool = True
    dtype: str = "float32"
    seed: int = 0
    ue_bits: int = 16
    edge_bits: int = 16

    def __post_init__(self) -> None:
        for name, valid in (("concealment", CONCEALMENTS), ("interleaving", INTERLEAVINGS)):
            if getattr(self, name) not in valid:
                raise ProfileError(f"{name} is {getattr(self, name)!r}, valid: {', '.join(valid)}")
        for name in (*self.codecs, self.codec):
            if name not in codec_names():
                raise ProfileError(f"codec is {name!r}, valid: {', '.join(codec_names())}")
        for name in ("ue_bits", "edge_bits"):
            if getattr(self, name) not in BITS:
                raise ProfileError(f"{name} is {getattr(self, name)}, valid: {', '.join(map(str, BITS))}")
        for loss in self.losses:
            if not 0 < loss < 1:
                raise ProfileError(f"losses has {loss}, valid: above 0 and below 1")
        if not self.splits:
            raise ProfileError("splits is empty, at least one is needed")
        if self.windows < 2:
            raise ProfileError(f"windows is {self.windows}, valid: >= 2")
        if self.window_tokens < 4:
            raise ProfileError(f"window_tokens is {self.window_tokens}, valid: >= 4")
        if not (math.isfinite(self.stderr) and self.stderr >= 0):
            raise ProfileError(f"stderr is {self.stderr}, valid: finite and >= 0")
        try:
            _ = self.conditions
        except ValueError as error:  # a burst length that does not go with a loss, say
            raise ProfileError(str(error)) from error

    @property
    def conditions(self) -> list[Condition]:
        """All that is tried at every cut."""
        how = Impairment(self.concealment, self.interleaving)  # type: ignore[arg-type]
        zeros = Impairment("zero", self.interleaving)  # type: ignore[arg-type]
        lossless = [Condition(name) for name in dict.fromkeys(self.codecs)]
        if self.losses:
            lossless.append(Condition(self.codec, "first-token", 1.0, impairment=how))
        lossy = [
            condition
            for loss in self.losses
            for condition in (
                Condition(self.codec, "packet", loss, impairment=how),
                Condition(self.codec, "packet", loss, impairment=zeros),
                Condition(self.codec, "burst", loss, self.burst, how),
                Condition(self.codec, "elementwise", loss),
            )
        ]
        return list(dict.fromkeys(lossless + lossy))


@dataclass(frozen=True)
class Progress:
    """How far a profile is: windows done, evaluations of the next, windows at most."""

    window: int
    cells_left: int
    windows: int


class Profile:
    """Runs a plan in a folder.

    Args:
        plan: what to measure.
        out: the folder; made if it isn't there.
        split_model: the plan's model.
        windows: int64 [plan.windows, plan.window_tokens].
        weights_id: `weights_fingerprint`, so that a folder is not continued with others.

    Raises:
        ProfileError: a split out of range, or the folder holds another profile.
    """

    def __init__(
        self, plan: Plan, out: Path, split_model: SplitModel, windows: torch.Tensor, weights_id: str = ""
    ) -> None:
        _check_splits(plan, split_model.num_layers)
        self.plan, self.out, self.num_layers = plan, out, split_model.num_layers
        cells = [Cell(split, condition) for split in plan.splits for condition in plan.conditions]
        if plan.ue_bits != 16:
            cells.append(Cell(split_model.num_layers, ALL_LOCAL))
        self.study = Study(
            split_model,
            windows,
            plan.window_tokens // 2,
            cells,
            payload_bytes=plan.payload_bytes,
            deployed_hidden_size=plan.deployed_hidden_size or None,
            seed=plan.seed,
            spare_first_token=plan.spare_first_token,
            ue_bits=plan.ue_bits,
            edge_bits=plan.edge_bits,
        )
        self._check_parts(split_model.hidden_size)
        digest = hashlib.sha256(windows.numpy().tobytes()).hexdigest()
        self._claim({"plan": asdict(plan), "windows_sha256": digest, "weights": weights_id})

    def _check_parts(self, hidden_size: int) -> None:
        """A token of the model must have a channel for every part of the deployed one's."""
        for condition in self.plan.conditions:
            fragments = len(self.study.fragment_bytes(condition))
            parts = condition.impairment.coded_parts(fragments)
            if parts > hidden_size:
                raise ProfileError(
                    f"a token has {parts} parts by payload_bytes, deployed and interleaving; "
                    f"{self.plan.model} has {hidden_size} channels"
                )

    def _claim(self, identity: dict[str, Any]) -> None:
        text = json.dumps(identity, indent=2) + "\n"
        file = self.out / _PLAN
        try:
            (self.out / _WINDOWS).mkdir(parents=True, exist_ok=True)
            if not file.exists():
                write_whole(file, text)
            there = json.loads(file.read_text(encoding="utf-8"))
            # Plans of older folders do not name the widths.
            there["plan"] = {"ue_bits": 16, "edge_bits": 16, **there["plan"]}
        except OSError as error:
            raise ProfileError(f"{self.out} can't be used as a folder of a profile: {error}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise ProfileError(f"{file} is damaged: {error}; choose another folder") from error
        if there != json.loads(text):
            raise ProfileError(
                f"{self.out} holds another profile (it differs in {_difference(there, identity)}); "
                "choose another folder, or remove this one"
            )

    def run(self, report: Callable[[Progress], None] = lambda _: None) -> Table:
        """Do what is not done yet; `report` is called before each window and at the end."""
        table = self.table()
        for index in range(self.done, self.plan.windows):
            wanted = self._wanted(table)
            if not wanted:
                break
            report(Progress(index, len(wanted), self.plan.windows))
            found = self.study.evaluate(index, wanted)
            rows = [[self.study.cells.index(cell), *found[cell].tolist()] for cell in wanted]
            write_whole(self._window_file(index), json.dumps(rows) + "\n")
            self._add(table, rows)
            self.write_csv(table)
        self.write_csv(table)
        report(Progress(self.done, 0, self.plan.windows))
        return table

    @property
    def done(self) -> int:
        """Windows that are done."""
        index = 0
        while self._window_file(index).exists():
            index += 1
        return index

    def table(self) -> Table:
        """What is there so far."""
        table = Table(self.study.cells)
        for index in range(self.done):
            self._add(table, json.loads(self._window_file(index).read_text(encoding="utf-8")))
        return table

    def _wanted(self, table: Table) -> list[Cell]:
        return self.study.unknown(table, self.plan.stderr) if self.plan.stderr else list(self.study.cells)

    def _add(self, table: Table, rows: list[list[float]]) -> None:
        for number, *measures in rows:
            table.add(self.study.cells[int(number)], np.array(measures))

    def _window_file(self, index: int) -> Path:
        return self.out / _WINDOWS / f"{index:04d}.json"

    def write_csv(self, table: Table) -> None:
        """All cells that have a window, one a line; see `columns` for the fields."""
        records = [self._record(table, cell) for cell in self.study.cells if cell in table.rows]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(records[0]) if records else [])
        writer.writeheader()
        writer.writerows(records)
        write_whole(self.out / CSV_FILE, text.getvalue())

    def _record(self, table: Table, cell: Cell) -> dict[str, Any]:
        condition = cell.condition
        ppl = table.perplexity(cell)
        sizes = self.study.fragment_bytes(condition)
        record: dict[str, Any] = {
            "model": self.plan.model,
            "num_layers": self.num_layers,
            "ue_bits": self.plan.ue_bits,
            "edge_bits": self.plan.edge_bits,
            "split": cell.split,
            "codec": condition.codec,
            "channel": condition.channel,
            "loss": condition.loss,
            "burst_packets": condition.burst if condition.channel == "burst" else "",
            "concealment": condition.impairment.concealment
            if condition.channel in ("packet", "burst")
            else "",
            "interleaving": condition.impairment.interleaving,
            "fragments_per_token": len(sizes),
            "token_bytes": sum(sizes),
            "windows": ppl.windows,
            "lost": table.estimate(cell, "lost").mean,
            "ppl": ppl.mean,
            "ppl_stderr": ppl.stderr,
            "reference_ppl": math.exp(_reference_nll(table, cell)),
        }
        for measure in MEASURES:
            if measure not in ("nll", "lost"):
                record |= _interval(measure, table.estimate(cell, measure))
        return record


def _interval(measure: str, estimate: Estimate) -> dict[str, float]:
    """Mean, standard error and 95 % interval (Student's t over windows) of a measure."""
    freedom = estimate.windows - 1
    t = _T_975[freedom - 1] if 1 <= freedom <= len(_T_975) else _Z_975
    half = t * estimate.stderr
    return {
        measure: estimate.mean,
        f"{measure}_stderr": estimate.stderr,
        f"{measure}_low": estimate.mean - half,
        f"{measure}_high": estimate.mean + half,
    }


def _reference_nll(table: Table, cell: Cell) -> float:
    return table.estimate(cell, "nll").mean - table.estimate(cell, "delta_nll").mean


def spread_splits(num_layers: int, count: int) -> tuple[int, ...]:
    """`count` cuts from the first to the last that sends anything, evenly by depth."""
    last = num_layers - 1
    if not 1 <= count <= last:
        raise ProfileError(f"the number of splits is {count}, valid: 1..{last}")
    return tuple(sorted({round(x) for x in np.linspace(1, last, count)}))


def _check_splits(plan: Plan, num_layers: int) -> None:
    wrong: Sequence[int] = [s for s in plan.splits if not 1 <= s < num_layers]
    if wrong:
        raise ProfileError(f"split is {wrong[0]}, valid for {plan.model}: 1..{num_layers - 1}")


def _difference(a: dict[str, Any], b: dict[str, Any]) -> str:
    """Names of the top-level or plan fields in which two identities differ."""
    flat_a, flat_b = ({**x, **x.get("plan", {})} for x in (a, json.loads(json.dumps(b))))
    names = sorted(k for k in flat_a.keys() | flat_b.keys() if flat_a.get(k) != flat_b.get(k) and k != "plan")
    return ", ".join(names)
