"""Tiny random decoders of many architecture families, for tests of the cut."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

L, D, V = 4, 32, 97
WINDOW = 7  # of sliding attention: shorter than the texts
COMMON: dict[str, Any] = {
    "num_hidden_layers": L,
    "hidden_size": D,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": V,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SLIDING = {**COMMON, "sliding_window": WINDOW}
EXPERTS = {**COMMON, "moe_intermediate_size": 16, "num_experts_per_tok": 2}
GPT = {"n_layer": L, "n_embd": D, "n_head": 4, "vocab_size": V, "n_positions": 128}
BRIEF = {"num_hidden_layers": L, "hidden_size": D, "num_attention_heads": 4, "vocab_size": V}
FAMILIES: dict[str, dict[str, Any]] = {
    "arcee": COMMON,
    "bloom": {"n_layer": L, "hidden_size": D, "n_head": 4, "vocab_size": V},
    "codegen": {**GPT, "n_ctx": 128, "rotary_dim": 4},
    "cohere": COMMON,
    "cohere2": SLIDING,
    "exaone4": SLIDING,
    "falcon": {**BRIEF, "alibi": True},
    "gemma": COMMON,
    "gemma2": SLIDING,
    "gemma3_text": {
        **SLIDING,
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
    },
    "glm4": COMMON,
    "gpt2": GPT,
    "gpt_neo": {
        "num_layers": L,
        "hidden_size": D,
        "num_heads": 4,
        "vocab_size": V,
        "max_position_embeddings": 128,
        "attention_types": [[["global", "local"], 2]],
        "window_size": WINDOW,
    },
    "gpt_neox": COMMON,
    "gptj": {**GPT, "rotary_dim": 4},
    "granite": COMMON,
    "llama": COMMON,
    "mistral": SLIDING,
    "mixtral": {**COMMON, "num_local_experts": 4, "num_experts_per_tok": 2},
    "nemotron": COMMON,
    "olmo2": COMMON,
    "opt": {**BRIEF, "ffn_dim": 48, "max_position_embeddings": 128, "word_embed_proj_dim": 16},
    "phi": COMMON,
    "phi3": COMMON,
    "qwen2": COMMON,
    "qwen3": COMMON,
    "qwen3_moe": {**EXPERTS, "num_experts": 4},
    "smollm3": COMMON,
    "stablelm": COMMON,
    "starcoder2": SLIDING,
}


def tiny(family: str, **changes: Any) -> Any:
    """A model of `family` in eval mode; the same weights at every call."""
    torch.manual_seed(7)
    config = CONFIG_MAPPING[family](**(FAMILIES.get(family, BRIEF) | changes))
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():  # the libraries' 0.02 makes every block nearly an identity, and a test nearly blind
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.15)
    return model.eval()
