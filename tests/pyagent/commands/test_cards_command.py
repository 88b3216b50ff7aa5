"""`splitsim cards`: what it prints comes from the cards, and what is wrong is one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from llm_split.config_shapes import families
from llm_split.devices import device_names, load_device, load_shape, shape_names
from llm_split.roofline import split_cost, ue_memory_bytes
from pyagent.cli import app
from pyagent.scenario.compile import deploy
from pyagent.scenario.load import ScenarioError, parse_scenario
from tests.llm_split.llama_files import checkpoint, write_gguf

TINY_CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "num_hidden_layers": 3,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "vocab_size": 131,
}


def cards(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["cards", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def model_folder(path: Path) -> Path:
    folder = path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(TINY_CONFIG))
    return folder


def test_list_names_every_card() -> None:
    listed = json.loads(cards("list", "--json"))
    assert [device["name"] for device in listed["devices"]] == device_names()
    assert [shape["name"] for shape in listed["shapes"]] == shape_names()
    text = cards("list")
    for name in device_names() + shape_names():
        assert name in text
    assert "6,738,415,616" in text  # Llama-2-7B


@pytest.mark.parametrize("name", device_names())
def test_show_gives_every_figure_of_a_device_its_source(name: str) -> None:
    card, text = load_device(name), cards("show", name)
    for figure, source in card.sources.items():
        assert figure in text
        assert source.split()[0] in text
    assert json.loads(cards("show", name, "--json"))["sources"] == card.sources


def test_show_keeps_brackets_as_they_are(tmp_path: Path) -> None:
    """They are markup to the library that prints tables."""
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(load_device("apple-m2").model_dump() | {"title": "a [bold]box[/nothing]"}))
    assert "a [bold]box[/nothing]" in cards("show", own)


def test_show_takes_shapes_by_name_by_card_and_by_folder(tmp_path: Path) -> None:
    assert "268,098,176" in cards("show", "gemma-3-270m")
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(load_shape("stories15m").model_dump()))
    shown = json.loads(cards("show", own, "--json"))
    assert (shown["name"], shown["parameters"]) == ("stories15m", 15_191_712)
    folder = model_folder(tmp_path)
    assert json.loads(cards("show", folder, "--json"))["parameters"] == load_shape(folder).parameters


def test_a_gguf_file_goes_where_a_shape_does(tmp_path: Path) -> None:
    """Its parameters are those of the arrays that were written, a head of its own included."""
    arrays = checkpoint(shared=False)[1]
    write_gguf(path := tmp_path / "own.gguf", arrays)
    weights = sum(array.size for name, array in arrays.items() if name not in ("cos", "sin"))
    assert json.loads(cards("show", path, "--json"))["parameters"] == weights
    model = {"deployed": str(path), "splits": [1, 3]}
    mobility = {"model": "constant", "position_m": [5, 0, 1.5]}
    scenario = parse_scenario({"name": "own", "mobility": mobility, "model": model})
    assert deploy(scenario).num_layers == 3


def test_half_is_the_cost_of_every_split() -> None:
    request = ("--prompt-tokens", "16", "--output-tokens", "4", "--ue-bits", "8", "--edge-bits", "4")
    arguments = ("half", "tinyllama-1.1b", "--ue", "jetson-orin-nano", "--edge", "h100-sxm", *request)
    found = json.loads(cards(*arguments, "--json"))
    assert [cost["split"] for cost in found["splits"]] == list(range(1, 23))
    expected = split_cost(
        load_shape("tinyllama-1.1b"),
        load_device("jetson-orin-nano"),
        load_device("h100-sxm"),
        ue_weight_bits=8,
        edge_weight_bits=4,
        split=7,
        prompt_tokens=16,
        output_tokens=4,
    )
    row = found["splits"][6]
    assert row["ue"]["memory_bytes"] == expected.ue.memory_bytes
    assert row["edge"]["decode"]["time_s"] == expected.edge.decode.time_s
    assert row["ue"]["prefill"]["bound"] == expected.ue.prefill.bound
    assert f"{1e3 * expected.ue.decode.time_s / 3:.2f} b" in cards(
        *arguments
    )  # 3 steps after the first token


def test_half_marks_what_the_memory_does_not_hold() -> None:
    """Llama-2-13B in 16 bits is 26 GB; the smallest Jetson has 8."""
    text = cards("half", "llama-2-13b", "--ue", "jetson-orin-nano", "--ue-bits", "16")
    rows = [line.split("│") for line in text.splitlines() if line.startswith("│")]
    assert "*" not in rows[0][2]
    assert "*" in rows[-1][2]


def test_half_of_one_output_token_has_no_decode() -> None:
    rows = [r for r in cards("half", "stories15m", "--output-tokens", "1").splitlines() if r.startswith("│")]
    assert [row.split("│")[4].strip() for row in rows] == ["-"] * 6


def test_check_has_a_row_for_every_measurement_and_says_where_it_is_from() -> None:
    rows = json.loads(cards("check", "--json").splitlines()[-1])["rows"]
    published = [(name, m) for name in device_names() for m in load_device(name).measurements]
    assert [(row["card"], row["phase"], row["measured"]) for row in rows] == [
        (name, m.phase, m.value) for name, m in published
    ]
    text = " ".join(cards("check").split())
    for row, (_, m) in zip(rows, published, strict=True):
        assert (row["unit"], row["source"], row.get("why")) == (m.unit, m.source, m.why)
        assert row["error"] == pytest.approx(row["predicted"] / row["measured"] - 1)
        assert abs(row["error"]) <= 0.25 or row["why"]
        assert m.source.split(",")[0] in text
    assert sum("why" in row for row in rows) == text.count("WHY: ") > 0


def own_card(path: Path, **changes: Any) -> Path:
    content = load_device("jetson-orin-nx").model_dump(exclude_none=True)
    path.write_text(yaml.safe_dump(content | {"name": "own"} | changes))
    return path


def test_check_takes_a_card_of_ones_own_and_fails_on_an_error_without_a_reason(tmp_path: Path) -> None:
    measurement = load_device("jetson-orin-nx").measurements[0].model_dump(exclude_none=True)
    own = own_card(tmp_path / "own.yaml", measurements=[measurement])
    assert json.loads(cards("check", own, "--json"))["rows"][0]["card"] == "own"
    slow = own_card(tmp_path / "slow.yaml", measurements=[measurement | {"value": 999.0}])
    done = CliRunner().invoke(app, ["cards", "check", str(slow), "--json"])
    assert done.exit_code == 1
    assert len(json.loads(done.stdout)["rows"]) == 1
    assert done.stderr.strip() == "error beyond 25 % without a reason: own prefill -57%"
    excused = own_card(
        tmp_path / "excused.yaml", measurements=[measurement | {"value": 999.0, "why": "a hot day"}]
    )
    assert "WHY: a hot day" in cards("check", excused)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": "ms/token"}, "unit is 'ms/token', valid for prefill: 'tokens/s'"),
        ({"value": 0}, "value = 0: too small"),
        ({"phase": "train"}, "phase = 'train': unknown"),
        ({"weight_bits": 3}, "measurements has weight_bits 3, valid: 4, 8, 16"),
        ({"model": "gpt-5"}, "unknown model 'gpt-5'"),
    ],
)
def test_a_measurement_that_is_wrong_is_one_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    measurement = load_device("jetson-orin-nx").measurements[0].model_dump(exclude_none=True)
    own = own_card(tmp_path / "own.yaml", measurements=[measurement | change])
    done = CliRunner().invoke(app, ["cards", "check", str(own)])
    assert done.exit_code != 0
    error = done.stderr or str(done.exception)
    assert message in " ".join(error.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "pixel-9"], "unknown card 'pixel-9', valid: a100-80g"),
        (["half", "gpt-5"], "unknown model 'gpt-5', valid: apple-afm-3b"),
        (["half", "llama-2-7b", "--ue-bits", "16"], "weight_bits is 16, valid on snapdragon-8-gen-3: 4, 8"),
        (["half", "llama-2-7b", "--output-tokens", "0"], "Invalid value for '--output-tokens'"),
    ],
)
def test_what_is_wrong_ends_with_status_2(arguments: list[str], message: str) -> None:
    command = [sys.executable, "-m", "pyagent.cli", "cards", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_scenario_deploys_a_folder_with_a_configuration(tmp_path: Path) -> None:
    folder = model_folder(tmp_path)
    data = {
        "name": "own",
        "mobility": {"model": "constant", "position_m": [5, 0, 1.5]},
        "model": {"deployed": str(folder), "splits": [1, 3]},
    }
    scenario = parse_scenario(data)
    assert deploy(scenario).shape == load_shape(folder)
    assert deploy(scenario).splits == (1, 3)
    (tmp_path / "empty").mkdir()
    broken = parse_scenario(data | {"model": {"deployed": str(tmp_path / "empty"), "splits": [1]}})
    with pytest.raises(ScenarioError, match=r"model\.deployed = .*config\.json' can't be read"):
        deploy(broken)


@pytest.mark.parametrize("name", shape_names())
def test_every_shape_deploys_and_fits_the_phone_by_the_same_memory(name: str) -> None:
    shape = load_shape(name)
    data = {
        "name": "own",
        "mobility": {"model": "constant", "position_m": [5, 0, 1.5]},
        "model": {"deployed": name, "splits": [1, shape.num_layers]},
        "ue": {"memory_gib": ue_memory_bytes(shape, 1, 4, 576) / 2**30},
    }
    deployment = deploy(parse_scenario(data))
    assert (deployment.splits, deployment.infeasible) == ((1,), (shape.num_layers,))


def test_the_table_in_the_docs_is_what_the_command_says() -> None:
    text = (Path(__file__).parents[3] / "docs" / "cards.md").read_text(encoding="utf-8")
    table = text.split("| device | bits |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) == len(device_names())
    for line in table:
        device, bits, *figures = [cell.strip() for cell in line.strip("|").split("|")]
        rows = cards("half", "llama-2-7b", "--ue", device, "--ue-bits", bits).splitlines()
        last = [row for row in rows if row.startswith("│")][-1]
        shown = [cell.strip().rstrip(" bcl*") for cell in last.strip("│").split("│")]
        assert shown[1:5] == figures


def test_the_docs_show_the_errors_of_the_check() -> None:
    text = (Path(__file__).parents[3] / "docs" / "cards.md").read_text(encoding="utf-8")
    table = text.split("| card | phase | model |")[1].split("\n\n")[0].splitlines()[2:]
    rows = json.loads(cards("check", "--json"))["rows"]
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert shown == [
        [
            row["card"],
            row["phase"],
            row["model"],
            str(row["weight_bits"]),
            f"{row['measured']:.4g}",
            f"{row['predicted']:.4g}",
            row["unit"],
            f"{100 * row['error']:+.0f} %{' in-sample' if row['fitted'] else ''}",
        ]
        for row in rows
    ]


def test_the_docs_name_the_families_that_have_a_shape() -> None:
    text = (Path(__file__).parents[3] / "docs" / "cards.md").read_text(encoding="utf-8")
    assert ", ".join(families()) in " ".join(text.split())
