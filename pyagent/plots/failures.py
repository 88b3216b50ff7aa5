"""What a failed request costs: three terms charge it."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyagent.errors import reading
from pyagent.evaluation.weights import CHARGED, REQUIRED, REST, FailureCost, failure_costs
from pyagent.plots import style
from pyagent.plots.data import MissingDataError, NothingToDrawError, judged_rows, proxy_note

_SERVED, _FAILED = "#CCCCCC", "#777777"


def read_failures(run: Path) -> dict[str, FailureCost]:
    """What failed test requests cost each policy, the smallest mean penalty of all decisions first.

    Raises:
        MissingDataError: there are no test decisions, or they lack a term.
    """
    judged = judged_rows(run, REQUIRED)
    with reading("decisions.parquet", MissingDataError):
        costs = failure_costs(judged)
    return dict(sorted(costs.items(), key=lambda item: item[1].penalty))


@style.styled()
def figure_failures(run: Path) -> Figure:
    """Left: mean penalty of a failed request by term. Right: part of failed requests in the mean penalty.

    Args:
        run: run folder.

    Raises:
        NothingToDrawError: no test request failed.
        MissingDataError: see `read_failures`.
    """
    costs = read_failures(run)
    if not any(cost.failed for cost in costs.values()):
        raise NothingToDrawError("no test request failed")
    names = list(costs)
    notes = [
        "latency of a failed request: the deadline; quality: missing tokens at the clip",
        proxy_note(run),
    ]
    figure = style.new_figure(max(2.8, 0.36 * len(names) + 1.75), notes)
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_failed(left, list(costs.values()))
    _draw_parts(right, list(costs.values()))
    left.set_yticks(range(len(names)), names)
    left.set_ylim(len(names) - 0.4, -0.6)
    left.set(title="Mean penalty of a failed request", xlabel=f"Penalty [{style.REWARD_UNIT}]")
    right.set(title="Mean penalty of all requests", xlabel=f"Penalty [{style.REWARD_UNIT}]")
    right.tick_params(left=False)
    style.foot_legend(
        figure, [handle for axes in (left, right) for handle in axes.get_legend_handles_labels()[0]]
    )
    return figure


def _draw_failed(axes: Axes, costs: list[FailureCost]) -> None:
    floor = [0.0] * len(costs)
    for term in (*CHARGED, *REST):
        sizes = [cost.terms[term] for cost in costs]
        colour = style.TERM_COLOURS[term]
        axes.barh(
            range(len(costs)), sizes, 0.68, floor, color=colour, edgecolor="#555555", lw=0.5, label=term
        )
        floor = [low + size for low, size in zip(floor, sizes, strict=True)]
    for place, cost in enumerate(costs):
        if not cost.failed:
            axes.text(0.02, place, "none failed", va="center", transform=axes.get_yaxis_transform())


def _draw_parts(axes: Axes, costs: list[FailureCost]) -> None:
    lost = [cost.penalty * (cost.part or 0.0) for cost in costs]
    served = [cost.penalty - part for cost, part in zip(costs, lost, strict=True)]
    places = range(len(costs))
    axes.barh(places, lost, 0.68, color=_FAILED, label="of failed requests")
    axes.barh(places, served, 0.68, lost, color=_SERVED, label="of the others")
