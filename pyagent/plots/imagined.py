"""What the learned models imagine of an episode against what happened, and how far ahead they see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pyagent.plots import style
from pyagent.surrogate.trajectories import OUTCOMES, Bands, LeadSkill

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "snr_db": "SNR [dB]",
        "phy_rate_mbps": "PHY rate [Mbit/s]",
        "recent_delay_s": "Recent delay [s]",
        "latency_s": "Latency [s]",
        "delta_nll": "dNLL [nat/token]",
        "ue_energy_j": "UE energy [J]",
        "reward": f"Reward [{style.REWARD_UNIT}]",
    }
)
"""Axis labels of the series that are drawn in every run."""

_IMAGINED = style.policy_colour("planner")
_COLUMNS = 2
_PANEL_HEIGHT_IN = 1.55
# Of series, which are no policies: Paul Tol's "bright" scheme.
_SERIES_COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", style.BLACK)
_WORST_SKILL = -0.5


@style.styled()
def figure_imagined(
    bands: Mapping[str, Bands], skills: Mapping[str, LeadSkill], title: str, notes: Sequence[str] = ()
) -> Figure:
    """One panel for each series of an episode; in the last one, the skill of each against the lead.

    Args:
        bands: of `imagine_episode`, one or more.
        skills: of `lead_skill`, the same names.
        title: which episode it is.
        notes: small print.
    """
    rows = -(-(len(bands) + 1) // _COLUMNS)
    figure = style.new_figure(
        0.9 + _PANEL_HEIGHT_IN * rows,
        ["bands: 50 and 90 % of what is imagined from the first context on, under the actions taken", *notes],
    )
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for panel, (name, band) in zip(panels, bands.items(), strict=False):
        _draw_bands(panel, name, band)
    _draw_skill(panels[len(bands)], skills)
    for empty in panels[len(bands) + 1 :]:
        empty.set_axis_off()
    figure.suptitle(title, x=0.01, ha="left", fontsize=9.5)
    style.foot_legend(figure, panels[0].get_legend_handles_labels()[0])
    return figure


def _draw_bands(axes: Axes, name: str, band: Bands) -> None:
    steps = np.arange(len(band.real))
    low, lower, median, upper, high = band.imagined
    axes.fill_between(steps, low, high, color=_IMAGINED, alpha=0.15, lw=0, label="90 % imagined")
    axes.fill_between(steps, lower, upper, color=_IMAGINED, alpha=0.25, lw=0, label="50 % imagined")
    axes.plot(steps, median, color=_IMAGINED, lw=1.2, label="median imagined")
    axes.plot(steps, band.real, "o-", color=style.BLACK, ms=2.5, lw=0.7, label="real")
    axes.set(ylabel=LABELS.get(name, name), xlabel="Decision of the episode")
    axes.set_title(f"{100 * band.coverage(0.9):.0f} % of it in the 90 % band", loc="left", fontsize=8)
    axes.set_xlim(-0.3, len(steps) - 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_skill(axes: Axes, skills: Mapping[str, LeadSkill]) -> None:
    axes.axhline(0.0, color=style.BLACK, lw=1)
    for number, (name, skill) in enumerate(skills.items()):
        axes.plot(
            skill.leads,
            np.clip(skill.skill, _WORST_SKILL, 1.0),
            "-" if name in OUTCOMES else "--",
            color=_SERIES_COLOURS[number % len(_SERIES_COLOURS)],
            lw=1.2,
            label=LABELS.get(name, name).split(" [")[0],
        )
    # Room for the legend above the largest skill there can be.
    axes.set(
        ylim=(_WORST_SKILL, 2.1), yticks=[-0.5, 0, 0.5, 1], ylabel="CRPS skill", xlabel="Decisions ahead"
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("Skill over the marginal distribution", loc="left", fontsize=8)
    axes.legend(ncols=3, fontsize=6.5, loc="upper right", handlelength=1.8, columnspacing=0.8)
