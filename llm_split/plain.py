"""Text that anyone may have written: YAML as plain data of a bounded size, messages on one line."""

from __future__ import annotations

import itertools
import re
from typing import Any

import yaml

MOST_VALUES = 1_000_000
"""Values of a document with all its aliases written out; a few lines of aliases can stand for billions."""

MOST_BRACKETS = 200
"""Open at once; the scanner's time grows with the square of their number."""


def one_line(text: str, limit: int = 200) -> str:
    """A text without line breaks, shortened to `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def load_plain(text: str) -> Any:
    """What a YAML text holds.

    Raises:
        ValueError: it is no YAML, nested too deeply, or too much.
    """
    if _brackets(text) > MOST_BRACKETS:
        raise ValueError("it is nested too deeply")
    try:
        data = yaml.safe_load(text)
        size = _values(data, {}, set())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except Exception as error:  # also of constructors: a day that is no day, a number without digits
        raise ValueError(str(error) or type(error).__name__) from error
    if size > MOST_VALUES:
        raise ValueError(f"its aliases stand for {size} values; valid: at most {MOST_VALUES}")
    return data


def _brackets(text: str) -> int:
    """The most brackets that are open at once, those in quotes and comments counted too."""
    steps = (1 if found[0] in "[{" else -1 for found in re.finditer(r"[][{}]", text))
    return max(itertools.accumulate(steps), default=0)


def _values(data: Any, known: dict[int, int], above: set[int]) -> int:
    """How many values there are with shared ones counted at each place; lists and mappings by identity."""
    if not isinstance(data, dict | list):
        return 1
    place = id(data)
    if place in above:
        raise ValueError("an alias stands for what it is in")
    if place not in known:
        above.add(place)
        inside = data.values() if isinstance(data, dict) else data
        known[place] = 1 + sum(_values(value, known, above) for value in inside)
        above.remove(place)
    return known[place]
