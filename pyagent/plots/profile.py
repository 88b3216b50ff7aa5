"""Heat maps of profiles: what each cut of a model loses to coding and to loss, a row of panels per model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pyagent.plots.style import new_figure, plain, styled

CLIP_NATS = 3.0
_TEXT_PT = 5.5


@dataclass(frozen=True)
class _Panel:
    """Some columns of the heat map: which rows of a profile, and what names a column."""

    title: str
    label: str
    chosen: Callable[[pd.DataFrame], Any]
    column: str


_PANELS = (
    _Panel("coding alone", "codec", lambda f: f.channel == "none", "codec"),
    _Panel("packets lost,\nconcealed", "loss (%)", lambda f: _lost(f, "packet", False), "loss"),
    _Panel("packets lost,\nzeros", "loss (%)", lambda f: _lost(f, "packet", True), "loss"),
    _Panel("bursts lost,\nconcealed", "loss (%)", lambda f: f.channel == "burst", "loss"),
    _Panel("elements\nzeroed", "loss (%)", lambda f: f.channel == "elementwise", "loss"),
    _Panel("first token\nlost", "", lambda f: f.channel == "first-token", "loss"),
)


def _lost(frame: pd.DataFrame, channel: str, zeros: bool) -> Any:
    return (frame.channel == channel) & ((frame.concealment == "zero") == zeros)


@styled()
def profile_figure(profiles: Sequence[pd.DataFrame]) -> Figure:
    """Mean dNLL over split (down) and condition (across); pale numbers have an interval that holds 0.

    Args:
        profiles: what `profile.csv` of one model each holds.

    Raises:
        ValueError: none, or one without rows.
    """
    if not profiles or any(len(frame) == 0 for frame in profiles):
        raise ValueError("nothing to draw: a profile needs at least one finished window")
    rows = sum(frame.split.nunique() + 2 for frame in profiles)
    figure = new_figure(1.5 + 0.19 * rows, [*map(_note, profiles), "faint: 95 % interval holds 0"])
    grids = [[_grid(frame, panel) for panel in _PANELS] for frame in profiles]
    widths = [max(len(row[i].columns) for row in grids) or 1 for i in range(len(_PANELS))]
    heights = [frame.split.nunique() for frame in profiles]
    axes = figure.subplots(
        len(profiles), len(_PANELS), squeeze=False, width_ratios=widths, height_ratios=heights
    )
    image: Any = None
    for frame, row, grid_row in zip(profiles, axes, grids, strict=True):
        for panel, ax, grid in zip(_PANELS, row, grid_row, strict=True):
            image = _draw(ax, grid, panel, last=grid_row is grids[-1]) or image
        _describe(row[0], frame)
    for panel, ax in zip(_PANELS, axes[0], strict=True):
        ax.set_title(panel.title, fontsize=8)
    for panel, ax in zip(_PANELS, axes[-1], strict=True):
        ax.set_xlabel(panel.label, fontsize=8)
    figure.colorbar(image, ax=axes.ravel().tolist(), extend="max", label="dNLL (nat/token)", fraction=0.03)
    return figure


@dataclass(frozen=True)
class _Grid:
    """What one panel shows: labels down and across, means and which intervals hold 0, all [rows, columns]."""

    splits: list[int]
    columns: list[Any]
    means: NDArray[np.float64]
    unsure: NDArray[np.bool_]


def _grid(frame: pd.DataFrame, panel: _Panel) -> _Grid:
    rows = frame[panel.chosen(frame)]
    # A channel that happened to lose nothing has shown nothing.
    rows = rows[(rows.channel == "none") | (rows.lost > 0)]
    splits = sorted(frame.split.unique(), reverse=True)  # deep cuts on top, as a stack of blocks
    columns = list(dict.fromkeys(rows[panel.column]))
    shape = (splits, columns)
    table = rows.set_index(["split", panel.column])
    index = pd.MultiIndex.from_product(shape, names=["split", panel.column])
    found = table.reindex(index)
    size = (len(splits), len(columns))
    unsure = (found.delta_nll_low <= 0) & (found.delta_nll_high >= 0)
    return _Grid(
        [int(s) for s in splits],
        columns,
        found.delta_nll.to_numpy(dtype=float).reshape(size),
        unsure.to_numpy(dtype=bool).reshape(size),
    )


def _draw(ax: Axes, grid: _Grid, panel: _Panel, last: bool) -> Any:
    """The image, or None where the profile has nothing for this panel."""
    ax.grid(False)
    if not grid.columns:
        ax.set_axis_off()
        return None
    norm = PowerNorm(0.5, 0.0, CLIP_NATS)
    shown = np.clip(grid.means, 0.0, None)
    image = ax.imshow(shown, aspect="auto", cmap=colormaps["cividis"], norm=norm)
    for (i, j), mean in np.ndenumerate(grid.means):
        if np.isfinite(mean):
            _number(ax, i, j, float(mean), bool(grid.unsure[i, j]), float(norm(max(mean, 0.0))))
    codecs = panel.column == "codec"
    names = [str(c) if codecs else f"{100 * c:g}" for c in grid.columns]
    if not last or panel.label == "":
        names = [""] * len(names)
    ax.set_xticks(range(len(names)), names, rotation=90 if codecs else 0, fontsize=6.5)
    ax.set_yticks(range(len(grid.splits)), [""] * len(grid.splits))
    ax.tick_params(length=0)
    return image


def _number(ax: Axes, row: int, column: int, mean: float, unsure: bool, shade: float) -> None:
    text = "0" if abs(mean) < 0.0005 else f"{mean:.2f}" if mean < 9.95 else f"{mean:.0f}"
    text = text.replace("0.00", ".00").replace("-0.", "-.").removeprefix("0") or "0"
    colour = "black" if shade > 0.55 else "white"
    how: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": _TEXT_PT}
    ax.text(column, row, text, color=colour, alpha=0.6 if unsure else 1.0, **how)


def _describe(ax: Axes, frame: pd.DataFrame) -> None:
    splits = sorted(frame.split.unique(), reverse=True)
    layers = int(frame.num_layers.iloc[0])
    ax.set_yticks(range(len(splits)), ["local" if s == layers else str(s) for s in splits], fontsize=6.5)
    ax.set_ylabel(f"{plain(frame.model.iloc[0])}\nsplit (of {layers})", fontsize=8)


def _note(frame: pd.DataFrame) -> str:
    low, high = frame.windows.min(), frame.windows.max()
    windows = f"{low}" if low == high else f"{low} to {high}"
    text = f"{frame.model.iloc[0]}: {windows} windows, unimpaired PPL {frame.reference_ppl.iloc[0]:.1f}"
    return text + _weights(frame)


def _weights(frame: pd.DataFrame) -> str:
    """Widths of quantised weights; older profiles do not name them."""
    if "ue_bits" not in frame or (frame.ue_bits.iloc[0], frame.edge_bits.iloc[0]) == (16, 16):
        return ""
    return f", weights of {frame.ue_bits.iloc[0]} bits (UE) and {frame.edge_bits.iloc[0]} bits (edge)"
