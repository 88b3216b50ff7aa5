"""A schema field by field: what a field is, its unit, its range and its default.

One source for the commented file that `splitsim scenario new` writes, for the JSON Schema, for the reference
in the docs and for messages about files that are not valid: the schema classes themselves.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

UNITS: Mapping[str, str] = {
    "per_s": "1/s",
    "db": "dB",
    "dbm": "dBm",
    "s": "s",
    "ms": "ms",
    "m": "m",
    "mps": "m/s",
    "mhz": "MHz",
    "ghz": "GHz",
    "hz": "Hz",
    "kbps": "kbit/s",
    "mbps": "Mbit/s",
    "bytes": "byte",
    "gib": "GiB",
    "bits": "bit",
    "packets": "packets",
    "tokens": "tokens",
    "v": "V",
    "a": "A",
    "j": "J",
    "w": "W",
    "mw": "mW",
    "mw_per_mbps": "mW per Mbit/s",
    "j_per_byte": "J/byte",
    "rb": "resource blocks",
    "deg": "degrees",
}
"""Unit by the end of a field's name."""


KIND_FIELDS = ("model", "technology")
"""Fields by which the file says which of several kinds a section is."""


@dataclass(frozen=True)
class Field:
    """One field of a section.

    Attributes:
        name: key in the file.
        owner: the class of the section.
        info: as pydantic has it.
    """

    name: str
    owner: type[BaseModel]
    info: FieldInfo

    @property
    def description(self) -> str:
        """What it means: its own words, else those of the section that it holds or, of a kind, names."""
        if self.info.description:
            return cleandoc(self.info.description)
        sections = list(self.sections)
        if self.is_kind:
            return summary(self.owner)
        return summary(sections[0]) if len(sections) == 1 else ""

    @property
    def unit(self) -> str:
        """Of its numbers; empty where it has none."""
        return unit_of(self.name) if self.is_number else ""

    @property
    def is_kind(self) -> bool:
        """Whether its one value says which kind of section it is in."""
        return self.name in KIND_FIELDS and len(self.names) == 1

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers, alone or in lists."""
        return bool(_leaves(self.info.annotation) & {int, float})

    @property
    def sections(self) -> Iterator[type[BaseModel]]:
        """The classes of sections that it may hold."""
        return _sections(self.info.annotation)

    @property
    def is_list_of_sections(self) -> bool:
        """Whether it holds any number of sections."""
        return get_origin(self.info.annotation) is list and any(True for _ in self.sections)

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.info.is_required()

    @property
    def default(self) -> Any:
        """As plain data; None also where there is none."""
        default = self.info.get_default(call_default_factory=True)
        return None if default is PydanticUndefined else plain(default)

    @property
    def names(self) -> list[str]:
        """The names or numbers that it may be; none where it is not one of a few."""
        return list(_names(self.info.annotation))

    @property
    def values(self) -> str:
        """What is valid, in words: names, or bounds; empty where anything of its type is."""
        names = self.names or list(filter(None, map(kind, self.sections)))
        return ", ".join(names) if names else _bounds(self.info)

    @property
    def type_name(self) -> str:
        """Its type, in words."""
        return _type_name(self.info.annotation)


def fields(section: type[BaseModel]) -> list[Field]:
    """The fields of a section: which kind it is, then the others in the order of the schema."""
    found = [Field(name, section, info) for name, info in section.model_fields.items()]
    return sorted(found, key=lambda field: not field.is_kind)


def kind(section: type[BaseModel]) -> str:
    """Which of several kinds a section is, as the file names it; empty where there is only one."""
    first = next(iter(fields(section)), None)
    return first.values if first and first.is_kind else ""


def unit_of(name: str) -> str:
    """Unit by the end of a name, the longest that fits; empty where there is none."""
    words = name.split("_")
    ends = ("_".join(words[i:]) for i in range(1, len(words)))
    return next((UNITS[end] for end in ends if end in UNITS), "")


def summary(section: type[BaseModel]) -> str:
    """First paragraph of a section's description, on one line."""
    return " ".join(cleandoc(section.__doc__ or "").split("\n\n")[0].split())


def plain(value: Any) -> Any:
    """Plain data as YAML has it: sections as dicts, tuples as lists, paths as text."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _arguments(annotation: Any) -> tuple[Any, ...]:
    """What an annotation is made of, without the extras of `Annotated`."""
    arguments = get_args(annotation)
    return arguments[:1] if get_origin(annotation) is Annotated else arguments


def _leaves(annotation: Any) -> set[Any]:
    if get_origin(annotation) is Literal:
        return {type(value) for value in get_args(annotation)}
    arguments = _arguments(annotation)
    return set().union(*map(_leaves, arguments)) if arguments else {annotation}


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not Literal:
        for argument in _arguments(annotation):
            yield from _sections(argument)


def _names(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    elif get_origin(annotation) not in (list, dict):
        for argument in _arguments(annotation):
            yield from _names(argument)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _bounds(info: FieldInfo) -> str:
    inside = [item for argument in _walk(info.annotation) for item in argument]
    found = [*info.metadata, *inside]
    parts = dict.fromkeys(filter(None, map(_bound, found)))
    return ", ".join(parts)


def _walk(annotation: Any) -> Iterator[tuple[Any, ...]]:
    """The extras of every `Annotated` inside an annotation of plain values."""
    if get_origin(annotation) is Annotated:
        for extra in get_args(annotation)[1:]:
            yield tuple(extra.metadata) if isinstance(extra, FieldInfo) else (extra,)
    if not any(True for _ in _sections(annotation)) and get_origin(annotation) is not Literal:
        for argument in _arguments(annotation):
            yield from _walk(argument)


def _bound(extra: Any) -> str:
    if isinstance(extra, Ge):
        return f"at least {extra.ge:g}"  # type: ignore[str-bytes-safe]
    if isinstance(extra, Gt):
        return f"more than {extra.gt:g}"  # type: ignore[str-bytes-safe]
    if isinstance(extra, Le):
        return f"at most {extra.le:g}"  # type: ignore[str-bytes-safe]
    if isinstance(extra, Lt):
        return f"less than {extra.lt:g}"  # type: ignore[str-bytes-safe]
    if isinstance(extra, MinLen):
        return f"{extra.min_length} or more entries"
    if isinstance(extra, MaxLen):
        return f"at most {extra.max_length} entries"
    return ""


def _type_name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), _arguments(annotation)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin is Literal:
        return "name" if isinstance(arguments[0], str) else "number"
    if origin is list:
        return f"list of {_type_name(arguments[0])}s"
    if origin is tuple:
        return f"[{', '.join(_type_name(argument) for argument in arguments)}]"
    if origin is dict:
        return "mapping"
    if _is_union(annotation):
        kinds = dict.fromkeys(
            _type_name(argument) for argument in arguments if argument is not types.NoneType
        )
        optional = " or null" if types.NoneType in arguments else ""
        return " or ".join(kinds) + optional
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return {int: "integer", float: "number", str: "text", bool: "true or false"}.get(annotation, "path")
