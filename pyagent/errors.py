"""Errors that a user can mend; the command line shows them as one line and ends with status 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something in the input or the set-up is wrong; the text says what and what would be valid."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """What the inside refuses with a ValueError is the user's to mend."""
    try:
        yield
    except ValueError as error:
        raise UserError(str(error)) from error


def one_line(text: str, limit: int = 200) -> str:
    """A text without line breaks, shortened to `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def reason(error: BaseException) -> str:
    """What an error of a library says, on one line."""
    if isinstance(error, KeyError):
        return f"{one_line(repr(error.args[0] if error.args else ''))} is missing"
    return one_line(str(error)) or type(error).__name__
