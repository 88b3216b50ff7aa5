"""The ground of a map: what the sites reach by ns-3's own propagation, and where they stand."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from pyagent.plots import style
from pyagent.scenario.preview import HeatMap
from pyagent.scenario.schema import Environment
from pyagent.scenario.schema.environment import Cuboid

HALO = [withStroke(linewidth=2.5, foreground="white")]
_LEVELS = 6
_LABELLED_SITES = 12


def best_server(sites: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best value over the sites, [sites, ...] to [...]; NaN where none has one."""
    best = np.fmax.reduce(sites, axis=0)
    return np.asarray(best, dtype=np.float64)


def shade_limits(snr_db: NDArray[np.float64]) -> tuple[float, float]:
    """The SNR of the weakest and of the strongest shade.

    Far away and behind walls all is equally hopeless; shades are for what makes a difference.
    """
    shown = snr_db[np.isfinite(snr_db)]
    if not shown.size:
        return 0.0, 1.0
    low, high = np.percentile(shown, [2, 100])
    return float(low), float(high)


def draw_heat(axes: Axes, heat: HeatMap) -> None:
    """Mean SNR of the best site as shades of grey, contours with their values, and a colour bar."""
    snr_db = best_server(heat.signal.snr_db)
    greys = LinearSegmentedColormap.from_list("map-greys", colormaps["Greys_r"](np.linspace(0.4, 1.0, 64)))
    low, high = shade_limits(snr_db)
    half_x, half_y = (float(places[1] - places[0]) / 2 for places in (heat.x_m, heat.y_m))
    west, east, south, north = heat.frame_m
    image = axes.imshow(
        snr_db,
        extent=(west - half_x, east + half_x, south - half_y, north + half_y),
        origin="lower",
        cmap=greys,
        interpolation="bilinear",
        vmin=low,
        vmax=high,
    )
    levels = _levels(low, high)
    if len(levels):
        looks: dict[str, Any] = {"colors": "white", "linestyles": "solid", "linewidths": 0.7, "alpha": 0.8}
        lines = axes.contour(heat.x_m, heat.y_m, snr_db, levels, **looks)
        axes.clabel(lines, fmt="%g dB", fontsize=6.5, colors="#333333")
    axes.grid(visible=False)
    axes.figure.colorbar(image, ax=axes, label="Mean SNR [dB]", shrink=0.85, pad=0.02)


def _levels(low: float, high: float) -> NDArray[np.float64]:
    """Round values between low and high, few enough to be read."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if (high - low) / step <= _LEVELS)
    levels = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return np.asarray(levels, dtype=np.float64)


def draw_environment(axes: Axes, environment: Environment) -> None:
    """Outlines of buildings, and zones with their names; what moves is not on a map."""
    for building in environment.buildings:
        axes.add_patch(_outline(building, fc="#6B4F3A22", ec="#6B4F3A", lw=1.1))
    for zone in environment.zones:
        axes.add_patch(_outline(zone, fc="none", ec=style.BLUE, lw=0.9, ls="--", hatch="..", alpha=0.6))
        middle = (sum(zone.x_m) / 2, zone.y_m[1])
        axes.annotate(
            zone.name,
            middle,
            (0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=7,
            color=style.BLUE,
            path_effects=HALO,
            zorder=5.5,
            clip_on=True,
        )


def _outline(cuboid: Cuboid, **looks: Any) -> Rectangle:
    (west, east), (south, north) = cuboid.x_m, cuboid.y_m
    return Rectangle((west, south), east - west, north - south, zorder=1.5, **looks)


def draw_sites(axes: Axes, sites_m: NDArray[np.float64], names: tuple[str, ...] = ()) -> None:
    """A triangle at each site; with its name where there are not too many.

    Args:
        axes: in metres.
        sites_m: float64 [sites, 3].
        names: of the sites; none, no names.
    """
    axes.plot(sites_m[:, 0], sites_m[:, 1], "^", color=style.BLACK, mec="white", ms=10, zorder=5)
    if len(names) > _LABELLED_SITES:
        return
    for name, (x, y, _) in zip(names, sites_m, strict=False):
        axes.annotate(
            name,
            (x, y),
            (0, -7),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=7.5,
            path_effects=HALO,
            zorder=6,
        )
