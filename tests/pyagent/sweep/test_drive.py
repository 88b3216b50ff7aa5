"""What a campaign makes and in which order, stopped or not, alone or beside another."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyagent import results
from pyagent.dataset import shipped_dataset
from pyagent.evaluation.statistics import mean_interval, student_quantile
from pyagent.sweep.campaign import Done, run_sweep
from pyagent.sweep.file import Sweep, SweepError
from pyagent.sweep.store import Store
from pyagent.sweep.until import FEWEST, Until, more_seeds, needed_seeds
from tests.pyagent.sweep.cheap import InlineEngine, cheap_sweep


def swept(sweep: Sweep, store: Path, engine: InlineEngine | None = None, **options: object) -> Done:
    chosen = engine or InlineEngine()
    return run_sweep(sweep, store, lambda scratch: chosen, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = swept(cheap_sweep(folder), folder / "store")
    assert done.tally == {"made": 6}
    return results.load(folder / "store")


def test_results_are_real_and_one_row_for_each_run_and_policy(undisturbed: pd.DataFrame) -> None:
    assert len(undisturbed) == 3 * 2 * 3
    told = undisturbed.set_index(["scenario.reward.slo_s", "seed", "policy"])["share"]
    assert (told.xs("oracle", level="policy") == 1).all()
    assert told.xs("threshold", level="policy").mean() > told.xs("best-static", level="policy").mean()


@pytest.mark.parametrize("stopped_after", [0, 1, 4])
def test_an_interrupted_sweep_goes_on_and_ends_with_the_same_table(
    tmp_path: Path, undisturbed: pd.DataFrame, stopped_after: int
) -> None:
    def stop(made: int) -> None:
        if made == stopped_after:
            raise KeyboardInterrupt

    sweep, first, second = cheap_sweep(tmp_path), InlineEngine(stop), InlineEngine()
    with pytest.raises(KeyboardInterrupt):
        swept(sweep, tmp_path / "store", first)
    done = swept(sweep, tmp_path / "store", second)
    assert done.tally == Counter(made=6 - stopped_after, there=stopped_after)
    assert not set(first.made) & set(second.made)
    pd.testing.assert_frame_equal(results.load(tmp_path / "store"), undisturbed, check_exact=True)


def test_what_is_there_is_not_made_again_and_no_engine_is_opened(
    tmp_path: Path, undisturbed: pd.DataFrame
) -> None:
    sweep = cheap_sweep(tmp_path)
    swept(sweep, tmp_path / "store")

    def none(scratch: Path) -> InlineEngine:
        raise AssertionError

    assert run_sweep(sweep, tmp_path / "store", none).tally == {"there": 6}
    more = cheap_sweep(tmp_path, seeds={"count": 3})
    assert swept(more, tmp_path / "store").tally == {"made": 3, "there": 6}


def test_two_sweeps_on_one_store_share_the_work(tmp_path: Path, undisturbed: pd.DataFrame) -> None:
    engines = [InlineEngine(slots=1), InlineEngine(slots=1)]
    done: dict[int, Done] = {}

    sweep = cheap_sweep(tmp_path)

    def work(i: int) -> None:
        done[i] = swept(sweep, tmp_path / "store", engines[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [key for engine in engines for key in engine.made]
    assert sorted(made) == sorted(set(made))
    assert len(made) == 6
    assert [sum(done[i].tally.values()) for i in range(2)] == [6, 6]
    pd.testing.assert_frame_equal(results.load(tmp_path / "store"), undisturbed, check_exact=True)


def test_a_failed_run_is_kept_and_stops_nothing(tmp_path: Path) -> None:
    # One file's contents under two names would be one run, so the second has contents of its own.
    contents = {"good": shipped_dataset("tram-replay"), "bad": shipped_dataset("default")}
    for name, source in contents.items():
        shutil.copy(source, tmp_path / f"{name}.parquet")
    bad, store = tmp_path / "bad.parquet", tmp_path / "store"
    sweep = cheap_sweep(
        tmp_path,
        base={"dataset": "good.parquet"},
        grid={"dataset": ["good.parquet", "bad.parquet"]},
        seeds={"count": 1},
    )
    done = swept(sweep, store, InlineEngine(lambda made: bad.unlink(missing_ok=True)))
    assert done.tally == {"made": 1, "failed": 1}
    (failed,) = results.runs(store, where={"state": "failed"}).to_dict("records")
    assert "bad.parquet" in failed["error"]
    with pytest.raises(FileNotFoundError):
        results.rerun(store, failed["key"][:10])
    shutil.copy(contents["bad"], bad)
    assert swept(sweep, store).tally == {"there": 1, "failed": 1}
    assert swept(sweep, store, retry_failed=True).tally == {"made": 1, "there": 1}
    again = results.rerun(store, failed["key"][:10])
    kept = results.load(store, keys=[failed["key"]])
    assert again["reward"].tolist() == kept["reward"].tolist()


def test_the_longest_run_is_first_by_size_and_then_by_what_was_measured(tmp_path: Path) -> None:
    budgets = {"grid": {"agent.budget": [40, 400]}, "seeds": {"count": 1}}
    agent = {"policies": ["best-static"]}
    sweep = cheap_sweep(tmp_path, agent=agent, **budgets)
    engine = InlineEngine(slots=1)
    swept(sweep, tmp_path / "a", engine)
    frame = results.load(tmp_path / "a").drop_duplicates("key").set_index("key")
    assert frame.loc[engine.made, "agent.budget"].tolist() == [400, 40]
    # A store that knows this kind to be quick: the small run of an unknown kind goes first.
    other = cheap_sweep(
        tmp_path,
        list=[
            {"agent.policies": ["best-static"], "agent.budget": 400},
            {"agent.policies": ["threshold"], "agent.budget": 399},
        ],
        grid={"scenario.reward.slo_s": [3.0]},
        seeds={"count": 1},
    )
    with Store(tmp_path / "a") as store:
        store._db.execute("UPDATE runs SET wall_s = 1e-3")
        store._db.execute(
            "INSERT INTO runs SELECT 'x', state, owner, sweep, 'live', decisions, spec, changed_at, 1e3,"
            " host, error FROM runs LIMIT 1"
        )
    engine = InlineEngine(slots=1)
    swept(other, tmp_path / "a", engine)
    frame = results.load(tmp_path / "a").drop_duplicates("key").set_index("key")
    assert frame.loc[engine.made, "agent.budget"].tolist() == [399, 400]


def test_seeds_are_added_until_the_interval_is_narrow(tmp_path: Path) -> None:
    sweep = cheap_sweep(tmp_path, grid={}, agent={"budget": 20, "policies": ["linucb"]}, seeds={"count": 1})
    assert swept(sweep, tmp_path / "store", until=Until(10.0)).seeds == [FEWEST]
    # The oracle is the same with every seed; linucb isn't, and never will be known so well.
    assert swept(sweep, tmp_path / "store", until=Until(1e-9, policies=("oracle",))).seeds == [FEWEST]
    assert swept(sweep, tmp_path / "store", until=Until(1e-9, most=7)).seeds == [7]
    assert sorted(results.load(tmp_path / "store")["seed"].unique()) == [1, 2, 3, 4, 5, 6, 7]
    with pytest.raises(SweepError, match="no such metric"):
        swept(sweep, tmp_path / "store", until=Until(1.0, metric="joy"))
    with pytest.raises(SweepError, match="valid: oracle, linucb"):
        swept(sweep, tmp_path / "store", until=Until(1.0, policies=("dqn",)))


def test_enough_seeds_are_as_many_as_the_scatter_asks_for() -> None:
    values = np.random.default_rng(0).normal(0, 1, 400)
    found = mean_interval(values[:20])
    wanted = needed_seeds(values[:20], 0.3)
    again = mean_interval(values[:wanted])
    assert found.high - found.low > 0.3
    assert 0.2 < again.high - again.low < 0.4
    frame = pd.DataFrame({"policy": "a", "reward": values[:20]})
    assert more_seeds(frame, 20, Until(0.3)) == 40  # not more than twice as many at once
    assert more_seeds(frame, 20, Until(0.3, most=25)) == 25
    assert more_seeds(frame, 20, Until(5.0)) == 20


@pytest.mark.parametrize(
    ("degrees", "published"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (99, 1.984)]
)
def test_students_quantiles_are_those_of_the_tables(degrees: int, published: float) -> None:
    assert student_quantile(0.975, degrees) == pytest.approx(published, rel=0.01)
