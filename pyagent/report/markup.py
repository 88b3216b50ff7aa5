"""How data gets into a page: JSON that nothing in it can end, rounded numbers, pictures as data."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def script_json(data: Any) -> Markup:
    """JSON for inside a script element: no text in `data` can close it or open a comment.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(_ESCAPES))


def rounded(values: Iterable[Any], digits: int = 4) -> list[float | None]:
    """Numbers with so many significant digits; None where they are not finite."""
    return [_rounded(float(value), digits) for value in values]


def _rounded(value: float, digits: int) -> float | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short


def png_uri(png: bytes) -> str:
    """A picture as an address that needs no server."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
