"""Names of the surrogates. Light on purpose: the command line checks an option before it loads torch."""

from __future__ import annotations

from llm_split.plain import did_you_mean, one_line
from pyagent.errors import UserError

_names = ["ensemble", "linear", "gp"]


def surrogate_names() -> tuple[str, ...]:
    """Those that come with the tool, then those of plugins: the keys of `pyagent.surrogate.SURROGATES`."""
    return tuple(_names)


def add_surrogate_name(name: str) -> None:
    """For `pyagent.surrogate.register_surrogate`.

    Raises:
        ValueError: the name is taken.
    """
    if name in _names:
        raise ValueError(f"surrogate {name!r} is registered already; taken: {', '.join(_names)}")
    _names.append(name)


def known_surrogate(name: str) -> str:
    """The name itself.

    Raises:
        UserError: there is no such surrogate.
    """
    if name not in _names:
        guess = did_you_mean(name, _names)
        raise UserError(
            f"surrogate {one_line(name)!r} is not known; {guess and guess + ' '}valid: {', '.join(_names)}"
        )
    return name
