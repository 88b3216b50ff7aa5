"""What stands in the figures: units, notes, intervals, and data that is thin or partly missing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.patches import StepPatch
from synthetic_run import CONFIG, HELD, SEEDS

from pyagent.evaluation.rules import StepRule
from pyagent.plots import FIGURES, MissingDataError, NothingToDrawError
from pyagent.plots.style import NOTE_ID, POLICY_COLOURS, styled

PROXY = "quality proxy: smollm2-135m for llama-2-7b"


def edit(run: Path, name: str, change) -> None:
    """Rewrite a table of the run."""
    path = run / f"{name}.parquet"
    change(pd.read_parquet(path)).to_parquet(path)


def edit_summary(run: Path, change) -> None:
    """Rewrite summary.json."""
    summary = json.loads((run / "summary.json").read_text())
    change(summary)
    (run / "summary.json").write_text(json.dumps(summary))


def drawable(run: Path, names=FIGURES) -> set[str]:
    """Figures that find data, laid out in full but not written (which takes longer)."""
    found = set()
    for name in names:
        try:
            figure = FIGURES[name](run)
        except MissingDataError:
            continue
        with styled():
            figure.draw_without_rendering()
        found.add(name)
    return found


def note(figure) -> str:
    """The small print."""
    return " ".join(text.get_text() for text in figure.texts if text.get_gid() == NOTE_ID)


@pytest.fixture(scope="module", params=list(FIGURES))
def figure(request, complete_run):
    return FIGURES[request.param](complete_run)


def shows_numbers(axis) -> bool:
    """Whether tick labels of the axis are drawn and are not names."""
    texts = [label.get_text() for label in axis.get_ticklabels() if label.get_visible()]
    return any(text.replace("−", "-").strip("-").replace(".", "").isdigit() for text in texts)


def test_every_axis_with_numbers_has_a_label_with_a_unit(figure):
    with styled():
        figure.draw_without_rendering()
    axes = [axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis) if shows_numbers(axis)]
    labels = [axis.get_label_text() for axis in axes]

    # A grid of ranks has names on both axes.
    assert len(labels) >= 2 or figure.axes[0].get_title().startswith("Rank")
    assert all("[" in label and label.endswith("]") for label in labels), labels


def test_every_figure_names_the_proxy(figure):
    assert PROXY in note(figure)


def test_no_text_is_cut_off_or_covers_the_small_print(figure):
    with styled():
        figure.draw_without_rendering()
        renderer = figure._get_renderer()
        outer = figure.get_tightbbox(renderer)
        width, height = figure.get_size_inches()
        foot = next(text for text in figure.texts if text.get_gid() == NOTE_ID).get_window_extent()
        inner = [axes.get_tightbbox(renderer) for axes in figure.axes]
        inner += [legend.get_window_extent() for legend in figure.legends]

    assert outer.x0 > -0.02
    assert outer.y0 > -0.02
    assert outer.x1 < width + 0.02
    assert outer.y1 < height + 0.02
    assert all(box.y0 >= foot.y1 - 1 for box in inner)


def test_the_figure_legend_is_clear_of_the_axes(figure):
    with styled():
        figure.draw_without_rendering()
        lowest = min(axes.get_tightbbox(figure._get_renderer()).y0 for axes in figure.axes)

        assert all(legend.get_window_extent().y1 <= lowest + 4 for legend in figure.legends)


def test_the_map_says_what_its_snr_leaves_out_and_keeps_lengths_equal(complete_run):
    figure = FIGURES["map"](complete_run)

    assert "no fading" in note(figure)
    assert figure.axes[0].get_aspect() == 1
    assert {axes.get_ylabel() for axes in figure.axes} == {
        "y [m]",
        "Mean SNR [dB]",
        "Split [blocks on the UE, of 32]",
    }


def test_the_map_has_a_marker_per_decision_and_a_cross_per_failure(complete_run):
    axes = FIGURES["map"](complete_run).axes[0]
    rows = pd.read_parquet(complete_run / "decisions.parquet")
    rows = rows[(rows["phase"] == "test") & (rows["policy"] == "surrogate-argmax")]
    rows = rows[(rows["seed"] == SEEDS[0]) & (rows["replicate"] == 0)]

    markers, crosses = (c for c in axes.collections if isinstance(c, PathCollection))

    np.testing.assert_allclose(markers.get_offsets(), rows[["x_m", "y_m"]])
    assert len(crosses.get_offsets()) == rows["failed"].sum() > 0


def test_words_of_the_link_fit_every_technology(complete_run):
    """Beacons and access points are Wi-Fi's own; the same figures show LTE."""
    link = FIGURES["timeline"](complete_run).axes[0]
    places = {axes.get_xlabel() for axes in FIGURES["links"](complete_run).axes}

    assert [text.get_text() for text in link.get_legend().get_texts()] == ["measured,\nlast 1 s"]
    assert places == {"", "Distance to the serving site [m]"}


def test_the_timeline_shows_slo_and_oracle(complete_run):
    panels = FIGURES["timeline"](complete_run).axes
    labels = [[t.get_text() for t in panel.get_legend().get_texts()] for panel in panels]

    assert labels[1] == ["radio", "queue", "late", "unsent"]
    assert "latency SLO" in labels[2]
    assert "oracle's choice" in labels[3]
    assert {"oracle", "surrogate-argmax"} <= set(labels[4])


def test_references_of_the_regret_figure_are_named_in_their_colours(complete_run):
    figure = FIGURES["regret"](complete_run)
    names = {text.get_text(): text.get_color() for text in figure.axes[1].texts}

    references = ("oracle", *HELD, "random", "threshold", "ppo-imagination")
    assert names == {name: POLICY_COLOURS[name] for name in references}


def test_policies_are_sorted_and_their_penalties_add_up_to_the_reward(complete_run):
    left, right = FIGURES["policies"](complete_run).axes
    summary = json.loads((complete_run / "summary.json").read_text())
    names = [label.get_text() for label in left.get_yticklabels()]
    rewards = [summary["policies"][name]["reward"] for name in names]
    ends = [
        max(bar.get_x() + bar.get_width() for bar in bars) for bars in zip(*right.containers, strict=True)
    ]

    assert rewards == sorted(rewards, reverse=True)
    np.testing.assert_allclose(ends, -np.array(rewards), rtol=1e-9)
    assert set(HELD) < set(names)


def test_a_policy_without_decisions_is_said_to_have_none(run):
    edit_summary(run, lambda summary: summary["policies"].update({"linucb": {"reward": -1.0}}))

    right = FIGURES["policies"](run).axes[1]

    assert [text.get_text() for text in right.texts] == ["no decisions"]


def test_surrogate_titles_fall_back_to_the_points(complete_run):
    titles = [axes.get_title() for axes in FIGURES["surrogate"](complete_run).axes]

    assert (
        titles[0] == "Latency of training decisions\ntest seeds: rank corr. 0.81, 90 % interval covers 87 %"
    )
    assert titles[2].startswith("UE energy of training decisions\nhere: rank corr. 0.9")


def test_reliability_shows_the_curves_there_are(run):
    panels = FIGURES["reliability"](run).axes
    curve = json.loads((run / "summary.json").read_text())["calibration"]["latency_s"]["reliability"]

    np.testing.assert_allclose(panels[0].lines[1].get_xydata(), 100 * np.array(curve))
    assert [[text.get_text() for text in panel.texts] for panel in panels] == [[], [], *2 * [["no outcomes"]]]

    holes = [[0.1, None], "odd", [0.2, 0.3]]
    edit_summary(run, lambda s: s.update(calibration={"failed": {"reliability": holes}}))
    np.testing.assert_allclose(FIGURES["reliability"](run).axes[3].lines[1].get_xydata(), [[20, 30]])

    edit_summary(run, lambda s: s.update(calibration={"failed": {"reliability": 3}}))
    with pytest.raises(MissingDataError, match="no reliability curve"):
        FIGURES["reliability"](run)


def nan_everywhere(table: pd.DataFrame) -> pd.DataFrame:
    """NaN in every measured column."""
    return table.assign(**dict.fromkeys(table.select_dtypes("float").columns, np.nan))


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("decisions", ["map", "timeline", "policies", "links"]),
        ("oracle", ["timeline"]),
        ("learning", ["regret"]),
        ("predictions", ["surrogate"]),
    ],
)
@pytest.mark.parametrize(
    "change", [nan_everywhere, lambda t: t.iloc[:0], lambda t: t.iloc[:1], lambda t: t.iloc[:, :3]]
)
def test_nan_empty_or_thin_tables_do_not_break_the_drawing(run, name, figures, change):
    edit(run, name, change)

    drawable(run, figures)


def test_half_of_the_values_nan(run):
    rng = np.random.default_rng(0)
    holes = ("reward", "latency_s", "mean_delay_s", "obs_snr_db", "loss", "loss_radio", "x_m", "delta_nll")
    edit(
        run,
        "decisions",
        lambda t: t.assign(**{name: t[name].where(rng.random(len(t)) < 0.5) for name in holes}),
    )
    edit(run, "predictions", lambda t: t.assign(std=np.nan))
    edit(run, "learning", lambda t: t.drop(columns=["regret_low", "regret_high"]))

    # A reward that is not the sum of its terms can't be read at other weights.
    assert drawable(run) == set(FIGURES) - {"weights", "failures"}


def test_one_policy_one_seed_one_decision(run):
    def only_one(table):
        return table[(table["seed"] == SEEDS[0]) & (table["decision"] == 0)]

    edit(run, "decisions", lambda t: only_one(t[~t["policy"].isin(["random", "threshold"])]))
    edit(run, "oracle", only_one)
    edit(run, "learning", lambda t: t[t["policy"] == "surrogate-argmax"].head(1))
    edit(run, "predictions", lambda t: t[t["decision"] == 0])
    edit_summary(run, lambda s: s.update(policies={"all-local": {"reward": -1.0, "reward_ci": None}}))

    # One split is no choice, and nothing failed.
    assert drawable(run) == set(FIGURES) - {"choices", "failures"}


def test_all_local_and_all_failed(run):
    edit(
        run,
        "decisions",
        lambda t: t[t["phase"] != "oracle"].assign(split=32, mean_delay_s=np.nan, failed=True),
    )

    # Nothing was sent: no link to show, nothing that the language model was asked about, and no choice.
    assert drawable(run) == set(FIGURES) - {"links", "quality", "choices"}


@pytest.mark.parametrize(
    "summary",
    ["[]", "no json", "{}", '{"policies": 3, "calibration": 4, "oracle": 5, "proxy_note": null}'],
)
def test_an_odd_summary_costs_only_what_it_holds(run, summary):
    (run / "summary.json").write_text(summary)

    assert drawable(run) == set(FIGURES) - {"policies", "reliability"}
    assert PROXY in note(FIGURES["regret"](run))  # from config.yaml


def test_policies_without_numbers(run):
    edit_summary(run, lambda s: s.update(policies={"a": {"reward": None}, "b": {"reward": float("nan")}}))

    with pytest.raises(MissingDataError, match="no policy"):
        FIGURES["policies"](run)


@pytest.mark.parametrize(
    "mobility",
    [
        "{model: constant, position_m: [5, 0, 1.5]}",
        "{model: waypoints, waypoints: [[0, 2, 0, 1.5], [90, 50, 0, 1.5]]}",
    ],
)
def test_maps_of_other_mobility(complete_run, tmp_path, mobility):
    run = shutil.copytree(complete_run, tmp_path / "other")
    lines = CONFIG.strip().splitlines()
    (run / "config.yaml").write_text("\n".join([lines[0], f"mobility: {mobility}"]))
    edit(run, "decisions", lambda t: t.assign(x_m=5.0, y_m=0.0))

    low, high = FIGURES["map"](run).axes[0].get_ylim()

    assert high - low >= 10


def test_no_proxy_note_where_the_deployed_model_is_run(run):
    (run / "config.yaml").write_text(
        CONFIG + "model: {deployed: smollm2-135m, quality: smollm2-135m, splits: [1, 8, 16, 24, 30]}"
    )
    edit_summary(run, lambda s: s.pop("proxy_note"))

    assert "proxy" not in note(FIGURES["regret"](run))


def test_choices_stand_over_what_each_policy_decides_by_with_its_rule(run):
    """The synthetic policies play 32 below 17 dB and 1 above, but for 15 %; only the threshold told it."""
    rule = StepRule("snr_db", (17.0,), (32, 1)).to_json()
    told = {"threshold": rule, "random": {"text": "any", "chance": True}}
    edit_summary(run, lambda summary: summary.update(rules=told))
    figure = FIGURES["choices"](run)

    rows = dict(zip([axes.get_title(loc="left") for axes in figure.axes[::2]], figure.axes[::2], strict=True))
    (threshold,) = (
        axes for title, axes in rows.items() if title.startswith("threshold: snr < 17 dB -> 32, else 1")
    )
    (learned,) = (axes for title, axes in rows.items() if title.startswith("surrogate-argmax: snr < 17"))
    assert threshold.get_xlabel() == "snr [dB]"
    (steps,) = (patch for patch in threshold.patches if isinstance(patch, StepPatch))
    assert steps.get_data().edges[1] == 17
    splits = [label.get_text() for label in threshold.get_yticklabels()]
    assert [splits[int(place)] for place in steps.get_data().values] == ["32", "1"]
    (cut,) = learned.lines
    assert cut.get_xdata()[0] == pytest.approx(17, abs=0.5)
    assert "one split all the time: all-local 32, min-split 1, best-static 16" in note(figure)
    dots = pd.read_parquet(run / "decisions.parquet").query("policy == 'threshold'")
    assert len(threshold.collections[0].get_offsets()) == len(dots)


def test_choices_of_policies_that_hold_one_split_are_no_picture(run):
    held = ("all-local", "min-split")
    edit_summary(run, lambda s: s.update(policies={name: s["policies"][name] for name in held}))
    with pytest.raises(NothingToDrawError, match="every policy holds one split"):
        FIGURES["choices"](run)
