"""The report of one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from markupsafe import Markup

from pyagent.files import write_text_whole
from pyagent.plots.data import MissingDataError
from pyagent.report.choices import choice_grid, reward_grid
from pyagent.report.episodes import read_episodes
from pyagent.report.files import REPORT, Run, open_run
from pyagent.report.ground import read_ground
from pyagent.report.markup import script_json
from pyagent.report.pictures import WORDS, picture
from pyagent.report.render import render
from pyagent.report.resources import memory, per_request, phases
from pyagent.report.table import (
    Grid,
    paired_grid,
    policy_grid,
    target_grid,
    title_of,
    warnings_of,
    worth_sentence,
)
from pyagent.report.trace import trace_grid
from pyagent.report.weights import Reweighed, reweighed

Made = TypeVar("Made", Grid, Reweighed)

EPISODE_FIGURES = ("track", "token-times")
"""Drawn by the page's script; so is `map`, in the place of the picture of that name."""


@dataclass(frozen=True)
class Written:
    """A report that was written.

    Attributes:
        path: the file.
        figures: what is drawn in it.
        missing: what is not, and why.
    """

    path: Path
    figures: list[str]
    missing: dict[str, str]


@dataclass(frozen=True)
class Watch:
    """The part of the page that moves.

    Attributes:
        data: episodes and ground as JSON; None where there are none.
        has_map: whether there is ground to draw.
        missing: why there is no data.
    """

    data: Markup | None
    has_map: bool
    missing: str

    @property
    def gaps(self) -> dict[str, str]:
        """What can't be drawn, and why."""
        if self.data is None:
            return dict.fromkeys((*EPISODE_FIGURES, "map"), self.missing)
        return {} if self.has_map else {"map": "the UE stands still and the link has no sites"}


def write_report(path: Path, target: Path | None = None) -> Written:
    """Write the report of a finished run: one file that needs nothing beside it.

    Args:
        path: the run's folder. What is drawn in its plots is taken from there, the rest is drawn now.
        target: the file; None: report.html in the folder.

    Raises:
        ReportError: the folder is not that of a finished run.
        OSError: the file can't be written.
    """
    run = open_run(path)
    watch = _watch(run)
    pictures = {name: picture(run, name) for name in WORDS}
    page = render(
        "run.html",
        summary=run.summary,
        title=title_of(run.summary),
        meta=run.meta,
        description=run.config.get("description", ""),
        config=run.config_text,
        ranking=policy_grid(run.summary),
        targets=target_grid(run.summary),
        paired=paired_grid(run.summary),
        pictures=pictures,
        watch=watch,
        worth=worth_sentence(run.summary),
        warnings=warnings_of(run.summary),
        choices=_grid(run, choice_grid),
        reward=_grid(run, reward_grid),
        weighed=_grid(run, reweighed),
        trace=trace_grid(run),
        phases=phases(run),
        memory=memory(run),
        per_request=_grid(run, per_request),
    )
    missing = {name: made.missing for name, made in pictures.items() if made.missing} | watch.gaps
    figures = [name for name in (*EPISODE_FIGURES, *WORDS) if name not in missing]
    return Written(write_text_whole(target or path / REPORT, page), figures, missing)


def _watch(run: Run) -> Watch:
    try:
        episodes = read_episodes(run)
    except MissingDataError as error:
        return Watch(None, False, str(error))
    ground = read_ground(run, episodes.places_m)
    data = {**episodes.to_json(), "ground": ground.to_json() if ground else None}
    return Watch(script_json(data), ground is not None, "")


def _grid(run: Run, make: Callable[[Run], Made]) -> Made | str:
    """A table of the run, or why it is not there."""
    try:
        return make(run)
    except MissingDataError as error:
        return str(error)
