"""Policies of a recorded comparison at other weights."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from pyagent.cli import app
from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.errors import UserError
from pyagent.evaluation.oracle import oracle
from pyagent.evaluation.weights import AS_RUN, Reading, Rereading, usual_readings
from pyagent.learning.on_table import judge
from pyagent.learning.references import CEILING
from pyagent.learning.reweighing import reread_policies
from pyagent.policies.base import Policy
from pyagent.policies.min_split import MinSplitPolicy
from pyagent.policies.random import RandomPolicy
from pyagent.reward import RewardWeights


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset(shipped_dataset("tram-replay"))


@pytest.fixture(scope="module")
def policies(dataset: Dataset) -> dict[str, list[Policy]]:
    splits = dataset.deployment.splits
    return {"random": [RandomPolicy(splits, seed=s) for s in (0, 1)], "min-split": [MinSplitPolicy(splits)]}


@pytest.fixture(scope="module")
def found(dataset: Dataset, policies: dict[str, list[Policy]]) -> Rereading:
    weights = dataset.composer.weights
    readings = (*usual_readings(weights), Reading("switching x0", {"switching": 0.0}))
    return reread_policies(dataset, policies, readings)


def at(dataset: Dataset, weights: RewardWeights) -> Dataset:
    """The dataset recorded at other weights."""
    own = dict(vars(weights))
    reward = dataset.scenario.reward.model_copy(update={"weights": own})
    return Dataset(dataset.scenario.model_copy(update={"reward": reward}), dataset.rows, dataset.about)


def test_as_run_is_what_the_comparison_says(
    dataset: Dataset, policies: dict[str, list[Policy]], found: Rereading
) -> None:
    assert found.readings[0].name == AS_RUN
    for name, runs in policies.items():
        expected = np.mean([judge(policy, dataset)[0] for policy in runs])
        assert found.rewards[found.policies.index(name), 0] == pytest.approx(expected, abs=1e-6)
    statics = found.statics[0]
    assert statics.oracle_series.mean() == pytest.approx(oracle(dataset.test.rewards).value.mean(), abs=1e-6)
    tuned = int(dataset.train.rewards.mean(axis=(0, 2)).argmax())
    assert statics.best == dataset.deployment.splits[tuned]
    assert statics.best_series.mean() == pytest.approx(dataset.test.rewards[:, tuned].mean(), abs=1e-6)


@pytest.mark.parametrize("term", ["quality", "latency", "energy", "load", "failure", "switching"])
def test_a_reading_is_the_dataset_at_that_weight(
    dataset: Dataset, policies: dict[str, list[Policy]], found: Rereading, term: str
) -> None:
    weights = dataset.composer.weights
    other = at(dataset, replace(weights, **{term: 2 * getattr(weights, term)}))
    table = dataset.test.with_weights(other.composer)
    column = [reading.name for reading in found.readings].index(f"{term} x2")
    for name, runs in policies.items():
        expected = np.mean(
            [
                table.rewards_of(actions[:, r], r, other.composer.weights.switching).mean()
                for actions in (dataset.test.play_all(policy) for policy in runs)
                for r in range(table.replicates)
            ]
        )
        assert found.rewards[found.policies.index(name), column] == pytest.approx(expected, abs=1e-6)
    assert found.statics[column].oracle_series.mean() == pytest.approx(
        oracle(table.rewards).value.mean(), abs=1e-6
    )


def test_compare_ranks_its_policies_at_the_factors_of_the_user() -> None:
    asked = ["compare", "tram-replay", "--policies", "random,min-split", "--seeds", "2", "--decisions", "40"]
    done = CliRunner().invoke(app, [*asked, "--weights", "latency=3", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output.splitlines()[-1])
    as_run, dear = told["at_other_weights"]["readings"]
    # The recorded link is slow: if latency costs three times as much, everything is best done on the UE.
    assert dear["weights"]["latency"] == 3 * as_run["weights"]["latency"]
    assert dear["best_static"]["split"] == 32 != as_run["best_static"]["split"]
    assert as_run["best_static"]["split"] == told["static_split"]
    assert set(as_run["policies"]) >= {"random", "min-split"}
    assert CEILING in told["policies"]
    assert CEILING not in as_run["policies"]
    for name, metrics in as_run["policies"].items():
        assert metrics["reward"] == pytest.approx(told["policies"][name]["reward"], abs=1e-6)
        assert metrics["share"] == pytest.approx(told["policies"][name]["share"], abs=1e-4)


def test_compare_refuses_a_wrong_factor_before_it_trains() -> None:
    done = CliRunner().invoke(app, ["compare", "tram-replay", "--weights", "speed=2"])
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith("--weights = 'speed=2': no such weight")


def test_only_who_switches_pays_for_it(found: Rereading) -> None:
    free = found.rewards[:, -1] - found.rewards[:, 0]
    by_name = dict(zip(found.policies, free.tolist(), strict=True))
    assert by_name["min-split"] == 0
    assert 0 < by_name["random"] < found.weights.switching
