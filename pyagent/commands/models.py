"""`splitsim models` and `splitsim texts`: what there is, and getting it.

Imports of `llm_split.models` are inside the commands: they bring torch, which `--help` should not wait for.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

models_app = typer.Typer(no_args_is_help=True, help="Language models that are run for real: list, fetch.")
texts_app = typer.Typer(no_args_is_help=True, help="Texts that they are run on: list, fetch.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON array instead of the table.")]


@models_app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Models that can be fetched by name. A folder, a GGUF file or a hub id works in a name's place.

    Example: splitsim models list --json
    """
    rows = model_rows()
    if as_json:
        print(json.dumps(rows))
        return
    sizes = ("parameters >", "blocks >", "hidden >", "vocabulary >")
    table = _table("name", *sizes, "download >", "licence", "from", "fetched")
    for row in rows:
        shape = [str(row[field]) for field in ("num_layers", "hidden_size", "vocab_size")]
        table.add_row(row["name"], f"{row['parameters'] / 1e6:.0f} M", *shape, *_common_cells(row))
    _print(table)


@models_app.command("fetch")
def fetch_models(
    names: Annotated[list[str], typer.Argument(help="Names from `splitsim models list`.")],
) -> None:
    """Download models and convert them into the cache, with the text that quality is measured on.

    What is there already is left alone. Example: splitsim models fetch smollm2-135m
    """
    from llm_split.models import fetch
    from llm_split.models.catalogue import packaged
    from llm_split.texts import DEFAULT_TEXT

    licences = {name: packaged(name).licence for name in names}  # a wrong name is told before any download
    for name, licence in licences.items():
        _progress(f"{name}: licence {licence}")
        print(fetch(name, progress=_progress))
    fetch_texts([DEFAULT_TEXT])


@texts_app.command("list")
def list_texts(as_json: AsJson = False) -> None:
    """Texts by name. The path of a UTF-8 text file works in a name's place.

    Example: splitsim texts list --json
    """
    rows = text_rows()
    if as_json:
        print(json.dumps(rows))
        return
    table = _table("name", "parts", "download >", "licence", "from", "fetched")
    for row in rows:
        table.add_row(row["name"], ", ".join(row["parts"]), *_common_cells(row))
    _print(table)


@texts_app.command("fetch")
def fetch_texts(
    names: Annotated[list[str], typer.Argument(help="Names from `splitsim texts list`.")],
) -> None:
    """Download texts into the cache; those that are there are left alone.

    Example: splitsim texts fetch moby-dick
    """
    from llm_split.texts import BUILT_IN, fetch_text
    from llm_split.texts.catalogue import packaged_text

    wanted = [name for name in names if name != BUILT_IN]
    licences = {name: packaged_text(name).licence for name in wanted}
    for name, licence in licences.items():
        _progress(f"{name}: licence {licence}")
        print(fetch_text(name, progress=_progress))


def model_rows() -> list[dict[str, Any]]:
    """What `models list --json` prints; sizes as plain numbers, bytes for downloads."""
    from llm_split.models import PACKAGED, is_fetched

    return [
        {
            "name": name,
            "parameters": spec.parameters,
            "num_layers": spec.num_layers,
            "hidden_size": spec.hidden_size,
            "vocab_size": spec.vocab_size,
            "download_bytes": spec.download_bytes,
            "licence": spec.licence,
            "registry": spec.file.parts[0].registry,
            "packages": spec.file.packages,
            "fetched": is_fetched(name),
        }
        for name, spec in PACKAGED.items()
    ]


def text_rows() -> list[dict[str, Any]]:
    """What `texts list --json` prints, the default first. The built-in text is always there."""
    from llm_split.texts import BUILT_IN, PACKAGED_TEXTS, is_text_fetched

    built_in = {"name": BUILT_IN, "parts": ["train", "test"], "download_bytes": 0, "licence": "PSF-2.0"}
    packaged = [
        {
            "name": name,
            "parts": list(spec.parts),
            "download_bytes": spec.download_bytes,
            "licence": spec.licence,
            "registry": spec.files[0].parts[0].registry,
            "packages": spec.files[0].packages,
            "fetched": is_text_fetched(name),
        }
        for name, spec in PACKAGED_TEXTS.items()
    ]
    return [*packaged, {**built_in, "registry": None, "packages": [], "fetched": True}]


def _table(*titles: str) -> Table:
    """Columns; a title that ends in ' >' is of numbers."""
    table = Table()
    for title in titles:
        table.add_column(
            title.removesuffix(" >"), justify="right" if title.endswith(" >") else "left", overflow="fold"
        )
    return table


def _common_cells(row: dict[str, Any]) -> list[str]:
    size = f"{row['download_bytes'] / 1e6:.0f} MB" if row["download_bytes"] else "-"
    return [size, row["licence"], _source(row), "yes" if row["fetched"] else "no"]


def _source(row: dict[str, Any]) -> str:
    if not row["packages"]:
        return "built in"
    first, *others = row["packages"]
    more = f" and {len(others)} more" if others else ""
    return f"{row['registry']}: {first}{more}"


def _print(table: Table) -> None:
    # Wide enough for every column also where the terminal isn't or there is none.
    Console(width=max(Console().width, 150)).print(table)


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
