"""A complete synthetic run with all that a report reads, made once, and copies of it to damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyagent.campaign.tokens import TokenClock
from pyagent.envs.record import DeliveryRecord
from pyagent.evaluation import compare, summarise
from pyagent.evaluation.cost import Cost
from pyagent.evaluation.rules import StepRule
from pyagent.evaluation.share import Yardstick
from pyagent.plots import FIGURES
from pyagent.plots.data import judged_rows, read_scenario
from pyagent.plots.style import save_png
from tests.pyagent.plots.synthetic_run import SEEDS, write_run

META = {
    "tool": "splitsim",
    "status": "finished",
    "command": "splitsim run runs/synthetic/config.yaml --budget 160 --seed 1",
    "git_commit": "0123abc",
    "written_at": "2026-11-25T12:00:00+0000",
    "python": "3.11.7",
    "packages": {"numpy": "2.4.6"},
}
TARGETS = {"ttft_s": 0.5, "delta_nll": 0.4}
FRAGMENTS = 6
TIMED = ("surrogate-argmax", SEEDS[0], 0)
"""The one episode with token times: policy, seed, replicate."""


def delivery(row: Any) -> DeliveryRecord:
    """What ns-3 might have recorded of a decision: its second step was sent twice where anything was lost."""
    steps = int(row.output_tokens)
    local, lossy = row.split == 32, bool(row.loss > 0.01)
    fragments = 0 if local else FRAGMENTS
    got = 2 if row.failed else steps
    times = np.full(steps, np.nan, np.float32)
    times[:got] = row.latency_s * np.arange(1, got + 1) / steps
    outcome = np.zeros((int(row.prompt_tokens) + steps - 1, fragments), np.uint8)
    outcome[int(row.prompt_tokens), : 2 * lossy] = 1
    retries = np.zeros(steps, np.uint8)
    retries[1] = lossy and not local
    return DeliveryRecord(
        request=int(row.decision),
        action=0,
        split=int(row.split),
        prompt_tokens=int(row.prompt_tokens),
        output_tokens=steps,
        generated_tokens=got,
        fragments_per_token=fragments,
        failed=bool(row.failed),
        fail_reason="deadline" if row.failed else "",
        arrival_s=row.arrival_s,
        latency_s=row.latency_s,
        outcome=outcome,
        delay_s=np.where(outcome == 0, 0.002, np.nan).astype(np.float32),
        retries=retries,
        token_time_s=times,
        downlink_outcome=np.zeros(steps, np.uint8),
        uplink_packets=outcome.size,
        uplink_bytes=1400 * outcome.size,
        downlink_bytes=16 * steps,
        ue_compute_s=0.1,
        edge_compute_s=0.1,
        edge_queue_s=0.0,
        ue_compute_energy_j=0.5,
        ue_radio_energy_j=0.1,
    )


def write_tokens(run: Path) -> None:
    rows = judged_rows(run, ("seed", "replicate"))
    keys = dict(zip(("policy", "seed", "replicate"), TIMED, strict=True))
    episode = rows[(rows[list(keys)] == pd.Series(keys)).all(axis=1)].sort_values("arrival_s")
    clock = TokenClock(read_scenario(run))
    tokens = [
        {**keys, "decision": row.decision, **token}
        for row in episode.itertuples()
        for token in clock.rows(delivery(row))
    ]
    pd.DataFrame(tokens).to_parquet(run / "tokens.parquet")


REFERENCES = {
    name: {"reward": reward, "reward_ci": [reward - 0.1, reward + 0.1], "regret": 0.1, "share": share}
    | {"split_shares": {"1": 0.6, "32": 0.4}, "tuning_contexts": 40}
    for name, reward, share in (("best-pair", -0.5, 0.97), ("causal-ceiling", -0.6, 0.8))
}


def write_summary(run: Path) -> None:
    found = json.loads((run / "summary.json").read_text())
    rows = judged_rows(run, ("seed", "replicate", "decision"))
    costs = dict.fromkeys(found["policies"], Cost(160, 40, 0))
    pair = compare(rows, "surrogate-argmax", "threshold", resamples=200)
    found |= {
        "scenario": "synthetic",
        "seed": 1,
        "budget": 160,
        "decisions": len(rows),
        "policies": summarise(
            rows, costs=costs, measure=Yardstick(-1.5, -0.5), targets=TARGETS, resamples=200
        ),
        "oracle": found["oracle"] | {"mean_split": 12.0, "split_shares": {"1": 0.6, "32": 0.4}},
        "rules": {"threshold": StepRule("snr_db", (17.0,), (32, 1)).to_json()},
        "warnings": [],
        "oracle_over_best_static": 0.2,
        "oracle_over_best_static_ci": [0.1, 0.3],
        "nothing_to_gain": False,
        "best_pair": [1, 32],
        "pair_share": 0.97,
        "causal_ceiling_share": 0.8,
        "references": REFERENCES,
        "paired": {"surrogate-argmax - threshold": pair},
        "phase_s": {"train": 12.0, "test": 30.5},
        "evaluations": {"train": {"decisions": 66, "forward_passes": 40}},
        "peak_memory_bytes": 2**30,
        "wall_s": 60.0,
    }
    (run / "summary.json").write_text(json.dumps(found))


@pytest.fixture(scope="session")
def reported_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Don't write to it. All its pictures are one and the same: what is in them has tests of its own."""
    run = write_run(tmp_path_factory.mktemp("report") / "run")
    decisions = pd.read_parquet(run / "decisions.parquet")
    costs = ("ue_compute_energy_j", "ue_radio_energy_j", "edge_compute_s", "edge_queue_s")
    counts = ("uplink_bytes", "downlink_bytes", "retries")
    decisions = decisions.assign(**dict.fromkeys(costs, 0.25), **dict.fromkeys(counts, 1000))
    decisions.to_parquet(run / "decisions.parquet")
    (run / "meta.json").write_text(json.dumps(META))
    write_summary(run)
    write_tokens(run)
    (run / "plots").mkdir()
    first, *others = (run / "plots" / f"{name}.png" for name in FIGURES)
    save_png(FIGURES["reliability"](run), first)
    for picture in others:
        shutil.copy(first, picture)
    return run


@pytest.fixture
def run(reported_run: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return shutil.copytree(reported_run, tmp_path / "run")
