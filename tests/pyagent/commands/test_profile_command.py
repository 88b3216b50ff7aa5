"""`splitsim profile` from the command line, with the real model on little text."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pandas as pd
import pytest

from llm_split.models import ModelNotFoundError, locate_model
from pyagent import cli

LITTLE = [
    "--windows",
    "2",
    "--window-tokens",
    "16",
    "--splits",
    "1,15",
    "--losses",
    "0.2",
    "--codecs",
    "fp16,int8",
]


def splitsim(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit status of the command, in this process: to load torch anew takes longer than the work."""
    monkeypatch.setattr("sys.argv", ["splitsim", *arguments])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return int(end.value.code or 0)


@pytest.fixture
def fetched() -> None:
    try:
        locate_model("smollm2-135m")
    except ModelNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.model
@pytest.mark.slow
def test_profile_writes_table_and_pictures_and_goes_on(
    fetched: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p"
    assert splitsim(monkeypatch, "profile", "--out", str(out), *LITTLE, "--json") == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    # Two cuts; two codecs, the first token, one loss in four ways; two windows.
    assert (result["cells"], result["evaluations"], result["windows"]) == (14, 28, 2)
    assert [Path(f).stat().st_size > 0 for f in result["files"]] == [True] * 3
    table = pd.read_csv(out / "profile.csv", keep_default_na=False)
    assert sorted(set(table.split)) == [1, 15]
    assert set(table.num_layers) == {30}
    lost = table[(table.channel == "packet") & (table.concealment == "zero")]
    assert (lost.delta_nll > 0.05).all()  # a fifth of the tokens gone is felt at any cut
    fp16 = table[(table.channel == "none") & (table.codec == "fp16")]
    assert (fp16.delta_nll.abs() < 0.01).all()

    before = (out / "profile.csv").read_bytes()
    assert splitsim(monkeypatch, "profile", "--out", str(out), *LITTLE) == 0
    assert (out / "profile.csv").read_bytes() == before
    shown = capsys.readouterr().out
    assert "dNLL in nat/token" in shown
    assert str(out / "profile.png") in shown

    assert splitsim(monkeypatch, "profile", "--out", str(out), *LITTLE, "--seed", "9") == 2
    assert "holds another profile (it differs in seed" in capsys.readouterr().err
    assert splitsim(monkeypatch, "profiles", str(out), str(out), "--out", str(tmp_path / "q" / "two")) == 0
    assert (tmp_path / "q" / "two.png").stat().st_size > (out / "profile.png").stat().st_size


@pytest.mark.model
def test_what_weights_alone_cost(
    fetched: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p"
    given = ["--out", str(out), *LITTLE[:6], "--losses", "none", "--codecs", "fp16", "--ue-bits", "4"]
    assert splitsim(monkeypatch, "profile", *given, "--json") == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["ue_bits"], result["edge_bits"], result["cells"]) == (4, 16, 3)
    assert [row["split"] for row in result["loss_free"]] == [1, 15, 30]
    table = pd.read_csv(out / "profile.csv")
    assert [row["delta_nll"] for row in result["loss_free"]] == table.delta_nll.tolist()
    assert (table.delta_nll.abs() > 1e-3).all()
    assert splitsim(monkeypatch, "profile", *given) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "nothing lost; weights of 4 bits on the UE, 16 on the edge" in shown
    assert "all local" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ue-bits", "5"], "ue_bits is 5, valid: 4, 8, 16"),
        (["--losses", "0.1,x"], "--losses has 'x', valid: numbers"),
        (["--losses", "0"], "losses has 0.0, valid: above 0 and below 1"),
        (["--codec", "zip"], "codec is 'zip', valid: fp16, int4"),
        (["--dtype", "int3"], "--dtype is 'int3', valid: float32"),
        (["--concealment", "hope"], "concealment is 'hope', valid: zero"),
        (["--deployed", "llama-9"], "unknown model 'llama-9'"),
        (["--windows", "0"], "windows is 0, valid: >= 2"),
        (["--burst", "0.5"], "burst is 0.5, valid: finite and >= 1"),
        (["--losses", "nan"], "--losses has 'nan', valid: numbers"),
        (["--model", "./nowhere"], "model './nowhere' not found"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "p"
    assert splitsim(monkeypatch, "profile", "--out", str(out), *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


@pytest.mark.model
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--splits", "30,2"], "split is 30, valid for smollm2-135m: 1..29"),
        (["--splits", "40"], "the number of splits is 40, valid: 1..29"),
        (["--splits", "inf"], "--splits has 'inf', valid: numbers"),
        (["--splits", "1.5"], "--splits is '1.5', valid: whole numbers"),
        (["--text", "SHORT"], "tokens, shorter than one window of 128 tokens"),
        (["--text", "nonsense"], "nonsense"),
    ],
)
def test_input_that_needs_the_model_to_be_judged(
    arguments: list[str],
    message: str,
    fetched: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    short = tmp_path / "short.txt"
    short.write_text("A text of few words. Another sentence of it.")
    given = [str(short) if a == "SHORT" else a for a in arguments]
    out = tmp_path / "p"
    assert splitsim(monkeypatch, "profile", "--out", str(out), *given) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_out_that_is_a_file_is_told_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert splitsim(monkeypatch, "profile", "--out", str(out), "--model", "./nowhere") == 2
        assert "file is a file; a folder is needed" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_folder_without_a_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert splitsim(monkeypatch, "profiles", str(tmp_path)) == 2
    assert "holds no profile" in capsys.readouterr().err
