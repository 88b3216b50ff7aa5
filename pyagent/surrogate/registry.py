"""Surrogates by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from llm_split.plain import one_line
from pyagent.errors import reading
from pyagent.surrogate.base import HeadsSurrogate
from pyagent.surrogate.ensemble import EnsembleSurrogate
from pyagent.surrogate.gaussian_process import GaussianProcessSurrogate
from pyagent.surrogate.linear import LinearSurrogate
from pyagent.surrogate.scales import ComponentScales
from pyagent.surrogate.types import ActionEncoder, Surrogate
from pyagent.surrogate_names import add_surrogate_name, known_surrogate

ENSEMBLE = "ensemble"
ABOUT = "surrogate.json"
_LARGEST = {
    "context_dim": 256,
    "splits": 256,
    "members": 1024,
    "capacity": 2**18,
    "basis": 4096,
    "hidden": 4096,
}
"""What a surrogate's file may ask for; those of use have a hundredth of it."""
Saved = EnsembleSurrogate | HeadsSurrogate[Any]
"""A surrogate that can be saved to a folder and read again."""
_classes: dict[str, type[EnsembleSurrogate] | type[HeadsSurrogate[Any]]] = {
    ENSEMBLE: EnsembleSurrogate,
    "linear": LinearSurrogate,
    "gp": GaussianProcessSurrogate,
}
SURROGATES: Mapping[str, type[EnsembleSurrogate] | type[HeadsSurrogate[Any]]] = MappingProxyType(_classes)
"""Every surrogate class by its name; each is made with the arguments of :func:`make_surrogate`."""


def register_surrogate(kind: type[HeadsSurrogate[Any]]) -> None:
    """Make a class available by its `kind`, as the option `--surrogate` takes it.

    Args:
        kind: a subclass of `HeadsSurrogate` that is made as `make_surrogate` makes it.

    Raises:
        ValueError: it is no such class, or the name is taken.
    """
    if not (isinstance(kind, type) and issubclass(kind, HeadsSurrogate)):
        name = getattr(kind, "__name__", repr(kind))
        raise ValueError(f"{name}: is no surrogate; valid: a subclass of HeadsSurrogate")
    add_surrogate_name(kind.kind)
    _classes[kind.kind] = kind


def make_surrogate(
    name: str, context_dim: int, encoder: ActionEncoder, scales: ComponentScales, *, seed: int
) -> Surrogate:
    """An untrained surrogate with its default settings.

    Args:
        name: one of ``SURROGATES``.
        context_dim: D; features are expected in [0, 1].
        encoder: features of the actions.
        scales: fixed physical scales of the scenario.
        seed: of all that is random in it.

    Raises:
        UserError: there is no surrogate of that name, or what it needs is not installed.
    """
    return SURROGATES[known_surrogate(name)](context_dim, encoder, scales, seed=seed)


def load_surrogate(folder: Path) -> Saved:
    """The surrogate that was saved to a folder, of whichever kind.

    Raises:
        DamagedFileError: there is none, it is of no known kind, was written by another format version, is
            larger than any that is of use, or doesn't predict.
    """
    with reading(folder / ABOUT):
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        kind = about.get("kind", ENSEMBLE)
        if kind not in SURROGATES:
            raise ValueError(f"surrogate kind {one_line(repr(kind))}; valid: {', '.join(SURROGATES)}")
        _require_moderate(about)
        surrogate = SURROGATES[kind].load(folder)
        _try_out(surrogate)
    return surrogate


def _require_moderate(about: dict[str, Any]) -> None:
    """Before anything of these sizes is made."""
    settings = about["settings"]
    sizes = {
        "context_dim": about["context_dim"],
        "splits": len(about["encoder"]["splits"]),
        **{name: settings.get(name, 1) for name in ("members", "capacity", "basis")},
        "hidden": max([len(settings.get("hidden", ())), *settings.get("hidden", ())]),
    }
    for name, size in sizes.items():
        if type(size) is not int or not 0 <= size <= _LARGEST[name]:
            raise ValueError(f"{name} = {one_line(repr(size))}; valid: up to {_LARGEST[name]}")
    observed, frozen = about["observed"], about["frozen"]
    if type(observed) is not int or observed < 0 or type(frozen) is not bool:
        raise ValueError(f"observed, frozen = {one_line(repr((observed, frozen)))}; valid: a count, a flag")


def _try_out(surrogate: Saved) -> None:
    """Arrays that don't fit together show here, not in the middle of a run."""
    actions = surrogate.encoder.encode(np.zeros(1, np.int64))
    seen = surrogate.predict(np.full((1, surrogate.context_dim), 0.5, np.float32), actions)
    if not np.isfinite(seen.member_means).all():
        raise ValueError("it predicts what is no number")
