"""Colours, and the small calculations behind the figures."""

import numpy as np
import pandas as pd
import pytest

from pyagent.plots.links import bin_means
from pyagent.plots.regret import spread
from pyagent.plots.style import LOSS_COLOURS, POLICY_COLOURS, TERM_COLOURS, policy_colour, split_colours
from pyagent.reward import TERMS

OKABE_ITO = {
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999",
}  # fmt: skip


def test_policy_colours_are_unique_and_of_the_palette():
    assert len(set(POLICY_COLOURS.values())) == len(POLICY_COLOURS) == 8
    assert set(POLICY_COLOURS.values()) <= OKABE_ITO


def test_an_unknown_policy_has_a_stable_colour_that_no_known_one_has():
    assert policy_colour("linucb") == policy_colour("linucb")
    assert policy_colour("linucb") not in POLICY_COLOURS.values()


def test_parts_of_a_bar_have_no_policy_colour_and_every_term_has_one():
    assert tuple(TERM_COLOURS) == TERMS
    assert not {*TERM_COLOURS.values(), *LOSS_COLOURS.values()} & set(POLICY_COLOURS.values())
    assert len(set(TERM_COLOURS.values())) == len(TERMS)


def test_split_colours_go_by_depth_and_not_by_which_others_there_are():
    some, more = split_colours([8, 32], 32), split_colours([1, 8, 16, 24, 32], 32)

    assert some[8] == more[8]
    assert len(set(more.values())) == 5
    luminance = [int(more[s][1:3], 16) + 2 * int(more[s][3:5], 16) for s in (1, 8, 16, 24, 32)]
    assert luminance == sorted(luminance)


def test_spread_keeps_order_and_distance():
    moved = spread(np.array([0.5, 0.5, 0.1, 0.52, 0.9]), 0.1)

    assert np.diff(np.sort(moved)).min() >= 0.1 - 1e-12
    assert moved[2] == pytest.approx(0.1)
    assert moved[4] == pytest.approx(0.9)
    assert moved[0] < moved[1] < moved[3]


def test_bin_means_resample_whole_decisions():
    rng = np.random.default_rng(0)
    place = rng.normal(0, 1, 40)  # what the 16 runs of a decision share
    rows = pd.DataFrame({"seed": 1, "decision": np.repeat(range(40), 16), "obs_distance_m": 10.0})
    rows["loss"] = place[rows["decision"]]

    (_, mean, low, high) = bin_means(rows, "loss", "obs_distance_m").to_numpy()[0]

    assert mean == pytest.approx(place.mean())
    assert high - low == pytest.approx(2 * 1.96 * place.std() / 40**0.5, rel=0.15)


def test_bins_have_the_means_of_their_rows():
    rows = pd.DataFrame({"seed": 1, "decision": range(4), "obs_distance_m": [0.0, 1.0, 9.0, 10.0]})
    rows["loss"] = [0.0, 0.2, 0.4, 1.0]

    table = bin_means(rows, "loss", "obs_distance_m", bins=2)

    np.testing.assert_allclose(table[["place", "mean"]], [[0.5, 0.1], [9.5, 0.7]])
    assert bin_means(rows.iloc[:0], "loss", "obs_distance_m").empty
    assert bin_means(rows.iloc[:1], "loss", "obs_distance_m")[["low", "high"]].isna().all(axis=None)
