"""Checks of what a caller hands to an environment: actions, reset options, render_mode, thread counts."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_split.plain import one_line
from pyagent.errors import UserError


class InvalidArgumentError(UserError, ValueError):
    """An argument of an environment is not valid; the text names it, its value and what is valid."""


class RenderModeError(InvalidArgumentError, TypeError):
    """There is no such render mode.

    A TypeError, because stable-baselines3's `make_vec_env` asks every environment for "rgb_array" and goes on
    without a mode after a TypeError.
    """


def check_whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """A whole number within bounds.

    Args:
        name: of the argument, for the error.
        value: a Python integer, a NumPy integer or an integer array of shape ().
        low, high: bounds, both included; None: no upper bound.

    Raises:
        InvalidArgumentError: `value` has another type (a bool, a float or a longer array, for example) or is
            out of bounds.
    """
    valid = f"a whole number, {low} or more" if high is None else f"a whole number, {low}..{high}"
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        raise InvalidArgumentError(f"{name} is {_shown(value)}, valid: {valid}")
    return number


def check_number(name: str, value: Any, low: float, high: float) -> float:
    """A real number within bounds, both included; arguments and errors as in `check_whole`."""
    if (
        isinstance(value, bool | np.bool_)
        or not isinstance(value, int | float | np.number)
        or not low <= value <= high
    ):
        raise InvalidArgumentError(f"{name} is {_shown(value)}, valid: {low}..{high}")
    return float(value)


def check_action(action: Any, count: int) -> int:
    """An action of `Discrete(count)`; errors as in `check_whole`."""
    return check_whole("action", action, 0, count - 1)


def check_actions(actions: Any, environments: int, count: int) -> NDArray[np.int64]:
    """The actions [n] of `n` environments of `Discrete(count)`.

    Raises:
        InvalidArgumentError: another shape, a type other than integers, or an action out of range.
    """
    array = np.asarray(actions)
    if array.shape != (environments,) or array.dtype.kind not in "iu":
        raise InvalidArgumentError(
            f"actions is an array of {array.dtype} and shape {array.shape}, valid: whole numbers of shape "
            f"({environments},)"
        )
    if array.min(initial=0) < 0 or array.max(initial=0) >= count:
        wrong = array[(array < 0) | (array >= count)][0]
        raise InvalidArgumentError(f"actions has {wrong}, valid: whole numbers, 0..{count - 1}")
    return array.astype(np.int64)


def check_options(options: Mapping[str, Any] | None, valid: Iterable[str] = ()) -> dict[str, Any]:
    """The options of a `reset`, as a new dict.

    Args:
        options: as given to `reset`; None: no options.
        valid: names that the environment knows.

    Raises:
        InvalidArgumentError: `options` is not a mapping or has another name.
    """
    names = tuple(valid)
    listed = f"valid: {', '.join(names)}" if names else "valid: no options"
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise InvalidArgumentError(f"options is {_shown(options)}, valid: a dict or None")
    for name in options:
        if name not in names:
            raise InvalidArgumentError(f"options has {_shown(name)}, {listed}")
    return dict(options)


def check_render_mode(render_mode: str | None) -> None:
    """Only None: the environments draw nothing.

    Raises:
        RenderModeError: another mode.
    """
    if render_mode is not None:
        raise RenderModeError(
            f"render_mode is {_shown(render_mode)}, valid: None; the environment draws nothing "
            "(`splitsim report` draws a run)"
        )


def _shown(value: Any) -> str:
    return one_line(repr(value), 80)
