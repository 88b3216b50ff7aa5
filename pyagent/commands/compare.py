"""`splitsim compare` and `splitsim demo`: policies trained and ranked on a recorded dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyagent.commands.options import AsJson
from pyagent.errors import UserError, writing

if TYPE_CHECKING:
    from pyagent.learning.ranking import Ranking

DEMO = (
    *("random", "all-local", "min-split", "best-static", "threshold", "two-threshold", "neurosurgeon"),
    *("linucb", "surrogate-argmax"),
)
WIDTH = 152


def compare(
    dataset: Annotated[
        str, typer.Argument(help="What splitsim record wrote, or the name of a dataset that ships.")
    ] = "default",
    policies: Annotated[str, typer.Option(help="all, or names with commas between.")] = "all",
    seeds: Annotated[int, typer.Option(min=2, max=1000, help="Training runs of each learning policy.")] = 5,
    decisions: Annotated[
        int, typer.Option(min=40, max=100_000, help="Decisions that the model-based learner plays.")
    ] = 400,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Play the winner in the live co-simulation as well.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for figure and numbers. [default: none]")] = None,
    as_json: AsJson = False,
) -> None:
    """Train policies on a recorded dataset and rank them on its test episodes; needs no ns-3 and no model.

    Example: splitsim compare tram-replay --policies threshold,linucb,surrogate-argmax --confirm
    """
    _run(dataset, _names(policies), seeds, decisions, confirm, out, as_json)


def demo(
    out: Annotated[Path | None, typer.Option(help="Folder for figure and numbers. [default: none]")] = None,
    as_json: AsJson = False,
) -> None:
    """Training and comparison on the dataset that ships, in under a minute: needs neither ns-3 nor a model.

    Example: splitsim demo --out demo
    """
    _run("default", DEMO, 2, 300, False, out, as_json)


def _names(text: str) -> tuple[str, ...]:
    from pyagent.learning.comparison import POLICIES

    if text == "all":
        return POLICIES
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in POLICIES:
            raise UserError(f"--policies = {name!r}: no such policy; valid: all, {', '.join(POLICIES)}")
    return tuple(dict.fromkeys(names))


def _run(
    source: str,
    names: tuple[str, ...],
    seeds: int,
    decisions: int,
    confirm: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    from pyagent.campaign.progress import PhaseProgress
    from pyagent.dataset import open_dataset, shipped_dataset
    from pyagent.learning.ranking import confirm_winner, rank

    dataset = open_dataset(shipped_dataset(source))
    with PhaseProgress() as progress:
        ranking = rank(dataset, names, range(seeds), decisions, progress)
        confirmation = confirm_winner(dataset, ranking, progress) if confirm else None
    figure = _write(ranking, out)
    if as_json:
        print(json.dumps(ranking.to_json() | {"confirmation": confirmation and confirmation.to_json()}))
        return
    _show(ranking, out, figure, confirmation)


def _write(ranking: Ranking, out: Path | None) -> Path | None:
    if out is None:
        return None
    from pyagent.learning.ranking import draw

    with writing(f"--out = {out}"):
        out.mkdir(parents=True, exist_ok=True)
        (out / "ranking.json").write_text(json.dumps(ranking.to_json(), indent=1) + "\n", encoding="utf-8")
        return draw(ranking, out)


def _show(ranking: Ranking, out: Path | None, figure: Path | None, confirmation: Any) -> None:
    from rich.console import Console

    console = Console(width=max(Console().width, WIDTH), highlight=False, markup=False)
    console.print(ranking.table())
    for line in ranking.remarks():
        console.print(line)
    if confirmation is not None:
        console.print(confirmation.sentence())
    if figure is not None:
        print(figure)
    elif out is not None:
        print(f"{out}: no picture of learning, because none of these policies has a learning curve")
