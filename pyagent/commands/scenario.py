"""`splitsim scenario`: write a scenario file, check it, look at it before it is run."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from pyagent.campaign.seeds import MAX_RUN_SEED, Seeds
from pyagent.commands.options import ScenarioName
from pyagent.errors import UserError, writing

if TYPE_CHECKING:
    from pyagent.scenario.preview import Preview
    from pyagent.scenario.schema import Scenario

scenario_app = typer.Typer(
    no_args_is_help=True, help="Scenario files: new, validate, preview, list, show, schema."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
MAX_SEED = 2**32 - 1
WIDTH = 110
INVALID = 2


@scenario_app.command("new")
def new(
    path: Annotated[Path, typer.Argument(help="YAML file to write.")],
    template: Annotated[
        str, typer.Option(help="What to start from: a name from `splitsim scenario list`, or a file.")
    ] = "default",
    schema: Annotated[
        Path | None, typer.Option(help="JSON Schema that editors check the file by; written if absent.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Write a scenario file in which every field is explained: meaning, unit, what is valid, default.

    Example: splitsim scenario new my-walk.yaml --template default
    """
    from pyagent.scenario.load import load_scenario
    from pyagent.scenario.template import commented_yaml

    scenario = load_scenario(template).model_copy(update={"name": _name_of(path)})
    if path.exists() and not force:
        raise UserError(f"{path} is there already; --force overwrites it")
    _write(path, commented_yaml(scenario, _schema_beside(path, schema) if schema else ""))
    print(path)


@scenario_app.command("validate")
def validate(
    files: Annotated[list[str], typer.Argument(help="Scenario files, or names of ones that ship.")],
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="Also build each scenario's world in ns-3, load its language model and cut its prompts "
            "(several seconds each).",
        ),
    ] = False,
) -> None:
    """Check scenario files: one line for each, status 2 if one isn't valid.

    All that a run needs is looked at, apart from weights: fields, cards, the files of the language model.

    Example: splitsim scenario validate my-walk.yaml --deep
    """
    problems = [problem for file in files if (problem := _check(file, deep))]
    for problem in problems:
        print(f"splitsim: {problem}", file=sys.stderr)
    if problems:
        raise typer.Exit(INVALID)


@scenario_app.command("preview")
def preview(
    file: ScenarioName,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=MAX_RUN_SEED, help="Seed of a run, as `run --seed`: show its first test episode."
        ),
    ] = 1,
    episode_seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=MAX_SEED, help="Seed of the episode to show instead, as in a run's decisions.parquet."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="PNG to write [default: <name>-preview.png]")] = None,
    duration: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds of the episode to look at [default: all]")
    ] = None,
    animate: Annotated[
        Path | None, typer.Option(help="Animation to write as well: .gif, or .mp4 where ffmpeg is.")
    ] = None,
    netanim: Annotated[
        Path | None, typer.Option(help="XML file for ns-3's NetAnim to write as well.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a scenario as a run of this seed is tested on it: paths, sites, coverage, serving cell, rate.

    All of it comes from ns-3: it runs the episode without the agent's requests.

    Example: splitsim scenario preview default --out default.png --animate default.gif
    """
    from pyagent.plots.animation import animate_preview, check_animation
    from pyagent.plots.preview import draw_preview
    from pyagent.plots.style import save_png
    from pyagent.scenario.compile import deploy
    from pyagent.scenario.load import load_scenario
    from pyagent.scenario.preview import Preview, preview_json
    from pyagent.scenario.reading import reading_notes

    scenario = load_scenario(file)
    deploy(scenario)
    picture = out or Path(f"{scenario.name}-preview.png")
    if picture.suffix != ".png":
        raise UserError(f"--out is {str(picture)!r}; valid: a name that ends in .png")
    if animate:
        check_animation(animate)
    for target in filter(None, (picture, animate, netanim)):
        _require_folder(target)
    shown = Seeds(seed).test(1)[0] if episode_seed is None else episode_seed
    data = preview_json(scenario, shown, duration_s=duration, netanim=netanim)
    seen = Preview.from_json(data)
    drawn = draw_preview(scenario, seen)
    save_png(drawn.figure, picture)
    if animate:
        animate_preview(drawn, seen, animate)
    written = [str(target) for target in (picture, animate, netanim) if target]
    if as_json:
        print(json.dumps({**data, "files": written}))
        return
    print("\n".join([*reading_notes(scenario), _in_words(scenario, seen)]), file=sys.stderr)
    print("\n".join(written))


@scenario_app.command("list")
def list_scenarios(as_json: AsJson = False) -> None:
    """The scenarios that ship.

    Example: splitsim scenario list
    """
    rows = [_row(name) for name in _shipped()]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table()
    for column in ("name", "link", "mobility", "UEs", "requests", "description"):
        table.add_column(column, justify="right" if column in ("UEs", "requests") else "left")
    for row in rows:
        table.add_row(*map(str, row.values()))
    # As wide as its columns also where the terminal isn't or there is none.
    Console(width=max(Console().width, WIDTH), markup=False).print(table)


@scenario_app.command("show")
def show(
    file: ScenarioName,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Every default written out and explained.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, with every default.")] = False,
    for_ns3: Annotated[
        bool, typer.Option("--ns3", help="Print what an ns-3 program reads as --config instead.")
    ] = False,
) -> None:
    """Print a scenario file.

    Example: splitsim scenario show default --resolved
    """
    from pyagent.scenario.compile import simulator_config
    from pyagent.scenario.load import find_scenario, load_scenario
    from pyagent.scenario.template import commented_yaml

    scenario = load_scenario(file)
    if for_ns3:
        print(json.dumps(simulator_config(scenario)))
        return
    if as_json:
        print(json.dumps(scenario.model_dump(mode="json")))
        return
    text = commented_yaml(scenario) if resolved else find_scenario(file).read_text(encoding="utf-8")
    if sys.stdout.isatty():
        Console().print(Syntax(text, "yaml", theme="ansi_dark", background_color="default", word_wrap=True))
    else:
        print(text, end="")


@scenario_app.command("schema")
def schema(
    out: Annotated[Path | None, typer.Option(help="File to write instead of printing.")] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As tables to read (docs/scenario-reference.md).")
    ] = False,
) -> None:
    """Print all fields of a scenario file as JSON Schema (draft 2020-12), for editors; or as tables.

    Example: splitsim scenario schema --out scenario.schema.json
    """
    from pyagent.scenario.reference import reference

    text = reference() if markdown else _schema_text()
    if out:
        _write(out, text)
        print(out)
    else:
        print(text, end="")


def _name_of(path: Path) -> str:
    """A scenario's name from that of its file."""
    name = re.sub(r"[^a-z0-9_-]+", "-", path.stem.lower()).lstrip("-_")[:64]
    return name or "scenario"


def _schema_text() -> str:
    from pyagent.scenario.json_schema import json_schema

    return json.dumps(json_schema(), indent=1) + "\n"


def _schema_beside(path: Path, schema: Path) -> str:
    """The schema's path as the file names it; writes the schema where there is none."""
    if not schema.exists():
        _write(schema, _schema_text())
    return quote(os.path.relpath(schema.resolve(), path.resolve().parent))  # editors read it as a URL


def _write(path: Path, text: str) -> None:
    with writing(str(path)):
        path.write_text(text, encoding="utf-8")


def _require_folder(path: Path) -> None:
    """Tells before any work is done that a file can't be written."""
    folder = path.absolute().parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)) or path.is_dir():
        raise UserError(f"{path}: can't be written; valid: a file in a folder that is there")


def _check(file: str, deep: bool) -> str:
    """Prints that it is valid, or returns why not."""
    from pyagent.scenario.compile import deploy
    from pyagent.scenario.load import load_scenario
    from pyagent.scenario.notes import notes
    from pyagent.scenario.quality_model import check_quality

    try:
        scenario = load_scenario(file)
        deploy(scenario)
        check_quality(scenario)
        if deep:
            _check_deeply(scenario)
    except UserError as error:
        return _naming(file, error)
    print(f"{file}: ok{' in ns-3 too' if deep else ''}: {_summary(scenario)}")
    for note in notes(scenario):
        print(f"splitsim: {file}: note: {note}", file=sys.stderr)
    return ""


def _check_deeply(scenario: Scenario) -> None:
    """Build the world in ns-3; load the language model, cut it, and give it the prompts."""
    from pyagent.envs.scoring import Scorer
    from pyagent.scenario.preview import check_in_ns3

    check_in_ns3(scenario)
    scorer = Scorer(scenario)
    scorer.evaluator("train")
    scorer.evaluator("test")


def _naming(file: str, error: UserError) -> str:
    return str(error) if str(error).startswith((file, "scenario ")) else f"{file}: {error}"


def _summary(scenario: Scenario) -> str:
    from pyagent.scenario.compile import deploy

    deployment = deploy(scenario)
    splits = ", ".join(map(str, deployment.splits))
    sides = {"UE": deployment.too_large_for_ue, "edge": deployment.too_large_for_edge}
    refused = "; ".join(
        f"too large for the {side}: {', '.join(map(str, large))}" for side, large in sides.items() if large
    )
    return (
        f"{scenario.link.technology}, {_counted(_ues(scenario), 'UE')}, "
        f"{_counted(scenario.requests.count, 'request')} an episode, "
        f"splits {splits} of {deployment.num_layers}" + (f" ({refused})" if refused else "")
    )


def _ues(scenario: Scenario) -> int:
    return 1 + sum(group.count for group in scenario.others)


def _shipped() -> list[str]:
    from pyagent.paths import shipped_scenarios

    return list(shipped_scenarios())


def _row(name: str) -> dict[str, Any]:
    from pyagent.scenario.load import load_scenario

    scenario = load_scenario(name)
    return {
        "name": name,
        "technology": scenario.link.technology,
        "mobility": scenario.mobility.model,
        "ues": _ues(scenario),
        "requests": scenario.requests.count,
        "description": scenario.description,
    }


def _in_words(scenario: Scenario, seen: Preview) -> str:
    counts = [
        _counted(len(seen.site_names), "site"),
        _counted(len(seen.ues_m), "UE"),
        _counted(len(seen.request_s), "request"),
    ]
    return f"{scenario.name}, episode seed {seen.seed}: {', '.join(counts)} in {seen.time_s[-1]:.0f} s"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
