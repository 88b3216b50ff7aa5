"""The picture of a preview: what is on it follows what was seen."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
from synthetic_run import DECISIONS, preview_data, signal

from pyagent.plots.preview import PreviewFigure, draw_preview
from pyagent.plots.style import NOTE_ID, styled
from pyagent.plots.terrain import best_server
from pyagent.scenario.load import parse_scenario
from pyagent.scenario.preview import Preview, frame_m

SCENARIO = parse_scenario({"name": "shown", "mobility": {"model": "constant", "position_m": [5, 0, 1.5]}})


def one_site() -> dict[str, Any]:
    return preview_data()


def two_sites() -> dict[str, Any]:
    """A second site that takes over; between, the agent is away for a while."""
    data = copy.deepcopy(preview_data())
    data["sites"].append({"name": "ap-1", "position_m": [60, 0, 3]})
    fading_in = np.linspace(-20, 40, DECISIONS)
    data["reception"].append(signal(fading_in))
    data["heat"]["sites"].append(data["heat"]["sites"][0])
    data["link"]["serving_cell"] = [0] * 8 + [-1] * 3 + [1] * (DECISIONS - 11)
    data["link"]["phy_rate_mbps"] = np.linspace(10, 80, DECISIONS).tolist()
    for axis in ("x_m", "y_m", "z_m"):
        data["ues"][0][axis] = [None if 8 <= i < 11 else v for i, v in enumerate(data["ues"][0][axis])]
    return data


def no_site() -> dict[str, Any]:
    data = copy.deepcopy(preview_data())
    data |= {"sites": [], "reception": [], "heat": None}
    data["link"]["serving_cell"] = [-1] * DECISIONS
    return data


def drawn(data: dict[str, Any]) -> PreviewFigure:
    return draw_preview(SCENARIO, Preview.from_json(data))


def labels(picture: PreviewFigure) -> set[str]:
    return {text.get_text() for legend in picture.figure.legends for text in legend.get_texts()}


@pytest.mark.parametrize("make", [one_site, two_sites, no_site])
def test_nothing_is_cut_off_or_covers_another(make: Any) -> None:
    picture = drawn(make())
    figure = picture.figure
    with styled():
        figure.draw_without_rendering()
        renderer = figure._get_renderer()  # type: ignore[attr-defined]
        outer = figure.get_tightbbox(renderer)
        width, height = figure.get_size_inches()
        foot = next(text for text in figure.texts if text.get_gid() == NOTE_ID).get_window_extent()
        legends = [legend.get_window_extent() for legend in figure.legends]
        panels = [axes.get_tightbbox(renderer) for axes in (picture.ground, *picture.panels)]
    assert outer.x0 > -0.02
    assert outer.y0 > -0.02
    assert outer.x1 < width + 0.02
    assert outer.y1 < height + 0.02
    stack = [*panels, *sorted(legends, key=lambda box: -box.y0), foot]
    for above, below in itertools.pairwise(stack):
        assert above.y0 >= below.y1 - 6


def test_panels_and_legends_tell_what_there_is() -> None:
    panels = {
        name: [panel.get_ylabel() for panel in drawn(make()).panels]
        for name, make in (("one", one_site), ("two", two_sites), ("none", no_site))
    }
    assert panels["one"] == ["SNR [dB]", "Cell", "PHY rate\n[Mbit/s]"]
    assert panels["two"] == ["SNR [dB]", "Power [dBm]", "Cell", "PHY rate\n[Mbit/s]"]
    assert panels["none"] == ["SNR [dB]"]
    assert "site" in labels(drawn(one_site()))
    assert {"no cell", "not there", "request"} <= labels(drawn(two_sites()))
    assert not {"site", "a site, mean", "no cell"} & labels(drawn(no_site()))


def test_the_strip_names_the_cells_in_their_colours() -> None:
    strip = drawn(two_sites()).panels[2]
    assert [text.get_text() for text in strip.texts] == ["ap-0", "ap-1"]
    first, _, second = strip.patches
    assert first.get_facecolor() != second.get_facecolor()


def test_the_map_keeps_lengths_equal_and_names_the_sites() -> None:
    ground = drawn(two_sites()).ground
    assert ground.get_aspect() == 1
    assert {"start", "end", "ap-0", "ap-1"} <= {text.get_text() for text in ground.texts}
    assert ground.get_title() == "shown (wifi), episode seed 201"


def test_arrows_on_the_path_are_no_sites() -> None:
    """Sites are filled triangles; what shows the direction is an open angle that points along the path."""
    data = one_site()
    data["ues"][0] |= {"x_m": np.linspace(0, 30, DECISIONS).tolist(), "y_m": [4.0] * DECISIONS}
    ground = drawn(data).ground
    open_markers = [line for line in ground.lines if line.get_markerfacecolor() == "none"]
    filled = [line for line in ground.lines if line.get_marker() == "^"]
    assert len(open_markers) == 14  # seven, each with a halo
    assert all(line.get_ydata()[0] == pytest.approx(4) for line in open_markers)
    assert len(filled) == 1
    assert len(filled[0].get_xdata()) == 1


@pytest.mark.parametrize("y_m", [19.0, -19.0])
def test_labels_of_the_path_stay_on_the_map(y_m: float) -> None:
    data = one_site()
    data["ues"][0] |= {"x_m": np.linspace(0, 60, DECISIONS).tolist(), "y_m": [y_m] * DECISIONS}
    picture = drawn(data)
    with styled():
        picture.figure.draw_without_rendering()
        frame = picture.ground.get_window_extent()
        title = picture.ground.title.get_window_extent()
        labels = [text for text in picture.ground.texts if text.get_text() in ("start", "end")]
        boxes = [text.get_window_extent() for text in labels]
    assert len(boxes) == 2
    assert all(box.y1 <= frame.y1 and not box.overlaps(title) for box in boxes)


def test_jumps_of_the_mean_are_explained_where_there_are_any() -> None:
    def notes(**link: Any) -> str:
        scenario = parse_scenario(
            {"name": "shown", "mobility": {"model": "constant", "position_m": [5, 0, 1.5]}, "link": link}
        )
        figure = draw_preview(scenario, Preview.from_json(one_site())).figure
        return next(text.get_text() for text in figure.texts if text.get_gid() == NOTE_ID)

    lte = {"technology": "lte", "enbs_m": [[0, 0, 25]]}
    assert "line of sight comes and goes" in notes(**lte)
    assert "line of sight" not in notes(**lte, path_loss={"line_of_sight": "always"})
    assert "line of sight" not in notes(**lte, path_loss={"model": "friis"})
    assert "line of sight" not in notes(technology="wifi")


def test_an_agent_that_is_never_there_is_drawn_nowhere() -> None:
    data = one_site()
    data["ues"] = [dict.fromkeys(("x_m", "y_m", "z_m"), [None] * DECISIONS), data["ues"][1]]
    picture = drawn(data)
    assert "start" not in {text.get_text() for text in picture.ground.texts}
    assert {"site", "other UE"} <= labels(picture)


def test_the_best_site_is_the_best_that_is_heard() -> None:
    sites = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan]])
    np.testing.assert_array_equal(best_server(sites), [3.0, 2.0, np.nan])


def test_the_frame_has_a_margin_and_is_never_a_thread() -> None:
    west, east, south, north = frame_m(np.array([[0.0, 5.0], [1000.0, 5.0], [np.nan, np.nan]]))
    assert (west, east) == (-100, 1100)
    assert north - south == pytest.approx(240)
    west, east, south, north = frame_m(np.array([[3.0, 0.0], [3.0, 1000.0]]))
    assert (east - west) / (north - south) == pytest.approx(0.9)
    assert frame_m(np.full((2, 3), np.nan)) == (-5, 5, -5, 5)
