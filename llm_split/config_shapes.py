"""The sizes of a decoder from its transformers configuration, family by family.

Which matrices have biases, how many norms a block has and what a field means when it is left out is a
family's own business, so a family is either known here (and its parameter count tested against the library's
own model) or refused. Values that a file leaves out are the library's defaults.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm_split.plain import one_line

Fields = dict[str, Any]


MOST_LAYERS = 10_000
_LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")


class UnsupportedConfigError(ValueError):
    """A configuration can't be read, or describes a decoder that a `ModelShape` can't."""


def read_config(source: Any) -> tuple[str, Any]:
    """Name of the model and its transformers configuration object, from a file, a folder or such an object.

    Raises:
        UnsupportedConfigError: no file there, no JSON object in it, a `model_type` that is not known, or a
            GGUF file with a key that the configuration can't hold.
    """
    if not isinstance(source, str | Path):
        if not hasattr(source, "get_text_config"):
            raise UnsupportedConfigError(
                f"model configuration is a {type(source).__name__}, "
                "valid: a path or a transformers configuration"
            )
        config = source.get_text_config()
        name = getattr(source, "_name_or_path", "") or getattr(source, "model_type", "")
        return Path(name).name or "model", config
    if Path(source).suffix == ".gguf":
        return Path(source).stem or "model", _from_gguf(Path(source))
    path = Path(source) / "config.json" if Path(source).is_dir() else Path(source)
    return path.resolve().parent.name or "model", _from_fields(_read_json(path), path)


def shape_fields(name: str, config: Any) -> Fields:
    """The fields of a `ModelShape` for a configuration object.

    Raises:
        UnsupportedConfigError: the family, or a field of it, can't be expressed.
    """
    family = getattr(config, "model_type", "")
    if family not in _FAMILIES:
        raise UnsupportedConfigError(
            f"model_type is {family!r}, valid for a shape: {', '.join(sorted(_FAMILIES))}"
        )
    fields = {
        "name": name,
        "num_layers": config.num_hidden_layers,
        "hidden_size": config.hidden_size,
        "intermediate_size": getattr(config, "intermediate_size", None),
        "num_heads": config.num_attention_heads,
        "num_kv_heads": getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        "head_dim": getattr(config, "head_dim", None),
        "vocab_size": config.vocab_size,
        "tied_embeddings": bool(config.tie_word_embeddings),
        "weight_bits_choices": [16, 8, 4],
        "source": f"configuration of {name}, family {family}",
    }
    try:
        return fields | _FAMILIES[family](config)
    except UnsupportedConfigError:
        raise
    except Exception as error:  # a number that is a text, a list that is a number
        raise UnsupportedConfigError(
            f"{name} (model_type {one_line(family)!r}) is not valid: {one_line(str(error))}"
        ) from error


def _read_json(path: Path) -> Fields:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnsupportedConfigError(f"model configuration {str(path)!r} can't be read: {error}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("model_type"), str):
        raise UnsupportedConfigError(f"model configuration {str(path)!r} has no model_type")
    return fields


def check_config_file(folder: Path) -> None:
    """Look at a model folder's `config.json`, if it has one, before the library does.

    Raises:
        UnsupportedConfigError: it can't be read, or asks for more blocks than any model has: the library
            would make lists of that length, without end.
    """
    path = folder / "config.json"
    if path.is_file():
        require_moderate(_read_json(path), path)


def require_moderate(fields: Fields, path: Path) -> None:
    """Raise UnsupportedConfigError where a configuration asks for more blocks than any model has.

    Args:
        fields: of the configuration.
        path: named in the error.
    """
    for name, value in fields.items():
        if isinstance(value, dict):
            require_moderate(value, path)
        elif name in _LAYERS and isinstance(value, int | float) and not value <= MOST_LAYERS:
            raise UnsupportedConfigError(
                f"model configuration {str(path)!r}: {name} is too large; valid: up to {MOST_LAYERS}"
            )


def count_blocks(config: Any) -> int:
    """L of a configuration of transformers'.

    Raises:
        ValueError: it is less than 1. Transformers makes a model of that without a word.
    """
    blocks = int(config.get_text_config().num_hidden_layers)
    if blocks < 1:
        raise ValueError(f"num_hidden_layers = {blocks}; valid: 1 or more")
    return blocks


def _from_fields(fields: Fields, path: Path) -> Any:
    """The configuration object, for its defaults; `for_model` never looks at the network or runs code."""
    # Here, because the library takes seconds to import and most shapes come from cards.
    from transformers import AutoConfig

    family = fields["model_type"]
    require_moderate(fields, path)
    try:
        config = AutoConfig.for_model(**fields)
    except Exception as error:  # the library raises many kinds, some over several lines
        raise UnsupportedConfigError(
            f"model configuration {str(path)!r} (model_type {one_line(family)!r}) is not valid: "
            f"{one_line(str(error))}"
        ) from error
    return config.get_text_config()


def _from_gguf(path: Path) -> Any:
    """The configuration object of a GGUF file's header."""
    # Here, because that module uses this one.
    from llm_split.models.gguf_file import gguf_config
    from llm_split.models.pretrained import quiet_transformers

    try:
        with quiet_transformers():
            config, _ = gguf_config(path)
    except Exception as error:  # what the libraries raise for damaged files is of many kinds
        raise UnsupportedConfigError(
            f"GGUF file {str(path)!r} can't be read: {one_line(str(error))}"
        ) from error
    return config.get_text_config()


def _flag(config: Any, name: str) -> bool:
    return bool(getattr(config, name, False))


def _refuse(config: Any, name: str, valid: Any) -> None:
    """Refuse a value that changes the block's build in a way that a shape can't say."""
    value = getattr(config, name, valid)
    if value != valid:
        raise UnsupportedConfigError(
            f"{name} is {value!r}, valid for a shape of family {config.model_type!r}: {valid!r}"
        )


def _window(config: Any) -> Fields:
    """`sliding_window` and the blocks that it does not bind, from `layer_types` where the family has it."""
    window = getattr(config, "sliding_window", None)
    types = list(getattr(config, "layer_types", None) or [])
    unknown = sorted(set(types) - {"full_attention", "sliding_attention"})
    if unknown:
        raise UnsupportedConfigError(
            f"layer_types has {unknown[0]!r}, valid for a shape: 'full_attention', 'sliding_attention'"
        )
    full = [block for block, kind in enumerate(types) if kind == "full_attention"]
    if not window or len(full) == config.num_hidden_layers:
        return {}
    return {"sliding_window": window, "full_attention_blocks": full}


def _attention_biases(config: Any) -> Fields:
    biases = _flag(config, "attention_bias")
    return {"qkv_biases": biases, "output_biases": biases}


def _llama(config: Any) -> Fields:
    return _attention_biases(config) | {"mlp_biases": _flag(config, "mlp_bias")}


def _qwen2(config: Any) -> Fields:
    return {"qkv_biases": True} | _window(config)


def _qwen3(config: Any) -> Fields:
    return _attention_biases(config) | {"qk_norm": "head"} | _window(config)


def _gemma2(config: Any) -> Fields:
    return _attention_biases(config) | {"norms_per_block": 4} | _window(config)


def _gemma3(config: Any) -> Fields:
    return _gemma2(config) | {"qk_norm": "head"}


def _smollm3(config: Any) -> Fields:
    return _llama(config) | _window(config)


def _olmo2(config: Any) -> Fields:
    return _attention_biases(config) | {"qk_norm": "full"}


def _stablelm(config: Any) -> Fields:
    _refuse(config, "qk_layernorm", False)
    norms = 1 if _flag(config, "use_parallel_residual") else 2
    return {
        "qkv_biases": _flag(config, "use_qkv_bias"),
        "norm_biases": True,
        "norms_per_block": norms,
    }


_ALL_BIASES: Fields = {
    "gated_mlp": False,
    "norm_biases": True,
    "qkv_biases": True,
    "output_biases": True,
    "mlp_biases": True,
}


def _gpt2(config: Any) -> Fields:
    _refuse(config, "add_cross_attention", False)
    return _ALL_BIASES | {
        "intermediate_size": config.n_inner or 4 * config.hidden_size,
        "position_embeddings": config.n_positions,
    }


def _opt(config: Any) -> Fields:
    _refuse(config, "word_embed_proj_dim", config.hidden_size)
    _refuse(config, "do_layer_norm_before", True)
    _refuse(config, "_remove_final_layer_norm", False)
    _refuse(config, "layer_norm_elementwise_affine", True)
    biases = _flag(config, "enable_bias")
    return _ALL_BIASES | {
        "qkv_biases": biases,
        "output_biases": biases,
        "mlp_biases": biases,
        "intermediate_size": config.ffn_dim,
        # The table starts two rows early, a quirk of the first implementation.
        "position_embeddings": config.max_position_embeddings + 2,
    }


def _gpt_neox(config: Any) -> Fields:
    return _ALL_BIASES | _attention_biases(config)


def _phi(config: Any) -> Fields:
    _refuse(config, "qk_layernorm", False)
    return _ALL_BIASES | {"norms_per_block": 1, "head_bias": True}


_FAMILIES: dict[str, Callable[[Any], Fields]] = {
    "llama": _llama,
    "mistral": _window,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "gemma": _attention_biases,
    "gemma2": _gemma2,
    "gemma3_text": _gemma3,
    "phi3": _window,
    "smollm3": _smollm3,
    "olmo2": _olmo2,
    "granite": _llama,
    "stablelm": _stablelm,
    "gpt2": _gpt2,
    "opt": _opt,
    "gpt_neox": _gpt_neox,
    "phi": _phi,
}


def families() -> list[str]:
    """The values of `model_type` that have a shape."""
    return sorted(_FAMILIES)
