"""`splitsim explain`: when each policy of a run plays which split."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyagent.errors import UserError

if TYPE_CHECKING:
    from pyagent.evaluation.explain import Explanation


FEW = 50
"""Decisions below which the text warns of what it says; those of replicates count, too."""


def explain(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.", metavar="RUN")],
    policy: Annotated[
        str | None, typer.Argument(help="One of its policies. [default: all]", metavar="[POLICY]")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="Features that the trees may ask for, with commas between, as snr_db or snr. "
            "[default: all but previous_split]"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line instead of the text.")
    ] = False,
) -> None:
    """Say when each policy of a run plays which split: its own rule, or a small tree fitted to its decisions.

    Example: splitsim explain runs/default-0123456789 surrogate-argmax --features snr_db
    """
    found = _explained(run, policy, None if features is None else _names(features))
    if as_json:
        print(json.dumps({"run": str(run), "policies": {name: e.to_json() for name, e in found.items()}}))
        return
    for name, explanation in found.items():
        for line in _lines(name, explanation):
            print(line)


def _names(text: str) -> list[str]:
    from pyagent.envs.observation import UnknownFeatureError, feature_name

    try:
        return [feature_name(name.strip()) for name in text.split(",")]
    except UnknownFeatureError as error:
        raise UserError(f"--features = {text!r}: {error}") from error


def _explained(run: Path, policy: str | None, features: list[str] | None) -> dict[str, Explanation]:
    from pyagent.plots.data import MissingDataError
    from pyagent.report.choices import explanations
    from pyagent.report.files import open_run

    opened = open_run(run)
    if policy is not None and policy not in opened.summary["policies"]:
        valid = ", ".join(opened.summary["policies"])
        raise UserError(f"POLICY = {policy!r}: no policy of the run in {run}; valid: {valid}")
    try:
        return explanations(opened, policy, features)
    except MissingDataError as error:
        raise UserError(f"run folder {run}: {error}") from error


def _lines(name: str, explanation: Explanation) -> Iterator[str]:
    """Policy with its splits; rule or tree below; how many of the decisions that tells."""
    from pyagent.evaluation.summary import shares_text

    yield f"{name}: {shares_text(explanation.shares)}"
    if explanation.told is not None:
        yield f"  rule: {explanation.told.text}"
    if explanation.tree is not None:
        yield from (f"  {line}" for line in explanation.tree.lines())
    if explanation.agreement is not None:
        yield f"  {_agreement(explanation, explanation.agreement)}"
    if explanation.by_snr is not None and explanation.features != ("snr_db",):
        yield f"  by the SNR alone: {explanation.by_snr}  ({100 * explanation.by_snr.share:.0f} %)"


def _agreement(explanation: Explanation, share: float) -> str:
    by = "rule" if explanation.tree is None else "tree"
    most = max(explanation.shares.values())
    text = f"the {by} agrees with {100 * share:.0f} % of {explanation.decisions} decisions"
    if explanation.decisions < FEW:
        text += " (few: other episodes may tell another)"
    if explanation.held_out is not None:
        text += f", {100 * explanation.held_out:.0f} % in episodes that it was not fitted to"
    return text if most == 1 else f"{text}; the most frequent split alone with {100 * most:.0f} %"
