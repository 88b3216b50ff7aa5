"""Which split each policy chose over the two features that matter most to it, with its rule drawn in."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pyagent.envs.observation import FEATURES, NAMES
from pyagent.evaluation.explain import LEFT_OUT, Explanation, distinct, fit_tree
from pyagent.plots import style
from pyagent.plots.data import (
    NothingToDrawError,
    column,
    explained,
    num_layers,
    proxy_note,
    read_scenario,
)

_ROW_IN = 1.35
_TITLE_CHARACTERS = 105
_JITTER = 0.22


@style.styled()
def figure_choices(run: Path) -> Figure:
    """One row per policy: the splits that it chose over each of two features, in the features' units.

    The first feature is the one by which the policy decides, see `pyagent.evaluation.explain`; lines are the
    thresholds of its rule, or of the tree that was fitted to its choices.

    Args:
        run: run folder.

    Raises:
        MissingDataError: no scenario, or no test decisions with observations.
        NothingToDrawError: every policy holds one split.
    """
    layers = num_layers(read_scenario(run))
    rows, found = explained(run)
    shown = {name: explanation for name, explanation in found.items() if len(explanation.shares) > 1}
    if not shown:
        raise NothingToDrawError("every policy holds one split")
    held = [f"{name} {next(iter(e.shares))}" for name, e in found.items() if name not in shown]
    figure = style.new_figure(
        _ROW_IN * len(shown) + 0.9,
        [
            f"split: blocks on the UE, of {layers}",
            "dots: test decisions, jittered",
            f"one split all the time: {', '.join(held)}" if held else "",
            proxy_note(run),
        ],
    )
    panels = figure.subplots(len(shown), 2, squeeze=False, sharey=True)
    colours = style.split_colours(sorted({int(split) for split in rows["split"]}), layers)
    for (name, explanation), pair in zip(shown.items(), panels, strict=True):
        _draw_policy(pair, name, explanation, rows[rows["policy"] == name], colours)
    dots = [style.dot(colour, f"split {split}") for split, colour in colours.items()]
    rule = Line2D([], [], color=style.BLACK, lw=1.4, label="own rule")
    tree = Line2D([], [], color=style.BLACK, lw=1.1, ls="--", label="cut of the fitted tree")
    style.foot_legend(figure, [*dots, rule, tree])
    return figure


def two_features(rows: pd.DataFrame, explanation: Explanation) -> list[str]:
    """The two features that matter most; fewer where not so many vary.

    Beside the features by which the policy decides, that by which a tree without them would.
    """
    chosen = list(explanation.features[:2])
    while len(chosen) < 2:
        others = [name for name in NAMES if name not in (*chosen, *LEFT_OUT)]
        others = [name for name in distinct(rows, [*chosen, *others]) if name not in chosen]
        asked = fit_tree(rows, others).features or tuple(others)
        if not asked:
            break
        chosen += asked[: 2 - len(chosen)]
    return chosen


def _draw_policy(
    pair: Sequence[Axes], name: str, explanation: Explanation, rows: pd.DataFrame, colours: dict[int, str]
) -> None:
    places = {split: place for place, split in enumerate(colours)}
    features = two_features(rows, explanation)
    for axes, feature in zip(pair, features, strict=False):
        _draw_dots(axes, rows, feature, places, colours)
        _draw_rule(axes, explanation, feature, places, style.policy_colour(name))
        _label(axes, feature)
        axes.set_yticks(range(len(places)), [str(split) for split in places])
        axes.set_ylim(-0.6, len(places) - 0.4)
    for axes in pair[len(features) :]:
        axes.set_axis_off()
    pair[0].set_ylabel("Split [blocks]")
    lines = textwrap.wrap(
        f"{name}: {_words(explanation)}", _TITLE_CHARACTERS, max_lines=2, placeholder=" ..."
    )
    # The title runs across both panels: only the empty one on the right takes room in the layout.
    pair[0].set_title(style.plain("\n".join(lines)), loc="left", fontsize=8.5).set_in_layout(False)
    pair[1].set_title("\n".join(" " for _ in lines), fontsize=8.5)


def _words(explanation: Explanation) -> str:
    """Rule or tree, and how many of the choices it tells."""
    told = explanation.told
    if told is not None and told.chance:
        return told.text
    agreement = f"{100 * explanation.agreement:.0f} % so" if explanation.agreement is not None else ""
    return f"{explanation.words} ({agreement})"


def _draw_dots(
    axes: Axes, rows: pd.DataFrame, feature: str, places: dict[int, int], colours: dict[int, str]
) -> None:
    splits = rows["split"].to_numpy(dtype=np.int64)
    shift = _JITTER * np.random.default_rng(0).uniform(-1, 1, len(rows))
    heights = np.array([places[int(split)] for split in splits]) + shift
    fills = [colours[int(split)] for split in splits]
    about = FEATURES[NAMES.index(feature)]
    # What is beyond the range, policies see at its end too; the split before is in blocks, not a share.
    high = np.inf if feature == "previous_split" else about.high
    values = np.clip(column(rows, f"obs_{feature}"), about.low, high)
    axes.scatter(values, heights, s=9, c=fills, alpha=0.55, lw=0)


def _draw_rule(
    axes: Axes, explanation: Explanation, feature: str, places: dict[int, int], colour: str
) -> None:
    """The own rule as a line through its splits; of a tree the thresholds on this feature."""
    steps = explanation.told and explanation.told.steps
    if steps and steps.feature == feature and set(steps.splits) <= set(places):
        low, high = axes.get_xlim()
        edges = np.clip([low, *steps.thresholds, high], low, high)
        axes.stairs([places[split] for split in steps.splits], edges, baseline=None, color=colour, lw=1.6)
        axes.set_xlim(low, high)
    elif explanation.tree is not None:
        for cut in explanation.tree.cuts(feature):
            axes.axvline(cut, color=colour, ls="--", lw=1.2)


def _label(axes: Axes, feature: str) -> None:
    about = FEATURES[NAMES.index(feature)]
    axes.set_xlabel(f"{about.quantity} [{about.unit or 1}]", labelpad=1)
