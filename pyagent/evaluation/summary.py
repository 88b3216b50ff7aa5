"""Policy metrics of a table of decisions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pyagent.evaluation.cost import Cost
from pyagent.evaluation.oracle import Oracle
from pyagent.evaluation.share import Yardstick
from pyagent.evaluation.statistics import bootstrap_interval, interquartile_mean, paired_difference
from pyagent.evaluation.targets import judge
from pyagent.reward import FloatArray

KEYS = ["seed", "decision"]
REQUIRED = (
    "policy",
    "seed",
    "replicate",
    "decision",
    "split",
    "reward",
    "ttft_s",
    "tpot_s",
    "latency_s",
    "delta_nll",
    "ue_energy_j",
    "failed",
)
_MAY_BE_MISSING = ("ttft_s", "tpot_s")

Metrics = dict[str, Any]


def oracle_frame(seeds: NDArray[np.int64], decisions: NDArray[np.int64], values: FloatArray) -> pd.DataFrame:
    """Oracle values [n] of (seed, decision) pairs as :func:`summarise` takes them."""
    frame: pd.DataFrame = pd.DataFrame({"seed": seeds, "decision": decisions, "value": values})
    return frame


def oracle_metrics(best: Oracle, seeds: NDArray[np.int64], splits: Sequence[int]) -> Metrics:
    """What a summary says of the oracle: reward with interval, splits, and the naive maximum's reward.

    Args:
        best: the oracle on K decisions.
        seeds: of them, int64 [K].
        splits: that its actions stand for.
    """
    reward = bootstrap_interval(best.value, seeds)
    chosen = np.asarray(splits)[best.action]
    return {
        "reward": reward.estimate,
        "reward_ci": [reward.low, reward.high],
        "mean_split": float(chosen.mean()),
        "split_shares": split_shares(chosen),
        "naive_reward": float(best.naive_value.mean()),
    }


def split_shares(splits: ArrayLike) -> dict[str, float]:
    """Share of the decisions with each split that was chosen, the most frequent first.

    Args:
        splits: of the decisions, whole numbers of any shape.

    Returns:
        split -> share in (0, 1]; keys are texts, as in JSON. Of equally frequent splits the smaller is first.
    """
    values, counts = np.unique(np.asarray(splits), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(int(values[i])): float(counts[i] / counts.sum()) for i in order}


def shares_text(shares: Mapping[str, float], most: int = 3) -> str:
    """Shares of splits for a table, as `1: 55 %, 32: 45 %`; `...` stands for what is beyond `most`."""
    shown = [f"{split}: {_percent(share)}" for split, share in list(shares.items())[:most]]
    return ", ".join([*shown, *(["..."] if len(shares) > most else [])])


def _percent(share: float) -> str:
    """Whole percents, but never 0 % of what happened, nor 100 % of what did not always happen."""
    if share >= 1:
        return "100 %"
    return "<1 %" if share < 0.005 else f"{min(round(100 * share), 99)} %"


def below_static(
    policies: Mapping[str, Metrics],
    names: Iterable[str],
    static_reward: float,
    split: int,
    paired: Mapping[str, Metrics] | None = None,
) -> list[str]:
    """A warning for each policy that earns less than the best static split.

    Args:
        policies: as :func:`summarise` gives them.
        names: of the policies to look at; unknown ones are passed over.
        static_reward: mean reward of the best static split on the same decisions.
        split: that one.
        paired: differences as :func:`compare` finds them; those named `NAME - best-static` are told.
    """
    warnings = []
    for name in names:
        reward = policies[name]["reward"] if name in policies else math.inf
        if round(reward, 3) < round(static_reward, 3):  # as they are shown
            found = (paired or {}).get(f"{name} - best-static")
            low, high = found["difference_ci"] if found else (0.0, 0.0)
            interval = f", difference {found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]" if found else ""
            warnings.append(
                f"{name} lies below the best static split: its reward is {reward:.3f}, "
                f"that of always {split} {static_reward:.3f}{interval}"
            )
    return warnings


def check_decisions(decisions: pd.DataFrame) -> None:
    """Raises ValueError for a missing column, an empty table, a repeated row or an unexpected NaN.

    Only ``ttft_s`` and ``tpot_s`` may be NaN: a failed request that never produced a first (second) token has
    none.
    """
    missing = [c for c in REQUIRED if c not in decisions.columns]
    if missing:
        raise ValueError(f"decisions lacks the columns {missing}")
    if decisions.empty:
        raise ValueError("decisions is empty")
    if decisions.duplicated(["policy", "seed", "replicate", "decision"]).any():
        raise ValueError("decisions repeats a (policy, seed, replicate, decision)")
    holed = [c for c in REQUIRED if c not in _MAY_BE_MISSING and decisions[c].isna().any()]
    if holed:
        raise ValueError(f"decisions has NaN in {holed}; failed requests carry censored values")


def _mean_of_present(values: pd.Series[Any]) -> float | None:
    present = values.dropna()
    return float(present.mean()) if len(present) else None


def _per_decision(rows: pd.DataFrame) -> pd.DataFrame:
    """Reward of each (seed, decision), replicates averaged, in time order within each seed."""
    rewards: pd.DataFrame = rows.groupby(KEYS, sort=True)[["reward"]].mean().reset_index()
    return rewards


def _with_oracle(rewards: pd.DataFrame, oracle: pd.DataFrame) -> FloatArray:
    joined = rewards.merge(oracle[[*KEYS, "value"]], on=KEYS, how="left", validate="one_to_one")
    if joined["value"].isna().any():
        lost = joined.loc[joined["value"].isna(), KEYS].head(3).to_dict("records")
        raise ValueError(f"the oracle has no value for {lost}")
    return np.asarray(joined["value"], dtype=np.float64)


def _policy_metrics(rows: pd.DataFrame, oracle: pd.DataFrame | None, resamples: int, seed: int) -> Metrics:
    rewards = _per_decision(rows)
    series, strata = rewards["reward"].to_numpy(dtype=np.float64), rewards["seed"].to_numpy()
    interval = bootstrap_interval(series, strata, resamples=resamples, seed=seed)
    metrics: Metrics = {
        "reward": interval.estimate,
        "reward_ci": [interval.low, interval.high],
        "reward_iqm": float(interquartile_mean(series)),
        "regret": None,
        "regret_ci": None,
    }
    if oracle is not None:
        best = _with_oracle(rewards, oracle)
        regret = paired_difference(best, series, strata, resamples=resamples, seed=seed)
        metrics |= {"regret": regret.estimate, "regret_ci": [regret.low, regret.high]}
    return metrics | {
        "ttft_s": _mean_of_present(rows["ttft_s"]),
        "tpot_s": _mean_of_present(rows["tpot_s"]),
        "ttft_requests": int(rows["ttft_s"].notna().sum()),
        "tpot_requests": int(rows["tpot_s"].notna().sum()),
        "latency_p95_s": float(rows["latency_s"].quantile(0.95)),
        "delta_nll": float(rows["delta_nll"].mean()),
        "ue_energy_j": float(rows["ue_energy_j"].mean()),
        "failure_rate": float(rows["failed"].mean()),
        "mean_split": float(rows["split"].mean()),
        "split_shares": split_shares(rows["split"].to_numpy()),
        "decisions": len(rows),
    }


def summarise(
    decisions: pd.DataFrame,
    *,
    oracle: pd.DataFrame | None = None,
    costs: Mapping[str, Cost] | None = None,
    measure: Yardstick | None = None,
    targets: Mapping[str, float] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Metrics]:
    """Metrics of each policy, JSON-ready, in the order in which the policies appear.

    Failed requests stay in every average: their latency is censored at the deadline, their lost tokens cost
    the quality clip. The exceptions are ``ttft_s`` and ``tpot_s``, which are means over the requests that did
    produce a first (for TPOT a second) token; ``ttft_requests`` and ``tpot_requests`` say how many those are,
    so a policy can't look fast by failing unseen. They are None where there is none.

    Args:
        decisions: one row per decision with the ``REQUIRED`` columns (units in their names).
        oracle: columns seed, decision, value, see :func:`oracle_frame`; without it, regret is None.
        costs: what each policy was trained or tuned on; of a policy that is not named it is not known.
        measure: gives every policy its share; without it, share is None.
        targets: what the scenario's user accepts, see :func:`pyagent.evaluation.targets.judge`.
        resamples: bootstrap resamples of ``reward_ci`` (95 %, circular blocks within seeds, replicates
            averaged).
        seed: of the bootstrap.

    Returns:
        policy -> reward, reward_ci, reward_iqm, regret (mean of oracle - reward), regret_ci, ttft_s, tpot_s,
        ttft_requests, tpot_requests, latency_p95_s, delta_nll, ue_energy_j, failure_rate, mean_split,
        split_shares (see :func:`split_shares`), decisions (judged), share, simulated_decisions,
        real_evaluations and tuning_contexts (see :class:`pyagent.evaluation.cost.Cost`), targets.

    Raises:
        ValueError: see :func:`check_decisions`; or the oracle lacks a decision.
    """
    check_decisions(decisions)
    found = {}
    for policy in map(str, decisions["policy"].unique()):
        rows = decisions[decisions["policy"] == policy]
        metrics = _policy_metrics(rows, oracle, resamples, seed)
        found[policy] = metrics | {
            "share": None if measure is None else measure.share(metrics["reward"]),
            **(costs or {}).get(policy, Cost()).to_json(),
            "targets": judge(rows, targets or {}),
        }
    return found


def compare(
    decisions: pd.DataFrame, first: str, second: str, *, resamples: int = 2000, seed: int = 0
) -> Metrics:
    """Paired reward difference ``first - second`` over the decisions both policies took.

    Returns:
        ``difference``, ``difference_ci`` (95 %), ``decisions`` (pairs).

    Raises:
        ValueError: a policy is unknown or the two share no (seed, decision).
    """
    check_decisions(decisions)
    a, b = (_per_decision(decisions[decisions["policy"] == p]) for p in (first, second))
    pairs = a.merge(b, on=KEYS, suffixes=("_a", "_b"))
    if pairs.empty:
        raise ValueError(f"policies {first!r} and {second!r} share no (seed, decision)")
    interval = paired_difference(
        pairs["reward_a"].to_numpy(dtype=np.float64),
        pairs["reward_b"].to_numpy(dtype=np.float64),
        pairs["seed"].to_numpy(),
        resamples=resamples,
        seed=seed,
    )
    return {
        "difference": interval.estimate,
        "difference_ci": [interval.low, interval.high],
        "decisions": len(pairs),
    }
