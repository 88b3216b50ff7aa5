"""Faults of a file that its schema refuses, in our own words: all of them on one line, with what is valid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from llm_split.fields import Field, fields, kind
from llm_split.plain import did_you_mean, one_line

LONGEST_MESSAGE = 1000
"""Characters of one line about a field; several faults share them."""

MOST_FAULTS = 8
"""Faults that are listed; the rest is counted."""

UNKNOWN_FIELD = "extra_forbidden"
MISSING = "missing"
NO_KIND = ("union_tag_invalid", "union_tag_not_found")
ABSENT = (MISSING, "union_tag_not_found")

_Words = Callable[[dict[str, Any]], str]


def _said(words: str) -> _Words:
    return lambda context: words


def _own(context: dict[str, Any]) -> str:
    return str(context["error"])


FAULTS: Mapping[str, _Words] = {
    MISSING: _said("missing"),
    UNKNOWN_FIELD: _said("unknown field"),
    "bool_parsing": _said("not true or false"),
    "bool_type": _said("not true or false"),
    "dict_type": _said("not a mapping"),
    "finite_number": _said("not finite"),
    "float_parsing": _said("not a number"),
    "float_type": _said("not a number"),
    "greater_than": _said("too small"),
    "greater_than_equal": _said("too small"),
    "int_from_float": _said("not a whole number"),
    "int_parsing": _said("not a whole number"),
    "int_parsing_size": _said("too large"),
    "int_type": _said("not a whole number"),
    "invalid_key": _said("not the name of a field"),
    "less_than_equal": _said("too large"),
    "list_type": _said("not a list"),
    "literal_error": _said("unknown"),
    "model_attributes_type": _said("not a section"),
    "model_type": _said("not a section"),
    "path_type": _said("not a path"),
    "string_pattern_mismatch": lambda context: f"not of the form {context['pattern']}",
    "string_too_short": _said("too short"),
    "string_type": _said("not text"),
    "too_long": lambda context: f"has {context['actual_length'] or 'too many'} entries",
    "too_short": lambda context: f"has {context['actual_length'] or 'no'} entries",
    "tuple_type": _said("not a list"),
    "union_tag_invalid": _said("unknown"),
    "union_tag_not_found": _said("missing"),
    "value_error": _own,
}
"""What pydantic calls a fault, and what it is in our words, from pydantic's context of it."""


@dataclass(frozen=True)
class _Place:
    """Where a fault is.

    Attributes:
        path: keys as the file has them.
        field: the innermost field of the schema on the way; None for the file itself.
        sections: classes of the section that the last key stands in or for; none within plain data.
        value: what the file has there.
    """

    path: tuple[int | str, ...]
    field: Field | None
    sections: tuple[type[BaseModel], ...]
    value: Any


def describe_problems(
    error: ValidationError, data: Any, section: type[BaseModel], *, within: str = ""
) -> str:
    """Describe all faults of plain data on one line.

    Args:
        error: of the validation of `data`.
        data: what the file holds.
        section: the schema's class that `data` is validated as.
        within: dotted path of the section in the file; empty for a whole file.

    Returns:
        Of each fault the field as the file has it, its value, what is wrong and what is valid. At most
        `MOST_FAULTS` are listed.
    """
    lines = list(dict.fromkeys(_lines(error.errors(include_url=False), data, section, within)))
    if len(lines) == 1:
        return one_line(lines[0], LONGEST_MESSAGE)
    shown = lines[:MOST_FAULTS]
    listed = "; ".join(
        f"({i}) {one_line(line, LONGEST_MESSAGE // len(shown))}" for i, line in enumerate(shown, 1)
    )
    more = len(lines) - len(shown)
    return f"{len(lines)} problems: {listed}" + (f"; and {more} more" if more else "")


def _lines(faults: Sequence[ErrorDetails], data: Any, section: type[BaseModel], within: str) -> Iterator[str]:
    # An unknown field often explains one that is missing, so it comes first.
    for fault in sorted(faults, key=lambda fault: fault["type"] != UNKNOWN_FIELD):
        place = _place(fault, data, section)
        field = one_line(".".join(map(str, filter(lambda key: key != "", (within, *place.path)))))
        problem = "; ".join(filter(None, (_what(fault, place), _valid(fault, place))))
        # A check across sections names its fields itself.
        yield f"{field}{_shown(fault, place)}: {problem}" if field else problem


def _place(fault: ErrorDetails, data: Any, section: type[BaseModel]) -> _Place:
    location = fault["loc"]
    keys = tuple(_keys(location, data, is_missing=fault["type"] == MISSING))
    path: list[int | str] = []
    sections: tuple[type[BaseModel], ...] = (section,)
    field: Field | None = None
    for key in keys:
        if field is not None and _is_choice(field):
            break  # which of the shapes was meant is not known
        path.append(key)
        owner = next((one for one in sections if key in _names(one)), None)
        if owner is not None:
            field = Field(str(key), owner, _names(owner)[key])
            sections = _of_kind(field, location)
    if fault["type"] == MISSING and isinstance(path[-1], int):
        path.pop()  # an entry of a list that is too short
    if fault["type"] in NO_KIND:
        return _Place((*path, _discriminator(fault)), field, sections, fault["ctx"].get("tag"))
    return _Place(tuple(path), field, sections, _at(data, path))


def _keys(location: tuple[int | str, ...], data: Any, *, is_missing: bool) -> Iterator[int | str]:
    """The keys of a location that the file has, without pydantic's names of kinds and of shapes."""
    for place, key in enumerate(location):
        holds = _holds(data, key)
        if holds or (is_missing and place + 1 == len(location)):
            yield key
        if holds:
            data = data[key]


def _holds(data: Any, key: int | str) -> bool:
    if isinstance(data, dict):
        return key in data
    return isinstance(data, list | tuple) and isinstance(key, int) and key < len(data)


def _at(data: Any, path: Sequence[int | str]) -> Any:
    for key in path:
        data = data[key] if _holds(data, key) else None
    return data


def _names(section: type[BaseModel]) -> dict[int | str, FieldInfo]:
    """Fields of a section by their names in a file."""
    return {info.alias or name: info for name, info in section.model_fields.items()}


def _of_kind(field: Field, location: tuple[int | str, ...]) -> tuple[type[BaseModel], ...]:
    """Classes of the sections that a field may hold, of the kind that the location names."""
    sections = tuple(field.sections)
    return tuple(one for one in sections if kind(one) in location) or sections


def _discriminator(fault: ErrorDetails) -> str:
    return str(fault["ctx"]["discriminator"]).strip("'")


def _is_choice(field: Field) -> bool:
    """Whether it may be data of several shapes, which pydantic tries one after another."""
    return " or " in field.type_name.removesuffix(" or null")


def _what(fault: ErrorDetails, place: _Place) -> str:
    if place.field is not None and _is_choice(place.field) and fault["type"] != "value_error":
        return "not valid"
    if fault["type"] == MISSING and isinstance(place.value, list | tuple):
        return f"has {len(place.value)} entries"
    words = FAULTS.get(fault["type"])
    return words(fault.get("ctx", {})) if words else fault["msg"]


def _valid(fault: ErrorDetails, place: _Place) -> str:
    """What is valid there, and a guess of what was meant."""
    if fault["type"] == "value_error":
        return ""
    if fault["type"] == UNKNOWN_FIELD:
        names = [str(name) for section in place.sections for name in _names(section)]
        return did_you_mean(place.path[-1], names) or f"valid: {', '.join(dict.fromkeys(names))}"
    if fault["type"] in NO_KIND:
        kinds = [kind(section) for section in place.sections]
        return _suggested(place.value, kinds, ", ".join(kinds))
    if place.field is None:
        return "valid: a mapping of sections"
    return _suggested(place.value, place.field.names, _words(place.field))


def _suggested(value: Any, names: Sequence[str], valid: str) -> str:
    return " ".join(filter(None, (did_you_mean(value, names), f"valid: {valid}")))


def _words(field: Field) -> str:
    """The names that a field may be, the fields of a section, or its type and bounds."""
    if field.names:
        others = [shape for shape in field.type_name.split(" or ") if shape != "name"]
        return ", ".join([*field.names, " or ".join(others)] if _is_choice(field) else field.names)
    sections = [] if field.is_list_of_sections else list(field.sections)
    if len(sections) == 1:
        return f"a section of {', '.join(map(str, _names(sections[0])))}"
    if sections:
        return f"a section with {fields(sections[0])[0].name}: {field.values}"
    return ", ".join(filter(None, (field.type_name, field.values)))


def _shown(fault: ErrorDetails, place: _Place) -> str:
    """The value as part of a line; nothing of a section, nor of what is not there."""
    if isinstance(place.value, dict) or (place.value is None and fault["type"] in ABSENT):
        return ""
    return f" = {'null' if place.value is None else one_line(repr(place.value))}"
