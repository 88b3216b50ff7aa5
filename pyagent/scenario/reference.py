"""The reference of the scenario file, as docs/scenario-reference.md has it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import BaseModel

from llm_split.fields import Field, fields, kind, summary
from pyagent.scenario.schema import Scenario

HEADER = """\
# All fields of a scenario file

Made by `splitsim scenario schema --markdown`; don't edit it. How to write a file:
[scenario files](scenario-files.md). A unit is also at the end of each field's name. A field
without a default must be given.
"""
COLUMNS = ("field", "type", "unit", "valid", "default", "meaning")


def reference() -> str:
    """One table for each section, in the order of the file; kinds of a section one after the other."""
    parts = [HEADER, *(_section(path, section) for path, section in _sections("", Scenario))]
    return "\n".join(parts)


def _sections(path: str, section: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Each section with its path in the file, once for each class."""
    seen: set[type[BaseModel]] = set()
    waiting = [(path, section)]
    while waiting:
        here, current = waiting.pop(0)
        if current in seen:
            continue
        seen.add(current)
        yield here, current
        inner = [(_path(here, field), each) for field in fields(current) for each in field.sections]
        # Sections of the file in its order, each followed by what is inside it.
        waiting = inner + waiting


def _path(path: str, field: Field) -> str:
    inside = f"{path}.{field.name}" if path else field.name
    return f"{inside}[]" if field.is_list_of_sections else inside


def _section(path: str, section: type[BaseModel]) -> str:
    name = kind(section)
    title = f"{path}: {name}" if name else path or "The whole file"
    rows = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    rows += [_row(field) for field in fields(section)]
    table = "\n".join(rows) if len(rows) > 2 else "No fields yet."
    return f"## {title}\n\n{summary(section)}\n\n{table}\n"


def _row(field: Field) -> str:
    default = "" if field.required else _default(field)
    cells = (f"`{field.name}`", field.type_name, field.unit, field.values, default, field.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(field: Field) -> str:
    if field.is_kind or (field.default and any(True for _ in field.sections)):
        return "below" if not field.is_kind else f"`{field.default}`"
    return f"`{json.dumps(field.default)}`"
