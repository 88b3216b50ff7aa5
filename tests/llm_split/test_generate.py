"""Two halves must say what the whole model says, token for token."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from llm_split.generate import generate
from llm_split.models import QualityModel
from llm_split.partition import SplitModel
from llm_split.texts import prompt_windows
from tests.llm_split.families import FAMILIES, L, V, tiny

GREEDY: dict[str, Any] = {"do_sample": False}
SAMPLED: dict[str, Any] = {"do_sample": True, "temperature": 0.8, "top_k": 20, "top_p": 0.95}
NEW = 12


@pytest.fixture
def ids() -> torch.Tensor:
    """Two prompts of 12, the second padded on the left by 4."""
    ids = torch.randint(3, V, (2, 12), generator=torch.Generator().manual_seed(3))
    ids[1, :4] = 0
    return ids


def unsplit(cut: SplitModel, ids: torch.Tensor, mask: torch.Tensor, **options: Any) -> torch.Tensor:
    torch.manual_seed(5)
    return cut.model.generate(ids, attention_mask=mask, **options)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_tokens_of_every_split_equal_the_unsplit_ones(family: str, ids: torch.Tensor) -> None:
    cut, mask = SplitModel(tiny(family)), (ids > 0).long()
    for kind, splits in ((GREEDY, range(1, L + 1)), (SAMPLED, (2,))):
        options = {**kind, "max_new_tokens": NEW, "eos_token_id": None, "pad_token_id": 0}
        expected = unsplit(cut, ids, mask, **options)
        assert expected.shape == (2, 12 + NEW)
        for split in splits:
            assert torch.equal(generate(cut, ids, split, mask, seed=5, **options), expected), split


def test_an_end_of_text_ends_both_alike(ids: torch.Tensor) -> None:
    cut, mask = SplitModel(tiny("llama")), (ids > 0).long()
    first = unsplit(cut, ids, mask, max_new_tokens=NEW, do_sample=False, eos_token_id=None)
    options = {
        "max_new_tokens": NEW,
        "do_sample": False,
        "eos_token_id": int(first[0, 15]),
        "pad_token_id": 0,
    }
    expected = unsplit(cut, ids, mask, **options)
    assert (expected[0, 16:] == 0).all()  # row 0 ended at its fourth token
    assert torch.equal(generate(cut, ids, 2, mask, **options), expected)


def test_what_the_link_does_is_heard(ids: torch.Tensor) -> None:
    cut, mask = SplitModel(tiny("llama")), (ids > 0).long()
    steps: list[int] = []

    def deaf(hidden: torch.Tensor) -> torch.Tensor:
        steps.append(hidden.shape[1])
        return torch.zeros_like(hidden) if len(steps) > 3 else hidden

    options = {"max_new_tokens": NEW, "do_sample": False, "eos_token_id": None}
    clean, damaged = generate(cut, ids, 2, mask, **options), generate(cut, ids, 2, mask, deaf, **options)
    assert steps == [12] + [1] * (NEW - 1)
    assert torch.equal(clean[:, :15], damaged[:, :15])  # the first three steps arrived
    assert not torch.equal(clean, damaged)


def test_seed_decides_and_global_randomness_is_left_alone(ids: torch.Tensor) -> None:
    cut = SplitModel(tiny("llama"))
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    draws = [generate(cut, ids[:1], 2, seed=s, max_new_tokens=NEW, **SAMPLED) for s in (1, 1, 2)]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_model_is_left_as_it_was_also_after_an_error(ids: torch.Tensor) -> None:
    cut = SplitModel(tiny("llama"))

    def broken(hidden: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no link")

    with pytest.raises(RuntimeError, match="no link"):
        generate(cut, ids, 2, link=broken, max_new_tokens=2)
    assert "forward" not in vars(cut.model)
    with pytest.raises(ValueError, match="num_beams is 2, valid for two halves: 1"):
        generate(cut, ids, 2, num_beams=2)
    config = GenerationConfig(num_beams=3)
    for options, message in (
        ({"generation_config": config}, "num_beams is 3, valid for two halves: 1"),
        ({"use_cache": False}, "use_cache is False, valid for two halves: True"),
        (
            {"cache_implementation": "static"},
            "cache_implementation is 'static', valid .*: dynamic",
        ),
        ({"guidance_scale": 1.5}, "guidance_scale is 1.5"),
        ({"prefill_chunk_size": 4}, "prefill_chunk_size is 4, valid for two halves: not set"),
        ({"past_key_values": cut.new_cache()}, "past_key_values is .*, valid for two halves: not set"),
    ):
        with pytest.raises(ValueError, match=message):
            generate(cut, ids, 2, **options)
    own = cut.model.forward
    cut.model.forward = own  # as a library does that puts hooks on an instance
    generate(cut, ids, 2, max_new_tokens=1)
    assert vars(cut.model)["forward"] is own
    del cut.model.forward
    with pytest.raises(ValueError, match=r"split is 5, valid: 1\.\.4"):
        generate(cut, ids, 5)


@pytest.mark.model
def test_real_model_says_the_same(real: QualityModel) -> None:
    cut, ids = SplitModel(real.model), prompt_windows(real.tokenizer, 1, 24, seed=4, part="train")
    options = {"max_new_tokens": 16, "do_sample": False, "pad_token_id": 0}
    expected = unsplit(cut, ids, torch.ones_like(ids), **options)
    for split in (1, 15, 30):
        assert torch.equal(generate(cut, ids, split, **options), expected), split
