"""Rotary scaling of a GGUF file as transformers' `rope_parameters`; keys have llama.cpp's meaning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reader = Callable[[str], NDArray[np.float32]]

_SCALING = "rope.scaling."
_TYPE, _FACTOR, _LEGACY_FACTOR = f"{_SCALING}type", f"{_SCALING}factor", "rope.scale_linear"
_ORIGINAL, _ATTENTION = f"{_SCALING}original_context_length", f"{_SCALING}attn_factor"
_BETAS = {f"{_SCALING}yarn_beta_fast": "beta_fast", f"{_SCALING}yarn_beta_slow": "beta_slow"}
ROPE_KEYS = frozenset({_TYPE, _FACTOR, _LEGACY_FACTOR, _ORIGINAL, _ATTENTION, *_BETAS})
"""Keys that `apply_rope_scaling` honours or refuses."""
_DIVISORS = "rope_freqs.weight"
_LONG, _SHORT = "rope_factors_long.weight", "rope_factors_short.weight"
ROPE_TENSORS = frozenset({_DIVISORS, _LONG, _SHORT})
"""Tensors that `apply_rope_scaling` honours: divisors of the rotary frequencies, one for each pair."""

_TYPES = ("none", "linear", "yarn", "longrope")


def apply_rope_scaling(keys: Mapping[str, Any], tensors: Mapping[str, Reader], config: Any) -> None:
    """Put a file's rotary scaling into a configuration.

    Args:
        keys: of the file's architecture, without its name.
        tensors: readers of those of `ROPE_TENSORS` that the file has.
        config: transformers' configuration; of a family with two kinds of attention only the full one is
            scaled, as in llama.cpp.

    Raises:
        ValueError: a kind of scaling, or a combination, that the model can't have.
    """
    kind = keys.get(_TYPE, "longrope" if _LONG in tensors else "linear")
    factor = float(keys.get(_FACTOR, keys.get(_LEGACY_FACTOR, 1.0)) or 1.0)
    if kind not in _TYPES:
        raise ValueError(f"{_TYPE} is {kind!r}; valid: {', '.join(_TYPES)}")
    divisors = {name: read(name).tolist() for name, read in tensors.items()}
    scaling = _scaling(kind, factor, keys, divisors, config)
    _require_no_rest(kind, factor, keys, divisors, scaling)
    if not scaling:
        return
    parameters = getattr(config, "rope_parameters", None)
    if not parameters:
        raise ValueError(
            f"model_type {config.model_type!r} has no rotary positions; valid: no {_SCALING}* key"
        )
    if full := parameters.get("full_attention"):
        config.rope_parameters = {**parameters, "full_attention": {**full, **scaling}}
    else:
        config.rope_parameters = {**parameters, **scaling}
    if hasattr(config, "original_max_position_embeddings") and (
        original := scaling.get("original_max_position_embeddings")
    ):
        config.original_max_position_embeddings = original


def _scaling(
    kind: str, factor: float, keys: Mapping[str, Any], divisors: Mapping[str, list[float]], config: Any
) -> dict[str, Any]:
    """The fields that differ from unscaled rotary positions; empty without scaling."""
    if kind == "none":
        return {}
    if divisors:
        return _divided(keys, divisors, config)
    if kind == "yarn":
        return _yarn(factor, keys, config)
    return {"rope_type": "linear", "factor": factor} if factor != 1.0 else {}


def _yarn(factor: float, keys: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """YaRN (arXiv 2309.00071); llama.cpp multiplies its attention factor by the file's."""
    scaled = float(keys.get(_ATTENTION, 1.0)) * (1.0 + 0.1 * math.log(factor))
    return {
        "rope_type": "yarn",
        "factor": factor,
        "original_max_position_embeddings": int(keys.get(_ORIGINAL, config.max_position_embeddings)),
        "attention_factor": scaled,
        **{field: float(keys[key]) for key, field in _BETAS.items() if key in keys},
    }


def _divided(keys: Mapping[str, Any], divisors: Mapping[str, list[float]], config: Any) -> dict[str, Any]:
    """Frequencies divided one by one: Llama 3's scaling is stored so, and LongRoPE has two sets."""
    short = divisors.get(_SHORT, divisors.get(_DIVISORS))
    long = divisors.get(_LONG, divisors.get(_DIVISORS))
    return {
        "rope_type": "longrope",
        "factor": 1.0,
        "short_factor": short,
        "long_factor": long,
        "original_max_position_embeddings": int(keys.get(_ORIGINAL, config.max_position_embeddings)),
        "attention_factor": float(keys.get(_ATTENTION, 1.0)),
    }


def _require_no_rest(
    kind: str,
    factor: float,
    keys: Mapping[str, Any],
    divisors: Mapping[str, list[float]],
    scaling: Mapping[str, Any],
) -> None:
    """Raise ValueError where a key or tensor of the file has no part in the scaling."""
    paired = divisors.keys() in ({_DIVISORS}, {_LONG, _SHORT})
    if divisors and (kind in ("none", "yarn") or factor != 1.0 or not paired):
        raise ValueError(
            f"tensor {min(divisors)} beside {_TYPE} = {kind!r} and {_FACTOR} = {factor:g} would not be used; "
            f"valid: {_DIVISORS} alone, or {_LONG} with {_SHORT}, without a factor"
        )
    if kind == "longrope" and not divisors:
        raise ValueError(f"{_TYPE} is 'longrope' without its tensors; valid: {_LONG} and {_SHORT}")
    attention = float(keys.get(_ATTENTION, 1.0))
    if attention != 1.0 and "attention_factor" not in scaling:
        raise ValueError(f"{_ATTENTION} = {attention:g} would not be used with {_TYPE} = {kind!r}")
