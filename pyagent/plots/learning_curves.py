"""Learners compared: regret to the oracle over what they spent, one line for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyagent.evaluation.learning_curves import Axis, RegretCurve
from pyagent.evaluation.statistics import Interval
from pyagent.plots import style

_MARKERS = 7  # along each line
_LABELS: Mapping[Axis, str] = {
    "evaluations": "Real evaluations bought [decisions]",
    "wall_s": "Wall-clock of the training [s]",
}


@style.styled()
def figure_learning_curves(
    curves: Mapping[str, RegretCurve], references: Mapping[str, Interval], notes: Sequence[str] = ()
) -> Figure:
    """Mean regret over evaluations or seconds (logarithmic), with intervals over runs.

    Args:
        curves: of the policies that learn, one or more, all over the same axis.
        references: regret of those that don't, "random" among them; the oracle is the line at 0.
        notes: small print.

    Raises:
        ValueError: no curve, different axes, or a curve without any place above 0.
    """
    axis = _common_axis(curves)
    figure = style.new_figure(
        4.0, ["bands: 95 % intervals, of curves over training runs", style.REWARD_NOTE, *notes]
    )
    axes = figure.subplots()
    for order, (policy, curve) in enumerate(curves.items()):
        _draw_curve(axes, policy, curve, order)
    for policy, regret in {**references, "oracle": Interval(0.0, 0.0, 0.0)}.items():
        _draw_reference(axes, policy, regret)
    _fit(axes, curves, references)
    axes.set(xlabel=_LABELS[axis], ylabel=f"Regret to the oracle [{style.REWARD_UNIT}]")
    axes.set_title("Mean regret per decision on the test seeds", loc="left")
    figure.legend(loc="outside right upper", handlelength=3.6)
    return figure


def _common_axis(curves: Mapping[str, RegretCurve]) -> Axis:
    axes = {curve.axis for curve in curves.values()}
    if len(axes) != 1:
        raise ValueError(f"want one curve or more, all over one axis; got {sorted(axes)}")
    for policy, curve in curves.items():
        if not (curve.spent > 0).any():
            raise ValueError(f"the curve of {policy} has no place above 0")
    return axes.pop()


def _draw_curve(axes: Axes, policy: str, curve: RegretCurve, order: int) -> None:
    line = style.policy_line(policy)
    there = curve.spent > 0  # a logarithmic axis has no zero
    spent = curve.spent[there]
    axes.fill_between(
        spent, curve.low[there], curve.high[there], color=line.colour, alpha=0.15, lw=0, step="post"
    )
    every = max(1, len(spent) // _MARKERS)
    axes.plot(
        spent,
        curve.regret[there],
        color=line.colour,
        ls=line.dash,
        marker=line.marker,
        # Staggered, so that markers of close lines don't hide each other.
        markevery=(order % every, every),
        drawstyle="steps-post",
        label=policy,
        zorder=3,
    )


def _draw_reference(axes: Axes, policy: str, regret: Interval) -> None:
    line = style.policy_line(policy)
    if regret.low < regret.high:
        axes.axhspan(regret.low, regret.high, color=line.colour, alpha=0.08, lw=0)
    axes.plot(
        [0.0, 1.0],
        [regret.estimate] * 2,
        color=line.colour,
        ls=line.dash,
        marker=line.marker,
        lw=1.2,
        label=policy,
        transform=axes.get_yaxis_transform(),
        clip_on=False,
    )


def _fit(axes: Axes, curves: Mapping[str, RegretCurve], references: Mapping[str, Interval]) -> None:
    places = [float(x) for curve in curves.values() for x in curve.spent[curve.spent > 0]]
    low, high = min(places), max(places)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.1, high * 1.1)
    style.plain_log(axes.xaxis, low, high)
    values = [float(curve.regret.max()) for curve in curves.values()]
    top = max([*values, *(regret.estimate for regret in references.values()), 0.1])
    below = min(float(curve.regret.min()) for curve in curves.values())
    axes.set_ylim(min(below, 0.0) - 0.04 * top, 1.08 * top)
