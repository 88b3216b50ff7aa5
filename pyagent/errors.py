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
