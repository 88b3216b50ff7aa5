"""The grid of ranks at other weights, and what failed requests cost."""

import numpy as np
import pandas as pd
import pytest
from synthetic_run import HELD, POLICIES

from pyagent.plots import FIGURES, MissingDataError, NothingToDrawError
from pyagent.plots.data import judged_rows
from pyagent.plots.weights import read_again

TERMS = ("quality", "latency", "energy", "load", "failure", "switching")


def written(axes):
    """Texts in the cells, by (row, column)."""
    return {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in axes.texts
    }


def test_cells_hold_ranks_and_mark_those_that_change(complete_run):
    axes = FIGURES["weights"](complete_run).axes[0]
    found, cells = read_again(complete_run), written(axes)
    policies, readings = found.ranks.shape
    assert (policies, readings) == (len(POLICIES) + len(HELD), 14)
    marks = set()
    for (row, column), rank in np.ndenumerate(found.ranks):
        change = int(np.sign(rank - found.ranks[row, 0]))
        mark = {
            0: "",
            -1: " \N{BLACK UP-POINTING SMALL TRIANGLE}",
            1: " \N{BLACK DOWN-POINTING SMALL TRIANGLE}",
        }
        assert cells[row, column] == f"{rank}{mark[change]}"
        marks.add(change)
    assert marks == {-1, 0, 1}
    assert cells[policies, readings - 1] == f"{found.tau(readings - 1):.2f}"
    assert [label.get_text() for label in axes.get_yticklabels()] == [*found.policies, "Kendall's tau"]


def test_bars_of_a_failed_request_are_its_terms(complete_run):
    left, right = FIGURES["failures"](complete_run).axes
    rows = judged_rows(complete_run, [f"term_{term}" for term in TERMS])
    means = -rows.groupby("policy")["reward"].mean().sort_values(ascending=False)
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == list(means.index)
    lost = rows[rows["failed"]]
    for container in left.containers:
        term = container.get_label()
        expected = -lost.groupby("policy")[f"term_{term}"].mean().reindex(names).fillna(0.0)
        np.testing.assert_allclose([bar.get_width() for bar in container], expected, atol=1e-12)
    assert {container.get_label() for container in left.containers} == set(TERMS)
    failed, served = ([bar.get_width() for bar in container] for container in right.containers)
    np.testing.assert_allclose(np.add(failed, served), means)
    part = -lost.groupby("policy")["reward"].sum() / rows.groupby("policy").size()
    np.testing.assert_allclose(failed, part.reindex(names).fillna(0.0), atol=1e-12)
    assert [text.get_text() for text in left.texts] == ["none failed"]


def test_where_nothing_failed_there_is_no_picture_of_failures(run):
    path = run / "decisions.parquet"
    table = pd.read_parquet(path)
    table[~table["failed"]].to_parquet(path)
    with pytest.raises(NothingToDrawError, match="no test request failed"):
        FIGURES["failures"](run)


@pytest.mark.parametrize("name", ["weights", "failures"])
def test_a_run_without_terms_says_so(run, name):
    path = run / "decisions.parquet"
    pd.read_parquet(path).drop(columns=["term_load"]).to_parquet(path)
    with pytest.raises(MissingDataError, match=r"decisions.parquet lacks term_load"):
        FIGURES[name](run)
