"""Loss-free quality: what it is the mean of, and the file that keeps it."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from llm_split.clean import FOLDER, WINDOWS, CleanSource
from llm_split.codecs import get_codec
from llm_split.packages import locked
from llm_split.partition import SplitModel
from llm_split.quality import QualityEvaluator
from tests.llm_split.test_quality import plain_nll
from tests.llm_split.test_weights import plain_copy

P, F = 6, 2
PROMPTS = torch.randint(0, 131, (3, 20), generator=torch.Generator().manual_seed(8))


def source(
    model: SplitModel,
    cache: Path,
    *,
    ue: int = 4,
    edge: int = 16,
    codec: str = "int8",
    prompts: torch.Tensor = PROMPTS,
) -> CleanSource:
    evaluator = QualityEvaluator(model, prompts, range(1, 5), ue_bits=ue, edge_bits=edge)
    return CleanSource(evaluator, codec, F, P, cache)


def files(cache: Path) -> list[Path]:
    return sorted((cache / FOLDER).glob("*.json"))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("split", [1, 3, 4])
def test_it_is_the_mean_over_plainly_quantised_models(
    tiny: SplitModel, tmp_path: Path, bits: int, split: int
) -> None:
    """The UE's blocks from one plainly quantised model, the edge's from another."""
    ue, edge = SplitModel(plain_copy(tiny.model, bits)), SplitModel(plain_copy(tiny.model, 12 - bits))
    expected = []
    for ids in PROMPTS:
        hidden = ue.hidden_states(ids[None, :-1], [split])[split][0]
        if split < 4:
            hidden = get_codec("int8").roundtrip(hidden, F)
        logits = edge.edge_logits(hidden[None], split)[0].double()
        nll = -logits.log_softmax(-1).gather(-1, ids[1:, None])[:, 0]
        expected.append(float((nll - plain_nll(tiny, ids))[P - 1 :].mean()))
    found = source(tiny, tmp_path, ue=bits, edge=12 - bits).get([split])[split]
    assert found.delta_nll == pytest.approx(np.mean(expected), abs=2e-5)
    assert abs(found.delta_nll) > 1e-3
    assert found.stderr == pytest.approx(np.std(expected, ddof=1) / np.sqrt(3), rel=1e-2)
    assert found.windows == 3
    assert found.kl > 0
    assert 0 < found.top1_agreement < 1


def test_what_is_on_disk_is_not_measured_again(tiny: SplitModel, tmp_path: Path) -> None:
    first = source(tiny, tmp_path)
    measured = first.get([2])[2]
    second, steps = source(tiny, tmp_path), []
    assert second.get([2], lambda: steps.append(1)) == {2: measured}
    assert second.evaluator.evaluations == second.evaluator.cache_passes == 0
    assert not steps
    assert [file.name for file in tmp_path.rglob("*.partial")] == []


def test_everything_that_it_depends_on_has_a_file_of_its_own(tiny: SplitModel, tmp_path: Path) -> None:
    others = [
        source(tiny, tmp_path),
        source(tiny, tmp_path, ue=8),
        source(tiny, tmp_path, edge=4),
        source(tiny, tmp_path, codec="int4"),
        source(tiny, tmp_path, prompts=PROMPTS[:2]),
        CleanSource(source(tiny, tmp_path).evaluator, "int8", F + 1, P, tmp_path),
        CleanSource(source(tiny, tmp_path).evaluator, "int8", F, P + 1, tmp_path),
        source(SplitModel(plain_copy(tiny.model, 4)), tmp_path),
    ]
    names = {other._file(split).name for other in others for split in (1, 3)}
    assert len(names) == 2 * len(others)
    # All local sends nothing and leaves nothing to the edge.
    assert len({other._file(4).name for other in others}) == len(others) - 3


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"identity": 3}', "null", "other", "not finite", "not a number"]
)
def test_a_damaged_file_is_measured_anew(tiny: SplitModel, tmp_path: Path, damage: str) -> None:
    measured = source(tiny, tmp_path).get([3])[3]
    (file,) = files(tmp_path)
    data = json.loads(file.read_text())
    changed = {
        "other": {**data, "identity": {**data["identity"], "split": 2}},
        "not finite": {**data, "kl": float("nan")},
        "not a number": {**data, "delta_nll": "much"},
    }
    file.write_text(json.dumps(changed[damage]) if damage in changed else damage)
    again = source(tiny, tmp_path)
    assert again.get([3])[3] == measured
    assert again.evaluator.evaluations == 3
    assert json.loads(file.read_text()) == data


def test_a_cache_that_cannot_be_written_is_not_used(tiny: SplitModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    subject = source(tiny, tmp_path / "file")
    assert subject.get([1]) == subject.measure([1])


def test_two_processes_measure_it_once(tiny: SplitModel, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()

    def child() -> None:
        subject = source(tiny, tmp_path)
        queue.put((os.getpid(), subject.get([1])[1], subject.evaluator.evaluations))

    processes = [context.Process(target=child) for _ in range(3)]
    for process in processes:
        process.start()
    found = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert len({clean for _, clean, _ in found}) == 1
    assert sorted(evaluations for _, _, evaluations in found) == [0, 0, 3]


def test_what_is_known_is_had_while_another_process_measures(tiny: SplitModel, tmp_path: Path) -> None:
    subject = source(tiny, tmp_path)
    known = subject.get([1])
    with locked(subject._lock):  # flock: another open file of this process is like another process
        assert source(tiny, tmp_path).get([1]) == known
        other = source(tiny, tmp_path, ue=8)
        assert other._lock != subject._lock
        assert other.get([1]) != known


def test_no_more_windows_than_it_says(tiny: SplitModel, tmp_path: Path) -> None:
    many = torch.randint(0, 131, (WINDOWS + 3, 10), generator=torch.Generator().manual_seed(9))
    steps: list[int] = []
    assert source(tiny, tmp_path, prompts=many).get([4], lambda: steps.append(1))[4].windows == WINDOWS
    assert len(steps) == WINDOWS


def test_kept_references_change_no_bit(tiny: SplitModel, tmp_path: Path) -> None:
    together = source(tiny, tmp_path).measure([1, 3, 4])
    subject = source(tiny, tmp_path)
    results = [subject.evaluator.evaluate(i, 3, "int8", subject._mask(3)) for i in range(3)]
    assert np.mean([result.delta_nll for result in results]) == together[3].delta_nll
    assert np.mean([result.kl for result in results]) == together[3].kl
    assert subject.evaluator._references is None
