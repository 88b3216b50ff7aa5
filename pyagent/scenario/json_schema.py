"""The scenario file as JSON Schema, for editors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from llm_split.fields import Field, fields
from pyagent.scenario.schema import Scenario

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the scenario file: every field with what it means, unit, default and an
    example."""
    schema = Scenario.model_json_schema()
    sections = _classes(Scenario)
    for name, part in {"Scenario": schema, **schema["$defs"]}.items():
        for field in fields(sections[name]):
            _tell(part["properties"][field.name], field)
    schema["title"] = "splitsim scenario"
    return {"$schema": DIALECT, **schema}


def _classes(section: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The section and all that are inside it, by class name."""
    found = {section.__name__: section}
    for field in fields(section):
        for inner in field.sections:
            found |= _classes(inner)
    return found


def _tell(part: dict[str, Any], field: Field) -> None:
    part.pop("title", None)
    part["description"] = f"{field.description} [{field.unit}]" if field.unit else field.description
    if field.is_kind or any(True for _ in field.sections):
        return
    if not field.required and field.default is not None:
        part["examples"] = [field.default]
