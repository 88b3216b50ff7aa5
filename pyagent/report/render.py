"""Pages from templates: one file each, with style and script inside."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, **context: Any) -> str:
    """A page of this package; text in `context` is escaped."""
    return (
        _environment()
        .get_template(template)
        .render(css=_asset("report.css"), script=_asset("report.js"), **context)
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pyagent", "report"), autoescape=True, undefined=StrictUndefined
    )
    # Adding 0.0 turns the -0.0 that rounding leaves into 0.0.
    environment.filters["fixed"] = lambda value, digits: f"{round(value, digits) + 0.0:.{digits}f}"
    return environment


def _asset(name: str) -> Markup:
    """A file of ours, as it is."""
    return Markup((files("pyagent.report") / name).read_text(encoding="utf-8"))
