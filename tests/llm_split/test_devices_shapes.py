"""Shapes agree, weight for weight, with the models that the transformers library builds.

The models are built on the `meta` device, at full size but without memory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from llm_split.config_shapes import families
from llm_split.devices import CardError, ModelShape, load_shape, shape_from_config, shape_names

LLAMA_2 = {"model_type": "llama", "vocab_size": 32000}
SMOLLM2 = {"model_type": "llama", "vocab_size": 49152, "tie_word_embeddings": True}


def sizes(d: int, ffn: int, layers: int, heads: int, kv_heads: int) -> dict[str, int]:
    return {
        "hidden_size": d,
        "intermediate_size": ffn,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
    }


# What a card's model says in its config.json, as far as sizes go.
CONFIGS: dict[str, dict[str, Any]] = {
    "gemma-2-2b": {
        "model_type": "gemma2",
        "vocab_size": 256000,
        "head_dim": 256,
        "sliding_window": 4096,
        **sizes(2304, 9216, 26, 8, 4),
    },
    "gemma-3-270m": {
        "model_type": "gemma3_text",
        "vocab_size": 262144,
        "head_dim": 256,
        "sliding_window": 512,
        "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 3,
        **sizes(640, 2048, 18, 4, 1),
    },
    "llama-2-7b": LLAMA_2 | sizes(4096, 11008, 32, 32, 32),
    "llama-2-13b": LLAMA_2 | sizes(5120, 13824, 40, 40, 40),
    "llama-3.2-1b": {
        "model_type": "llama",
        "vocab_size": 128256,
        "head_dim": 64,
        "tie_word_embeddings": True,
        **sizes(2048, 8192, 16, 32, 8),
    },
    "llama-3.1-8b": {
        "model_type": "llama",
        "vocab_size": 128256,
        **sizes(4096, 14336, 32, 32, 8),
    },
    "llama-3.2-3b": {
        "model_type": "llama",
        "vocab_size": 128256,
        "head_dim": 128,
        "tie_word_embeddings": True,
        **sizes(3072, 8192, 28, 24, 8),
    },
    "apple-afm-3b": {  # no family of the library: as Qwen 3, which also norms queries and keys
        "model_type": "qwen3",
        "vocab_size": 49152,
        "head_dim": 128,
        "tie_word_embeddings": True,
        **sizes(3072, 8036, 26, 24, 8),
    },
    "mistral-7b": {
        "model_type": "mistral",
        "vocab_size": 32000,
        "sliding_window": 4096,
        **sizes(4096, 14336, 32, 32, 8),
    },
    "phi-3-mini-4k": {
        "model_type": "phi3",
        "vocab_size": 32064,
        "sliding_window": 2047,
        "pad_token_id": 32000,
        **sizes(3072, 8192, 32, 32, 32),
    },
    "qwen2.5-0.5b": {
        "model_type": "qwen2",
        "vocab_size": 151936,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "sliding_window": 32768,  # stands in the file, and is not used
        "max_window_layers": 24,
        **sizes(896, 4864, 24, 14, 2),
    },
    "smollm2-135m": SMOLLM2 | sizes(576, 1536, 30, 9, 3),
    "smollm2-360m": SMOLLM2 | sizes(960, 2560, 32, 15, 5),
    "smollm2-1.7b": SMOLLM2 | sizes(2048, 8192, 24, 32, 32),
    "stories15m": LLAMA_2 | {"tie_word_embeddings": True} | sizes(288, 768, 6, 6, 6),
    "tinyllama-1.1b": LLAMA_2 | sizes(2048, 5632, 22, 32, 4),
}

TINY = sizes(64, 96, 3, 4, 2) | {"vocab_size": 131, "max_position_embeddings": 77, "pad_token_id": 0}
WIDE_HEADS = TINY | {"head_dim": 24}  # 4 heads of 24 are wider than 64
BIASES = {"attention_bias": True, "mlp_bias": True}
TINY_GPT2 = {"n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 131, "n_positions": 77}
TINY_OPT = {
    "num_hidden_layers": 3,
    "hidden_size": 64,
    "ffn_dim": 96,
    "num_attention_heads": 4,
    "vocab_size": 131,
    "max_position_embeddings": 77,
    "word_embed_proj_dim": 64,
}
# Every supported family, each of its switches that changes the count at least once on and once off.
FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("llama", TINY),
    ("llama", WIDE_HEADS | BIASES | {"tie_word_embeddings": True}),
    ("mistral", WIDE_HEADS | {"sliding_window": 7}),
    ("qwen2", TINY),
    ("qwen3", WIDE_HEADS),
    ("qwen3", WIDE_HEADS | BIASES),
    ("gemma", WIDE_HEADS),
    ("gemma", WIDE_HEADS | BIASES),
    ("gemma2", WIDE_HEADS),
    ("gemma3_text", WIDE_HEADS | BIASES),
    ("phi3", TINY),
    ("smollm3", TINY),
    ("smollm3", TINY | BIASES),
    ("olmo2", TINY),
    ("olmo2", TINY | BIASES),
    ("granite", TINY),
    ("granite", TINY | BIASES),
    ("stablelm", TINY),
    ("stablelm", TINY | {"use_qkv_bias": True, "use_parallel_residual": True}),
    ("gpt2", TINY_GPT2),
    ("gpt2", TINY_GPT2 | {"n_inner": 99, "tie_word_embeddings": False}),
    ("opt", TINY_OPT),
    ("opt", TINY_OPT | {"enable_bias": False}),
    ("gpt_neox", sizes(64, 96, 3, 4, 4) | {"vocab_size": 131}),
    ("gpt_neox", sizes(64, 96, 3, 4, 4) | {"vocab_size": 131, "attention_bias": False}),
    ("phi", TINY),
    ("phi", TINY | {"tie_word_embeddings": True}),
]


def config_of(fields: dict[str, Any]) -> Any:
    return AutoConfig.for_model(**fields)


def count(*modules: nn.Module) -> int:
    """Weights of all these, one that several share counted once."""
    weights = {id(weight): weight.numel() for module in modules for weight in module.parameters()}
    return sum(weights.values())


def assert_counts_agree(shape: ModelShape, config: Any) -> None:
    """Block by block, then what is outside of the blocks."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    lists = [m for m in model.base_model.modules() if isinstance(m, nn.ModuleList)]
    blocks = next(m for m in lists if len(m) == shape.num_layers)
    assert [count(block) for block in blocks] == [shape.block_parameters] * shape.num_layers
    assert count(model) == shape.parameters
    head = model.get_output_embeddings()
    assert count(head) + shape.norm_parameters == shape.head_parameters
    assert count(model) - count(blocks, head) == (
        shape.parameters - shape.num_layers * shape.block_parameters - count(head)
    )
    embeddings = [m for m in model.base_model.modules() if isinstance(m, nn.Embedding)]
    assert count(*embeddings) == shape.embedding_parameters


def test_every_card_and_every_family_is_tested() -> None:
    assert sorted(CONFIGS) == shape_names()
    assert sorted({family for family, _ in FAMILIES}) == families()


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_card_is_the_model_of_its_configuration(name: str) -> None:
    shape, config = load_shape(name), config_of(CONFIGS[name])
    derived = shape_from_config(config)
    same_text = {"name": shape.name, "source": shape.source, "head_dim": derived.head_dim}
    assert shape.model_copy(update=same_text) == derived.model_copy(update=same_text)
    assert shape.head_size == derived.head_size
    assert_counts_agree(shape, config)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [  # Totals of the published checkpoints.
        ("llama-2-7b", 6_738_415_616),
        ("llama-2-13b", 13_015_864_320),
        ("llama-3.2-1b", 1_235_814_400),
        ("llama-3.1-8b", 8_030_261_248),
        ("llama-3.2-3b", 3_212_749_824),
        ("mistral-7b", 7_241_732_096),
        ("tinyllama-1.1b", 1_100_048_384),
        ("qwen2.5-0.5b", 494_032_768),
        ("smollm2-135m", 134_515_008),
        ("smollm2-360m", 361_821_120),
        ("smollm2-1.7b", 1_711_376_384),
        ("phi-3-mini-4k", 3_821_079_552),
        ("gemma-2-2b", 2_614_341_888),
        ("gemma-3-270m", 268_098_176),
    ],
)
def test_shapes_give_the_published_parameter_counts(name: str, parameters: int) -> None:
    assert load_shape(name).parameters == parameters


@pytest.mark.parametrize(("family", "fields"), FAMILIES)
def test_a_configuration_gives_the_librarys_parameter_count(family: str, fields: dict[str, Any]) -> None:
    config = config_of({"model_type": family, **fields})
    assert_counts_agree(shape_from_config(config), config)


def test_windows_follow_the_layer_types() -> None:
    qwen2 = TINY | {"model_type": "qwen2", "sliding_window": 8, "max_window_layers": 1}
    assert shape_from_config(config_of(qwen2)).sliding_window is None  # use_sliding_window is off
    windowed = shape_from_config(config_of(qwen2 | {"use_sliding_window": True}))
    assert [windowed.window_of(block) for block in range(3)] == [None, 8, 8]
    mistral = shape_from_config(config_of({"model_type": "mistral", **TINY, "sliding_window": 7}))
    assert [mistral.window_of(block) for block in range(3)] == [7, 7, 7]
    gemma2 = shape_from_config(config_of({"model_type": "gemma2", **TINY, "sliding_window": 9}))
    assert [gemma2.window_of(block) for block in range(3)] == [9, None, 9]


def test_a_window_counts_the_token_itself() -> None:
    """One block, window 7: the last token sees the sixth before it and not the seventh."""
    torch.manual_seed(3)
    config = config_of({"model_type": "mistral", **TINY, "num_hidden_layers": 1, "sliding_window": 7})
    model = AutoModelForCausalLM.from_config(config).eval()
    tokens = torch.arange(1, 21)[None]

    def last_logits(changed: int) -> torch.Tensor:
        changed_tokens = tokens.clone()
        changed_tokens[0, -1 - changed] = 100
        with torch.no_grad():
            return model(changed_tokens).logits[0, -1]

    with torch.no_grad():
        unchanged = model(tokens).logits[0, -1]
    assert torch.equal(last_logits(7), unchanged)
    assert not torch.equal(last_logits(6), unchanged)
    assert shape_from_config(config).window_of(0) == 7


def test_a_file_as_models_come_with_it_is_read(tmp_path: Path) -> None:
    """Fields for training, generation, rotary tables and code of the model's own are beside the point."""
    extra = {
        "architectures": ["LlamaForCausalLM"],
        "auto_map": {"AutoConfig": "configuration_own.OwnConfig"},
        "rope_theta": 500000.0,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        "torch_dtype": "bfloat16",
        "transformers_version": "4.45.0",
        "use_cache": True,
        "eos_token_id": [128001, 128008],
    }
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["llama-3.2-1b"] | extra))
    assert load_shape(tmp_path).parameters == load_shape("llama-3.2-1b").parameters


def test_a_file_or_a_folder_works_where_a_name_does(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    fields = {"model_type": "llama", **TINY}
    del fields["num_key_value_heads"]  # older files lack it: as many as heads
    (folder / "config.json").write_text(json.dumps(fields))
    shape = load_shape(str(folder))
    assert shape == load_shape(folder / "config.json")
    assert (shape.name, shape.num_kv_heads) == ("my-model", 4)


def test_of_a_multimodal_model_the_language_part_counts(tmp_path: Path) -> None:
    text = {"model_type": "gemma3_text", **WIDE_HEADS}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gemma3", "text_config": text}))
    expected = shape_from_config(config_of(text))
    assert load_shape(tmp_path).parameters == expected.parameters


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"model_type": "bloom"}', "model_type is 'bloom', valid for a shape: gemma, gemma2"),
        ('{"model_type": "no-such-family"}', "model_type 'no-such-family'"),
        ('{"hidden_size": 64}', "has no model_type"),
        ("[1, 2]", "has no model_type"),
        ("{", "can't be read"),
        ('{"model_type": "llama", "hidden_size": "wide"}', "is not valid: .*hidden_size"),
        ('{"model_type": "qwen3", "num_key_value_heads": 5}', "shape: num_heads must divide"),
        ('{"model_type": "opt", "word_embed_proj_dim": 512}', "word_embed_proj_dim is 512, valid .*: 768"),
        ('{"model_type": "stablelm", "qk_layernorm": true}', "qk_layernorm is True, valid .*: False"),
    ],
)
def test_what_is_not_supported_is_named_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CardError, match=message) as caught:
        load_shape(tmp_path)
    assert "\n" not in str(caught.value)


def test_something_else_than_a_configuration_is_refused() -> None:
    with pytest.raises(CardError, match="is a dict, valid: a path or a transformers configuration"):
        shape_from_config({"model_type": "llama"})


def test_a_folder_without_a_configuration_says_so(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"config\.json' can't be read"):
        load_shape(tmp_path)


def test_a_full_attention_block_needs_a_window_and_must_exist() -> None:
    fields = load_shape("stories15m").model_dump()
    with pytest.raises(ValueError, match="needs a sliding_window"):
        ModelShape.model_validate(fields | {"full_attention_blocks": [1]})
    with pytest.raises(ValueError, match=r"is \[6\], valid: increasing, 0\.\.5"):
        ModelShape.model_validate(fields | {"sliding_window": 9, "full_attention_blocks": [6]})
