"""draw_plots: what it writes, what it leaves out, and that it writes the same again."""

import json
import logging
import subprocess
import sys

import matplotlib
import pandas as pd
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


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes_in_another_process(drawn, complete_run):
    program = "import sys, pathlib, pyagent.plots as p; p.draw_plots(pathlib.Path(sys.argv[1]))"

    subprocess.run([sys.executable, "-c", program, complete_run], check=True, timeout=170)

    for path in drawn:
        assert (complete_run / "plots" / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("lost", "figures"),
    [
        (
            "decisions.parquet",
            {"map", "timeline", "links", "latency", "quality", "choices", "weights", "failures"},
        ),
        ("learning.parquet", {"regret"}),
        ("predictions.parquet", {"surrogate"}),
        ("summary.json", {"policies", "reliability"}),
        ("config.yaml", {"map", "timeline", "links", "latency", "quality", "choices", "weights"}),
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

    with pytest.raises(MissingDataError, match=r"learning\.parquet: can't be read"):
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


def test_a_run_on_a_recorded_link_has_no_map_and_no_warning(run, caplog, monkeypatch, tmp_path):
    (tmp_path / "link.up").write_text("1\n3\n4\n")
    link = f"{{technology: replay, uplink: {tmp_path}/link.up}}"
    (run / "config.yaml").write_text(
        f"name: replay\nmobility: {{model: constant, position_m: [0, 0, 1.5]}}\nlink: {link}\n"
    )
    (run / "preview.json").unlink(missing_ok=True)  # of the synthetic run's access point
    table = pd.read_parquet(run / "decisions.parquet")
    standing = table.assign(x_m=0.0, y_m=0.0, obs_distance_m=0.0, obs_phy_rate_mbps=9 - table["loss"])
    standing.to_parquet(run / "decisions.parquet")
    monkeypatch.setattr("pyagent.plots.save", lambda figure, path: [path.with_suffix(".png")])  # faster

    with caplog.at_level(logging.WARNING):
        written = {path.stem for path in draw_plots(run)}

    assert written == set(FIGURES) - {"map"}
    assert not caplog.records
    labels = {axes.get_xlabel() for axes in FIGURES["links"](run).axes}
    assert "Rate of the link in the second before [Mbit/s]" in labels


def test_a_run_that_trained_nobody_has_no_surrogate_and_no_warning(run, caplog, monkeypatch):
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"calibration": None}))
    (run / "predictions.parquet").unlink()
    monkeypatch.setattr("pyagent.plots.save", lambda figure, path: [path.with_suffix(".png")])  # faster

    with caplog.at_level(logging.WARNING):
        written = {path.stem for path in draw_plots(run)}

    assert written == set(FIGURES) - {"surrogate", "reliability"}
    assert not caplog.records


def test_one_episode_of_the_users_own_policy_is_looked_at_first(run):
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"guests": ["threshold"]}))

    assert "threshold" in FIGURES["timeline"](run).axes[0].get_title()
