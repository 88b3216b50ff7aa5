"""`splitsim scenario`: what it writes is valid, what it refuses is one line, and every field is explained."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from llm_split.fields import Field, fields, unit_of
from pyagent.campaign.seeds import Seeds
from pyagent.cli import app
from pyagent.errors import UserError
from pyagent.paths import REPOSITORY, shipped_scenarios
from pyagent.scenario.compile import deploy, simulator_config
from pyagent.scenario.json_schema import DIALECT, json_schema
from pyagent.scenario.load import load_scenario, parse_scenario
from pyagent.scenario.notes import notes
from pyagent.scenario.reference import reference
from pyagent.scenario.schema import Scenario

SHIPPED = sorted(shipped_scenarios())
SHORT = {
    "name": "short",
    "mobility": {"model": "linear", "position_m": [2, 0, 1.5], "velocity_mps": [1, 0, 0]},
    "requests": {"count": 2},
}


def scenario(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["scenario", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def refused(*arguments: str | Path) -> str:
    with pytest.raises(UserError) as caught:
        scenario(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.yaml"
    path.write_text(yaml.safe_dump(SHORT))
    return path


def all_fields(section: Any = Scenario, above: tuple[Any, ...] = ()) -> list[Field]:
    """Of the section and of all inside it."""
    found = fields(section)
    for field in fields(section):
        for inner in field.sections:
            if inner not in above:
                found += all_fields(inner, (*above, section))
    return found


# new


@pytest.mark.parametrize("template", SHIPPED)
def test_new_writes_the_template_with_every_field_explained(tmp_path: Path, template: str) -> None:
    path = tmp_path / "My Walk.yaml"
    assert scenario("new", path, "--template", template) == f"{path}\n"
    expected = load_scenario(template).model_dump() | {"name": "my-walk"}
    assert load_scenario(path).model_dump() == expected
    text = path.read_text()
    lines = [line.strip() for line in text.splitlines()]
    keys = [i for i, line in enumerate(lines) if ":" in line and not line.startswith("#")]
    assert all(lines[i - 1].startswith("#") for i in keys if not lines[i].startswith("- ["))
    assert "# length of a prompt, drawn from [low, high]; 1 to 512 (tokens; default [16, 128])" in text
    assert max(map(len, text.splitlines())) <= 110


def test_what_new_writes_can_be_new_again(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    scenario("new", one)
    scenario("new", two, "--template", one)
    assert two.read_text() == one.read_text().replace("name: one", "name: two")


def test_new_refuses_to_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("my work")
    assert refused("new", path) == f"{path} is there already; --force overwrites it"
    assert path.read_text() == "my work"
    scenario("new", path, "--force")
    assert load_scenario(path).name == "mine"


def test_new_points_editors_to_a_schema_that_is_there(tmp_path: Path) -> None:
    path, schema = tmp_path / "walks" / "mine.yaml", tmp_path / "scenario.schema.json"
    path.parent.mkdir()
    scenario("new", path, "--schema", schema)
    assert path.read_text().startswith("# yaml-language-server: $schema=../scenario.schema.json\n")
    assert json.loads(schema.read_text()) == json_schema()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new", "{folder}/no/such/folder.yaml"], "folder.yaml: can't be written (No such file"),
        (["new", "{folder}/a.yaml", "--template", "moon"], "scenario 'moon': no such file; valid: a path"),
        (["show", "moon"], "scenario 'moon': no such file"),
        (["schema", "--out", "{folder}"], "can't be written (Is a directory)"),
        (["preview", "default", "--out", "a.jpg"], "--out is 'a.jpg'; valid: a name that ends in .png"),
        (["preview", "default", "--animate", "a.avi"], "'a.avi'; valid: a name that ends in .gif or .mp4"),
        (
            ["preview", "default", "--out", "{folder}/no/a.png"],
            "no/a.png: can't be written; valid: a file in",
        ),
        (
            ["preview", "default", "--netanim", "{folder}/no/a.xml"],
            "no/a.xml: can't be written; valid: a file",
        ),
        (["preview", "moon"], "scenario 'moon': no such file"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    assert message in refused(*(argument.format(folder=tmp_path) for argument in arguments))


def test_an_mp4_needs_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no ffmpeg here; valid: a .gif file" in refused(
        "preview", "default", "--out", tmp_path / "a.png", "--animate", tmp_path / "a.mp4"
    )


# validate


def test_every_shipped_scenario_is_valid() -> None:
    lines = [line for line in scenario("validate", *SHIPPED).splitlines() if ": note: " not in line]
    assert len(lines) == len(SHIPPED)
    for line, name in zip(lines, SHIPPED, strict=True):
        deployment, data = deploy(load_scenario(name)), load_scenario(name)
        assert line.startswith(f"{name}: ok: {data.link.technology}, ")
        assert f"splits {', '.join(map(str, deployment.splits))} of {deployment.num_layers}" in line
    assert "(too large for the UE: 32)" in scenario("validate", "memory_limited")


def test_validate_says_which_memory_is_too_small_and_refuses_where_no_split_fits(tmp_path: Path) -> None:
    def file(model: dict[str, Any], edge: dict[str, Any]) -> Path:
        data = {
            "name": "small-edge",
            "mobility": {"model": "constant", "position_m": [5, 0, 1.5]},
            "model": model,
            "ue": {"memory_gib": 2},
            "edge": edge,
        }
        (path := tmp_path / "small-edge.yaml").write_text(yaml.safe_dump(data))
        return path

    board = {"device": "jetson-orin-nano"}
    both = scenario("validate", file({"splits": [1, 16, 32]}, board))
    assert "splits 16 of 32 (too large for the UE: 32; too large for the edge: 1)" in both
    large = file({"deployed": "llama-2-13b", "splits": [1, 4]}, board)
    done = CliRunner().invoke(app, ["scenario", "validate", str(large)])
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert "edge.memory_gib = 7.45 (all of jetson-orin-nano): too small for every split; split 4 " in line


@pytest.mark.ns3
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_scenario_is_valid_in_ns3(name: str) -> None:
    assert scenario("validate", "--deep", name).startswith(f"{name}: ok in ns-3 too: ")


def test_each_file_that_is_not_valid_is_one_line_and_the_status_is_2(tmp_path: Path, short: Path) -> None:
    wrong, deep = tmp_path / "wrong.yaml", tmp_path / "deep.yaml"
    wrong.write_text(yaml.safe_dump(SHORT | {"requests": {"count": 0}}))
    deep.write_text(yaml.safe_dump(SHORT | {"model": {"splits": [1, 99]}}))
    command = [sys.executable, "-m", "pyagent.cli", "scenario", "validate", wrong, short, deep, "moon"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        f"{short}: ok: wifi, 1 UE, 2 requests an episode, splits 1, 8, 16, 24, 32 of 32"
    ]
    errors = done.stderr.splitlines()
    assert errors[0].startswith(f"splitsim: {wrong}: requests.count = 0: ")
    assert errors[1].startswith(f"splitsim: {deep}: model.splits = [1, 99]: 99 is outside the model")
    assert errors[2].startswith("splitsim: scenario 'moon': no such file")
    assert len(errors) == 3


def test_a_path_that_goes_on_behind_the_episode_is_a_note(tmp_path: Path) -> None:
    """Two requests: 2 s, a gap of 4 s and of 1 s on average, and 4 s until the last is cut."""
    path = tmp_path / "long.yaml"
    walk = {"model": "waypoints", "waypoints": [[0, 0, 0, 1.5], [200, 9, 0, 1.5]]}
    path.write_text(yaml.safe_dump(SHORT | {"mobility": walk}))
    lines = scenario("validate", path).splitlines()
    assert len(lines) == 2
    (note,) = (line for line in lines if ": note: " in line)
    assert note == (
        f"splitsim: {path}: note: the path of mobility goes on to 200 s, but an episode ends at about 11 s; "
        "requests.count makes it longer, and mobility.offset_s lets seeds begin later on the path"
    )
    longest_s = max(track.duration_s for track in load_scenario("highway").mobility.tracks())
    assert f"goes on to {longest_s:.0f} s" in notes(load_scenario("highway"))[0]


@pytest.mark.parametrize(
    ("mobility", "said"),
    [
        ({"waypoints": [[0, 0, 0, 1.5], [200, 9, 0, 1.5]]}, True),
        ({"waypoints": [[0, 0, 0, 1.5], [10, 9, 0, 1.5]]}, False),  # 2 s + one gap of 5 s + 4 s
        ({"waypoints": [[0, 0, 0, 1.5], [200, 9, 0, 1.5]], "offset_s": [0, 190]}, False),
    ],
)
def test_the_note_counts_what_seeds_can_see(mobility: dict[str, Any], said: bool) -> None:
    given = parse_scenario(SHORT | {"mobility": {"model": "waypoints", **mobility}})
    assert bool(notes(given)) is said


def test_the_note_is_for_other_ues_too(tmp_path: Path) -> None:
    """Members of a group follow the nodes in the file's order: only a second one follows b, to 300 s."""
    trace = tmp_path / "two.csv"
    trace.write_text("t_s,node,x_m,y_m\n0,a,0,0\n5,a,5,0\n0,b,0,9\n300,b,5,9\n")
    others = [
        {"count": count, "traffic": {"rate_kbps": 9}, "mobility": {"model": "trace", "file": str(trace)}}
        for count in (1, 2)
    ]
    (note,) = notes(parse_scenario(SHORT | {"others": others}))
    assert note.startswith(
        "the path of others.1.mobility goes on to 300 s, but an episode ends at about 11 s;"
    )
    assert "others.1.mobility.offset_s lets" in note


# preview


@pytest.mark.ns3
def test_preview_shows_the_episode_that_a_run_is_tested_on(tmp_path: Path, short: Path) -> None:
    options = ("--duration", "1", "--out", tmp_path / "a.png", "--json")
    of_run = json.loads(scenario("preview", short, "--seed", "3", *options))
    assert of_run["seed"] == Seeds(3).test(1)[0]
    of_episode = json.loads(scenario("preview", short, "--episode-seed", str(of_run["seed"]), *options))
    assert of_episode == of_run


@pytest.mark.ns3
def test_preview_draws_and_animates(tmp_path: Path, short: Path) -> None:
    picture, film, scene = tmp_path / "a.png", tmp_path / "a.gif", tmp_path / "a.xml"
    options = ("--duration", "4", "--out", picture, "--animate", film, "--netanim", scene)
    seen = json.loads(scenario("preview", short, "--episode-seed", "3", "--json", *options))
    assert seen["files"] == [str(picture), str(film), str(scene)]
    assert seen["seed"] == 3
    assert seen["ues"][0]["x_m"][-1] == pytest.approx(2 + seen["time_s"][-1])
    with Image.open(picture) as image:
        assert image.size[0] == 1080
    with Image.open(film) as frames:
        assert 20 < frames.n_frames <= 100
        frames.seek(frames.n_frames - 1)
        last = frames.convert("RGB").tobytes()
        frames.seek(0)
        assert frames.convert("RGB").tobytes() != last
    assert film.stat().st_size < 3e6
    assert scene.read_text().startswith("<anim")


# list, show


def test_list_has_every_shipped_scenario() -> None:
    rows = json.loads(scenario("list", "--json"))
    assert [row["name"] for row in rows] == SHIPPED
    row = next(row for row in rows if row["name"] == "default")
    assert row == {
        "name": "default",
        "technology": "wifi",
        "mobility": "random-waypoint",
        "ues": 4,
        "requests": 20,
        "description": load_scenario("default").description,
    }
    text = scenario("list")
    assert all(name in text for name in SHIPPED)


def test_show_prints_the_file_or_all_of_it(tmp_path: Path) -> None:
    assert scenario("show", "default") == shipped_scenarios()["default"].read_text()
    data = json.loads(scenario("show", "control", "--json"))
    assert data == load_scenario("control").model_dump(mode="json")
    assert json.loads(scenario("show", "control", "--ns3")) == json.loads(
        json.dumps(simulator_config(load_scenario("control")))
    )
    full = tmp_path / "full.yaml"
    full.write_text(scenario("show", "control", "--resolved"))
    assert load_scenario(full) == load_scenario("control")


# schema


def test_every_field_is_explained() -> None:
    found = all_fields()
    assert len({(field.owner, field.name) for field in found}) > 100
    assert {f"{field.owner.__name__}.{field.name}" for field in found if not field.description} == set()


def test_a_field_whose_name_ends_like_a_unit_has_it() -> None:
    assert unit_of("mean_extra_gap_s") == "s"
    assert unit_of("background_jobs_per_s") == "1/s"
    assert unit_of("speed_mps") == "m/s"
    assert (unit_of("m"), unit_of("count"), unit_of("alpha")) == ("", "", "")


def walk(part: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every property of a JSON Schema, by name."""
    found: list[tuple[str, dict[str, Any]]] = []
    if isinstance(part, dict):
        found += part.get("properties", {}).items()
        found += [pair for inner in part.values() for pair in walk(inner)]
    if isinstance(part, list):
        found += [pair for inner in part for pair in walk(inner)]
    return found


def test_the_json_schema_is_printed_and_written(tmp_path: Path) -> None:
    printed = json.loads(scenario("schema"))
    out = tmp_path / "scenario.schema.json"
    assert scenario("schema", "--out", out) == f"{out}\n"
    assert printed == json.loads(out.read_text()) == json_schema()
    assert printed["$schema"] == DIALECT
    properties = walk(printed)
    assert len(properties) > 100
    assert [name for name, part in properties if not part.get("description")] == []
    requests = printed["$defs"]["Requests"]["properties"]
    assert requests["deadline_s"]["description"].endswith("[s]")
    assert requests["deadline_s"]["exclusiveMinimum"] == 0
    assert requests["deadline_s"]["examples"] == [4.0]


def test_the_reference_in_the_docs_is_what_the_command_prints() -> None:
    path = REPOSITORY / "docs" / "scenario-reference.md"
    assert scenario("schema", "--markdown") == reference()
    assert path.read_text(encoding="utf-8") == reference(), (
        "run: splitsim scenario schema --markdown > docs/scenario-reference.md"
    )
