"""Policies on a recorded dataset, decision by decision, as the run folder of a live run has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyagent.campaign.folder import RunFolder, describe
from pyagent.dataset import Dataset, RecordedTable
from pyagent.dataset.table import KEYS
from pyagent.envs.replay import NO_ACTION
from pyagent.envs.scoring import NO_SPLIT
from pyagent.evaluation.cost import Cost
from pyagent.evaluation.oracle import oracle
from pyagent.evaluation.summary import below_static, compare, oracle_frame, summarise
from pyagent.learning.references import choose, gap_facts, oracle_row, reference_rows, yardstick_of
from pyagent.learning.tuning import tuning_cost
from pyagent.policies.base import Policy
from pyagent.policies.rules import rules_of
from pyagent.policies.user import UserPolicy
from pyagent.reward import TERMS
from pyagent.surrogate.types import Indices

RECORDED_COMMAND = "pyagent.evaluate"
"""What meta.json says: there is no command line."""
FIRST = (
    *("phase", "policy", "seed", "replicate", "decision", "action", "split", "previous_split", "reward"),
    *(f"term_{name}" for name in TERMS),
)
"""Columns that come first, as in a run."""


def write_evaluation(
    folder: RunFolder,
    dataset: Dataset,
    guests: Sequence[UserPolicy],
    trained: Mapping[str, tuple[Policy, Cost]],
    seed: int,
    tuned_on: RecordedTable,
) -> dict[str, Any]:
    """Play policies on the test part and write what a run writes: decisions, oracle, summary, scenario.

    Args:
        folder: where.
        dataset: what is played.
        guests: the user's own, prepared and tuned.
        trained: baselines by name, each with what it was trained or tuned on.
        seed: of the training, for the summary.
        tuned_on: part of the training part that the guests were tuned on.

    Returns:
        What summary.json holds.
    """
    scenario, table, splits = dataset.scenario, dataset.test, dataset.deployment.splits
    contenders: dict[str, Policy] = {guest.name: guest for guest in guests}
    contenders |= {name: policy for name, (policy, _) in trained.items()}
    judged = pd.concat([played(dataset, policy, name) for name, policy in contenders.items()])
    rows = pd.concat([static_runs(dataset), judged], ignore_index=True)
    best = oracle(table.rewards)
    values = oracle_frame(table.seeds, table.decisions, best.value)
    tuned = choose(dataset.deployment, dataset.train, dataset.composer)
    measure = yardstick_of(tuned.static, table, best)
    references = reference_rows(tuned, table, best, measure, splits, dataset.switching_cost)
    rules = rules_of(contenders, dataset.deployment)
    policies = summarise(
        judged,
        oracle=values,
        costs={
            **{name: cost for name, (_, cost) in trained.items()},
            **{guest.name: tuning_cost(tuned_on) for guest in guests if guest.tunes},
        },
        measure=measure,
        targets=scenario.targets.stated,
    )
    paired = {
        f"{guest.name} - {other}": compare(judged, guest.name, other)
        for i, guest in enumerate(guests, 1)
        for other in list(contenders)[i:]
    }
    compared = [name for name in contenders if name not in rules or name not in trained]
    summary = {
        "scenario": scenario.name,
        "seed": seed,
        "splits": list(splits),
        "policies": policies,
        "rules": rules,
        "warnings": below_static(policies, compared, measure.static, splits[tuned.static], paired),
        "guests": [guest.name for guest in guests],
        "oracle": oracle_row(table, best, measure, splits),
        "references": references,
        "best_static_split": splits[tuned.static],
        **gap_facts(measure, references),
        "paired": paired,
        "decisions": len(judged),
    }
    folder.write_table("decisions.parquet", rows)
    folder.write_table("oracle.parquet", values)
    folder.write_json("summary.json", summary)
    folder.write_json("meta.json", describe(scenario, RECORDED_COMMAND, "finished"))
    return summary


def played(dataset: Dataset, policy: Policy, name: str) -> pd.DataFrame:
    """The test decisions of a policy that no longer learns, on every replicate.

    Args:
        dataset: whose test part is played; see `RecordedTable.replay` for what that leaves out.
        policy: asked decision by decision.
        name: of the column `policy`.
    """
    return _rows(dataset, dataset.test.play_all(policy), "test", name)


def static_runs(dataset: Dataset) -> pd.DataFrame:
    """Every split's runs of the test part, which the oracle chooses from."""
    shape = (len(dataset.test), dataset.test.replicates)
    frames = [
        _rows(dataset, np.full(shape, action), "oracle", f"static-{split}")
        for action, split in enumerate(dataset.deployment.splits)
    ]
    rows: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return rows


def _rows(dataset: Dataset, actions: Indices, phase: str, name: str) -> pd.DataFrame:
    """Rows of actions [K, R]: outcomes of the action taken, observations after the one before."""
    table, splits = dataset.test, np.asarray(dataset.deployment.splits)
    before = np.roll(actions, 1, axis=0)
    before[table.first_of_seed] = NO_ACTION
    k, r = np.indices(actions.shape)
    taken, seen = (k, actions, r), (k, np.maximum(before, 0), r)
    contexts, components = table.contexts[seen], table.components[taken]
    rewards, terms = dataset.composer.composed(
        contexts.reshape(-1, contexts.shape[-1]), actions.ravel(), components.reshape(actions.size, -1)
    )
    cells = dataset.rows[dataset.rows["part"] == "test"].sort_values(KEYS, ignore_index=True)
    place = np.arange(len(cells)).reshape(table.rewards.shape)
    rows = cells.iloc[place[taken].ravel()].reset_index(drop=True)
    observed = [column for column in map(str, cells) if column.startswith("obs_")]
    rows[observed] = cells.iloc[place[seen].ravel()][observed].to_numpy()
    rows = rows.assign(
        phase=phase,
        policy=name,
        split=splits[actions].ravel(),
        previous_split=np.where(before == NO_ACTION, NO_SPLIT, splits[before]).ravel(),
        reward=rewards,
        **{f"term_{term}": values for term, values in terms.items()},
    )
    others = [column for column in rows if column not in FIRST and not column.startswith("record_")]
    chosen: pd.DataFrame = rows[[*FIRST, *(column for column in others if column != "part")]]
    return chosen
