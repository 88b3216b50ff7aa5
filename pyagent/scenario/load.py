"""From a YAML file to a validated scenario, with one clear line for whatever is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llm_split.plain import did_you_mean, load_plain, one_line
from llm_split.problems import describe_problems
from pyagent.errors import UserError, reason
from pyagent.files import is_file
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
    if is_file(path):
        return path
    shipped = shipped_scenarios()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    guess = did_you_mean(str(name_or_path), shipped)
    raise ScenarioError(
        f"scenario {one_line(str(name_or_path))!r}: no such file; {guess and guess + ' '}valid: a path to a "
        f"YAML file, or one of {', '.join(sorted(shipped))}"
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
        return load_plain(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{path}: can't be read as YAML: {reason(error)}") from error


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
        raise ScenarioError(f"{source}: {describe_problems(error, data, Scenario)}") from error
