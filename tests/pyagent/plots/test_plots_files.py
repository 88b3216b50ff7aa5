"""draw_plots: what it writes, what it leaves out, and that it writes the same again."""

import logging
import subprocess
import sys

import matplotlib
import pytest

from pyagent.plots import FIGURES, MissingDataError, draw_plots
from pyagent.plots.style import DPI, WIDTH_IN


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    from synthetic_run import write_run

    return draw_plots(write_run(tmp_path_factory.mktemp("drawn") / "run"))


def test_every_figure_is_written_as_png_and_pdf(drawn):
    assert [path.name for path in drawn] == [
        f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "pdf")
    ]
    assert all(path.parent.name == "plots" for path in drawn)
    assert all(path.stat().st_size > 10_000 for path in drawn)


def test_png_has_the_resolution_of_the_style(drawn):
    image = matplotlib.image.imread(drawn[0])

    assert image.shape[1] == round(WIDTH_IN * DPI)
    assert image[..., :3].std() > 0.05  # not a blank page


def test_the_same_run_gives_the_same_bytes_in_another_process(drawn, complete_run):
    program = "import sys, pathlib, pyagent.plots as p; p.draw_plots(pathlib.Path(sys.argv[1]))"

    subprocess.run([sys.executable, "-c", program, complete_run], check=True, timeout=170)

    for path in drawn:
        assert (complete_run / "plots" / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("lost", "figures"),
    [
        ("decisions.parquet", {"map", "timeline", "links"}),
        ("learning.parquet", {"regret"}),
        ("predictions.parquet", {"surrogate"}),
        ("summary.json", {"policies"}),
        ("config.yaml", {"map", "timeline", "links"}),
        ("oracle.parquet", set()),
    ],
)
def test_a_figure_without_data_is_left_out_with_a_warning(run, caplog, monkeypatch, lost, figures):
    (run / lost).unlink()
    monkeypatch.setattr("pyagent.plots.save", lambda figure, path: [path.with_suffix(".png")])  # faster

    with caplog.at_level(logging.WARNING):
        written = draw_plots(run)

    assert {path.stem for path in written} == set(FIGURES) - figures
    assert {record.args[0] for record in caplog.records} == figures
    assert all(lost in record.getMessage() for record in caplog.records)


def test_an_empty_folder_gives_nothing(tmp_path):
    assert draw_plots(tmp_path) == []
    assert not (tmp_path / "plots").exists()


def test_a_broken_table_is_reported_by_name(run):
    (run / "learning.parquet").write_bytes(b"PAR1 half a file")

    with pytest.raises(MissingDataError, match=r"learning\.parquet can't be read"):
        FIGURES["regret"](run)


def test_an_invalid_scenario_is_reported(run):
    (run / "config.yaml").write_text("name: synthetic\nspeling: 1\n")

    with pytest.raises(MissingDataError, match=r"config\.yaml"):
        FIGURES["map"](run)


def test_settings_of_the_caller_are_left_as_they_were(complete_run):
    before = dict(matplotlib.rcParams)

    FIGURES["policies"](complete_run)

    assert dict(matplotlib.rcParams) == before


def test_pyplot_is_not_loaded(complete_run):
    program = (
        "import sys, pathlib, pyagent.plots as p; p.FIGURES['regret'](pathlib.Path(sys.argv[1]));"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program, complete_run], timeout=170).returncode == 0
