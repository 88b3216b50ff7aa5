"""What a run found: the summary, the tables beside it, the learning curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyagent.campaign.contenders import ARGMAX, LEARNED, TUNED
from pyagent.campaign.experiment import Experiment, Tuned
from pyagent.campaign.learn import MODEL, Trained
from pyagent.dataset.table import RecordedTable, row_components, row_contexts
from pyagent.envs.observation import FEATURES
from pyagent.evaluation.cost import FREE, Cost
from pyagent.evaluation.oracle import Oracle
from pyagent.evaluation.statistics import paired_difference
from pyagent.evaluation.summary import below_static, compare, oracle_frame, summarise
from pyagent.learning.learners import OnlineLearner
from pyagent.learning.model_based import ModelBasedLearner
from pyagent.learning.references import gap_facts, oracle_row, reference_rows, yardstick_of
from pyagent.policies.all_local import AllLocalPolicy
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.policies.min_split import MinSplitPolicy
from pyagent.policies.random import RandomPolicy
from pyagent.policies.rules import rules_of
from pyagent.policies.threshold import ThresholdPolicy
from pyagent.surrogate.calibration import calibration
from pyagent.surrogate.types import Batch


def conclude(
    run: Experiment, trained: dict[str, Trained], tuned: Tuned, table: RecordedTable, best: Oracle
) -> dict[str, Any]:
    """Write oracle, predictions and learning curve, and return what summary.json holds.

    Args:
        run: finished but for this.
        trained: bandits by name, and the model-based learner as `MODEL`.
        tuned: on the tuning seeds.
        table: of the test seeds.
        best: the oracle on it.
    """
    values = oracle_frame(table.seeds, table.decisions, best.value)
    judged, measure = _judged(run, tuned), yardstick_of(tuned.best_static, table, best)
    policies = summarise(
        judged,
        oracle=values,
        costs=_costs(run, trained, tuned),
        measure=measure,
        targets=run.scenario.targets.stated,
    )
    switching_cost = run.scenario.reward.as_weights().switching
    references = reference_rows(tuned.chosen, table, best, measure, run.splits, switching_cost)
    paired = _paired(run, judged)
    rules = rules_of(_tellers(run, tuned), run.scorer.deployment)
    guests = [guest.name for guest in run.contenders.guests]
    compared = [name for name in policies if name not in rules or name in guests]
    _write_tables(run, trained, tuned, table, best)
    return {
        "scenario": run.scenario.name,
        "seed": run.seed,
        "budget": run.learning.budget if trained else 0,
        "splits": list(run.splits),
        "infeasible_splits": list(run.scorer.deployment.infeasible),
        "proxy_note": run.scenario.model.proxy_note,
        "text": run.scorer.text,
        "proxy_splits": {str(split): run.scorer.proxy(split) for split in run.splits},
        "policies": policies,
        "rules": rules,
        "warnings": below_static(policies, compared, measure.static, run.splits[tuned.best_static], paired),
        "guests": guests,
        "best_static_split": run.splits[tuned.best_static],
        "threshold": _described(tuned.threshold, run.splits),
        "oracle": oracle_row(table, best, measure, run.splits),
        "references": references,
        **gap_facts(measure, references),
        "paired": paired,
        "decisions": len(run.rows),
        "evaluations": {
            phase: {
                "decisions": int((pd.Series([row["phase"] for row in run.rows]) == phase).sum()),
                "forward_passes": passes,
            }
            for phase, passes in run.passes.items()
        },
        "calibration": _calibration(run, trained[MODEL].learner) if MODEL in trained else None,
    }


def _tellers(run: Experiment, tuned: Tuned) -> dict[str, Policy]:
    """Policies of the run that may have a rule to tell, by name."""
    splits, layers = run.splits, run.scorer.deployment.num_layers
    fixed: dict[str, Policy] = {"random": RandomPolicy(splits), "min-split": MinSplitPolicy(splits)}
    if layers in splits:
        fixed["all-local"] = AllLocalPolicy(splits, layers)
    ours = {name: policy for name, policy in fixed.items() if name in run.contenders.baselines}
    return {**ours, **tuned.policies, **{guest.name: guest for guest in run.contenders.guests}}


def _costs(run: Experiment, trained: dict[str, Trained], tuned: Tuned) -> dict[str, Cost]:
    """What each policy was trained or tuned on."""
    learned = {name: Cost(run.learning.budget, found.evaluations, 0) for name, found in trained.items()}
    return {
        **dict.fromkeys(("random", "all-local", "min-split"), FREE),
        **dict.fromkeys(TUNED, tuned.cost),
        **dict.fromkeys(LEARNED, learned.pop(MODEL, FREE)),
        **learned,
        # A guest that is not tuned here does not tell what it was trained on.
        **{guest.name: tuned.cost if guest.tunes else Cost() for guest in run.contenders.guests},
    }


def _described(rule: ThresholdPolicy, splits: Sequence[int]) -> dict[str, Any]:
    """A threshold rule in physical units; no threshold where it never switches."""
    feature = FEATURES[rule.feature]
    finite = math.isfinite(rule.threshold)
    return {
        "feature": feature.name,
        "threshold": float(feature.restore(rule.threshold)) if finite else None,
        "split_below": splits[rule.below],
        "split_above": splits[rule.above],
    }


def _paired(run: Experiment, judged: pd.DataFrame) -> dict[str, Any]:
    """Reward of each learned policy over each tuned one, and of each guest over all, decision by decision."""
    there = list(dict.fromkeys(judged["policy"]))
    guests = [guest.name for guest in run.contenders.guests]
    pairs = [(a, b) for a in guests for b in there if b not in guests]
    pairs += [(a, b) for a in LEARNED for b in TUNED if a in there and b in there]
    return {f"{a} - {b}": compare(judged, a, b) for a, b in pairs}


def _judged(run: Experiment, tuned: Tuned) -> pd.DataFrame:
    """Test decisions of every policy; the static ones are the oracle's runs of their split."""
    static = run.frame("oracle")
    layers = run.scorer.deployment.num_layers
    named = {
        **({"all-local": layers} if layers in run.splits else {}),  # the UE's memory may not hold it
        "min-split": run.splits[0],
        "best-static": run.splits[tuned.best_static],
    }
    live = pd.DataFrame(run.frame("test"), columns=static.columns)
    frames = [live[live["policy"] == "random"]]
    frames += [
        static[static["split"] == split].assign(policy=name)
        for name, split in named.items()
        if name in run.contenders.baselines
    ]
    frames += [live[live["policy"] != "random"]]
    judged: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return judged


def _calibration(run: Experiment, learner: OnlineLearner) -> dict[str, Any]:
    """How well the final surrogate predicts the oracle's runs, which it never saw."""
    assert isinstance(learner, ModelBasedLearner)
    held_out = run.frame("oracle")
    outcomes = row_components(held_out, run.scenario.reward.delta_nll_clip)
    contexts = row_contexts(held_out, run.scorer.deployment.num_layers)
    batch = Batch(contexts, held_out["action"].to_numpy(dtype=np.int64), outcomes)
    return calibration(learner.surrogate, learner.encoder, batch)


def _write_tables(
    run: Experiment, trained: dict[str, Trained], tuned: Tuned, table: RecordedTable, best: Oracle
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
    if MODEL in trained:
        run.folder.write_table("predictions.parquet", pd.DataFrame(trained[MODEL].predictions))
    run.folder.write_table("learning.parquet", _learning_curve(run, trained, tuned, table, best))


def _learning_curve(
    run: Experiment, trained: dict[str, Trained], tuned: Tuned, table: RecordedTable, best: Oracle
) -> pd.DataFrame:
    """Regret of the learners' snapshots, and of who doesn't learn, on the recorded table."""
    cost = run.scenario.reward.as_weights().switching
    actions = len(run.splits)
    costs = _costs(run, trained, tuned)
    references: dict[str, Policy] = {
        "random": RandomPolicy(run.splits),
        "min-split": BestStaticPolicy(0, actions),
        **tuned.policies,
    }
    entries: list[tuple[str, int | None, Policy]] = []
    for name, found in trained.items():
        shown = ARGMAX if name == MODEL else name
        if shown in run.contenders.baselines:
            entries += [(shown, n, policy) for n, policy in found.snapshots]
    entries += [
        (name, costs[name].evaluations, policy)
        for name, policy in references.items()
        if name in run.contenders.baselines
    ]
    entries += [(guest.name, costs[guest.name].evaluations, guest.copy()) for guest in run.contenders.guests]
    rows = []
    for name, count, policy in entries:
        played = np.mean([table.replay(policy, r, cost) for r in range(table.replicates)], axis=0)
        regret = paired_difference(best.value, played, table.seeds)
        rows.append(
            {
                "policy": name,
                "evaluations": math.nan if count is None else count,
                "regret": regret.estimate,
                "regret_low": regret.low,
                "regret_high": regret.high,
            }
        )
    curve: pd.DataFrame = pd.DataFrame(rows)
    return curve
