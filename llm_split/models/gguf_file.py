"""GGUF files: their header, and whether transformers' model uses everything that is in them.

transformers reads the keys and tensors of a GGUF file that it knows and skips the others. A skipped key (a
rotary scaling, a sliding window, a soft-cap) or tensor makes another model without a word. `gguf_config`
therefore gives a configuration that honours the keys, and refuses those that it can't; `require_used_tensors`
does the same for tensors. The keys are those of GGUF's specification (ggml, docs/gguf.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_split.config_shapes import count_blocks, require_moderate
from llm_split.models.gguf_rope import ROPE_KEYS, ROPE_TENSORS, apply_rope_scaling
from llm_split.plain import one_line

_RENAMED = {
    "qwen2moe": "qwen2_moe",
    "qwen3moe": "qwen3_moe",
    "gpt-oss": "gpt_oss",
    "minimax-m2": "minimax_m2",
}
"""GGUF's architectures that transformers has under another name."""
_NO_EFFECT = {"rope.scaling.finetuned", "tensor_data_layout", "pooling_type", "context_length"}
"""Keys that change no logit. Families whose context length transformers doesn't map have none."""
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "attention.layer_norm_epsilon": ("layer_norm_epsilon", "layer_norm_eps", "norm_epsilon", "norm_eps"),
    "expert_feed_forward_length": ("moe_intermediate_size",),
    "expert_shared_feed_forward_length": ("shared_expert_intermediate_size",),
    "final_logit_softcapping": ("final_logit_softcapping",),
}
"""Keys that transformers skips, and the configuration's attributes that have their meaning."""
_OWN_HEAD_DIM = ("gemma2", "gemma3_text", "qwen3", "qwen3_moe")
"""Families whose library default for `head_dim` is not the width by the number of heads, as in GGUF."""
_WINDOWED = ("mistral", "phi3", "starcoder2", "gpt_oss")
"""Families whose attention obeys `sliding_window` alone (others need more than that field)."""


@dataclass(frozen=True)
class GgufHeader:
    """Keys and tensor names of a file; the tensors stay on disk.

    Attributes:
        architecture: `general.architecture`.
        keys: the architecture's own keys without its name in front, such as `rope.freq_base`.
        shapes: dimensions of each tensor as PyTorch counts them, by name.
        read: a tensor of the file by name, float32.
    """

    architecture: str
    keys: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], NDArray[np.float32]]


def read_header(path: Path) -> GgufHeader:
    """The header of a GGUF file.

    Raises:
        Exception: whatever gguf raises for a file that it can't read.
    """
    from gguf import GGUFReader, dequantize

    reader = GGUFReader(str(path))
    architecture = str(reader.fields["general.architecture"].contents())
    prefix = f"{architecture}."
    keys = {
        name.removeprefix(prefix): field.contents()
        for name, field in reader.fields.items()
        if name.startswith(prefix)
    }
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    shapes = {name: tuple(map(int, reversed(tensor.shape))) for name, tensor in tensors.items()}

    def read(name: str) -> NDArray[np.float32]:
        values: NDArray[np.float32] = dequantize(tensors[name].data, tensors[name].tensor_type)
        return values

    return GgufHeader(architecture, keys, shapes, read)


def gguf_config(path: Path) -> tuple[Any, GgufHeader]:
    """(transformers configuration, header) of a GGUF file; the configuration honours every key.

    Raises:
        ValueError: no blocks, more of them than tensors, or a key that the model would not use.
        Exception: whatever gguf and transformers raise for a file that they can't read.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(
        str(path.parent), gguf_file=path.name, local_files_only=True, trust_remote_code=False
    )
    require_moderate(config.to_dict(), path)
    header = read_header(path)
    if len(header.shapes) < count_blocks(config):  # the search for tensors takes the square of the blocks
        raise ValueError(f"the file has {len(header.shapes)} tensors for {count_blocks(config)} blocks")
    _honour(header, config)
    return config, header


def _honour(header: GgufHeader, config: Any) -> None:
    """Put into `config` what transformers skips; raise ValueError for a key that has no place in it."""
    _set_implied(header, config)
    apply_rope_scaling(
        header.keys, {name: header.read for name in header.shapes if name in ROPE_TENSORS}, config
    )
    for name in sorted(header.keys.keys() - _mapped(header.architecture) - _NO_EFFECT - ROPE_KEYS):
        value = header.keys[name]
        if not (_set_attribute(name, value, config) or _agrees(name, value, config)):
            raise ValueError(
                f"{header.architecture}.{name} = {one_line(str(value))} would not be used; valid for "
                f"model_type {config.model_type!r}: a file without this key"
            )


def _mapped(architecture: str) -> set[str]:
    """Keys that transformers itself puts into the configuration."""
    from transformers.modeling_gguf_pytorch_utils import GGUF_TO_TRANSFORMERS_MAPPING

    fields = GGUF_TO_TRANSFORMERS_MAPPING["config"].get(_RENAMED.get(architecture, architecture), {})
    return {key for key, attribute in fields.items() if attribute not in (None, -1)}


def _set_implied(header: GgufHeader, config: Any) -> None:
    """Fields that follow from tensors, or from a key's absence, by what llama.cpp makes of the file."""
    for field, suffixes in {
        "attention_bias": ("attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_output.bias"),
        "mlp_bias": ("ffn_gate.bias", "ffn_up.bias", "ffn_down.bias"),
    }.items():
        if hasattr(config, field):
            setattr(config, field, any(name.endswith(suffixes) for name in header.shapes))
    if config.model_type in _WINDOWED:
        # The library's default is a window for some of them; in GGUF a window is a key, and 0 is none.
        config.sliding_window = header.keys.get("attention.sliding_window") or None
    per_head = config.hidden_size // config.num_attention_heads
    if config.model_type in _OWN_HEAD_DIM:
        config.head_dim = header.keys.get("attention.key_length") or per_head
    if config.model_type in ("gemma2", "gemma3_text"):
        # The 27B models alone scale by another width (in llama.cpp too they are known by their blocks).
        config.query_pre_attn_scalar = per_head if config.num_hidden_layers in (46, 62) else config.head_dim
    if (getattr(config, "pad_token_id", None) or 0) >= config.vocab_size:
        config.pad_token_id = None  # a family's default, for its own vocabulary
    if config.model_type == "gemma2":  # Gemma 3 has the field too, but its attention does not read it
        cap = "attn_logit_softcapping"
        config.attn_logit_softcapping = header.keys.get(cap, config.attn_logit_softcapping)
    if config.model_type == "gpt2":
        config.n_positions = header.keys.get("context_length", config.n_positions)
        config.n_inner = header.keys.get("feed_forward_length", config.n_inner)


def _set_attribute(name: str, value: Any, config: Any) -> bool:
    """Set the attribute that has the key's meaning; False if there is none."""
    for attribute in _ATTRIBUTES.get(name, ()):
        if hasattr(config, attribute):
            setattr(config, attribute, value)
            return True
    return False


def _agrees(name: str, value: Any, config: Any) -> bool:
    """True if the model does what the key says, though nothing reads the key."""
    if name == "attention.sliding_window":
        # A window that spans all positions binds nothing.
        positions = getattr(config, "max_position_embeddings", math.inf)
        return config.model_type in _WINDOWED or not 0 < value < positions
    expected: dict[str, Callable[[], Any]] = {
        "attention.causal": lambda: True,
        "attn_logit_softcapping": lambda: config.model_type == "gemma2" and value,
        "attention.head_count_kv": lambda: config.num_attention_heads,
        "attention.key_length": lambda: _head_dim(config),
        "attention.value_length": lambda: _head_dim(config),
        "attention.sliding_window_pattern": lambda: _pattern(config, value),
        "expert_count": lambda: 0,
        "expert_used_count": lambda: 0,
        "feed_forward_length": lambda: value,  # the tensors' shapes are compared
        "nextn_predict_layers": lambda: 0,
        "rope.dimension_count": lambda: int(_head_dim(config) * _full_rope(config)["partial_rotary_factor"]),
        "rope.freq_base": lambda: _full_rope(config)["rope_theta"],
        "rope.freq_base_swa": lambda: config.rope_parameters["sliding_attention"]["rope_theta"],
        "use_parallel_residual": lambda: bool(config.use_parallel_residual),
        "vocab_size": lambda: config.vocab_size,
    }
    try:
        return name in expected and bool(expected[name]() == value)
    except (AttributeError, KeyError, TypeError):  # the family has no such thing
        return False


def _head_dim(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _full_rope(config: Any) -> dict[str, Any]:
    """Rotary parameters of full attention."""
    parameters: dict[str, Any] = config.rope_parameters
    return {"partial_rotary_factor": 1.0, **parameters.get("full_attention", parameters)}


def _pattern(config: Any, value: Any) -> Any:
    """Which blocks have a window, in the form of `value`: a list of flags, or every how many has none."""
    windowed = [kind == "sliding_attention" for kind in config.layer_types]
    if isinstance(value, list):
        return [type(value[0])(flag) for flag in windowed]
    return value if windowed == [bool((i + 1) % value) for i in range(len(windowed))] else None


def require_used_tensors(header: GgufHeader, config: Any) -> Any:
    """Check the file's tensors against the model's, by name and number of values.

    Returns:
        The model without weights in memory.

    Raises:
        ValueError: the model would not use a tensor, or lacks one, or has another shape for it.
    """
    model = without_memory(config)
    places = _tensor_places(header, model)
    unused = sorted(
        name for name in header.shapes.keys() - ROPE_TENSORS if places.keys().isdisjoint(_keys_of(name))
    )
    if unused:
        raise ValueError(
            f"tensor {unused[0]} would not be used ({len(unused)} of them); valid for model_type "
            f"{config.model_type!r}: a file without it"
        )
    weights = model.state_dict(keep_vars=True)
    held = {place: name for name in header.shapes for key in _keys_of(name) if (place := places.get(key))}
    given = {id(weights[place]) for place in held if place in weights}
    lacking = sorted(name for name in set(places.values()) & weights.keys() if id(weights[name]) not in given)
    wrong = sorted(
        place
        for place, name in held.items()
        if name in places and place in weights and math.prod(header.shapes[name]) != weights[place].numel()
    )
    if drawn := [*lacking, *wrong]:
        raise ValueError(f"weights are missing or have another shape: {len(drawn)}, such as {drawn[0]}")
    return model


def _keys_of(name: str) -> tuple[str, str]:
    """A tensor's names in transformers' table; stacked experts are there without their ending."""
    return name, name.removesuffix(".weight")


def without_memory(config: Any) -> Any:
    """The model of a configuration, all of it on the meta device."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    model.tie_weights()
    return model


def _tensor_places(header: GgufHeader, model: Any) -> dict[str, str]:
    """GGUF's name of each tensor that the model uses -> the model's name of it, by transformers' table."""
    from transformers.modeling_gguf_pytorch_utils import (
        TENSOR_PROCESSORS,
        TensorProcessor,
        get_gguf_hf_weights_map,
    )

    processor = TENSOR_PROCESSORS.get(header.architecture, TensorProcessor)(config=model.config.to_dict())
    places: dict[str, str] = get_gguf_hf_weights_map(model, processor)
    return places
