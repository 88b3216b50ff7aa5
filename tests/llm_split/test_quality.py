"""The evaluator against token-by-token decoding with a damaged cache, and its promises on reuse and bits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from llm_split.codecs import get_codec
from llm_split.impairment import CONCEALMENTS, DeliveryMask, Impairment, apply
from llm_split.models import QualityModel
from llm_split.partition import SplitModel
from llm_split.quality import QualityEvaluator, chance_note, proxy_split
from llm_split.texts import prompt_windows

P, N, F = 12, 9, 3
T = P + N - 1
CLIP = 5.0


@pytest.fixture(scope="module")
def prompts() -> torch.Tensor:
    return torch.randint(0, 131, (3, 30), generator=torch.Generator().manual_seed(5))


def evaluator(model: SplitModel, prompts: torch.Tensor, **kwargs: object) -> QualityEvaluator:
    return QualityEvaluator(model, prompts, range(1, 5), delta_nll_clip=CLIP, **kwargs)  # type: ignore[arg-type]


def damaged_mask(seed: int = 0, generated: int = N, fragments: int = F) -> DeliveryMask:
    delivered = np.random.default_rng(seed).random((T, fragments)) >= 0.3
    delivered[4, 0] = delivered[P + 1, -1] = False  # one surely in the prefill, one surely in a decode step
    return DeliveryMask(delivered, P, N, generated)


def decoded_step_by_step(
    model: SplitModel, ids: torch.Tensor, split: int, codec_name: str, mask: DeliveryMask, concealment: str
) -> torch.Tensor:
    """NLL of each generated token, as the system would produce them: the UE and the edge keep a KV cache
    each, the edge sees one step at a time, and conceals from what it has received so far."""
    codec, ue, edge = get_codec(codec_name), model.ue_half(split), model.edge_half(split)
    received = torch.empty(0, model.hidden_size)
    nll: list[float] = []
    for step in range(mask.generated_tokens):
        start, end = (0, P) if step == 0 else (P + step - 1, P + step)
        sent = codec.roundtrip(ue.forward(ids[None, start:end])[0], mask.fragments)
        received = torch.cat([received, sent])
        usable = apply(received, mask, concealment)[start:end]
        logits = edge.forward(usable[None])[0, -1]
        nll.append(-float(logits.double().log_softmax(-1)[ids[end]]))
    return torch.tensor(nll, dtype=torch.float64)


def plain_nll(model: SplitModel, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        logits = model.model(ids[None]).logits[0, :-1].double()
    return -logits.log_softmax(-1).gather(-1, ids[1:, None])[:, 0]


@pytest.mark.parametrize("concealment", CONCEALMENTS)
@pytest.mark.parametrize("codec", ["fp16", "int8"])
@pytest.mark.parametrize("split", [1, 3])
@pytest.mark.parametrize("generated", [N, 4, 1])
def test_one_pass_equals_decoding_with_the_damaged_cache(
    tiny: SplitModel, prompts: torch.Tensor, concealment: str, codec: str, split: int, generated: int
) -> None:
    mask = damaged_mask(generated=generated)
    result = evaluator(tiny, prompts, impairment=Impairment(concealment)).evaluate(1, split, codec, mask)
    stepwise = decoded_step_by_step(tiny, prompts[1], split, codec, mask, concealment)
    reference = plain_nll(tiny, prompts[1])[P - 1 : P - 1 + N]
    excess = float((stepwise - reference[:generated]).sum())
    assert abs(excess) > 5e-3  # the damage is there to be seen
    assert result.delta_nll == pytest.approx((excess + CLIP * (N - generated)) / N, abs=2e-5)
    assert result.ppl == pytest.approx(float(stepwise.mean().exp()), rel=1e-4)
    assert result.tokens_scored == generated
    assert not result.reused_exact


def test_reference_is_the_plain_model(tiny: SplitModel, prompts: torch.Tensor) -> None:
    nll = evaluator(tiny, prompts).reference_nll(2)
    assert torch.allclose(nll, plain_nll(tiny, prompts[2]), atol=1e-5)


def test_kl_and_agreement_against_their_definitions(tiny: SplitModel, prompts: torch.Tensor) -> None:
    mask = damaged_mask()
    result = evaluator(tiny, prompts, impairment=Impairment("zero")).evaluate(0, 2, "fp16", mask)
    sent = get_codec("fp16").roundtrip(tiny.hidden_states(prompts[:1, :T], [2])[2][0], F)
    with torch.inference_mode():
        q = tiny.edge_logits(apply(sent, mask, "zero")[None], 2)[0, P - 1 :].double()
        p = tiny.model(prompts[:1, :T]).logits[0, P - 1 :].double()
    kl = (p.softmax(-1) * (p.log_softmax(-1) - q.log_softmax(-1))).sum(-1).mean()
    assert result.kl == pytest.approx(float(kl), rel=1e-3)
    agreement = (p.argmax(-1) == q.argmax(-1)).double().mean()
    assert result.top1_agreement == pytest.approx(float(agreement))
    assert 0 < result.top1_agreement < 1


def test_all_local_loses_nothing_and_buys_nothing(tiny: SplitModel, prompts: torch.Tensor) -> None:
    subject = evaluator(tiny, prompts)
    result = subject.evaluate(0, 4, "fp16", DeliveryMask.perfect(P, N, 0))
    assert (result.delta_nll, result.kl, result.top1_agreement) == (0.0, 0.0, 1.0)
    assert result.ppl == pytest.approx(result.reference_ppl)
    assert result.reused_exact
    assert subject.evaluations == 0
    cut = DeliveryMask(np.ones((T, 0), dtype=np.bool_), P, N, N - 2)
    assert subject.evaluate(0, 4, "fp16", cut).delta_nll == pytest.approx(2 * CLIP / N)


def test_nothing_generated_costs_the_clip(tiny: SplitModel, prompts: torch.Tensor) -> None:
    subject = evaluator(tiny, prompts)
    result = subject.evaluate(0, 2, "fp16", damaged_mask(generated=0))
    assert result.delta_nll == CLIP
    assert result.perplexity_ratio == pytest.approx(math.exp(CLIP))
    assert result.tokens_scored == 0
    assert all(math.isnan(x) for x in (result.kl, result.top1_agreement, result.ppl))
    assert subject.evaluations == 0


def test_complete_masks_share_one_pass(tiny: SplitModel, prompts: torch.Tensor) -> None:
    subject = evaluator(tiny, prompts)
    first = subject.evaluate(0, 2, "int8", DeliveryMask.perfect(P, N, F))
    assert subject.evaluations == 1
    assert not first.reused_exact
    assert 0 < abs(first.delta_nll) < 0.2  # int8 is not free, but nearly
    again = subject.evaluate(0, 2, "int8", DeliveryMask.perfect(P - 5, N + 3, F))
    assert again.reused_exact
    assert subject.evaluations == 1
    fresh = evaluator(tiny, prompts).evaluate(0, 2, "int8", DeliveryMask.perfect(P - 5, N + 3, F))
    assert fresh.delta_nll == again.delta_nll
    late = np.ones((T, F), dtype=np.bool_)
    late[P + 3] = False  # after the cut: belongs to no generated token
    assert subject.evaluate(0, 2, "int8", DeliveryMask(late, P, N, 3)).reused_exact
    for other in ((0, 3, "int8", F), (0, 2, "fp16", F), (1, 2, "int8", F), (0, 2, "int8", F + 1)):
        before = subject.evaluations
        subject.evaluate(*other[:3], DeliveryMask.perfect(P, N, other[3]))
        assert subject.evaluations == before + 1, other


def test_same_call_same_bits_whatever_came_before(tiny: SplitModel, prompts: torch.Tensor) -> None:
    mask = damaged_mask(3)
    first = evaluator(tiny, prompts).evaluate(0, 2, "fp16", mask)
    subject = evaluator(tiny, prompts, max_cached_windows=1)
    for index, split in ((1, 3), (2, 1), (0, 1), (1, 2)):
        subject.evaluate(index, split, "int8", damaged_mask(index))
    assert subject.evaluate(0, 2, "fp16", mask) == first
    assert subject.cache_passes == 5  # windows 1, 2, 0, 1, 0: only one is kept


def test_windows_are_computed_lazily_and_once(tiny: SplitModel, prompts: torch.Tensor) -> None:
    subject = evaluator(tiny, prompts)
    assert subject.cache_passes == 0
    for split in (1, 2, 3):
        subject.evaluate(0, split, "fp16", damaged_mask())
    assert subject.cache_passes == 1


def test_errors_say_what_is_valid(tiny: SplitModel, prompts: torch.Tensor) -> None:
    subject = QualityEvaluator(tiny, prompts, [1, 3])
    with pytest.raises(ValueError, match="split is 2, valid: 1, 3, 4"):
        subject.evaluate(0, 2, "fp16", damaged_mask())
    with pytest.raises(ValueError, match=r"prompt_index is 3, valid: 0\.\.2"):
        subject.evaluate(3, 1, "fp16", damaged_mask())
    with pytest.raises(ValueError, match="is 31, the windows have 30 tokens"):
        subject.evaluate(0, 1, "fp16", DeliveryMask.perfect(20, 11, 1))
    with pytest.raises(ValueError, match="codec is 'jpeg'"):
        subject.evaluate(0, 1, "jpeg", damaged_mask())
    with pytest.raises(ValueError, match="no fragments"):
        subject.evaluate(0, 1, "fp16", DeliveryMask.perfect(P, N, 0))
    with pytest.raises(ValueError, match=r"valid: int64 \[n, >= 2\]"):
        QualityEvaluator(tiny, prompts.float(), [1])
    with pytest.raises(ValueError, match="delta_nll_clip is nan"):
        QualityEvaluator(tiny, prompts, [1], delta_nll_clip=math.nan)


def test_proxy_split_keeps_relative_depth() -> None:
    assert [proxy_split(s, 32, 30) for s in (1, 2, 16, 31, 32)] == [1, 2, 15, 29, 30]
    assert [proxy_split(s, 8, 30) for s in range(1, 9)] == [4, 8, 11, 15, 19, 22, 26, 30]
    assert proxy_split(1, 100, 4) == 1
    assert proxy_split(99, 100, 4) == 3
    with pytest.raises(ValueError, match=r"valid: 1\.\.32"):
        proxy_split(0, 32, 30)


@pytest.mark.model
def test_real_model_is_cut_exactly(real: QualityModel) -> None:
    model = SplitModel(real.model)
    assert (model.num_layers, model.hidden_size) == (real.num_layers, real.hidden_size) == (30, 576)
    ids = prompt_windows(real.tokenizer, 1, 40, seed=1, part="train")
    with torch.inference_mode():
        expected = real.model(ids).logits
    hidden = model.hidden_states(ids, [1, 15, 30])
    for split, states in hidden.items():
        assert torch.equal(model.edge_logits(states, split), expected), split
    ue, edge = model.ue_half(15), model.edge_half(15)
    parts = [edge.forward(ue.forward(part)) for part in ids.split([36, 1, 1, 1, 1], dim=1)]
    # Logits of the real model reach 30, those of the tiny ones 3: the tolerance is relative to that.
    assert (torch.cat(parts, 1) - expected).abs().max() <= 1e-5 * float(expected.abs().max())


@pytest.mark.model
def test_real_model_in_one_pass_and_step_by_step(real: QualityModel) -> None:
    model = SplitModel(real.model)
    windows = prompt_windows(real.tokenizer, 1, P + N, seed=2, part="train")
    mask = damaged_mask(generated=5, fragments=6)
    result = QualityEvaluator(model, windows, [12]).evaluate(0, 12, "int8", mask)
    stepwise = decoded_step_by_step(model, windows[0], 12, "int8", mask, "running-mean")
    assert result.ppl == pytest.approx(float(stepwise.mean().exp()), rel=1e-3)


@pytest.mark.model
def test_real_model_reads_english_and_suffers_from_loss(real: QualityModel) -> None:
    windows = prompt_windows(real.tokenizer, 2, 96, seed=0, part="train")
    subject = QualityEvaluator(SplitModel(real.model), windows, [5])
    lossy = np.random.default_rng(0).random((95, 1)) >= 0.3
    results = [subject.evaluate(i, 5, "fp16", DeliveryMask(lossy, 64, 32, 32)) for i in range(2)]
    # Single windows of WikiText-2 have 3 to 215; a model that reads nothing has the vocabulary's 49,152.
    assert all(2 < r.reference_ppl < 400 for r in results)
    assert np.mean([r.delta_nll for r in results]) > 0.3
    clean = subject.evaluate(0, 5, "fp16", DeliveryMask.perfect(64, 32, 1))
    assert abs(clean.delta_nll) < 0.01  # fp16 on the wire costs nothing


def test_a_model_at_chance_gets_a_warning(tiny: SplitModel, prompts: torch.Tensor) -> None:
    """Random weights predict random tokens no better than a uniform guess, whose NLL is ln V."""
    nll = float(evaluator(tiny, prompts).reference_nll(0).mean())
    assert nll > math.log(131) - 1
    note = chance_note("tiny", nll, 131)
    assert note.startswith(f"tiny has a perplexity of {math.exp(nll):.4g} on its text, and a uniform guess ")
    assert "untrained" in note
    assert chance_note("good", math.log(20), 49152) == ""
    assert "perplexity of 4.915e+04" in chance_note("uniform", math.log(49152), 49152)
    assert "untrained" in chance_note("broken", math.nan, 49152)


@pytest.mark.model
def test_a_trained_model_gets_no_warning(real: QualityModel) -> None:
    windows = prompt_windows(real.tokenizer, 2, 64, 0, "train")
    scored = QualityEvaluator(SplitModel(real.model), windows, [15])
    assert chance_note("smollm2", float(scored.reference_nll(0).mean()), real.model.config.vocab_size) == ""
