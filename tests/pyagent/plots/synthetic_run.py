"""A run folder of made-up but plausible data: walks out of coverage, and what they do to requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyagent.envs.observation import NAMES

SPLITS = (1, 8, 16, 24, 32)
LAYERS = 32
SEEDS = (201, 202, 203)
TUNE_SEEDS = (101, 102)
DECISIONS = 22
REPLICATES = 4
POLICIES = ("random", "threshold", "surrogate-argmax", "ppo-imagination")
HELD = {"all-local": 32, "min-split": 1, "best-static": 16}
CONFIG = """
name: synthetic
mobility: {model: random-waypoint, area_x_m: [2, 60], area_y_m: [-15, 15]}
requests: {count: 22}
"""


def episode(seed: int) -> pd.DataFrame:
    """What does not depend on actions: arrivals, positions, SNR, request sizes."""
    rng = np.random.default_rng(seed)
    arrival = 2 + np.cumsum(4 + rng.exponential(1, DECISIONS))
    corners = np.column_stack([rng.uniform(2, 60, 7), rng.uniform(-15, 15, 7)])
    way = np.linspace(0, 6, DECISIONS)
    x, y = (np.interp(way, range(7), corners[:, axis]) for axis in (0, 1))
    distance = np.sqrt(x**2 + y**2 + 1.5**2)
    snr = 16 - 46.7 - 30 * np.log10(np.maximum(distance, 1)) + 94 + rng.normal(0, 2, DECISIONS)
    table = pd.DataFrame(
        {"seed": seed, "decision": range(DECISIONS), "arrival_s": arrival, "x_m": x, "y_m": y}
    )
    table["prompt_tokens"] = rng.integers(16, 129, DECISIONS)
    table["output_tokens"] = rng.integers(8, 33, DECISIONS)
    for name in NAMES:
        table[f"obs_{name}"] = 0.0
    return table.assign(obs_snr_db=snr, obs_distance_m=distance)


def play(base: pd.DataFrame, splits: np.ndarray, phase: str, policy: str, replicate: int) -> pd.DataFrame:
    """Outcomes of one split per decision."""
    rng = np.random.default_rng([*map(ord, phase + policy), replicate, int(base["seed"].iloc[0])])
    n, used = len(base), splits < LAYERS
    hopeless = 1 / (1 + np.exp((base["obs_snr_db"].to_numpy() - 14 + rng.normal(0, 1.5, n)) / 1.5))
    radio, queue, late = used * hopeless * 0.9, used * hopeless * rng.random(n) * 0.08, used * hopeless * 0.02
    loss = radio + queue + late
    delay = np.where(used & (loss < 0.97), 0.0008 * (1 + 2000 * loss**2) * rng.lognormal(0, 0.5, n), np.nan)
    failed = rng.random(n) < np.clip(1.6 * (loss - 0.4), 0, 1)
    work = base["prompt_tokens"].to_numpy() * 0.004 + base["output_tokens"].to_numpy() * 0.045
    latency = work * (0.25 + 0.75 * splits / LAYERS) + np.nan_to_num(delay) * base["output_tokens"].to_numpy()
    latency = np.where(failed, 4.0, np.minimum(latency, 3.9))
    nll = np.where(failed, 3.0, np.clip(3 * loss * rng.lognormal(0, 0.4, n), 0, 3))
    energy = 5 * work * splits / LAYERS + used * (0.2 + 2 * loss) + 0.01
    terms = {
        "quality": -nll,
        "latency": -0.5 * latency,
        "energy": -0.3 * energy / (5 * work),
        "load": -0.2 * splits / LAYERS,
        "failure": -1.0 * failed,
        "switching": -0.05 * (np.diff(splits, prepend=splits[0]) != 0),
    }
    table = base.assign(phase=phase, policy=policy, replicate=replicate, split=splits, latency_s=latency)
    table = table.assign(**{f"term_{name}": value for name, value in terms.items()})
    table = table.assign(loss=loss, loss_radio=radio, loss_queue=queue, loss_late=late, loss_unsent=0.0)
    table = table.assign(mean_delay_s=delay)
    first = np.where(failed, np.nan, latency * base["prompt_tokens"].to_numpy() * 0.004 / work)
    each = (latency - first) / (base["output_tokens"].to_numpy() - 1)
    table = table.assign(ttft_s=first, tpot_s=each)
    return table.assign(delta_nll=nll, ue_energy_j=energy, failed=failed, reward=sum(terms.values()))


def static_runs(phase: str, copies: list[tuple[pd.DataFrame, int]]) -> pd.DataFrame:
    """Every split played alone on each (episode, replicate)."""
    return pd.concat(
        [
            play(base, np.full(DECISIONS, split), phase, f"static-{split}", replicate)
            for base, replicate in copies
            for split in SPLITS
        ]
    )


def choose(base: pd.DataFrame, policy: str, replicate: int) -> np.ndarray:
    """Splits that a policy of that name might choose."""
    rng = np.random.default_rng([*map(ord, policy), replicate])
    weak = base["obs_snr_db"].to_numpy() < 17
    if policy == "random":
        return rng.choice(SPLITS, len(base))
    choice = np.where(weak, 32, 1)
    wander = rng.random(len(base)) < 0.15
    return np.where(wander, rng.choice(SPLITS, len(base)), choice)


def oracle_table(cells: pd.DataFrame) -> pd.DataFrame:
    """The best static split at every decision."""
    means = cells.groupby(["seed", "decision", "split"])["reward"].mean().unstack()
    rows = pd.DataFrame({"value": means.max(axis=1) - 0.05, "split": means.idxmax(axis=1)})
    return rows.assign(naive_value=means.max(axis=1), static_value=means[32]).reset_index()


def learning_table(rewards: dict[str, float], oracle: float) -> pd.DataFrame:
    """A curve that falls, and flat references."""
    bought = np.arange(10, 161, 10)
    rng = np.random.default_rng(5)
    regret = 0.25 + 1.6 * np.exp(-bought / 40) + rng.normal(0, 0.05, len(bought))
    rows = [("surrogate-argmax", int(b), r, r - 0.2, r + 0.22) for b, r in zip(bought, regret, strict=True)]
    rows += [
        (policy, 0, oracle - reward, oracle - reward - 0.2, oracle - reward + 0.2)
        for policy, reward in rewards.items()
        if policy != "surrogate-argmax"
    ]
    return pd.DataFrame(rows, columns=["policy", "evaluations", "regret", "regret_low", "regret_high"])


def prediction_table(train: pd.DataFrame) -> pd.DataFrame:
    """Predictions that grow better with the decisions."""
    rng = np.random.default_rng(6)
    parts = []
    for component in ("latency_s", "delta_nll", "ue_energy_j", "failed"):
        truth = train[component].to_numpy(dtype=float)
        std = (0.1 + 0.6 * np.exp(-np.arange(len(truth)) / 15)) * max(truth.std(), 0.1)
        guess = truth + rng.normal(0, 1, len(truth)) * std
        guess = np.clip(guess, 0, 1) if component == "failed" else np.maximum(guess, 0.001)
        part = {"decision": range(len(truth)), "predicted": guess, "std": std, "observed": truth}
        parts.append(pd.DataFrame(part).assign(component=component))
    return pd.concat(parts)


def mean_rewards(test: pd.DataFrame, cells: pd.DataFrame) -> dict[str, float]:
    """Of the live policies, and of those that hold one split, which are the oracle's runs."""
    rewards = test.groupby("policy")["reward"].mean().to_dict()
    return rewards | {name: cells[cells["split"] == split]["reward"].mean() for name, split in HELD.items()}


def summary(rewards: dict[str, float], oracle: float) -> dict[str, object]:
    """As the campaign writes it, as far as figures read it."""
    policies = {
        policy: {"reward": reward, "reward_ci": [reward - 0.3, reward + 0.28], "regret": None}
        for policy, reward in rewards.items()
    }
    entry: dict[str, object] = {"coverage_50": 0.48, "coverage_90": 0.87, "rank_correlation": 0.81}
    levels = np.arange(1, 20) / 20
    curve = np.column_stack([levels, levels - 0.2 * levels * (1 - levels)]).tolist()
    entry |= {"mean_absolute_error": 0.2, "reliability": curve}
    return {
        "policies": policies,
        "oracle": {"reward": oracle, "reward_ci": [oracle - 0.1, oracle + 0.12]},
        "best_static_split": HELD["best-static"],
        "calibration": {"latency_s": entry, "delta_nll": entry, "failed": {"rank_correlation": None}},
        "proxy_note": "quality proxy: smollm2-135m for llama-2-7b",
    }


def preview_data() -> dict[str, Any]:
    """What ns-3 might show of the first test seed: one site, and the UE on its way among one that stands."""
    base = episode(SEEDS[0])
    x, y = np.linspace(-6, 66, 37), np.linspace(-19, 19, 20)
    distance = np.sqrt(x[None, :] ** 2 + y[:, None] ** 2 + 1.5**2)
    snr = 16 - 46.7 - 30 * np.log10(np.maximum(distance, 1)) + 94
    walk = {"x_m": base["x_m"].tolist(), "y_m": base["y_m"].tolist(), "z_m": [1.5] * DECISIONS}
    stand = {name: [value] * DECISIONS for name, value in (("x_m", 4.0), ("y_m", -3.0), ("z_m", 1.5))}
    seen = base["obs_snr_db"].to_numpy()
    return {
        "seed": SEEDS[0],
        "sites": [{"name": "ap-0", "position_m": [0, 0, 3]}],
        "time_s": base["arrival_s"].tolist(),
        "ues": [walk, stand],
        "requests": {**walk, "time_s": base["arrival_s"].tolist()},
        "link": {
            "snr_db": seen.tolist(),
            "snr_age_s": [0.05] * DECISIONS,
            "rsrp_dbm": (seen - 94).tolist(),
            "phy_rate_mbps": [0.0] * DECISIONS,
            "serving_cell": [0] * DECISIONS,
        },
        "reception": [signal(seen)],
        "heat": {"x_m": x.tolist(), "y_m": y.tolist(), "height_m": 1.5, "sites": [signal(snr)]},
    }


def signal(snr_db: np.ndarray) -> dict[str, list[float]]:
    """Of one site."""
    flat = snr_db.ravel()
    return {
        "snr_db": flat.tolist(),
        "rx_power_dbm": (flat - 94).tolist(),
        "rate_mbps": (4 * np.clip(flat, 0, 25)).tolist(),
    }


def write_run(run: Path) -> Path:
    """Write the folder; returns it."""
    run.mkdir(parents=True, exist_ok=True)
    bases = [episode(seed) for seed in SEEDS]
    copies = [(base, replicate) for base in bases for replicate in range(REPLICATES)]
    test = pd.concat([play(b, choose(b, p, r), "test", p, r) for p in POLICIES for b, r in copies])
    cells = static_runs("oracle", copies)
    tuning = static_runs("tune", [(episode(seed), 0) for seed in TUNE_SEEDS])
    trained = [
        play(b, choose(b, "random", 0), "train", "surrogate-argmax", 0) for b in map(episode, (1, 2, 3))
    ]
    train = pd.concat(trained)
    oracle = oracle_table(cells)
    value = float(oracle["value"].mean())
    pd.concat([train, tuning, cells, test]).to_parquet(run / "decisions.parquet")
    oracle.to_parquet(run / "oracle.parquet")
    rewards = mean_rewards(test, cells)
    learning_table(rewards, value).to_parquet(run / "learning.parquet")
    prediction_table(train).to_parquet(run / "predictions.parquet")
    (run / "summary.json").write_text(json.dumps(summary(rewards, value)), encoding="utf-8")
    (run / "preview.json").write_text(json.dumps(preview_data()), encoding="utf-8")
    (run / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return run
