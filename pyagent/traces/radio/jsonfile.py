"""What the formats in JSON have in common."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from pyagent.traces.errors import TraceError
from pyagent.traces.radio.samples import Request, rate_problem
from pyagent.traces.radio.text import shortened

At = Callable[[int, str], TraceError]


def parse_json(request: Request, text: str, line: int = 1) -> Any:
    """The content of a file, or of its part from a line on.

    Raises:
        TraceError: not one JSON document.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise request.at(line + error.lineno - 1, f"not readable as JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        raise request.refuse("not readable as JSON: a number too long or nested too deeply") from error


def json_number(value: Any, name: str, place: int, at: At) -> float:
    """A finite number; whole numbers beyond those of float64 become 1e300.

    Raises:
        TraceError: it is not.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Python's JSON knows NaN and Infinity.
    if not number or value != value or abs(value) == math.inf:
        raise at(place, f"{name} is {quoted(value)}, valid: a number")
    return float(min(max(value, -1e300), 1e300))


def json_rate_mbps(value: Any, name: str, per_mbps: float, place: int, at: At) -> float:
    """A rate in Mbit/s.

    Raises:
        TraceError: no number, negative, or more than any link has.
    """
    rate_mbps = json_number(value, name, place, at) / per_mbps
    if problem := rate_problem(rate_mbps, name, quoted(value)):
        raise at(place, problem)
    return rate_mbps


def quoted(value: Any) -> str:
    """A value for an error, about as the file writes it."""
    return shortened(json.dumps(value))
