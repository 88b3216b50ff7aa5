"""`splitsim compare` and `splitsim demo`: policies trained and ranked on a recorded dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyagent.commands.options import AsJson
from pyagent.commands.weights import Weights, factors, show
from pyagent.errors import UserError, writing

if TYPE_CHECKING:
    from pyagent.dataset import Dataset
    from pyagent.evaluation.weights import Reading, Rereading
    from pyagent.learning.ranking import Ranking

DEMO = (
    *("random", "all-local", "min-split", "best-static", "threshold", "two-threshold", "neurosurgeon"),
    *("linucb", "surrogate-argmax"),
)
WIDTH = 100


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
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Train policies on a recorded dataset and rank them on its test episodes; needs no ns-3 and no model.

    Example: splitsim compare tram-replay --policies threshold,linucb,surrogate-argmax --confirm
    """
    _run(dataset, _names(policies), seeds, decisions, confirm, out, as_json, weights)


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
    weights: str | None = None,
) -> None:
    from pyagent.campaign.progress import PhaseProgress
    from pyagent.dataset import open_dataset, shipped_dataset
    from pyagent.learning.ranking import confirm_winner, rank

    dataset = open_dataset(shipped_dataset(source))
    readings = None if weights is None else _readings(dataset, weights)
    with PhaseProgress() as progress:
        ranking = rank(dataset, names, range(seeds), decisions, progress)
        confirmation = confirm_winner(dataset, ranking, progress) if confirm else None
    figure = _write(ranking, out)
    found = None if readings is None else _reread(dataset, ranking, readings)
    if as_json:
        more = {} if found is None else {"at_other_weights": found.to_json()}
        confirmed = {"confirmation": confirmation and confirmation.to_json()}
        print(json.dumps(ranking.to_json() | more | confirmed))
        return
    _show(ranking, out, figure, confirmation)
    if found is not None:
        show(found)


def _readings(dataset: Dataset, weights: str) -> tuple[Reading, ...]:
    from pyagent.evaluation.weights import own_readings, usual_readings

    of_run, own = dataset.composer.weights, factors(weights)
    return usual_readings(of_run) if own is None else own_readings(own, of_run)


def _reread(dataset: Dataset, ranking: Ranking, readings: tuple[Reading, ...]) -> Rereading:
    from pyagent.learning.references import CEILING
    from pyagent.learning.reweighing import reread_policies

    # The causal ceiling is a yardstick at the dataset's weights and competes with nobody.
    ends = {s.name: [run[-1].policy for run in s.runs] for s in ranking.standings if s.name != CEILING}
    kept = {name: [policy for policy in found if policy is not None] for name, found in ends.items()}
    return reread_policies(dataset, {name: found for name, found in kept.items() if found}, readings)


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
