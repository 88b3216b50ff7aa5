"""The figure of learners over what they spent."""

import numpy as np
import pytest

from pyagent.evaluation.learning_curves import RegretCurve
from pyagent.evaluation.statistics import Interval
from pyagent.plots.learning_curves import figure_learning_curves
from pyagent.plots.style import POLICY_COLOURS, save


def regret(axis="evaluations", spent=(0.0, 10.0, 100.0, 1000.0)):
    mean = np.linspace(1.0, 0.1, len(spent))
    return RegretCurve(axis, np.array(spent), mean, mean - 0.05, mean + 0.1)


@pytest.fixture(scope="module")
def figure():
    return figure_learning_curves(
        {"surrogate-argmax": regret(), "ppo": regret(spent=(10.0, 5000.0))},
        {"random": Interval(1.2, 1.1, 1.3), "threshold": Interval(0.2, 0.15, 0.25)},
    )


def test_every_policy_has_its_line_in_its_colour(figure):
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == ["surrogate-argmax", "ppo", "random", "threshold", "oracle"]
    assert {name: line.get_color() for name, line in lines.items()} == {n: POLICY_COLOURS[n] for n in lines}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(lines)


def test_lines_are_steps_on_a_logarithmic_axis_without_its_zero(figure):
    (axes,) = figure.axes
    ours = axes.lines[0]
    np.testing.assert_array_equal(ours.get_xdata(), [10, 100, 1000])
    np.testing.assert_allclose(ours.get_ydata(), [0.7, 0.4, 0.1])
    assert ours.get_drawstyle() == "steps-post"
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "Real evaluations bought [decisions]")
    low, high = axes.get_ylim()
    assert low < 0
    assert high > 1.2


def test_it_is_written_as_png_and_pdf_and_the_same_each_time(figure, tmp_path):
    files = save(figure, tmp_path / "curves")
    assert [file.suffix for file in files] == [".png", ".pdf"]
    before = [file.read_bytes() for file in files]
    assert [file.read_bytes() for file in save(figure, tmp_path / "curves")] == before


def test_seconds_have_another_label_and_axes_are_not_mixed():
    assert "Wall-clock" in figure_learning_curves({"ppo": regret("wall_s")}, {}).axes[0].get_xlabel()
    with pytest.raises(ValueError, match="over one axis"):
        figure_learning_curves({"ppo": regret(), "a2c": regret("wall_s")}, {})
    with pytest.raises(ValueError, match="no place above 0"):
        figure_learning_curves({"ppo": regret(spent=(0.0,))}, {})
