"""Errors that a user can mend; the command line shows them as one line and ends with status 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from llm_split import plain
from llm_split.plain import one_line


class UserError(Exception):
    """Something in the input or the set-up is wrong; the text says what and what would be valid."""


class DamagedFileError(UserError, ValueError):
    """A file is not what it should be."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """What the inside refuses with a ValueError is the user's to mend."""
    try:
        yield
    except ValueError as error:
        raise UserError(str(error)) from error


def reason(error: BaseException) -> str:
    """What an error of a library says, on one line."""
    if isinstance(error, KeyError):
        return f"{one_line(repr(error.args[0] if error.args else ''))} is missing"
    return plain.reason(error)


@contextmanager
def writing(
    target: str, refusal: Callable[[str], Exception] = UserError, *, taken: str | None = None
) -> Iterator[None]:
    """What the file system refuses becomes one line.

    Args:
        target: what is written, as the user named it.
        refusal: makes the error.
        taken: said where somebody else holds a lock on it (`pyagent.files.hold`).

    Raises:
        Exception: what `refusal` made.
    """
    try:
        yield
    except OSError as error:
        if taken is not None and isinstance(error, BlockingIOError):
            raise refusal(f"{target}: {taken}") from error
        raise refusal(f"{target}: can't be written ({error.strerror or error})") from error


@contextmanager
def reading(
    source: Path | str, refusal: Callable[[str], Exception] = DamagedFileError, remedy: str = ""
) -> Iterator[None]:
    """Whatever goes wrong inside is the file's fault, and becomes one line that names it.

    For readers of files that anyone may have written: what the libraries raise for damage is of many kinds,
    and seldom one line.

    Args:
        source: the file or folder.
        refusal: makes the error.
        remedy: what may be done about it.

    Raises:
        Exception: what `refusal` made. A UserError that was raised inside stays as it is.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        advice = f"; {remedy}" if remedy else ""
        raise refusal(f"{source}: can't be read ({reason(error)}){advice}") from error
