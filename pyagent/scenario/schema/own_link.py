"""Link technologies from outside of the package: a plugin's class joins the union of `Scenario.link`."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel

from pyagent.scenario.schema.base import Section
from pyagent.scenario.schema.links import RadioLink
from pyagent.scenario.schema.scenario import Scenario


def register_link(kind: type[RadioLink]) -> None:
    """Make a class a kind of `link` in scenario files.

    The simulator that ships does not know it: a scenario that uses it names a `program` whose C++ has a
    `LinkRegistration` of the same technology.

    Args:
        kind: a subclass of `RadioLink` with the field `technology: Literal["name"] = "name"`.

    Raises:
        ValueError: it is no such class, or the technology is taken.
    """
    technology = _technology(kind)
    field = Scenario.model_fields["link"]
    union: Any = field.annotation
    taken = [_technology(known) for known in get_args(union)]
    if technology in taken:
        raise ValueError(f"link technology {technology!r} is registered already; taken: {', '.join(taken)}")
    field.annotation = union | kind
    sections: list[type[BaseModel]] = [Scenario, *_holders(Section)]
    for section in sections:
        section.model_rebuild(force=True)


def _technology(kind: type[RadioLink]) -> str:
    """The one value of the field that tells the kinds apart."""
    values: tuple[Any, ...] = ()
    if isinstance(kind, type) and issubclass(kind, RadioLink):
        values = get_args(kind.model_fields["technology"].annotation)
    if len(values) != 1 or not isinstance(values[0], str):
        name = getattr(kind, "__name__", repr(kind))
        raise ValueError(
            f'{name}: is no link; valid: a subclass of RadioLink with technology: Literal["name"] = "name"'
        )
    return values[0]


def _holders(section: type[BaseModel]) -> list[type[BaseModel]]:
    """Subclasses with a field that is a whole scenario: their validators hold a copy of its own."""
    below = [inner for kind in section.__subclasses__() for inner in (kind, *_holders(kind))]
    return [kind for kind in below if any(f.annotation is Scenario for f in kind.model_fields.values())]
