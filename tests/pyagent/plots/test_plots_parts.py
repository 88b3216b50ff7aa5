"""Colours, and the small calculations behind the figures."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from pyagent.plots.links import bin_means
from pyagent.plots.regret import spread
from pyagent.plots.style import (
    LOSS_COLOURS,
    POLICY_COLOURS,
    POLICY_LINES,
    TERM_COLOURS,
    policy_colour,
    policy_line,
    split_colours,
)
from pyagent.reward import TERMS

OKABE_ITO = {
    "oracle": "#000000", "random": "#999999", "best-static": "#E69F00", "min-split": "#56B4E9",
    "threshold": "#009E73", "ppo-imagination": "#0072B2", "surrogate-argmax": "#D55E00",
    "all-local": "#CC79A7",
}  # fmt: skip

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
COLOUR_BLINDNESS = {
    "none": np.eye(3),
    "protan": np.array([[0.1524, 1.0526, -0.205], [0.1146, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0519]]),
    "deutan": np.array([[0.3674, 0.8606, -0.228], [0.2801, 0.6728, 0.0471], [-0.0118, 0.043, 0.9688]]),
}


def lightness_and_hue(colour, sight):
    """CIE L*a*b* of a hex colour as the eye of that kind sees it."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(COLOUR_BLINDNESS[sight] @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ linear / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def closest(policies, sight):
    seen = [lightness_and_hue(POLICY_COLOURS[policy], sight) for policy in policies]
    return min(np.linalg.norm(a - b) for a, b in combinations(seen, 2))


def test_the_policies_of_every_run_have_the_palette_of_okabe_and_ito():
    assert {name: POLICY_COLOURS[name] for name in OKABE_ITO} == OKABE_ITO


def test_policy_colours_can_be_told_apart_also_by_the_colour_blind():
    assert closest(POLICY_COLOURS, "none") > 20
    families = {line.dash for line in POLICY_LINES.values()}
    for sight in COLOUR_BLINDNESS:
        assert closest(OKABE_ITO, sight) > 7, sight
        for dash in families:
            family = [name for name, line in POLICY_LINES.items() if line.dash == dash]
            assert closest(family, sight) > 7, (sight, dash)


def test_dash_and_marker_alone_name_every_policy():
    assert len({(line.dash, line.marker) for line in POLICY_LINES.values()}) == len(POLICY_LINES)
    guest = policy_line("somebody's own")
    assert (guest.dash, guest.marker) not in {(line.dash, line.marker) for line in POLICY_LINES.values()}


def test_an_unknown_policy_has_a_stable_colour_that_no_known_one_has():
    assert policy_colour("my-own") == policy_colour("my-own")
    assert policy_colour("my-own") not in POLICY_COLOURS.values()


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


def test_a_bin_of_equal_values_has_an_interval_around_them():
    """Drawing bars of negative length is an error."""
    for value in np.random.default_rng(0).random(100):
        rows = pd.DataFrame(
            {"seed": np.repeat(range(7), 7), "decision": [*range(7)] * 7, "x": 0.0, "y": value}
        )
        (_, mean, low, high) = bin_means(rows, "y", "x").to_numpy()[0]
        assert low <= mean <= high


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
