"""The option `--weights`, which may have no value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from pyagent.evaluation.weights import Rereading

WEIGHTS = "--weights"
EACH = "each"
"""`--weights` without a value: half and twice each weight."""
WIDTH = 152

Weights = Annotated[
    str | None,
    typer.Option(
        WEIGHTS,
        metavar="[NAME=FACTOR,...]",
        help="Print the ranking at half and twice each weight of the reward, or at these factors on its "
        "weights.",
    ),
]


class WeightsCommand(TyperCommand):
    """A command where `--weights` may have no value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a `--weights` without a value its default."""
        return super().parse_args(ctx, with_weights(args))


def with_weights(arguments: list[str]) -> list[str]:
    """The arguments, with the value `EACH` for a `--weights` that no value follows.

    An option, an existing path and the name of a dataset that ships are no values.
    """
    following = [*arguments[1:], ""]
    return [
        f"{WEIGHTS}={EACH}" if argument == WEIGHTS and not _is_value(after) else argument
        for argument, after in zip(arguments, following, strict=True)
    ]


def _is_value(argument: str) -> bool:
    if not argument or argument.startswith("-"):
        return False
    return "=" in argument or not (Path(argument).exists() or _ships(argument))


def _ships(name: str) -> bool:
    from pyagent.dataset.dataset import SHIPPED

    return (SHIPPED / f"{name}.parquet").is_file()


def factors(weights: str) -> str | None:
    """The value as `pyagent.evaluation.weights.own_readings` reads it; None: half and twice each weight."""
    return None if weights == EACH else weights


def show(found: Rereading) -> None:
    """Print the tables of a re-reading."""
    from rich.console import Console

    from pyagent.report.weights import Reweighed

    console = Console(width=max(Console().width, WIDTH), highlight=False, markup=False)
    console.print(Reweighed(found).terminal())
