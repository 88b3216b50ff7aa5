"""A profile's files: resumed equals uninterrupted, and a folder holds one profile only."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import pytest
import torch

from llm_split import profile as module
from llm_split.partition import SplitModel
from llm_split.profile import Plan, Profile, ProfileError, Progress, spread_splits

PLAN = Plan("tiny", "made up", (1, 3), losses=(0.1, 0.3), windows=5, window_tokens=16, stderr=0.02, seed=3)


@pytest.fixture
def windows() -> torch.Tensor:
    return torch.randint(0, 131, (5, 16), generator=torch.Generator().manual_seed(5))


class StoppedError(Exception):
    """As a kill would, but where the test wants it."""


def files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "profile.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_stopped_and_resumed_equals_uninterrupted(
    tiny: SplitModel, windows: torch.Tensor, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Profile(PLAN, whole, tiny, windows).run()

    def stop_before_the_third(progress: Progress) -> None:
        if progress.window == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        Profile(PLAN, parts, tiny, windows).run(stop_before_the_third)
    assert sorted(f.name for f in (parts / "windows").iterdir()) == ["0000.json", "0001.json"]
    assert {int(r["windows"]) for r in rows(parts)} == {2}
    (parts / "windows" / ".0002.json.part").write_text("half a li")  # what a kill in mid-write leaves
    resumed = Profile(PLAN, parts, tiny, windows)
    assert resumed.done == 2
    resumed.run()
    assert files(parts) == files(whole)
    again: list[Progress] = []
    Profile(PLAN, parts, tiny, windows).run(again.append)
    assert files(parts) == files(whole)
    assert len(again) == 1  # nothing was left to do


def test_table_has_every_cell_with_its_interval(
    tiny: SplitModel, windows: torch.Tensor, tmp_path: Path
) -> None:
    work = Profile(PLAN, tmp_path, tiny, windows)
    table = work.run()
    found = rows(tmp_path)
    # Two cuts; four codecs, the first token's loss, and two losses in four ways.
    assert len(found) == len(work.study.cells) == 2 * (4 + 1 + 2 * 4)
    for row, cell in zip(found, work.study.cells, strict=True):
        estimate = table.estimate(cell)
        assert float(row["delta_nll"]) == estimate.mean
        assert int(row["windows"]) == estimate.windows >= 4
        half = (float(row["delta_nll_high"]) - float(row["delta_nll_low"])) / 2
        t = {4: 3.182, 5: 2.776}[estimate.windows]  # 97.5 % quantiles with 3 and 4 degrees of freedom
        assert half == pytest.approx(t * estimate.stderr)
    fp16 = next(r for r in found if r["codec"] == "fp16" and r["channel"] == "none")
    assert float(fp16["ppl"]) == pytest.approx(float(fp16["reference_ppl"]), rel=1e-3)
    assert (fp16["token_bytes"], fp16["fragments_per_token"]) == ("96", "1")


def test_a_folder_is_not_continued_with_something_else(
    tiny: SplitModel, windows: torch.Tensor, tmp_path: Path
) -> None:
    Profile(PLAN, tmp_path, tiny, windows)
    other = Plan(**{**PLAN.__dict__, "seed": 4, "burst": 2.0})
    with pytest.raises(ProfileError, match=r"differs in burst, seed\); choose another folder"):
        Profile(other, tmp_path, tiny, windows)
    with pytest.raises(ProfileError, match="differs in windows_sha256"):
        Profile(PLAN, tmp_path, tiny, windows + 1)
    with pytest.raises(ProfileError, match="differs in weights"):
        Profile(PLAN, tmp_path, tiny, windows, "others")


def test_a_damaged_folder_and_too_many_parts_are_told(
    tiny: SplitModel, windows: torch.Tensor, tmp_path: Path
) -> None:
    (tmp_path / "plan.json").write_text("half a")
    with pytest.raises(ProfileError, match=r"plan\.json is damaged: .*; choose another folder"):
        Profile(PLAN, tmp_path, tiny, windows)
    (tmp_path / "file").write_text("")
    with pytest.raises(ProfileError, match="can't be used as a folder of a profile"):
        Profile(PLAN, tmp_path / "file", tiny, windows)
    wide = Plan(**{**PLAN.__dict__, "deployed_hidden_size": 8192, "payload_bytes": 64})
    with pytest.raises(ProfileError, match=r"a token has 256 parts by .* tiny has 48 channels"):
        Profile(wide, tmp_path / "p", tiny, windows)


def test_splits_are_spread_by_depth() -> None:
    assert spread_splits(30, 8) == (1, 5, 9, 13, 17, 21, 25, 29)
    assert spread_splits(4, 3) == (1, 2, 3)
    assert spread_splits(30, 1) == (1,)
    with pytest.raises(ProfileError, match=r"number of splits is 4, valid: 1\.\.3"):
        spread_splits(4, 4)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("losses", (0.1, 1.0), r"losses has 1\.0, valid: above 0 and below 1"),
        ("codecs", ("fp16", "zip"), "codec is 'zip', valid: fp16"),
        ("concealment", "none", "concealment is 'none', valid: zero"),
        ("interleaving", "x", "interleaving is 'x', valid: none, block"),
        ("windows", 1, "windows is 1, valid: >= 2"),
        ("window_tokens", 3, "window_tokens is 3, valid: >= 4"),
        ("stderr", float("nan"), "stderr is nan, valid: finite"),
        ("splits", (), "splits is empty"),
        ("burst", 0.5, "burst is 0.5, valid: finite and >= 1"),
        ("ue_bits", 5, "ue_bits is 5, valid: 4, 8, 16"),
        ("edge_bits", 2, "edge_bits is 2, valid: 4, 8, 16"),
    ],
)
def test_plans_say_what_is_valid(field: str, value: object, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        Plan(**{**PLAN.__dict__, field: value})


def test_cut_behind_the_last_block_is_refused(
    tiny: SplitModel, windows: torch.Tensor, tmp_path: Path
) -> None:
    """All local sends nothing, so there is nothing to profile."""
    with pytest.raises(ProfileError, match=r"split is 4, valid for tiny: 1\.\.3"):
        Profile(Plan(**{**PLAN.__dict__, "splits": (1, 4)}), tmp_path, tiny, windows)


def test_quantised_weights_are_profiled_to_the_last_cut(
    tiny: SplitModel, windows: torch.Tensor, tmp_path: Path
) -> None:
    plan = Plan(**{**PLAN.__dict__, "losses": (), "codecs": ("fp16",), "ue_bits": 4, "edge_bits": 8})
    table = Profile(plan, tmp_path / "coarse", tiny, windows).run()
    with (tmp_path / "coarse" / "profile.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["split"], row["ue_bits"], row["edge_bits"]) for row in rows] == [
        ("1", "4", "8"),
        ("3", "4", "8"),
        ("4", "4", "8"),
    ]
    assert all(abs(float(row["delta_nll"])) > 1e-3 for row in rows)
    assert [cell.split for cell in table.cells] == [1, 3, 4]
    with pytest.raises(ProfileError, match=r"holds another profile \(it differs in edge_bits, ue_bits\)"):
        Profile(Plan(**{**plan.__dict__, "ue_bits": 16, "edge_bits": 16}), tmp_path / "coarse", tiny, windows)


def test_a_folder_from_before_there_were_widths_goes_on(
    tiny: SplitModel, windows: torch.Tensor, tmp_path: Path
) -> None:
    Profile(PLAN, tmp_path, tiny, windows)
    file = tmp_path / "plan.json"
    plan = json.loads(file.read_text())
    del plan["plan"]["ue_bits"], plan["plan"]["edge_bits"]
    file.write_text(json.dumps(plan))
    assert Profile(PLAN, tmp_path, tiny, windows).done == 0
    with pytest.raises(ProfileError, match=r"it differs in ue_bits"):
        Profile(Plan(**{**PLAN.__dict__, "ue_bits": 8}), tmp_path, tiny, windows)


def test_quantiles_fall_to_the_normal_one() -> None:
    values = (*module._T_975, module._Z_975)
    assert all(a > b for a, b in itertools.pairwise(values))
    assert len(module._T_975) == 30
