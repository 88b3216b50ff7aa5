"""A scenario before it is run: a map of paths and coverage, and the agent's link over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as MarkerPath
from numpy.typing import NDArray

from pyagent.plots import style
from pyagent.plots.terrain import HALO, best_server, draw_environment, draw_heat, draw_sites
from pyagent.scenario.preview import Preview
from pyagent.scenario.schema import Environment, LteLink, Scenario

SITE_COLOURS = (
    style.BLUE,
    style.VERMILLION,
    style.BLUISH_GREEN,
    style.REDDISH_PURPLE,
    style.ORANGE,
    style.SKY_BLUE,
)
"""Colours of the sites that the agent meets, in order; more than these repeat."""

_PATH_COLOURS = "plasma"
_OTHER = "#5F5F5F"
_FAINT = "#BBBBBB"
_BARS_IN = 2.2
_ARROWS = 7
_ARROW = MarkerPath([(-0.5, 0.8), (0.5, 0.0), (-0.5, -0.8)])
"""An open angle that points to the right: a filled triangle would look like a site."""
_UPPER_PART = 0.75
_SMALLEST_MAP_IN = 1.25
_PANEL_IN = 0.95
_STRIP_IN = 0.34
_BELOW_DB = 12.0
_NEW_S = 1.0
"""Age up to which a measurement tells of now."""
_LABELLED_SHARE = 0.07
"""Of the time axis: a stay in a cell that is shorter gets no name."""


@dataclass(frozen=True)
class PreviewFigure:
    """A preview as drawn.

    Attributes:
        figure: all of it.
        ground: the map, axes in metres.
        panels: over time, axes in seconds.
    """

    figure: Figure
    ground: Axes
    panels: list[Axes]


@style.styled()
def draw_preview(scenario: Scenario, seen: Preview) -> PreviewFigure:
    """The map above, the timeline below.

    Args:
        scenario: for its names.
        seen: one episode of it.
    """
    west, east, south, north = seen.frame_m()
    map_in = min(max((style.WIDTH_IN - _BARS_IN) * (north - south) / (east - west), _SMALLEST_MAP_IN), 5.0)
    if not (seen.heat or seen.moving.any()):
        map_in = _SMALLEST_MAP_IN
    panels = _panels(seen)
    heights = [map_in + 0.6, *(height for height, _ in panels)]
    figure = style.new_figure(
        sum(heights) + 0.2 * len(panels) + 1.1,
        [
            "shades and thin lines: mean over fading, from ns-3's own propagation" if seen.heat else "",
            _about_line_of_sight(scenario),
            "no request is made here, so only the others' traffic is on the air",
        ],
    )
    layout = figure.get_layout_engine()
    assert isinstance(layout, ConstrainedLayoutEngine)
    layout.set(h_pad=0.07)  # inches; the marks of requests stand above their panel
    axes = figure.subplots(len(heights), 1, height_ratios=heights)
    ground, below = axes[0], list(axes[1:])
    draw_map(ground, seen, scenario.environment)
    ground.set_title(f"{scenario.name} ({scenario.link.technology}), episode seed {seen.seed}")
    for panel, (_, draw) in zip(below, panels, strict=True):
        draw(panel, seen)
        panel.set_xlim(seen.time_s[0], max(seen.time_s[-1], seen.time_s[0] + 1.0))
        panel.label_outer()
    _mark_requests(below[0], seen)
    below[-1].set_xlabel("Time in the simulation [s]")
    figure.align_ylabels(below)
    style.foot_legend(figure, _panel_legend(below))
    style.foot_legend(figure, _map_legend(seen))
    return PreviewFigure(figure, ground, below)


def _about_line_of_sight(scenario: Scenario) -> str:
    """Why the mean jumps from place to place, where it does; else empty."""
    link = scenario.link
    if isinstance(link, LteLink) and link.path_loss.changes_with_sight:
        return "jumps of the mean: line of sight comes and goes from place to place (link.path_loss)"
    return ""


def draw_map(axes: Axes, seen: Preview, environment: Environment) -> None:
    """Coverage, what stands in its way, sites, everyone's paths; the agent's coloured by time."""
    if seen.heat:
        draw_heat(axes, seen.heat)
    draw_environment(axes, environment)
    _draw_others(axes, seen)
    _draw_agent(axes, seen)
    draw_sites(axes, seen.sites_m, seen.site_names)
    west, east, south, north = seen.frame_m()
    axes.set(aspect="equal", xlim=(west, east), ylim=(south, north), xlabel="x [m]", ylabel="y [m]")


def _draw_others(axes: Axes, seen: Preview) -> None:
    moving = seen.moving
    for path, moves in zip(seen.ues_m[1:], moving[1:], strict=True):
        if moves:
            axes.plot(path[:, 0], path[:, 1], "-", color=_OTHER, lw=0.7, alpha=0.65, zorder=2)
    standing = seen.ues_m[1:][~moving[1:]]
    places = standing[np.isfinite(standing).all(axis=2)]
    axes.plot(places[:, 0], places[:, 1], "o", color=_OTHER, mec="white", mew=0.6, ms=4.5, zorder=3)


def _draw_agent(axes: Axes, seen: Preview) -> None:
    there = np.isfinite(seen.ues_m[0]).all(axis=1)
    if not there.any():
        return
    path, time_s = seen.ues_m[0][there, :2], seen.time_s[there]
    if seen.moving[0]:
        _draw_path(axes, path, time_s, jumps=np.diff(np.flatnonzero(there)) > 1)
        _, _, south, north = seen.frame_m()
        for (x, y), text, marker in ((path[0], "start", "s"), (path[-1], "end", "D")):
            axes.plot(x, y, marker, ms=7, mfc="white", mec=style.BLACK, mew=1.3, zorder=4.5)
            # Near the upper edge above the place would be in the title.
            above = (y - south) / (north - south) < _UPPER_PART
            axes.annotate(
                text,
                (x, y),
                (0, 7 if above else -7),
                textcoords="offset points",
                ha="center",
                va="bottom" if above else "top",
                path_effects=HALO,
                zorder=6,
            )
    else:
        axes.plot(*path[0], "o", ms=8, color=style.VERMILLION, mec="white", mew=1.0, zorder=4.5)


def _draw_path(
    axes: Axes, path: NDArray[np.float64], time_s: NDArray[np.float64], jumps: NDArray[np.bool_]
) -> None:
    """[points, 2] at times [points]; jumps[i]: it wasn't there between points i and i + 1."""
    legs = np.stack([path[:-1], path[1:]], axis=1)
    axes.add_collection(LineCollection(list(legs[~jumps]), colors="white", linewidths=3.6, zorder=3.2))
    coloured = LineCollection(list(legs[~jumps]), cmap=_PATH_COLOURS, linewidths=2.2, zorder=3.4)
    coloured.set_array(time_s[:-1][~jumps])
    coloured.set_clim(time_s[0], time_s[-1])
    axes.add_collection(coloured)
    for leg in legs[jumps]:
        axes.plot(*leg.T, "--", color=style.BLACK, lw=1.0, dashes=(4, 3), zorder=3.3)
    _draw_arrows(axes, path)
    axes.figure.colorbar(coloured, ax=axes, label="Time [s]", shrink=0.85, pad=0.02)


def _draw_arrows(axes: Axes, path: NDArray[np.float64]) -> None:
    """Open arrowheads at equal distances along the way."""
    step = np.diff(path, axis=0)
    length = np.hypot(*step.T)
    way = np.cumsum(length)
    if way[-1] <= 0:
        return
    places = np.unique(np.searchsorted(way, way[-1] * (np.arange(_ARROWS) + 0.5) / _ARROWS))
    places = places[(places < len(step)) & (length[np.minimum(places, len(step) - 1)] > 0)]
    for (x, y), (east, north) in zip(path[places], step[places], strict=True):
        arrow = MarkerStyle(_ARROW).rotated(rad=float(np.arctan2(north, east)))
        axes.plot(x, y, marker=arrow, ms=8, mfc="none", mec="white", mew=3.4, zorder=3.6)
        axes.plot(x, y, marker=arrow, ms=8, mfc="none", mec=style.BLACK, mew=1.5, zorder=3.7)


def _map_legend(seen: Preview) -> list[Line2D]:
    """Of what is on this map."""
    moving, there = seen.moving, np.isfinite(seen.ues_m[0]).all(axis=1)
    handles = [style.dot(style.BLACK, "site", "^")] if len(seen.sites_m) else []
    if there.any() and not moving[0]:
        handles.append(style.dot(style.VERMILLION, "agent's UE"))
    if moving[0]:
        path = Line2D([], [], color=style.REDDISH_PURPLE, lw=2.2, label="agent's UE, by time")
        path.set(marker=MarkerStyle(_ARROW), ms=6, mfc="none", mec=style.BLACK, mew=1.5)
        handles.append(path)
    if moving[0] and (np.diff(np.flatnonzero(there)) > 1).any():
        handles.append(Line2D([], [], color=style.BLACK, lw=1.0, ls="--", label="not there"))
    if moving[1:].any():
        handles.append(Line2D([], [], color=_OTHER, lw=0.8, label="other UE, moving"))
    if (~moving[1:]).any():
        handles.append(style.dot(_OTHER, "other UE"))
    return handles


def _panel_legend(panels: list[Axes]) -> list[Artist]:
    """Of what is on the panels, each once."""
    named: dict[str, Artist] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    return list(named.values())


def _panels(seen: Preview) -> list[tuple[float, Callable[[Axes, Preview], None]]]:
    """Height in inches and how to draw it, of each panel that has something to show."""
    panels: list[tuple[float, Callable[[Axes, Preview], None]]] = []
    if len(seen.sites_m) or seen.link.snr_db.any():
        panels.append((_PANEL_IN, _draw_snr))
    if len(seen.sites_m) > 1:
        panels.append((_PANEL_IN, _draw_power))
    if len(seen.sites_m):
        panels.append((_STRIP_IN, _draw_serving))
    if seen.link.phy_rate_mbps.any() or np.nan_to_num(seen.reception.rate_mbps).any():
        panels.append((_PANEL_IN, _draw_rate))
    return panels


def _met_sites(seen: Preview) -> list[int]:
    """Sites that serve the agent or are the best for it at any time, in the order of their first time."""
    power = seen.reception.rx_power_dbm
    known = np.isfinite(power).any(axis=0)
    best = np.full(len(seen.time_s), -1)
    if known.any():
        best[known] = np.nanargmax(power[:, known], axis=0)
    met = [*seen.link.serving_cell.tolist(), *best.tolist()]
    return [site for site in dict.fromkeys(met) if site >= 0]


def _site_colours(seen: Preview) -> dict[int, str]:
    return {site: SITE_COLOURS[i % len(SITE_COLOURS)] for i, site in enumerate(_met_sites(seen))}


def _draw_sites_over_time(axes: Axes, seen: Preview, values: NDArray[np.float64]) -> None:
    """values [sites, samples]: one thin line for each site, coloured where the agent meets it."""
    colours = _site_colours(seen)
    for site in range(len(values)):
        met = site in colours
        label = "a site, mean" if site == next(iter(colours), None) else ""
        colour = colours.get(site, _FAINT)
        axes.plot(seen.time_s, values[site], "-", color=colour, lw=1.1, zorder=1 + met, label=label)
    best = best_server(values) if len(values) else np.zeros(0)
    if np.isfinite(best).any():
        lowest = np.nanmin(best) - _BELOW_DB  # far sites would flatten what matters
        axes.set_ylim(bottom=max(lowest, axes.get_ylim()[0]))


def _draw_measured(axes: Axes, seen: Preview, values: NDArray[np.float64]) -> None:
    """values [samples] of the serving cell, where they are new."""
    shown = np.where((values != 0) & (seen.link.snr_age_s <= _NEW_S), values, np.nan)
    axes.plot(seen.time_s, shown, ".", color=style.BLACK, ms=2.2, label="measured", zorder=3)


def _draw_snr(axes: Axes, seen: Preview) -> None:
    _draw_sites_over_time(axes, seen, seen.reception.snr_db)
    _draw_measured(axes, seen, seen.link.snr_db)
    axes.set_ylabel("SNR [dB]")


def _draw_power(axes: Axes, seen: Preview) -> None:
    _draw_sites_over_time(axes, seen, seen.reception.rx_power_dbm)
    _draw_measured(axes, seen, seen.link.rsrp_dbm)
    axes.set_ylabel("Power [dBm]")


def _draw_serving(axes: Axes, seen: Preview) -> None:
    cells, time_s, colours = seen.link.serving_cell, seen.time_s, _site_colours(seen)
    begins = np.flatnonzero(np.diff(cells, prepend=-2))
    ends = [*time_s[begins[1:]], time_s[-1]]
    nowhere = begins[cells[begins] < 0]
    for begin, end_s in zip(begins, ends, strict=True):
        cell, begin_s = int(cells[begin]), float(time_s[begin])
        if cell < 0:
            shown: dict[str, Any] = {"facecolor": "white", "edgecolor": style.GREY, "hatch": "////"}
            axes.axvspan(begin_s, end_s, lw=0, label="" if begin in nowhere[1:] else "no cell", **shown)
            continue
        axes.axvspan(begin_s, end_s, facecolor=colours[cell], alpha=0.75, lw=0)
        if end_s - begin_s >= _LABELLED_SHARE * (time_s[-1] - time_s[0]):
            middle = (begin_s + end_s) / 2
            name = seen.site_names[cell]
            axes.text(middle, 0.5, name, ha="center", va="center", fontsize=7, path_effects=HALO)
    axes.set(yticks=[], ylim=(0, 1))
    axes.set_ylabel("Cell", rotation=0, ha="right", va="center")
    axes.grid(visible=False)


def _draw_rate(axes: Axes, seen: Preview) -> None:
    expected = best_server(seen.reception.rate_mbps) if len(seen.sites_m) else np.zeros(0)
    if np.nan_to_num(expected).any():
        axes.plot(seen.time_s, expected, "-", color=style.ORANGE, lw=1.1, label="rate by SNR")
    rate_mbps = seen.link.phy_rate_mbps
    if rate_mbps.any():
        axes.step(
            seen.time_s, rate_mbps, "-", where="post", color=style.BLACK, lw=0.9, label="rate of last data"
        )
    axes.set_ylabel("PHY rate\n[Mbit/s]")
    axes.set_ylim(bottom=0)


def _mark_requests(axes: Axes, seen: Preview) -> None:
    heights = np.full(len(seen.request_s), 1.06)
    axes.plot(
        seen.request_s,
        heights,
        "|",
        color=style.BLACK,
        ms=5,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
        label="request",
    )
