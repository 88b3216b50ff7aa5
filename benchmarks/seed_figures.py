"""The pictures of the seed's study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm, to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.seed_learners import Curve
from pyagent.envs.seed_optimum import SeedProblem, Threshold
from pyagent.envs.seed_quality import SPLITS, QualityTable
from pyagent.plots import style
from pyagent.plots.regret import spread


class BestByLoss(NamedTuple):
    """Best split at each loss of the table, and the bounds of its range, int64 [G] each."""

    split: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]


def draw(
    table: QualityTable,
    best: BestByLoss,
    rule: Threshold,
    levels: Mapping[str, float],
    curves: Mapping[str, Mapping[str, Curve]],
    folder: Path,
) -> None:
    """Write quality.png, best-split.png and learning.png.

    Args:
        table: the quality.
        best: see `BestByLoss`.
        rule: the best threshold rule.
        levels: value per episode of policies that don't learn, by policy name.
        curves: trainings by seed, by what PPO was trained on.
        folder: made if it isn't there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    style.save_png(figure_quality(table), folder / "quality.png")
    style.save_png(figure_best_split(table, best, rule), folder / "best-split.png")
    style.save_png(figure_learning(levels, curves), folder / "learning.png")


def _about(table: QualityTable) -> str:
    setup = table.setup
    tokens = setup.window_tokens - setup.prompt_tokens
    return f"{setup.model}, {setup.windows} windows of {setup.text}, {tokens} tokens scored in each"


@style.styled()
def figure_quality(table: QualityTable) -> Figure:
    """Perplexity ratio over split, a line for each loss, with standard errors."""
    figure = style.new_figure(3.4, [_about(table), "bars: standard error over windows"])
    axes = figure.subplots()
    shades = colormaps["viridis"](np.linspace(0.0, 0.9, len(table.losses)))
    for g in reversed(range(len(table.losses))):
        axes.errorbar(
            SPLITS,
            table.text_ratio[:, g],
            table.ratio_stderr[:, g],
            fmt="o-",
            color=to_hex(shades[g]),
            capsize=2,
            label=f"{table.losses[g]:.0%}",
        )
    axes.set(yscale="log", xticks=SPLITS, xlabel="Split [blocks on the UE]", ylabel="PPL / PPL without loss")
    style.plain_log(axes.yaxis, *axes.get_ylim())
    axes.set_title("What zeroing values at the cut costs", loc="left")
    axes.legend(title="values lost", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@style.styled()
def figure_best_split(table: QualityTable, best: BestByLoss, rule: Threshold) -> Figure:
    """Split of the highest reward over loss, with its range, the threshold rule's, and what others lack."""
    notes = [
        _about(table),
        "reward weights as published",
        "bars, where there are any: 95 % of resampled sets of windows",
    ]
    figure = style.new_figure(3.4, notes)
    axes = figure.subplots()
    problem = SeedProblem(table.ratios)
    lacking = problem.rewards.max(axis=-1, keepdims=True) - problem.rewards
    mesh = axes.pcolormesh(
        problem.losses,
        SPLITS,
        lacking.T,
        cmap="cividis_r",
        norm=SymLogNorm(linthresh=1.0, vmin=0.0, vmax=float(lacking.max())),
        shading="nearest",
        rasterized=True,
    )
    bar = figure.colorbar(mesh, ax=axes, label="reward lacking in a step", ticks=[0, 1, 10, 100])
    bar.ax.set_yticklabels(["0", "1", "10", "100"])
    of_rule = np.where(problem.losses < rule.loss, rule.below, rule.above)
    axes.step(
        problem.losses,
        of_rule,
        where="post",
        color=style.POLICY_COLOURS["threshold"],
        lw=6,
        label="best threshold rule",
    )
    colour = style.VERMILLION
    axes.step(problem.losses, problem.best_splits(), where="post", color=colour, label="best split")
    bars = np.maximum([best.split - best.low, best.high - best.split], 0)
    axes.errorbar(table.losses, best.split, bars, fmt="o", color=colour, capsize=3, lw=1)
    axes.set(xlim=(0, 0.3), ylim=(0.5, 10.5), yticks=SPLITS, xlabel="Loss [share of values]", ylabel="Split")
    axes.grid(visible=False)
    axes.set_title("Where to split", loc="left")
    style.foot_legend(figure, axes.get_legend_handles_labels()[0])
    return figure


@style.styled()
def figure_learning(levels: Mapping[str, float], curves: Mapping[str, Mapping[str, Curve]]) -> Figure:
    """What PPO's policy earns while it learns, a line for each seed, and what the others earn."""
    figure = style.new_figure(
        3.8,
        [
            "a line for each seed, up to the dot: until 95 % of the optimum's gain is held for 20,000 steps",
            "all are judged on the measured table, by their likeliest action",
        ],
    )
    axes = figure.subplots()
    colours = (style.BLUE, style.VERMILLION)
    for (name, by_seed), colour in zip(curves.items(), colours, strict=True):
        for i, curve in enumerate(by_seed.values()):
            thousands = np.array(curve.steps) / 1000
            axes.plot(thousands, curve.values, color=colour, lw=1, label=None if i else f"PPO on {name}")
            axes.plot(thousands[-1], curve.values[-1], "o", color=colour, ms=4, clip_on=False, zorder=3)
    ends = [curve.steps[-1] / 1000 for by_seed in curves.values() for curve in by_seed.values()]
    axes.set(xlim=(0, max(ends)), xlabel="Steps of PPO [thousands]", ylabel="Reward per episode")
    low = min([*levels.values(), *(v for s in curves.values() for c in s.values() for v in c.values[1:])])
    high = max(levels.values())
    air = 0.05 * (high - low)
    axes.set_ylim(low - air, high + air)
    _name_levels(axes, levels)
    axes.set_title("Learning with the published settings", loc="left")
    axes.legend(loc="center right")
    return figure


def _name_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """Lines across, with their names at the right, apart from each other."""
    bottom, top = axes.get_ylim()
    places = spread((np.array(list(levels.values())) - bottom) / (top - bottom), 0.06)
    for (name, value), place in zip(levels.items(), places, strict=True):
        colour = style.policy_colour(name)
        axes.axhline(value, color=colour, ls="--", lw=1.2)
        text = f"{'optimum' if name == 'oracle' else name} {value:.2f}"
        axes.text(1.01, place, text, color=colour, va="center", transform=axes.transAxes, fontsize=8)
