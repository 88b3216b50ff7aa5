"""A quality model that a run could not use is refused at once, by one line, wherever a scenario is begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel
from typer.testing import CliRunner

from llm_split.models.llama2c import build_tokenizer, read_vocabulary
from pyagent.campaign.progress import PhaseProgress
from pyagent.campaign.run import run_experiment
from pyagent.cli import app
from pyagent.dataset.record import Plan, record
from pyagent.envs.split_inference import SplitInferenceEnv
from pyagent.scenario.load import ScenarioError, parse_scenario
from pyagent.scenario.quality_model import check_quality, quality_prompts
from pyagent.scenario.schema import Scenario
from tests.llm_split.llama_files import VOCABULARY, vocabulary

POSITIONS = 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny GPT-2, whose positions are a table, with a tokenizer for any text."""
    return make(tmp_path / "model")


def make(folder: Path, rows: int = VOCABULARY) -> Path:
    torch.manual_seed(1)
    sizes = {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": POSITIONS}
    GPT2LMHeadModel(GPT2Config(**sizes, vocab_size=rows)).save_pretrained(folder)
    build_tokenizer(*read_vocabulary(vocabulary(), VOCABULARY)).save_pretrained(folder)
    return folder


def data(quality: Path | str, **model: Any) -> dict[str, Any]:
    return {
        "name": "own-model",
        "mobility": {"model": "linear", "position_m": [2, 0, 1.5], "velocity_mps": [1, 0, 0]},
        "requests": {"count": 2, "prompt_tokens": [16, 56], "output_tokens": [4, 8]},
        "model": {"quality": str(quality), "prompts": 4, **model},
    }


def of(quality: Path | str, **model: Any) -> Scenario:
    return parse_scenario(data(quality, **model))


def refusal(scenario: Scenario) -> str:
    with pytest.raises(ScenarioError) as caught:
        check_quality(scenario)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_that_fits(folder: Path) -> None:
    """The longest request, 56 + 8 tokens, takes all 64 positions."""
    scenario = of(folder)
    model = check_quality(scenario)
    assert (model.num_layers, model.hidden_size, model.positions, model.vocab_rows) == (2, 32, 64, VOCABULARY)
    assert quality_prompts(scenario, model.tokenizer, "test").shape == (4, POSITIONS)


def test_requests_that_are_longer_than_the_positions(folder: Path) -> None:
    longer = parse_scenario(
        {**data(folder), "requests": {"count": 2, "prompt_tokens": [1, 57], "output_tokens": [8, 8]}}
    )
    assert refusal(longer) == (
        "requests.prompt_tokens = [1, 57], requests.output_tokens = [8, 8]: the longest request has 65 "
        f"tokens; valid: up to 64, the positions of model.quality = '{folder}'"
    )


def test_what_the_files_lack(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing"
    assert f"model.quality: model '{missing}' not found (looked in: " in refusal(of(missing))
    start = f"model.quality: model '{folder}' can't be used: loading it failed: "
    weights = load_file(folder / "model.safetensors")
    extra = {**weights, "score.weight": torch.ones(2)}
    save_file(extra, folder / "model.safetensors", metadata={"format": "pt"})
    assert refusal(of(folder)).startswith(
        f"{start}weights that the configuration does not use: 1, such as score"
    )
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for file in folder.glob("tokenizer*"):
        file.unlink()
    assert refusal(of(folder)).startswith(f"{start}it has no tokenizer that can be loaded; valid: ")
    small = make(tmp_path / "small", rows=VOCABULARY - 1)
    last = "the tokenizer's id 271 ('ello') has no row in the embedding; valid: up to 270"
    assert refusal(of(small)).endswith(last)
    (folder / "config.json").unlink()
    assert refusal(of(folder)).startswith(start)
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path / "cache"))
    assert refusal(of("stories15m")).endswith("fetch it with: splitsim models fetch stories15m")


def test_a_text_that_the_model_cannot_read(folder: Path, tmp_path: Path) -> None:
    """A special token behind the embedding's rows is no fault of the tokenizer, unless the text has it."""
    tokenizer = build_tokenizer(*read_vocabulary(vocabulary(), VOCABULARY))
    tokenizer.add_special_tokens({"pad_token": "<image>"})
    tokenizer.save_pretrained(folder)
    text = tmp_path / "text.txt"
    text.write_text("hello hell " * 400)
    check_quality(of(folder, text=str(text)))
    text = tmp_path / "images.txt"
    text.write_text("hello <image> " * 400)
    message = refusal(of(folder, text=str(text)))
    assert message.startswith(f"model.text = '{text}': has token 272 ('<image>'); valid: ids up to 271")
    text.write_text("hello")
    text = text.rename(tmp_path / "short.txt")
    assert f"of model.text = '{text}'" in refusal(of(folder, text=str(text)))


@pytest.mark.ns3
def test_it_is_refused_before_anything_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scenario = of(tmp_path / "missing")
    expected = refusal(scenario)
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(data(tmp_path / "missing")))
    starts = {
        "run, evaluate": lambda: run_experiment(scenario, seed=1, out=tmp_path / "run"),
        "record": lambda: record(
            Plan(scenario, train_seeds=1, test_seeds=1),
            tmp_path / "data.parquet",
            command="",
            progress=PhaseProgress(),
        ),
        "environment": lambda: SplitInferenceEnv(scenario),
    }
    for start in starts.values():
        with pytest.raises(ScenarioError) as caught:
            start()
        assert str(caught.value) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["own.yaml"]
    done = CliRunner().invoke(app, ["scenario", "validate", str(file)])
    assert done.exit_code == 2
    assert expected in done.stderr
