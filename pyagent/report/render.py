"""Pages from templates: one file each, with style and script inside."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from llm_split.plain import fixed


def render(template: str, **context: Any) -> str:
    """A page of this package; text in `context` is escaped, and no script but ours may run in it."""
    script = _asset("report.js")
    return (
        _environment()
        .get_template(template)
        .render(css=_asset("report.css"), script=script, script_hash=_hash(script), **context)
    )


def _hash(script: str) -> str:
    """How a Content-Security-Policy names an inline script: by the digest of all between its tags."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pyagent", "report"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["fixed"] = fixed
    return environment


def _asset(name: str) -> Markup:
    """A file of ours, as it is."""
    return Markup((files("pyagent.report") / name).read_text(encoding="utf-8"))
