"""The study against evaluations done one by one in the plainest way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from llm_split.codecs import get_codec
from llm_split.impairment import Impairment
from llm_split.models import QualityModel
from llm_split.partition import SplitModel
from llm_split.study import LEAST_WINDOWS, Cell, Condition, Study, Table
from llm_split.texts import prompt_windows
from tests.llm_split.conftest import tiny_llama
from tests.llm_split.test_weights import plain_copy

P, W = 9, 24
CONDITIONS = [
    Condition("int8"),
    Condition("fp16", "packet", 0.2),
    Condition("fp16", "packet", 0.2, impairment=Impairment("zero", "random", 4)),
    Condition("int4", "burst", 0.3, 3.0),
    Condition("fp16", "elementwise", 0.1),
    Condition("fp16", "first-token", 1.0),
]
CELLS = [Cell(split, condition) for split in (1, 3) for condition in CONDITIONS]


@pytest.fixture
def windows() -> torch.Tensor:
    return torch.randint(0, 131, (6, W), generator=torch.Generator().manual_seed(5))


def plainly(model: SplitModel, ids: torch.Tensor, cell: Cell, study: Study, index: int) -> list[float]:
    """[dNLL, NLL, KL, agreement] by two whole forwards of the library's model."""
    condition, F = cell.condition, len(study.fragment_bytes(cell.condition))
    luck = study.seed * 1_000_003 + index
    mask = condition.mask(P, W - P, F, luck, study.spare_first_token)

    def damage(_module: object, args: tuple[torch.Tensor, ...], kwargs: dict[str, object]) -> object:
        sent = args[0][0]
        decoded = get_codec(condition.codec).roundtrip(sent, mask.fragments)
        received = condition.received(decoded, mask, luck, study.spare_first_token)
        return (received[None], *args[1:]), kwargs

    with torch.inference_mode():
        p = model.model(ids[None, :-1]).logits[0, P - 1 :].double().log_softmax(-1)
        handle = model.blocks[cell.split].register_forward_pre_hook(damage, with_kwargs=True)
        q = model.model(ids[None, :-1]).logits[0, P - 1 :].double().log_softmax(-1)
        handle.remove()
    targets = ids[P:, None]
    nll, clean = (float(-x.gather(-1, targets).mean()) for x in (q, p))
    kl = float((p.exp() * (p - q)).sum(-1).mean())
    return [nll - clean, nll, kl, float((p.argmax(-1) == q.argmax(-1)).double().mean())]


@pytest.mark.parametrize("batch", [1, 4])
def test_every_cell_equals_the_plain_computation(tiny: SplitModel, windows: torch.Tensor, batch: int) -> None:
    study = Study(tiny, windows, P, CELLS, payload_bytes=40, batch=batch)
    assert study.fragment_bytes(Condition("fp16")) == [32, 32, 32]  # 48 channels of 2 bytes
    found = study.evaluate(2, CELLS)
    for cell in CELLS:
        assert found[cell][:4] == pytest.approx(plainly(tiny, windows[2], cell, study, 2), abs=2e-5), cell
    assert max(abs(m[0]) for m in found.values()) > 0.05  # the damage is there to be seen


def test_nothing_lost_is_the_plain_model(tiny: SplitModel, windows: torch.Tensor) -> None:
    """fp16 rounds the wire's values to 1 part in 2048."""
    cell = Cell(2, Condition("fp16"))
    for index, table in Study(tiny, windows, P, [cell]).run():
        delta, _nll, kl, agreement, lost = table.rows[cell][index]
        assert abs(delta) < 1e-3
        assert 0 <= kl < 1e-4
        assert (agreement, lost) == (1, 0)
    with torch.inference_mode():
        loss = torch.nn.functional.cross_entropy(
            tiny.model(windows).logits[:, P - 1 : -1].flatten(0, 1), windows[:, P:].flatten()
        )
    assert table.perplexity(cell).mean == pytest.approx(math.exp(loss), rel=1e-3)


def test_deployed_width_decides_the_fragments(tiny: SplitModel, windows: torch.Tensor) -> None:
    """A Llama-2-7B token in fp16 is six packets; a sixth of the channels is lost with each."""
    study = Study(tiny, windows, P, CELLS[:1], deployed_hidden_size=4096)
    assert study.fragment_bytes(Condition("fp16")) == [1364, 1366, 1366, 1364, 1366, 1366]


def test_cells_that_are_known_are_left_alone(tiny: SplitModel, windows: torch.Tensor) -> None:
    cells = [Cell(1, Condition("int8")), Cell(1, Condition("fp16", "packet", 0.3))]
    *_, (last, table) = Study(tiny, windows, P, cells).run(stderr=0.005)
    easy, hard = (table.estimate(cell) for cell in cells)
    assert easy.windows == LEAST_WINDOWS
    assert easy.stderr <= 0.005
    assert hard.windows == 6 == last + 1
    assert hard.stderr > 0.005


def test_windows_in_which_nothing_was_lost_say_nothing(tiny: SplitModel, windows: torch.Tensor) -> None:
    """A burst is rare: most windows have none, all alike, and their spread of 0 must not end the search."""
    cell = Cell(1, Condition("fp16", "burst", 0.01, 3.0))
    *_, (_, table) = Study(tiny, windows, P, [cell], seed=4).run(stderr=0.01)
    lost = table.values(cell, "lost")
    assert len(lost) == len(windows)
    assert (lost[:LEAST_WINDOWS] == 0).all()
    assert table.telling_windows(cell) < LEAST_WINDOWS


def test_lost_is_the_share_of_the_mask(tiny: SplitModel, windows: torch.Tensor) -> None:
    conditions = [Condition("fp16", "packet", 0.5), Condition("fp16", "first-token", 1.0), Condition("int8")]
    conditions.append(Condition("fp16", "elementwise", 0.25))
    study = Study(tiny, windows, P, [Cell(1, c) for c in conditions])
    lost = [measures[-1] for measures in study.evaluate(0, study.cells).values()]
    mask = conditions[0].mask(P, W - P, 1, 0, True)
    assert lost == pytest.approx([1 - mask.delivered.mean(), 1 / (W - 1), 0, 0.25])


@pytest.mark.parametrize("kind", ["none", "block", "random"])
def test_the_first_token_is_spared_and_lost_whole_also_when_interleaved(kind: str) -> None:
    how = Impairment(interleaving=kind)  # type: ignore[arg-type]
    lossy = Condition("fp16", "packet", 0.5, impairment=how)
    spared, exposed = (lossy.mask(P, W - P, 3, 1, spare=spare).delivered for spare in (True, False))
    assert spared[0].all()
    assert not exposed[0].all()
    assert np.array_equal(spared[1:], exposed[1:])
    first = Condition("fp16", "first-token", 1.0, impairment=how).mask(P, W - P, 3, 1, spare=True).delivered
    assert not first[0].any()
    assert first[1:].all()


def test_statistics_against_their_definitions() -> None:
    a, b = Cell(1, Condition("int8")), Cell(2, Condition("int8"))
    table = Table((a, b))
    for x, y in ((0.1, 0.3), (0.2, 0.4), (0.6, 0.9)):
        table.add(a, np.array([x, x + 1, 0, 1, 0]))
        table.add(b, np.array([y, y + 1, 0, 1, 0]))
    table.add(b, np.array([9.0, 9.0, 0, 1, 0]))  # a fourth window that only b has
    assert table.estimate(a) == pytest.approx((0.3, math.sqrt(0.07 / 3), 3))  # variance (4 + 1 + 9) / 200
    assert table.difference(b, a) == pytest.approx((0.7 / 3, math.sqrt(0.01 / 9), 3), rel=1e-6)
    ppl = table.perplexity(a)
    assert ppl == pytest.approx((math.exp(1.3), math.exp(1.3) * math.sqrt(0.07 / 3), 3))
    assert math.isnan(Table((a,)).estimate(a).mean)


def test_common_luck_makes_differences_precise(tiny: SplitModel, windows: torch.Tensor) -> None:
    """Neighbouring loss rates differ by fewer packets than either loses."""
    low, high = (Cell(1, Condition("fp16", "packet", p)) for p in (0.30, 0.35))
    *_, (_, table) = Study(tiny, windows, P, [low, high]).run()
    apart = math.hypot(table.estimate(low).stderr, table.estimate(high).stderr)
    assert table.difference(high, low).stderr < 0.8 * apart


def test_errors_say_what_is_valid(tiny: SplitModel, windows: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="codec is 'zip', valid"):
        Condition("zip")
    with pytest.raises(ValueError, match="channel is 'air', valid: none, packet"):
        Condition("fp16", "air", 0.1)
    with pytest.raises(ValueError, match=r"loss is 0\.0, valid for channel 'packet': > 0"):
        Condition("fp16", "packet")
    with pytest.raises(ValueError, match=r"loss is 2, valid: 0\.\.1"):
        Condition("fp16", "packet", 2)
    with pytest.raises(ValueError, match=r"split is 5, valid: 1\.\.4"):
        Study(tiny, windows, P, [Cell(5, Condition())])
    with pytest.raises(ValueError, match=r"prompt_tokens is 24, valid: 1\.\.23"):
        Study(tiny, windows, W, CELLS)
    with pytest.raises(ValueError, match=r"valid: int64 \[n, W\]"):
        Study(tiny, windows.float(), P, CELLS)
    with pytest.raises(ValueError, match="least_windows is 1, valid: >= 2"):
        next(Study(tiny, windows, P, CELLS).run(0.1, 1))


def test_weights_that_overflow_are_told(windows: torch.Tensor) -> None:
    model = tiny_llama()
    broken = SplitModel(model)
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight[3] = torch.nan
    with pytest.raises(ValueError, match=r"hidden states.*: .* NaN or infinite"):
        Study(broken, windows, P, CELLS[:1]).evaluate(0, CELLS[:1])


@pytest.mark.model
def test_real_model_equals_transformers_when_nothing_is_lost(real: QualityModel) -> None:
    """Windows of 96 tokens, stride 96, the last 64 scored: perplexity as one would compute it without us."""
    ids = prompt_windows(real.tokenizer, 2, 96, seed=1, part="train")
    cell = Cell(29, Condition("fp16"))
    *_, (_, table) = Study(SplitModel(real.model), ids, 32, [cell]).run()
    labels = ids.clone()
    labels[:, :32] = -100
    with torch.inference_mode():
        losses = [
            real.model(row[None], labels=label[None]).loss for row, label in zip(ids, labels, strict=True)
        ]
    assert table.estimate(cell, "nll").mean == pytest.approx(float(torch.stack(losses).mean()), abs=2e-3)


@pytest.mark.parametrize(("ue", "edge"), [(4, 16), (8, 4), (16, 8)])
def test_quantised_halves_equal_plainly_quantised_models(
    tiny: SplitModel, windows: torch.Tensor, ue: int, edge: int
) -> None:
    """The UE's blocks from one plainly quantised model, the edge's from another; lost packets in between."""
    cells = [Cell(split, Condition("int8", "packet", 0.2)) for split in (1, 3)]
    study = Study(tiny, windows, P, cells, payload_bytes=30, ue_bits=ue, edge_bits=edge)
    found = study.evaluate(2, cells)
    phone, server = (tiny if bits == 16 else SplitModel(plain_copy(tiny.model, bits)) for bits in (ue, edge))
    ids, targets = windows[2], windows[2][P:, None]
    with torch.inference_mode():
        p = tiny.model(ids[None, :-1]).logits[0, P - 1 :].double().log_softmax(-1)
    for cell in cells:
        sent = phone.hidden_states(ids[None, :-1], [cell.split])[cell.split][0]
        mask = cell.condition.mask(P, W - P, len(study.fragment_bytes(cell.condition)), 2, spare=True)
        received = cell.condition.received(get_codec("int8").roundtrip(sent, mask.fragments), mask, 2, True)
        q = server.edge_logits(received[None], cell.split)[0, P - 1 :].double().log_softmax(-1)
        delta = float((p - q).gather(-1, targets).mean())
        assert found[cell][0] == pytest.approx(delta, abs=2e-5)
        plain = Study(tiny, windows, P, cells, payload_bytes=30).evaluate(2, [cell])[cell]
        assert abs(found[cell][0] - plain[0]) > 1e-3
