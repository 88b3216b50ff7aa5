"""Files from a stranger, made to run code or to use everything up: each is data, or refused in one line.

Zips of stable-baselines3 are in tests/pyagent/learning/test_policies_sb3_zip.py, archives of packages in
tests/llm_split/test_packages.py and tests/pyagent/ns3/test_fetch.py, XML in
tests/pyagent/traces/test_mobility_invalid.py, reports in tests/pyagent/report.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from llm_split.devices import load_device, load_shape
from llm_split.models import ModelNotFoundError, load_quality_model
from pyagent.dataset import Dataset, DatasetError, open_dataset, shipped_dataset
from pyagent.errors import UserError
from pyagent.learning.confirm import confirm
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.scenario.load import ScenarioError, load_scenario
from pyagent.sweep.file import load_sweep

MEMORY_BYTES = 2**29
"""More than any refusal may take on top of what is in use."""


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What a bomb leaves; each test here ends without it."""
    return tmp_path / "was-run"


@pytest.fixture(autouse=True)
def nothing_was_run(mark: Path) -> Any:
    yield
    assert not mark.exists()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset(shipped_dataset("tram-replay"))


def test_the_bomb_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(tmp_path / "ran")))
    assert (tmp_path / "ran").is_dir()


# Models


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A tiny model's folder, with its weights as safetensors."""
    sizes = {"num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=64)).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_pickled_weights_are_not_read(model_folder: Path, mark: Path) -> None:
    (model_folder / "model.safetensors").unlink()
    torch.save({"lm_head.weight": Bomb(mark)}, model_folder / "pytorch_model.bin")
    with pytest.raises(ModelNotFoundError, match="loading it failed") as refused:
        load_quality_model(str(model_folder))
    assert "\n" not in str(refused.value)


def test_a_model_that_brings_its_own_code_is_refused(model_folder: Path, mark: Path) -> None:
    config = json.loads((model_folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}}
    (model_folder / "config.json").write_text(json.dumps(config))
    (model_folder / "own.py").write_text(f"import os\nos.mkdir({str(mark)!r})\nclass Own: pass\n")
    with pytest.raises(ModelNotFoundError, match="loading it failed") as refused:
        load_quality_model(str(model_folder))
    assert "\n" not in str(refused.value)


def header(size: int, text: bytes) -> bytes:
    return size.to_bytes(8, "little") + text


TENSOR = '{"a":{"dtype":"F32","shape":[%s],"data_offsets":[0,%d]}}'


def safetensors(shape: str, size: int) -> bytes:
    text = (TENSOR % (shape, size)).encode()
    return header(len(text), text)


@pytest.mark.parametrize(
    "data",
    [
        header(2**63, b"{}"),
        header(2**40, b"{}"),
        header(99_000_000, b"{}"),
        safetensors("1099511627776", 2**42),
        safetensors("4294967296,4294967296,4294967296", 0),
        header(1_000_000, b"[" * 1_000_000),
        b"",
    ],
    ids=["2^63", "2^40", "99 MB", "large tensor", "product overflows", "nested", "empty"],
)
def test_safetensors_that_announce_too_much_are_refused(model_folder: Path, data: bytes) -> None:
    (model_folder / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelNotFoundError, match="loading it failed") as refused, LittleMemory():
        load_quality_model(str(model_folder))
    assert "\n" not in str(refused.value)


class LittleMemory:
    """No more address space than there is in use, and `MEMORY_BYTES`."""

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_AS)
        limit = psutil.Process().memory_info().vms + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, self._before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_AS, self._before)


# Datasets


def rewritten(dataset: Dataset, path: Path, change: Callable[[pa.Schema], pa.Schema]) -> Path:
    """The dataset's file with another schema, which is where metadata is."""
    dataset.save(path)
    table = pq.read_table(path)
    pq.write_table(table.cast(change(table.schema)), path)
    return path


def test_pickles_in_the_metadata_of_a_dataset_are_not_read(
    dataset: Dataset, tmp_path: Path, mark: Path
) -> None:
    """Old releases of pyarrow unpickled an extension type that a file named (CVE-2023-47248)."""
    evil = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Bomb(mark)),
    }

    def change(schema: pa.Schema) -> pa.Schema:
        place = schema.get_field_index("latency_s")
        metadata = {**schema.metadata, b"pickle": evil[b"ARROW:extension:metadata"]}
        return schema.set(place, schema.field(place).with_metadata(evil)).with_metadata(metadata)

    path = rewritten(dataset, tmp_path / "evil.parquet", change)
    assert evil[b"ARROW:extension:metadata"] in path.read_bytes() or b"ARROW:schema" in path.read_bytes()
    assert open_dataset(path).test.rewards.shape == dataset.test.rewards.shape


def test_a_dataset_does_not_choose_what_is_run(dataset: Dataset, tmp_path: Path, mark: Path) -> None:
    program = tmp_path / "simulator"
    program.write_text(f"#!/bin/sh\nmkdir '{mark}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    evil = replace(dataset, scenario=dataset.scenario.model_copy(update={"program": program}))
    evil.save(tmp_path / "evil.parquet")
    opened = open_dataset(tmp_path / "evil.parquet")
    assert opened.scenario.program == program
    policy = BestStaticPolicy(0, len(opened.deployment.splits))
    with pytest.raises(DatasetError, match="a dataset can't choose what is run; if you trust") as refused:
        confirm(opened, policy, replicates=1, progress=None)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


# YAML

OWN_TAG = "!!python/object/apply:os.mkdir ['{mark}']"
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)
"""Ten thousand million strings, in 500 bytes."""

READERS: dict[str, Callable[[Path], object]] = {
    "scenario": load_scenario,
    "sweep": load_sweep,
    "device card": lambda path: load_device(str(path)),
    "model card": lambda path: load_shape(str(path)),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    "text",
    [
        f"name: {OWN_TAG}\n",
        f"{OWN_TAG}\n",
        "name: !!python/name:os.system\n",
        LAUGHS,
        LAUGHS + "name: *a9\n",
        LAUGHS + "name: ok\nmobility: *a9\nothers: *a9\nbase: *a9\nagent: *a9\n",
        "name: &a [*a]\n",
        "[" * 100_000,
        "name: 0x" + "f" * 100_000 + "\n",
    ],
    ids=["tag", "whole", "name", "laughs", "used", "sections", "itself", "nested", "long number"],
)
def test_yaml_makes_no_object_and_no_mountain(
    tmp_path: Path, mark: Path, text: str, reader: Callable[[Path], object]
) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text(text.replace("{mark}", str(mark)))
    with pytest.raises((UserError, ValueError)) as refused, LittleMemory():
        reader(path)
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 1000


def test_what_a_file_says_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text('name: "\\x1b]0;owned\\x07"\nmobility: {model: "\\x1b[2J"}\n"\\x1b[31mfield": 1\n')
    with pytest.raises(ScenarioError) as refused:
        load_scenario(path)
    assert str(refused.value).isprintable()
    assert r"(1) \x1b[31mfield = 1: unknown field; " in str(refused.value)
