"""How every figure looks: colours, sizes, the note at the foot, and how it is written to disk."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO

from matplotlib import colormaps, rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

if TYPE_CHECKING:  # matplotlib before 3.11 has no such name
    from matplotlib.typing import RcKeyType

# The palette of Okabe and Ito ("Color Universal Design", 2008), with the grey that R's version adds.
BLACK, GREY, ORANGE, SKY_BLUE = "#000000", "#999999", "#E69F00", "#56B4E9"
BLUISH_GREEN, BLUE, VERMILLION, REDDISH_PURPLE = "#009E73", "#0072B2", "#D55E00", "#CC79A7"


@dataclass(frozen=True)
class PolicyLine:
    """How a policy's line looks.

    Attributes:
        colour: hex colour, its own.
        dash: matplotlib line style, that of its family.
        marker: its own within the family; empty for none.
    """

    colour: str
    dash: str | tuple[float, tuple[float, ...]]
    marker: str


_DASH_DOT_DOT = (0.0, (4.0, 1.2, 1.0, 1.2, 1.0, 1.2))

# Twenty colours can't all be told apart, the less so by the colour-blind. Those of Okabe and Ito are for the
# policies of every run; the others take what is left of Paul Tol's "muted" and "dark" schemes, and dash (by
# family) and marker (within it) together name every line also where colours don't.
POLICY_LINES: Mapping[str, PolicyLine] = MappingProxyType(
    {
        "oracle": PolicyLine(BLACK, "-", ""),
        "clairvoyant": PolicyLine("#555555", "--", ""),
        "best-pair": PolicyLine("#AA88FF", "--", "v"),
        "causal-ceiling": PolicyLine("#446600", "--", "D"),
        "random": PolicyLine(GREY, ":", ""),
        "all-local": PolicyLine(REDDISH_PURPLE, ":", "o"),
        "min-split": PolicyLine(SKY_BLUE, ":", "s"),
        "best-static": PolicyLine(ORANGE, ":", "^"),
        "threshold": PolicyLine(BLUISH_GREEN, "--", "o"),
        "two-threshold": PolicyLine("#117733", "--", "s"),
        "neurosurgeon": PolicyLine("#999933", "--", "^"),
        "linucb": PolicyLine("#882255", "-.", "o"),
        "linear-thompson": PolicyLine("#AA4499", "-.", "s"),
        "gp-ucb": PolicyLine("#CC6677", "-.", "^"),
        "ppo": PolicyLine("#663333", _DASH_DOT_DOT, "o"),
        "a2c": PolicyLine("#A6761D", _DASH_DOT_DOT, "s"),
        "dqn": PolicyLine("#C8AA6E", _DASH_DOT_DOT, "^"),
        "surrogate-argmax": PolicyLine(VERMILLION, "-", "o"),
        "surrogate-ucb": PolicyLine("#8B1A1A", "-", "s"),
        "surrogate-thompson": PolicyLine("#FF7F6E", "-", "^"),
        "planner": PolicyLine("#332288", "-", "D"),
        "ppo-imagination": PolicyLine(BLUE, "-", "v"),
    }
)
"""How each known policy's line looks."""

POLICY_COLOURS: Mapping[str, str] = MappingProxyType(
    {policy: line.colour for policy, line in POLICY_LINES.items()}
)
"""Colour of each policy, the same in every figure."""

# For policies that have no colour of their own, a user's among them.
_OTHER_POLICIES = ("#225555", "#DDCC77", "#5E4FA2", "#66A61E")

# Paul Tol's "light" scheme, so that a part of a bar is never taken for a policy.
TERM_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "quality": "#77AADD",
        "latency": "#EE8866",
        "energy": "#EEDD88",
        "load": "#BBCC33",
        "failure": "#FFAABB",
        "switching": "#DDDDDD",
    }
)
"""Colour of each reward term."""

LOSS_COLOURS: Mapping[str, str] = MappingProxyType(
    {"radio": "#77AADD", "queue": "#EE8866", "late": "#EEDD88", "unsent": "#BBBBBB"}
)
"""Colour of each cause of loss."""

REWARD_UNIT = "nat/token eq."
REWARD_NOTE = "reward unit: 1 = a quality loss of 1 nat/token"
WIDTH_IN = 7.2
"""Width of a figure in inches: two columns of a paper."""
DPI = 150
NOTE_ID = "small-print"
"""`gid` of the text at the foot."""
_NOTE_CHARACTERS = 135
_LEGEND_CHARACTERS = 95

_SETTINGS: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "pdf.fonttype": 42,  # TrueType: journals reject Type 3
}


@contextmanager
def styled() -> Iterator[None]:
    """Decorator and context in which figures are drawn.

    A user's own matplotlib settings don't reach the figures, and are as before afterwards.
    """
    with rc_context():
        rcdefaults()
        rcParams.update(_SETTINGS)
        yield


def policy_colour(policy: str) -> str:
    """Hex colour of a policy; an unknown one gets one by its name, the same in every run."""
    if policy in POLICY_COLOURS:
        return POLICY_COLOURS[policy]
    digest = hashlib.sha256(policy.encode()).digest()
    return _OTHER_POLICIES[digest[0] % len(_OTHER_POLICIES)]


def policy_line(policy: str) -> PolicyLine:
    """How the line of a policy looks; an unknown one is solid, with crosses."""
    return POLICY_LINES.get(policy) or PolicyLine(policy_colour(policy), "-", "X")


def split_colours(splits: Iterable[int], num_layers: int) -> dict[int, str]:
    """Hex colour of each split: viridis by depth split / num_layers, without its palest end."""
    shades = colormaps["viridis"]
    return {split: to_hex(shades(0.95 * min(max(split / num_layers, 0.0), 1.0))) for split in splits}


def new_figure(height_in: float, notes: Sequence[str] = ()) -> Figure:
    """An empty figure `WIDTH_IN` wide that keeps room for small print at its foot.

    Args:
        height_in: height in inches.
        notes: sentences of the small print; empty ones are left out.
    """
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    text = _wrap(notes)
    figure.text(
        0.99,
        0.05 / height_in,
        text,
        ha="right",
        va="bottom",
        fontsize=6.5,
        color="#555555",
        gid=NOTE_ID,
    )
    _keep_free(figure, 0.09 + 0.125 * (text.count("\n") + 1))
    return figure


def plain(text: object) -> str:
    """A user's text for a figure: a dollar sign in a name or a path begins no formula."""
    return str(text).replace("$", r"\$")


def _wrap(notes: Iterable[str]) -> str:
    """Notes in lines of at most `_NOTE_CHARACTERS`, broken between notes and never inside one."""
    lines: list[str] = []
    for note in map(plain, filter(None, notes)):
        if lines and len(lines[-1]) + len(note) + 2 <= _NOTE_CHARACTERS:
            lines[-1] += "; " + note
        else:
            lines.append(note)
    return "\n".join(lines)


def _keep_free(figure: Figure, inches: float) -> float:
    """Keep more room free at the foot; returns how high the foot was before, as a share of the figure."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    foot = float(engine.get()["rect"][1])
    more = foot + inches / figure.get_figheight()
    engine.set(rect=(0, more, 1, 1 - more))
    return foot


def label_outside(panels: Sequence[Axes], count: int, columns: int, xlabel: str, ylabel: str) -> None:
    """Labels at the left and below the lowest panel of each column; panels beyond are taken away.

    Args:
        panels: of a grid with shared axes, row by row.
        count: how many of them are used.
        columns: of the grid.
        xlabel, ylabel: the same for all.
    """
    for place, axes in enumerate(panels):
        if place >= count:
            axes.set_axis_off()
            continue
        if place % columns == 0:
            axes.set_ylabel(ylabel)
        if place + columns >= count:
            axes.set_xlabel(xlabel)
            axes.tick_params(labelbottom=True)


def foot_legend(figure: Figure, handles: Sequence[Any]) -> None:
    """One legend for the whole figure, in as few rows as hold it, between the axes and the small print.

    Args:
        figure: made by `new_figure`.
        handles: labelled artists or containers; none, no legend.
    """
    if handles:
        # A marker and the room around it are as wide as some five characters.
        characters = sum(len(str(handle.get_label())) + 5 for handle in handles)
        rows = math.ceil(characters / _LEGEND_CHARACTERS)
        foot = _keep_free(figure, 0.27 + 0.21 * (rows - 1))
        place: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, foot), "borderaxespad": 0.2}
        figure.legend(handles=list(handles), ncols=math.ceil(len(handles) / rows), columnspacing=1.3, **place)


def dot(colour: str, label: str, marker: str = "o") -> Line2D:
    """A marker for a legend."""
    return Line2D([], [], ls="none", marker=marker, color=colour, label=label, ms=5.5)


def plain_log(axis: Axis, low: float, high: float) -> None:
    """Labels of a logarithmic axis as plain numbers; 1, 2 and 5 where it spans few decades."""
    few = high / low < 200
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as PNG (150 dpi) and PDF; the same figure gives the same bytes.

    Args:
        figure: what to write.
        path: where, without suffix; the folder must exist.

    Returns:
        The two files.
    """
    files = [path.with_name(path.name + suffix) for suffix in (".png", ".pdf")]
    save_png(figure, files[0])
    # A disk that fills up under matplotlib's PDF writer ends in an error of that one's own.
    whole = io.BytesIO()
    with styled():
        figure.savefig(whole, format="pdf", metadata={"CreationDate": None})
    files[1].write_bytes(whole.getvalue())
    return files


def save_png(figure: Figure, target: Path | BinaryIO) -> None:
    """Write a figure as PNG alone (150 dpi)."""
    with styled():
        figure.savefig(target, dpi=DPI, format="png")
