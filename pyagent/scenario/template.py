"""A scenario as a commented file: every field with what it means, its unit, what is valid and its default."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel

from llm_split.fields import Field, fields, plain
from pyagent.scenario.schema import Scenario

_WIDTH = 100
_INDENT = "  "

HEADER = """\
A scenario of splitsim. Every field of these sections is here; one that you delete takes its default.
A section may be of another kind or have other fields: `splitsim scenario schema --markdown` tells all.
Next: `splitsim scenario validate FILE`, `splitsim scenario preview FILE`, `splitsim run FILE`.
"""


def commented_yaml(scenario: Scenario, schema: str = "") -> str:
    """The scenario with every default written out and every field explained.

    Args:
        scenario: what the file says.
        schema: path of the JSON Schema, for editors; empty for none.
    """
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    lines += [*(f"# {line}" for line in HEADER.splitlines()), ""]
    for field in fields(Scenario):
        value = getattr(scenario, field.name)
        if isinstance(value, BaseModel | list):
            lines.append("")
        lines += _entry(field, value, "")
    return "\n".join(lines) + "\n"


def _entry(field: Field, value: Any, indent: str) -> Iterator[str]:
    """One field with its comment."""
    yield from _comment(field, indent)
    if isinstance(value, BaseModel) and type(value).model_fields:
        yield f"{indent}{field.name}:"
        yield from _section(value, indent + _INDENT)
    elif value and field.is_list_of_sections:
        yield f"{indent}{field.name}:"
        for item in value:
            yield from _item(list(_section(item, indent + 2 * _INDENT)), indent)
    else:
        yield from _scalar(field.name, plain(value), indent)


def _section(section: BaseModel, indent: str) -> Iterator[str]:
    for field in fields(type(section)):
        yield from _entry(field, getattr(section, field.name), indent)


def _item(lines: list[str], indent: str) -> Iterator[str]:
    """Lines of a section as an item of a list: the dash stands before its first field."""
    start = next(i for i, line in enumerate(lines) if not line.lstrip().startswith("#"))
    yield from lines[:start]
    yield f"{indent}{_INDENT}- {lines[start].lstrip()}"
    yield from lines[start + 1 :]


def _scalar(name: str, value: Any, indent: str) -> Iterator[str]:
    text = _flow(value)
    if len(text) + len(indent) + len(name) + 2 <= _WIDTH or not isinstance(value, list):
        yield f"{indent}{name}: {text}"
        return
    yield f"{indent}{name}:"
    for row in value:
        yield f"{indent}{_INDENT}- {_flow(row)}"


def _flow(value: Any) -> str:
    """A value on one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**9, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _comment(field: Field, indent: str) -> Iterator[str]:
    # The section's own comment has named the kinds.
    facts = [] if field.is_kind else [field.unit, field.values, _default(field)]
    told = "; ".join(filter(None, facts))
    text = field.description + (f" ({told})" if told else "")
    for line in textwrap.wrap(text, _WIDTH - len(indent) - 2, break_on_hyphens=False):
        yield f"{indent}# {line}"


def _default(field: Field) -> str:
    """Of a plain value; a section's stand at its fields."""
    if field.required or (field.default and any(True for _ in field.sections)):
        return ""
    return f"default {json.dumps(field.default)}"
