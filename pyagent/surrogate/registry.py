"""Surrogates by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pyagent.errors import UserError
from pyagent.surrogate.ensemble import EnsembleSurrogate
from pyagent.surrogate.gaussian_process import GaussianProcessSurrogate
from pyagent.surrogate.linear import LinearSurrogate
from pyagent.surrogate.scales import ComponentScales
from pyagent.surrogate.types import ActionEncoder, Surrogate

ENSEMBLE = "ensemble"
SURROGATES: Mapping[str, type[EnsembleSurrogate] | type[LinearSurrogate] | type[GaussianProcessSurrogate]] = (
    MappingProxyType({ENSEMBLE: EnsembleSurrogate, "linear": LinearSurrogate, "gp": GaussianProcessSurrogate})
)
"""Every surrogate class by its name; each is made with the arguments of :func:`make_surrogate`."""


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
    if name not in SURROGATES:
        raise UserError(f"surrogate {name!r} is not known; valid: {', '.join(SURROGATES)}")
    return SURROGATES[name](context_dim, encoder, scales, seed=seed)


def load_surrogate(folder: Path) -> EnsembleSurrogate | LinearSurrogate | GaussianProcessSurrogate:
    """The surrogate that was saved to a folder, of whichever kind.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is of no known kind, or was written by another format version.
    """
    kind = json.loads((folder / "surrogate.json").read_text(encoding="utf-8")).get("kind", ENSEMBLE)
    if kind not in SURROGATES:
        raise ValueError(f"{folder}: surrogate kind {kind!r} is not known; valid: {', '.join(SURROGATES)}")
    return SURROGATES[kind].load(folder)
