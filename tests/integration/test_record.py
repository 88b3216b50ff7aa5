"""Recording with the real simulator and model: the file, a stop on the way, and live equal to recorded."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyagent.campaign.progress import PhaseProgress
from pyagent.dataset import Dataset, DatasetError, open_dataset
from pyagent.dataset.record import LOCK, Plan, record
from pyagent.envs.record import Outcome
from pyagent.files import hold
from pyagent.learning.confirm import confirm
from pyagent.policies import BestStaticPolicy
from pyagent.scenario.load import load_scenario
from pyagent.scenario.schema import Scenario

pytestmark = [pytest.mark.ns3, pytest.mark.model]


def small() -> Scenario:
    tram = load_scenario("tram-replay")
    requests = tram.requests.model_copy(
        update={"count": 3, "prompt_tokens": (16, 24), "output_tokens": (8, 10)}
    )
    return tram.model_copy(
        update={
            "requests": requests,
            "model": tram.model.model_copy(update={"splits": [1, 32], "prompts": 4}),
        }
    )


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan(small(), train_seeds=2, test_seeds=1)


@pytest.fixture(scope="module")
def recorded(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path]:
    out = tmp_path_factory.mktemp("record") / "small.parquet"
    with PhaseProgress() as progress:
        return record(plan, out, command="splitsim record", progress=progress), out


def test_every_cell_is_there_with_what_it_was_judged_on(recorded: tuple[Dataset, Path]) -> None:
    dataset, out = recorded
    assert dataset.train.rewards.shape == (6, 2, 1)
    assert dataset.test.rewards.shape == (3, 2, 4)
    assert not out.with_name(out.name + ".parts").exists()
    again = open_dataset(out)
    np.testing.assert_array_equal(again.test.rewards, dataset.test.rewards)
    # The reward of the table is the reward that the run had, switching aside.
    np.testing.assert_allclose(
        np.sort(again.test.rewards.ravel()), np.sort(again.rows.query("part == 'test'")["reward"])
    )
    sent = again.rows[again.rows["split"] == 1].iloc[0]
    outcome = np.frombuffer(sent["record_outcome"], np.uint8)
    assert len(outcome) % (sent["prompt_tokens"] + sent["output_tokens"] - 1) == 0
    assert set(outcome) <= {int(value) for value in Outcome}
    assert len(np.frombuffer(sent["record_token_time_s"], "<f4")) == sent["output_tokens"]


@pytest.mark.slow
def test_a_recording_that_was_stopped_goes_on(
    plan: Plan, recorded: tuple[Dataset, Path], tmp_path: Path
) -> None:
    out = tmp_path / "again.parquet"

    class Stopping(PhaseProgress):
        def advance(self, steps: int = 1, note: str = "") -> None:
            if "test" in note:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Stopping() as progress:
        record(plan, out, command="splitsim record", progress=progress)
    assert len(list((tmp_path / "again.parquet.parts").glob("train-*.parquet"))) == 2
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "again.parquet.parts").glob("train-*.parquet")}
    notes: list[str] = []

    class Noting(PhaseProgress):
        def advance(self, steps: int = 1, note: str = "") -> None:
            notes.append(note)

    with Noting() as progress:
        dataset = record(plan, out, command="splitsim record", progress=progress)
    assert notes[:2] == ["was there"] * len(kept)
    pd.testing.assert_frame_equal(dataset.rows, recorded[0].rows)


def test_parts_of_another_recording_are_not_mixed_in(plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "mixed.parquet"
    parts = tmp_path / "mixed.parquet.parts"
    parts.mkdir()
    (parts / "plan.json").write_text("[]")
    with pytest.raises(DatasetError, match="of another recording"), PhaseProgress() as progress:
        record(plan, out, command="", progress=progress)
    assert not out.exists()


def test_two_recordings_do_not_share_a_file(plan: Plan, tmp_path: Path) -> None:
    parts = tmp_path / "one.parquet.parts"
    parts.mkdir()
    with (
        hold(parts / LOCK),
        pytest.raises(DatasetError, match="another recording is using it"),
        PhaseProgress() as progress,
    ):
        record(plan, tmp_path / "one.parquet", command="", progress=progress)


def test_a_static_policy_is_the_same_live_and_recorded(recorded: tuple[Dataset, Path]) -> None:
    with PhaseProgress() as progress:
        found = confirm(recorded[0], BestStaticPolicy(0, 2), replicates=2, progress=progress)
    assert found.decisions == 6
    assert found.same_action == 1.0
    assert found.live == pytest.approx(found.replayed, abs=1e-9)
    assert (found.difference.low, found.difference.high) == pytest.approx((0.0, 0.0), abs=1e-9)
