"""What a run found: the summary, the tables beside it, the learning curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pyagent.campaign.experiment import Experiment, Tuned
from pyagent.campaign.learn import Learner
from pyagent.envs.observation import NAMES, normalise
from pyagent.evaluation.oracle import Oracle
from pyagent.evaluation.recorded import RecordedTable
from pyagent.evaluation.statistics import bootstrap_interval, paired_difference
from pyagent.evaluation.summary import compare, oracle_frame, summarise
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.policies.random import RandomPolicy
from pyagent.surrogate.calibration import calibration
from pyagent.surrogate.types import Batch


def conclude(
    run: Experiment, learner: Learner, tuned: Tuned, table: RecordedTable, best: Oracle
) -> dict[str, Any]:
    """Write oracle, predictions and learning curve, and return what summary.json holds."""
    values = oracle_frame(table.seeds, table.decisions, best.value)
    bought = {
        "random": 0,
        "all-local": 0,
        "min-split": 0,
        "best-static": tuned.decisions,
        "threshold": tuned.decisions,
        "surrogate-argmax": run.budget,
        "ppo-imagination": run.budget,
    }
    judged = _judged(run, tuned)
    policies = summarise(judged, oracle=values, real_evaluations=bought, targets=run.scenario.targets.stated)
    static = table.rewards[:, tuned.best_static].mean(1)
    gap = paired_difference(best.value, static, table.seeds)
    value = bootstrap_interval(best.value, table.seeds)
    _write_tables(run, learner, tuned, table, best)
    return {
        "scenario": run.scenario.name,
        "seed": run.seed,
        "budget": run.budget,
        "splits": list(run.splits),
        "infeasible_splits": list(run.scorer.deployment.infeasible),
        "proxy_note": run.scorer.proxy_note(),
        "proxy_splits": {str(split): run.scorer.proxy(split) for split in run.splits},
        "policies": policies,
        "best_static_split": run.splits[tuned.best_static],
        "oracle": {
            "reward": value.estimate,
            "reward_ci": [value.low, value.high],
            "mean_split": float(np.asarray(run.splits)[best.action].mean()),
            "naive_reward": float(best.naive_value.mean()),
        },
        "paired": _paired(judged),
        "oracle_over_best_static": gap.estimate,
        "oracle_over_best_static_ci": [gap.low, gap.high],
        "decisions": len(run.rows),
        "evaluations": {
            phase: {
                "decisions": int((pd.Series([row["phase"] for row in run.rows]) == phase).sum()),
                "forward_passes": passes,
            }
            for phase, passes in run.passes.items()
        },
        "calibration": _calibration(run, learner),
    }


def _paired(judged: pd.DataFrame) -> dict[str, Any]:
    """Reward of each learned policy over each tuned one, on the same decisions."""
    learned, tuned = ("surrogate-argmax", "ppo-imagination"), ("threshold", "best-static")
    return {f"{a} - {b}": compare(judged, a, b) for a in learned for b in tuned}


def _judged(run: Experiment, tuned: Tuned) -> pd.DataFrame:
    """Test decisions of every policy; the static ones are the oracle's runs of their split."""
    static = run.frame("oracle")
    layers = run.scorer.deployment.num_layers
    named = {
        **({"all-local": layers} if layers in run.splits else {}),  # the UE's memory may not hold it
        "min-split": run.splits[0],
        "best-static": run.splits[tuned.best_static],
    }
    live = run.frame("test")
    frames = [live[live["policy"] == "random"]]
    frames += [static[static["split"] == split].assign(policy=name) for name, split in named.items()]
    frames += [live[live["policy"] != "random"]]
    judged: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return judged


def _calibration(run: Experiment, learner: Learner) -> dict[str, Any]:
    """How well the final surrogate predicts the oracle's runs, which it never saw."""
    held_out = run.frame("oracle")
    layers = run.scorer.deployment.num_layers
    raw = held_out[[f"obs_{name}" for name in NAMES]].to_numpy(dtype=np.float64)
    clip = run.scenario.reward.delta_nll_clip
    outcomes = np.stack(
        [
            held_out["latency_s"],
            held_out["delta_nll"].clip(0.0, clip),
            held_out["ue_energy_j"],
            held_out["failed"].astype(float),
        ],
        axis=1,
    )
    contexts = np.stack([normalise(values, layers) for values in raw])
    batch = Batch(contexts, held_out["action"].to_numpy(dtype=np.int64), outcomes)
    return calibration(learner.surrogate, learner.encoder, batch)


def _write_tables(
    run: Experiment, learner: Learner, tuned: Tuned, table: RecordedTable, best: Oracle
) -> None:
    choices = np.asarray(run.splits)[best.action]
    run.folder.write_table(
        "oracle.parquet",
        pd.DataFrame(
            {
                "seed": table.seeds,
                "decision": table.decisions,
                "value": best.value,
                "split": choices,
                "naive_value": best.naive_value,
                "static_value": best.static_value,
            }
        ),
    )
    run.folder.write_table("predictions.parquet", pd.DataFrame(learner.predictions))
    run.folder.write_table("learning.parquet", _learning_curve(run, learner, tuned, table, best))


def _learning_curve(
    run: Experiment, learner: Learner, tuned: Tuned, table: RecordedTable, best: Oracle
) -> pd.DataFrame:
    """Regret of the surrogate's snapshots, and of what needs no surrogate, on the recorded table."""
    cost = run.scenario.reward.as_weights().switching
    actions = len(run.splits)
    entries: list[tuple[str, int, Policy]] = [
        ("surrogate-argmax", count, learner.argmax_policy(snapshot)) for count, snapshot in learner.snapshots
    ]
    entries += [
        ("random", 0, RandomPolicy(run.splits)),
        ("min-split", 0, BestStaticPolicy(0, actions)),
        ("best-static", tuned.decisions, BestStaticPolicy(tuned.best_static, actions)),
        ("threshold", tuned.decisions, tuned.threshold),
    ]
    rows = []
    for name, count, policy in entries:
        played = np.mean([table.replay(policy, r, cost) for r in range(table.replicates)], axis=0)
        regret = paired_difference(best.value, played, table.seeds)
        rows.append(
            {
                "policy": name,
                "evaluations": count,
                "regret": regret.estimate,
                "regret_low": regret.low,
                "regret_high": regret.high,
            }
        )
    curve: pd.DataFrame = pd.DataFrame(rows)
    return curve
