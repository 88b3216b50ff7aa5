"""GGUF files: what a key or tensor says is what the model does, or the file is refused in one line.

Expected logits are those of transformers' own model with the same configuration and weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from llm_split.devices import CardError, load_shape, shape_from_config
from llm_split.models import ModelNotFoundError, UnusableModelError, check_quality_model, load_quality_model
from tests.llm_split.llama_files import (
    CONTEXT,
    HEAD,
    HEADS,
    KV_HEADS,
    LAYERS,
    VOCABULARY,
    checkpoint,
    write_gguf,
    write_gguf_file,
)

SAMPLE = Path(__file__).parents[3] / "shared/samples/reports/gguf-linear-rope-scaling.gguf"
ARRAYS = checkpoint(shared=False)[1]
IDS = torch.arange(3, 3 + CONTEXT)[None]
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4}


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = model(IDS).logits
    return result


def loaded(path: Path) -> Any:
    check_quality_model(str(path))  # what the header tells agrees
    return load_quality_model(str(path), device="cpu").model


def with_config(plain: Any, **changes: Any) -> Any:
    """transformers' model of `plain`'s weights with another configuration."""
    model = LlamaForCausalLM(LlamaConfig(**{**plain.config.to_dict(), **changes}))
    model.load_state_dict(plain.state_dict(), strict=False)
    return model.eval()


def refusal(path: Path) -> str:
    """One message, the same from the header and from loading."""
    with pytest.raises(UnusableModelError) as by_header:
        check_quality_model(str(path))
    with pytest.raises(UnusableModelError) as by_loading:
        load_quality_model(str(path), device="cpu")
    assert str(by_header.value) == str(by_loading.value)
    assert "\n" not in str(by_header.value)
    return str(by_header.value)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("gguf") / "plain.gguf"
    write_gguf(path, ARRAYS)
    return loaded(path)


@pytest.mark.skipif(not SAMPLE.is_file(), reason="needs the samples")
def test_the_reported_file_is_scaled() -> None:
    model = loaded(SAMPLE)
    scaling = {"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0}
    expected = with_config(model, rope_parameters=scaling)
    unscaled = with_config(model, rope_parameters={"rope_type": "default", "rope_theta": 10_000.0})
    assert torch.equal(logits(model), logits(expected))
    assert (logits(model) - logits(unscaled)).abs().max() > 0.01


@pytest.mark.parametrize(
    ("keys", "rope"),
    [
        ({"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}, {"rope_type": "linear", "factor": 4.0}),
        ({"rope.scale_linear": 2.0}, {"rope_type": "linear", "factor": 2.0}),
        (
            {
                "rope.scaling.type": "yarn",
                "rope.scaling.factor": 4.0,
                "rope.scaling.original_context_length": 4,
                "rope.scaling.finetuned": True,
            },
            YARN,
        ),
        (
            {
                "rope.scaling.type": "yarn",
                "rope.scaling.factor": 4.0,
                "rope.scaling.original_context_length": 4,
                "rope.scaling.yarn_beta_fast": 2.0,
                "rope.scaling.yarn_beta_slow": 0.5,
            },
            {**YARN, "beta_fast": 2.0, "beta_slow": 0.5},
        ),
        ({"rope.scaling.type": "none", "rope.scaling.factor": 4.0}, {"rope_type": "default"}),
        ({"rope.freq_base": 500.0}, {"rope_type": "default", "rope_theta": 500.0}),
    ],
)
def test_rotary_scaling_is_that_of_the_library(
    tmp_path: Path, plain: Any, keys: dict[str, Any], rope: dict[str, Any]
) -> None:
    write_gguf(path := tmp_path / "scaled.gguf", ARRAYS, keys)
    expected = with_config(plain, rope_parameters={"rope_theta": 10_000.0, **rope})
    assert (logits(loaded(path)) - logits(expected)).abs().max() <= 1e-5
    changed = bool((logits(expected) - logits(plain)).abs().max() > 0.01)
    assert changed == (keys.get("rope.scaling.type") != "none")


def test_llama_3_scaling_comes_as_divisors(tmp_path: Path, plain: Any) -> None:
    """llama.cpp stores the ratio of unscaled to scaled frequencies, and divides by it."""
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    scaling |= {"original_max_position_embeddings": 256, "rope_theta": 10_000.0}
    expected = with_config(plain, rope_parameters=scaling)
    divisors = plain.model.rotary_emb.inv_freq / expected.model.rotary_emb.inv_freq
    assert divisors.max() > 2.0
    write_gguf(path := tmp_path / "x.gguf", ARRAYS, tensors={"rope_freqs.weight": divisors.numpy()})
    assert (logits(loaded(path)) - logits(expected)).abs().max() <= 1e-5


def pairs_from_halves(bias: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows i and i + half a head, in transformers, are rows 2i and 2i + 1 in a Llama file."""
    return bias.reshape(heads, 2, HEAD // 2).swapaxes(1, 2).reshape(-1)


def test_biases_of_attention_and_mlp_are_used(tmp_path: Path, plain: Any) -> None:
    expected = with_config(plain, attention_bias=True, mlp_bias=True)
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v"}
    names |= {"self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up"}
    names |= {"mlp.down_proj": "ffn_down"}
    tensors = {}
    torch.manual_seed(3)
    for block in range(LAYERS):
        for place, name in names.items():
            bias = expected.model.layers[block].get_submodule(place).bias
            torch.nn.init.normal_(bias)
            stored = bias.detach().numpy()
            heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(name)
            tensors[f"blk.{block}.{name}.bias"] = pairs_from_halves(stored, heads) if heads else stored
    write_gguf(path := tmp_path / "biased.gguf", ARRAYS, tensors=tensors)
    assert (logits(loaded(path)) - logits(expected)).abs().max() <= 1e-4
    del tensors["blk.1.attn_output.bias"]
    write_gguf(path, ARRAYS, tensors=tensors)
    assert "weights are missing or have another shape: 1, such as model.layers.1.self_attn.o_pr" in refusal(
        path
    )


SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 7,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
KEYS = {
    "context_length": 64,
    "embedding_length": 24,
    "block_count": 7,
    "feed_forward_length": 40,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
}
GEMMA = {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 5}
GEMMA_KEYS = {"attention.key_length": 8, "attention.value_length": 8, "attention.sliding_window": 5}
GEMMA_KEYS |= {"attention.layer_norm_rms_epsilon": 1e-6}
PHI_KEYS = {"attention.layer_norm_rms_epsilon": 1e-5, "rope.dimension_count": 6}
FINAL_CAP = {"final_logit_softcapping": 3.0}
CAPS = {"attn_logit_softcapping": 2.0, **FINAL_CAP}
GLOBAL_SCALING = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0, 2.0, 3.0],
    "long_factor": [2.0, 4.0, 8.0],
    "original_max_position_embeddings": 8,
    "attention_factor": 1.25,
}


def write_model(path: Path, architecture: str, keys: dict[str, Any], model: Any) -> None:
    """A model of transformers' as a GGUF file, by llama.cpp's table of names."""
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    names = get_tensor_name_map(next(k for k, v in MODEL_ARCH_NAMES.items() if v == architecture), 7)
    one = float(architecture.startswith("gemma"))  # stored in Gemma's norms; the model adds it itself
    tensors = {
        f"{names.get_name(name.removesuffix('.weight'))}.weight": weight + one * ("norm" in name)
        for name, weight in model.named_parameters()
    }
    if architecture == "phi3" and (rope := model.config.rope_parameters)["rope_type"] == "longrope":
        for length in ("long", "short"):
            tensors[f"rope_factors_{length}.weight"] = torch.tensor(rope[f"{length}_factor"])
    write_gguf_file(path, architecture, keys, {k: v.detach().numpy() for k, v in tensors.items()})


@pytest.mark.parametrize(
    ("architecture", "family", "keys", "fields"),
    [
        ("gemma2", "gemma2", {**GEMMA_KEYS, **CAPS}, {**GEMMA, **CAPS}),
        ("gemma3", "gemma3_text", {**GEMMA_KEYS, **FINAL_CAP}, {**GEMMA, **FINAL_CAP}),
        (
            "gemma3",
            "gemma3_text",
            {**GEMMA_KEYS, "rope.freq_base": 1e6, "rope.scaling.type": "linear", "rope.scaling.factor": 8.0},
            {**GEMMA, "rope_parameters": GLOBAL_SCALING},
        ),
        ("phi3", "phi3", {**PHI_KEYS, "attention.sliding_window": 5}, {"sliding_window": 5}),
        ("phi3", "phi3", PHI_KEYS, {"sliding_window": None}),
        (
            "phi3",
            "phi3",
            {
                **PHI_KEYS,
                "rope.scaling.original_context_length": 8,
                "rope.scaling.attn_factor": 1.25,
            },
            {"rope_parameters": LONGROPE, "original_max_position_embeddings": 8},
        ),
    ],
)
def test_windows_softcaps_and_scaling_of_other_families(
    tmp_path: Path, architecture: str, family: str, keys: dict[str, Any], fields: dict[str, Any]
) -> None:
    torch.manual_seed(5)
    config = CONFIG_MAPPING[family](**{**SIZES, "pad_token_id": 0, **fields})
    expected = AutoModelForCausalLM.from_config(config).eval()
    for weight in expected.parameters():
        weight.data.normal_(0, 0.4)
    write_model(path := tmp_path / "x.gguf", architecture, {**KEYS, **keys}, expected)
    assert (logits(loaded(path)) - logits(expected)).abs().max() <= 1e-4
    assert load_shape(str(path)).sliding_window == fields.get("sliding_window")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("rope.scaling.type", "ntk", "rope.scaling.type is 'ntk'; valid: none, linear, yarn, longrope"),
        ("rope.scaling.type", "longrope", "is 'longrope' without its tensors; valid: rope_factors_long.w"),
        ("rope.scaling.attn_factor", 1.5, "rope.scaling.attn_factor = 1.5 would not be used with"),
        ("rope.scaling.yarn_log_multiplier", 0.1, "llama.rope.scaling.yarn_log_multiplier = 0.1"),
        ("rope.dimension_sections", 3, "llama.rope.dimension_sections = 3 would not be used; valid for"),
        ("attention.key_length", 8, "llama.attention.key_length = 8 would not be used"),
        ("attention.sliding_window", 5, "llama.attention.sliding_window = 5 would not be used"),
        ("attention.causal", False, "llama.attention.causal = False would not be used"),
        ("attention.scale", 0.5, "llama.attention.scale = 0.5 would not be used"),
        ("attn_logit_softcapping", 3.0, "llama.attn_logit_softcapping = 3.0 would not be used"),
        ("final_logit_softcapping", 3.0, "llama.final_logit_softcapping = 3.0 would not be used"),
        ("logit_scale", 0.5, "llama.logit_scale = 0.5 would not be used"),
        ("embedding_scale", 2.0, "llama.embedding_scale = 2.0 would not be used"),
        ("expert_count", 8, "llama.expert_count = 8 would not be used"),
    ],
)
def test_a_key_without_a_place_is_refused(tmp_path: Path, key: str, value: Any, message: str) -> None:
    write_gguf(path := tmp_path / "x.gguf", ARRAYS, {key: value})
    assert message in refusal(path).replace("0.10000000149011612", "0.1")
    with pytest.raises(CardError, match="can't be read"):
        load_shape(str(path))


def test_keys_that_agree_with_the_model_pass(tmp_path: Path, plain: Any) -> None:
    agreeing = {"attention.key_length": HEAD, "attention.value_length": HEAD, "vocab_size": VOCABULARY}
    agreeing |= {"attention.causal": True, "attention.sliding_window": CONTEXT, "expert_count": 0}
    write_gguf(path := tmp_path / "x.gguf", ARRAYS, agreeing)
    assert torch.equal(logits(loaded(path)), logits(plain))


@pytest.mark.parametrize(
    "name", ["blk.0.attn_q_norm.weight", "blk.2.ffn_gate_inp.weight", "blk.3.attn_q.weight", "anything"]
)
def test_a_tensor_without_a_place_is_refused(tmp_path: Path, name: str) -> None:
    write_gguf(path := tmp_path / "x.gguf", ARRAYS, tensors={name: np.ones(HEAD, "<f4")})
    assert f"tensor {name} would not be used (1 of them); valid for model_type 'llama'" in refusal(path)


def test_a_gguf_file_is_a_model_to_simulate(
    tmp_path: Path, plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same sizes as the model that is loaded from it, by transformers' own count of parameters."""
    write_gguf(path := tmp_path / "x.gguf", ARRAYS)
    shape = load_shape(str(path))
    assert shape.name == "x"
    assert shape.parameters == sum(p.numel() for p in plain.parameters())
    assert shape.model_dump(exclude={"name", "source"}) == shape_from_config(plain.config).model_dump(
        exclude={"name", "source"}
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_shape("~/x.gguf") == shape
    with pytest.raises(CardError, match=r"GGUF file '.*none\.gguf' can't be read"):
        load_shape(str(tmp_path / "none.gguf"))


def test_a_missing_gguf_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"not found .*; valid: an existing folder, a \.gguf file"):
        check_quality_model(str(tmp_path / "none.gguf"))
