"""The yardsticks of a test table beside its policies: best pair and causal ceiling, JSON-ready.

Both are worked out on tables that a run has anyway, every action of the tuning and of the test episodes, so
neither needs a simulation of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyagent.dataset.table import RecordedTable
from pyagent.evaluation.cost import Cost
from pyagent.evaluation.oracle import Oracle
from pyagent.evaluation.pair import Pair, best_pair, pair_oracle
from pyagent.evaluation.share import Yardstick
from pyagent.evaluation.statistics import bootstrap_interval, paired_difference
from pyagent.evaluation.summary import Metrics, oracle_metrics, split_shares
from pyagent.learning.tuning import fit_ceiling, tune_static, whole_cost
from pyagent.policies.base import Policy
from pyagent.reward import FloatArray, RewardComposer
from pyagent.scenario.compile import Deployment
from pyagent.surrogate.types import Indices

PAIR, CEILING = "best-pair", "causal-ceiling"


@dataclass(frozen=True)
class Chosen:
    """What the tuning part chose.

    Attributes:
        static: action index of the best static split.
        pair: action indices of the best pair.
        ceiling: the causal ceiling.
        cost: of the tuning part's table, every action at every context.
    """

    static: int
    pair: Pair
    ceiling: Policy
    cost: Cost


def choose(deployment: Deployment, tuning: RecordedTable, composer: RewardComposer) -> Chosen:
    """Choose everything on the tuning part.

    Args:
        deployment: of the scenario.
        tuning: every action's outcomes in the tuning episodes.
        composer: the scenario's reward.
    """
    return Chosen(
        tune_static(deployment, tuning, composer).action,
        best_pair(tuning.rewards),
        fit_ceiling(deployment, tuning, composer),
        whole_cost(tuning),
    )


def yardstick_of(chosen: Chosen, test: RecordedTable, best: Oracle) -> Yardstick:
    """Best static split of the tuning part and oracle, on the test part."""
    return Yardstick.of(best.value, test.rewards[:, chosen.static].mean(1), test.seeds)


def reference_rows(
    chosen: Chosen,
    test: RecordedTable,
    best: Oracle,
    measure: Yardstick,
    splits: Sequence[int],
    switching_cost: float,
) -> dict[str, Metrics]:
    """Metrics of best pair and causal ceiling on the test part.

    The ceiling plays the recorded test episodes, with the approximation of `RecordedTable.replay`, and pays
    for its switches; the pair's oracle is cross-scored as the whole oracle is and pays for none.

    Args:
        chosen: on the tuning part.
        test: every action's outcomes in the test episodes, replicated.
        best: the oracle on it.
        measure: of it.
        splits: blocks on the UE of each action.
        switching_cost: taken off where the ceiling changes its action.

    Returns:
        name -> `reward`, `reward_ci`, `regret`, `share`, `mean_split`, `split_shares`, `simulated_decisions`,
        `real_evaluations`, `tuning_contexts`; of the pair also `splits`.
    """
    pair = pair_oracle(test.rewards, chosen.pair)
    actions = test.play_all(chosen.ceiling)
    earned = [test.rewards_of(actions[:, r], r, switching_cost) for r in range(test.replicates)]
    two = [splits[action] for action in chosen.pair]
    return {
        PAIR: {
            **oracle_metrics(pair, test.seeds, splits),
            **_against(pair.value, test, best, measure),
            **_pair_cost(chosen, test).to_json(),
            "splits": two,
        },
        CEILING: {
            **_judged(np.mean(earned, axis=0), actions, test, splits),
            **_against(np.mean(earned, axis=0), test, best, measure),
            **chosen.cost.to_json(),
        },
    }


def _judged(earned: FloatArray, actions: Indices, test: RecordedTable, splits: Sequence[int]) -> Metrics:
    reward = bootstrap_interval(earned, test.seeds)
    taken = np.asarray(splits)[actions]
    return {
        "reward": reward.estimate,
        "reward_ci": [reward.low, reward.high],
        "mean_split": float(taken.mean()),
        "split_shares": split_shares(taken),
    }


def _against(values: FloatArray, test: RecordedTable, best: Oracle, measure: Yardstick) -> Metrics:
    """Regret and share of values [K]."""
    regret = paired_difference(best.value, values, test.seeds)
    return {
        "regret": regret.estimate,
        "regret_ci": [regret.low, regret.high],
        "share": measure.share(float(values.mean())),
    }


def _pair_cost(chosen: Chosen, test: RecordedTable) -> Cost:
    """Choosing the pair, and looking at the outcomes of both actions in the test part."""
    two = test.lossy[:, list(dict.fromkeys(chosen.pair))]
    decisions, evaluations, contexts = chosen.cost.known()
    return Cost(decisions + int(two.size), evaluations + int(two.sum()), contexts)


def oracle_row(test: RecordedTable, best: Oracle, measure: Yardstick, splits: Sequence[int]) -> Metrics:
    """Metrics of the oracle, its share and its cost with them: it uses every outcome of the test part."""
    cost = whole_cost(test)
    return {
        **oracle_metrics(best, test.seeds, splits),
        "share": measure.share(measure.oracle),
        **Cost(cost.decisions, cost.evaluations, 0).to_json(),
    }


def gap_facts(measure: Yardstick, rows: dict[str, Metrics]) -> Metrics:
    """What a summary says of the gap, JSON-ready."""
    assert measure.gap is not None
    return {
        "oracle_over_best_static": measure.gap.estimate,
        "oracle_over_best_static_ci": [measure.gap.low, measure.gap.high],
        "nothing_to_gain": not measure.defined,
        "best_pair": rows[PAIR]["splits"],
        "pair_share": rows[PAIR]["share"],
        "causal_ceiling_share": rows[CEILING]["share"],
    }
