"""A half loaded alone computes what it computes in the whole model, and holds no more than its weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from llm_split.load_half import load_half
from llm_split.models import QualityModel
from llm_split.partition import CannotSplitError, EdgeHalf, SplitModel, UeHalf
from llm_split.texts import prompt_windows
from tests.llm_split.families import EXPERTS, FAMILIES, L, V, tiny

SPLIT = 3


@pytest.fixture
def ids() -> torch.Tensor:
    return torch.randint(3, V, (1, 12), generator=torch.Generator().manual_seed(3))


def saved(family: str, folder: Path) -> SplitModel:
    model = tiny(family)
    model.save_pretrained(folder)
    return SplitModel(model)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_halves_alone_equal_the_whole(family: str, tmp_path: Path, ids: torch.Tensor) -> None:
    whole = saved(family, tmp_path)
    with torch.inference_mode():
        expected = whole.model(ids).logits
    ue, edge = (load_half(str(tmp_path), role, SPLIT) for role in ("ue", "edge"))
    assert isinstance(ue.half, UeHalf)
    assert isinstance(edge.half, EdgeHalf)
    parts = [edge.half.forward(ue.half.forward(part)) for part in ids.split((8, 1, 3), dim=1)]
    assert (torch.cat(parts, dim=1) - expected).abs().max() <= 1e-5
    alone = ue.half.owner.hidden_states(ids, [SPLIT])[SPLIT]
    assert torch.equal(alone, whole.hidden_states(ids, [SPLIT])[SPLIT])


def block_bytes(whole: SplitModel, blocks: range) -> int:
    return sum(p.nbytes for i in blocks for p in whole.blocks[i].parameters())


@pytest.mark.parametrize("tied", [False, True])
def test_weights_are_counted_to_the_byte(tied: bool, tmp_path: Path) -> None:
    model = tiny("llama", tie_word_embeddings=tied)
    model.save_pretrained(tmp_path)
    whole = SplitModel(model)
    table = model.get_input_embeddings().weight.nbytes  # the edge's head is as large, or is the table
    norm = model.model.norm.weight.nbytes
    for split in (1, 2, 3):
        ue = load_half(str(tmp_path), "ue", split)
        edge = load_half(str(tmp_path), "edge", split)
        assert ue.weight_bytes == table + norm + block_bytes(whole, range(split))
        assert edge.weight_bytes == table + norm + block_bytes(whole, range(split, L))
    half = load_half(str(tmp_path), "ue", 2, dtype=torch.bfloat16)
    assert half.weight_bytes * 2 == load_half(str(tmp_path), "ue", 2).weight_bytes
    assert (
        sum(p.is_meta for p in half.half.owner.model.parameters()) >= 2 * 9
    )  # q, k, v, o, 3 of MLP, 2 norms


def test_a_routers_bias_comes_along(tmp_path: Path, ids: torch.Tensor) -> None:
    """It is a buffer, not a parameter, and decides which experts are asked."""
    model = tiny(
        "glm4_moe",
        **{**EXPERTS, "n_routed_experts": 4, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1},
    )
    biases = [b for name, b in model.named_buffers() if name.endswith("e_score_correction_bias")]
    assert biases
    for bias in biases:
        bias.copy_(torch.tensor([5.0, 0.0, -5.0, 1.0]))
    model.save_pretrained(tmp_path)
    with torch.inference_mode():
        expected = model(ids).logits
    ue, edge = (load_half(str(tmp_path), role, 2) for role in ("ue", "edge"))
    assert (edge.half.forward(ue.half.forward(ids)) - expected).abs().max() <= 1e-5


def test_files_in_pieces(tmp_path: Path, ids: torch.Tensor) -> None:
    model = tiny("llama")
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    half = load_half(str(tmp_path), "ue", 2).half
    assert torch.equal(half.forward(ids), SplitModel(model).ue_half(2).forward(ids))


def test_errors_say_what_is_valid(tmp_path: Path) -> None:
    saved("llama", tmp_path)
    with pytest.raises(ValueError, match=r"split is 4, valid for the edge: 1\.\.3"):
        load_half(str(tmp_path), "edge", 4)
    with pytest.raises(ValueError, match=r"split is 0, valid for the ue: 1\.\.4"):
        load_half(str(tmp_path), "ue", 0)
    with pytest.raises(ValueError, match="role is 'phone', valid: 'ue', 'edge'"):
        load_half(str(tmp_path), "phone", 1)  # type: ignore[arg-type]
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "intermediate_size": 50}))
    with pytest.raises(CannotSplitError, match=r"mlp\..* has shape .* in the files, valid: .*50"):
        load_half(str(tmp_path), "ue", 1)
    with pytest.raises(CannotSplitError, match="'owner/model' is no local folder with safetensors"):
        load_half("owner/model", "ue", 1)
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    with pytest.raises(CannotSplitError, match=r"lacks 9 tensors, the first is model\.layers\.4"):
        load_half(str(tmp_path), "edge", 1)
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": -1}))
    with pytest.raises(CannotSplitError, match="num_hidden_layers = -1; valid: 1 or more"):
        load_half(str(tmp_path), "ue", 1)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CannotSplitError, match=r"has neither model\.safetensors nor"):
        load_half(str(tmp_path), "edge", 1)


@pytest.mark.model
def test_real_halves(real: QualityModel) -> None:
    ids = prompt_windows(real.tokenizer, 1, 24, seed=4, part="train")
    with torch.inference_mode():
        expected = real.model(ids).logits
    ue, edge = load_half(real.name, "ue", 10), load_half(real.name, "edge", 10)
    assert torch.equal(edge.half.forward(ue.half.forward(ids)), expected)
    # 30 blocks of 3,540,096 weights, the table of 49152 x 576, and a norm of 576, in float32.
    assert ue.weight_bytes == 4 * (10 * 3_540_096 + 49152 * 576 + 576)
    assert edge.weight_bytes == 4 * (20 * 3_540_096 + 49152 * 576 + 576)
