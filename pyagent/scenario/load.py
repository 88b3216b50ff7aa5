"""From a YAML file to a validated scenario, with one clear line for whatever is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from llm_split.plain_yaml import load_yaml
from pyagent.errors import UserError
from pyagent.paths import shipped_scenarios
from pyagent.scenario.schema import Scenario


class ScenarioError(UserError):
    """The scenario file is missing or something in it is not valid."""


def find_scenario(name_or_path: str | Path) -> Path:
    """The file of a scenario.

    Args:
        name_or_path: a path, or the name of a scenario that ships with splitsim.

    Raises:
        ScenarioError: there is no such file; the message lists the names that exist.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = shipped_scenarios()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    raise ScenarioError(
        f"scenario {str(name_or_path)!r}: no such file; valid: a path to a YAML file, or one of "
        f"{', '.join(sorted(shipped))}"
    )


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read and validate a scenario.

    Args:
        name_or_path: a path, or the name of a shipped scenario.

    Raises:
        ScenarioError: no such file, no YAML, or a field that is not valid; the message names the
            field, the value and what is valid.
    """
    path = find_scenario(name_or_path)
    return parse_scenario(read_yaml(path), str(path), path.parent)


def read_yaml(path: Path) -> Any:
    """What a YAML file holds, not validated.

    Raises:
        ScenarioError: it can't be read, or is no YAML.
    """
    try:
        return load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path}: can't be read as YAML: {_one_line(str(error))}") from error


def parse_scenario(data: Any, source: str = "scenario", folder: Path | None = None) -> Scenario:
    """Validate a scenario given as plain data.

    Args:
        data: what a YAML file holds.
        source: how error messages call it.
        folder: where relative paths of data files start; None: the current one.

    Raises:
        ScenarioError: a field is not valid.
    """
    if not isinstance(data, dict):
        raise ScenarioError(f"{source}: expected a mapping of sections, not {type(data).__name__}")
    try:
        return Scenario.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        raise ScenarioError(f"{source}: {first_problem(error, data)}") from error


def first_problem(error: ValidationError, data: Any) -> str:
    """One line: the field as the file has it, its value, what is valid; how many more there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    field = ".".join(_path(first["loc"], data, missing=first["type"] == "missing"))
    message = first["msg"].removeprefix("Value error, ")
    value = first.get("input")
    shown = "" if isinstance(value, dict) or value is None else f" = {_one_line(repr(value))}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    # A check across sections names its fields itself.
    return f"{field}{shown}: {message}{more}" if field else f"{message}{more}"


def _path(location: tuple[int | str, ...], data: Any, *, missing: bool) -> Iterator[str]:
    """The keys of a field as the file has them, without pydantic's names of the kinds of a section."""
    for place, part in enumerate(location):
        is_missing_field = missing and place + 1 == len(location)
        if isinstance(data, dict) and part not in data and not is_missing_field:
            continue
        yield str(part)
        inside = isinstance(data, dict) and part in data
        inside |= isinstance(data, list) and isinstance(part, int) and part < len(data)
        data = data[part] if inside else None


def _one_line(text: str, limit: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
