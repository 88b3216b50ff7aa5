"""Figures of a run folder: `draw_plots(run)`, or `figure_<name>(run)` for one as a matplotlib Figure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from matplotlib.figure import Figure

from pyagent.plots.choices import figure_choices
from pyagent.plots.data import MissingDataError, NothingToDrawError
from pyagent.plots.failures import figure_failures
from pyagent.plots.latency import figure_latency
from pyagent.plots.links import figure_links
from pyagent.plots.map import figure_map
from pyagent.plots.policies import figure_policies
from pyagent.plots.quality import figure_quality
from pyagent.plots.regret import figure_regret
from pyagent.plots.reliability import figure_reliability
from pyagent.plots.style import save
from pyagent.plots.surrogate import figure_surrogate
from pyagent.plots.timeline import figure_timeline
from pyagent.plots.weights import figure_weights

FIGURES: Mapping[str, Callable[[Path], Figure]] = MappingProxyType(
    {
        "map": figure_map,
        "timeline": figure_timeline,
        "regret": figure_regret,
        "surrogate": figure_surrogate,
        "reliability": figure_reliability,
        "policies": figure_policies,
        "weights": figure_weights,
        "failures": figure_failures,
        "choices": figure_choices,
        "latency": figure_latency,
        "quality": figure_quality,
        "links": figure_links,
    }
)
"""Every figure by its file name."""

_log = logging.getLogger(__name__)


def draw_plots(run: Path) -> list[Path]:
    """Draw every figure that the run has data for into `run`/plots, as PNG and PDF.

    A figure without data is left out, with a warning that says what is missing unless runs of this kind never
    have it. The same run folder gives the same bytes.

    Args:
        run: run folder.

    Returns:
        The files written: PNG and PDF of each figure, in the order of `FIGURES`.
    """
    folder = run / "plots"
    written: list[Path] = []
    for name, draw in FIGURES.items():
        try:
            figure = draw(run)
        except NothingToDrawError:
            continue
        except MissingDataError as error:
            _log.warning("no %s plot: %s", name, error)
            continue
        folder.mkdir(parents=True, exist_ok=True)
        written += save(figure, folder / name)
    return written


__all__ = [
    "FIGURES",
    "MissingDataError",
    "NothingToDrawError",
    "draw_plots",
    "figure_choices",
    "figure_failures",
    "figure_latency",
    "figure_links",
    "figure_map",
    "figure_policies",
    "figure_quality",
    "figure_regret",
    "figure_reliability",
    "figure_surrogate",
    "figure_timeline",
    "figure_weights",
    "save",
]
