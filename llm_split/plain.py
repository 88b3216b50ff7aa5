"""Text that anyone may have written: YAML as plain data of a bounded size, messages on one line."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

MOST_VALUES = 1_000_000
"""Values of a document with all its aliases written out; a few lines of aliases can stand for billions."""

MOST_BRACKETS = 200
"""Open at once; the scanner's time grows with the square of their number."""

MOST_DIGITS = 100
"""Of a number; Python's time to read one grows with the square of their number."""

MOST_LETTERS = 100
"""Of a name that is compared with others; the time grows with the square of their number."""


def one_line(text: str, limit: int = 200) -> str:
    """A text without line breaks, shortened to `limit` characters; what can't be printed is escaped.

    The text may quote a file of anyone's, and control characters would speak to the terminal.
    """
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def fixed(value: float, digits: int) -> str:
    """A number with so many decimals, without the minus of a zero that rounding left."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def reason(error: BaseException, limit: int = 200) -> str:
    """What an error of a library says, as `one_line` has it; its type where it says nothing."""
    return one_line(str(error), limit) or type(error).__name__


def did_you_mean(name: object, valid: Iterable[str]) -> str:
    """A question that names the likeliest of the valid names; empty where none resembles `name`.

    A name that is a word of a longer one resembles it: `rate` and `phy_rate_mbps`.
    """
    if not isinstance(name, str):
        return ""
    meant, names = name.lower()[:MOST_LETTERS], list(valid)
    near = difflib.get_close_matches(meant, names, n=1)
    near = near or [one for one in names if meant in re.split(r"[_-]", one)]
    return f"did you mean {near[0]}?" if near else ""


def load_plain(text: str) -> Any:
    """What a YAML text holds: mappings, lists, numbers, texts, dates.

    Raises:
        ValueError: it is no YAML, names types of Python, holds itself, is nested too deeply or too much.
    """
    import yaml  # here: the command line needs no YAML to say what is wrong

    if _brackets(text) > MOST_BRACKETS:
        raise ValueError("it is nested too deeply")
    try:
        with contextlib.ExitStack() as ended:
            loader = yaml.SafeLoader(text)
            ended.callback(loader.dispose)
            node = loader.get_single_node()
            # Before anything is made of it: that copies what aliases stand for.
            _count(node, {})
            return None if node is None else loader.construct_document(node)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except Exception as error:  # also of constructors: a day that is no day, a number without digits
        raise ValueError(str(error) or type(error).__name__) from error


def _brackets(text: str) -> int:
    """The most brackets that are open at once, those in quotes and comments counted too."""
    steps = (1 if found[0] in "[{" else -1 for found in re.finditer(r"[][{}]", text))
    return max(itertools.accumulate(steps), default=0)


def _count(node: yaml.Node | None, counted: dict[int, int]) -> int:
    """Values in a node, each alias as often as it is written; `counted` holds those of nodes that were seen.

    That of a node that is being counted is 0.
    """
    if node is None:
        return 0
    if id(node) in counted:
        if counted[id(node)] == 0:
            raise ValueError(f"line {node.start_mark.line + 1} holds itself")
        return counted[id(node)]
    counted[id(node)] = 0
    count = 1 + sum(_count(child, counted) for child in _children(node))
    if count > MOST_VALUES:
        raise ValueError(f"line {node.start_mark.line + 1} holds more than {MOST_VALUES} values")
    counted[id(node)] = count
    return count


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node.value, list):  # a mapping's are pairs
        return [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
    is_number = node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
    if is_number and len(node.value) > MOST_DIGITS:
        raise ValueError(f"line {node.start_mark.line + 1}: a number of {len(node.value)} characters")
    return []
