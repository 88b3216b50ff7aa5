"""The yardsticks of a test table beside its policies: best pair and causal ceiling, JSON-ready.

Both are worked out on tables that a run has anyway, every action of the tuning and of the test episodes, so
neither needs a simulation of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from pyagent.policies.causal_ceiling import CausalCeilingPolicy
from pyagent.reward import FloatArray, RewardComposer
from pyagent.scenario.compile import Deployment
from pyagent.surrogate.types import Indices

PAIR, CEILING = "best-pair", CausalCeilingPolicy.name


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


def yardstick_of(static: int, test: RecordedTable, best: Oracle) -> Yardstick:
    """The best static action of the tuning part and the oracle, on the test part."""
    return Yardstick.of(best.value, test.rewards[:, static].mean(1), test.seeds)


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
    earned = test.rewards_of_all(actions, switching_cost).mean(1)
    two = [splits[action] for action in chosen.pair]
    return {
        PAIR: {
            **oracle_metrics(pair, test.seeds, splits),
            **_against(pair.value, test, best, measure),
            **pair_cost(chosen.pair, chosen.cost, test).to_json(),
            "splits": two,
        },
        CEILING: {
            **_judged(earned, actions, test, splits),
            **_against(earned, test, best, measure),
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


def pair_cost(pair: Pair, tuning: Cost, test: RecordedTable) -> Cost:
    """Cost of a pair: that of the tuning part which chose it, and both actions' outcomes in the test part."""
    two = test.lossy[:, list(dict.fromkeys(pair))]
    decisions, evaluations, contexts = tuning.known()
    return Cost(decisions + int(two.size), evaluations + int(two.sum()), contexts)


def oracle_cost(test: RecordedTable) -> Cost:
    """Cost of the oracle: every outcome of the test part, and nothing to tune."""
    return replace(whole_cost(test), tuning_contexts=0)


def oracle_row(test: RecordedTable, best: Oracle, measure: Yardstick, splits: Sequence[int]) -> Metrics:
    """Metrics of the oracle, with its share and its cost."""
    return {
        **oracle_metrics(best, test.seeds, splits),
        "share": measure.share(measure.oracle),
        **oracle_cost(test).to_json(),
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
