"""Messages about files that are not valid: our words, every fault, what is valid, a guess at the name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from llm_split.devices import DeviceCard, ModelShape
from llm_split.fields import Field, fields, kind
from llm_split.problems import FAULTS, LONGEST_MESSAGE, describe_problems
from pyagent.scenario.load import ScenarioError, load_scenario, parse_scenario
from pyagent.scenario.schema import Scenario
from pyagent.sweep.file import SweepFile

STANDING = {"model": "constant", "position_m": [0, 0, 1.5]}
WRONG: list[Any] = [
    *(None, True, -1, 0, 10**30, 2.5, float("inf"), -1e300, "", "x", "auto", date(2026, 1, 1)),
    *([], {}, [1], [1, "x"], [[1, 2]], [None] * 5, [{}], {"x": 1}, {1: 2}, {"model": "x"}, {"model": None}),
    *([0.0] * 2, [0.0] * 3, [0.0] * 2000, ["a"]),
]
"""One of every type and shape that YAML has, with numbers that are too small, too large and not finite."""
PYDANTIC_PHRASES = ("Input ", "should ", "Extra inputs", "Field required", "after validation", "Unable to")


def sections_of(
    section: type[BaseModel], known: set[type[BaseModel]] | None = None
) -> Iterator[tuple[list[str], type[BaseModel]]]:
    """Every class of section below one, once, and a path to it."""
    known = set() if known is None else known
    for field in fields(section):
        for inner in [one for one in field.sections if one not in known]:
            known.add(inner)
            path = [field.info.alias or field.name]
            yield path, inner
            for below, deeper in sections_of(inner, known):
                yield [*path, *below], deeper


def as_kind(section: type[BaseModel]) -> dict[str, Any]:
    """The field that says which kind of section it is, where there are several."""
    return {fields(section)[0].name: kind(section)} if kind(section) else {}


def nested(path: list[str], inner: Any, root: type[BaseModel]) -> dict[str, Any]:
    """`inner` at a path below a section, in lists where the schema has lists."""
    name, *below = path
    field = next(one for one in fields(root) if (one.info.alias or one.name) == name)
    if below:
        holder = next(one for one in field.sections if below[0] in one.model_fields)
        inner = {**as_kind(holder), **nested(below, inner, holder)}
    return {name: [inner] if field.is_list_of_sections and isinstance(inner, dict) else inner}


def damaged(root: type[BaseModel]) -> Iterator[dict[str, Any]]:
    """Data in which one field of one section is wrong, for every field and each of `WRONG`."""
    for path, section in [([], root), *sections_of(root)]:
        for field in fields(section):
            for value in WRONG:
                inner = {**as_kind(section), (field.info.alias or field.name): value}
                yield nested(path, inner, root) if path else inner
        for inner in ({**as_kind(section), "no_such_field": 1}, 3, None):
            if path:
                yield nested(path, inner, root)


def test_every_kind_of_fault_is_told_in_our_words() -> None:
    """All kinds that pydantic finds when any one field is of any wrong type or out of bounds, and no more."""
    kinds = set()
    for root in (Scenario, SweepFile, DeviceCard, ModelShape):
        for data in damaged(root):
            try:
                root.model_validate(data)
            except ValidationError as error:
                kinds |= {fault["type"] for fault in error.errors()}
                line = describe_problems(error, data, root)
                assert "\n" not in line
                assert len(line) < LONGEST_MESSAGE + 200
                assert not [phrase for phrase in PYDANTIC_PHRASES if phrase in line], line
    assert kinds == set(FAULTS)


def problem(**sections: Any) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario({"name": "my", "mobility": STANDING, **sections}, "my.yaml")
    return str(caught.value).removeprefix("my.yaml: ")


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        (
            {"mobility": {"model": "constant", "position_m": [0, 0, 1.5, 2]}},
            "mobility.position_m = [0, 0, 1.5, 2]: has 4 entries; valid: [number, number, number]",
        ),
        (
            {"link": {"access_points_m": [[0, 0]]}},
            "link.access_points_m.0 = [0, 0]: has 2 entries; "
            "valid: list of [number, number, number]s, 1 or more entries, at most 64 entries",
        ),
        ({"requets": {}}, "requets: unknown field; did you mean requests?"),
        (
            {"mobility": {"modle": "constant"}},
            "mobility.model: missing; valid: constant, linear, ring, scatter, random-waypoint, random-walk, "
            "gauss-markov, waypoints, trace",
        ),
        (
            {"mobility": {"model": "Constnat"}},
            "mobility.model = 'Constnat': unknown; did you mean constant? valid: constant, linear, ring, "
            "scatter, random-waypoint, random-walk, gauss-markov, waypoints, trace",
        ),
        (
            {"link": {"path_loss": [1]}},
            "link.path_loss = [1]: not a section; "
            "valid: a section of reference_loss_db, reference_distance_m, exponent",
        ),
        ({"link": {"channel_width_mhz": 30}}, "link.channel_width_mhz = 30: unknown; valid: 20, 40, 80, 160"),
        ({"requests": {"count": None}}, "requests.count = null: not a whole number; "
         "valid: integer, at least 1, at most 100000"),
        ({"model": {"codec": "fp61"}}, "model.codec = 'fp61': codec is 'fp61', did you mean fp16? "
         "valid: fp16, int4, int4-token, int8, int8-token"),
        ({"reward": {"weights": {"latnecy": 1}}}, "reward.weights: no weight is called 'latnecy'; "
         "did you mean latency? valid: quality, latency, energy, load, failure, switching"),
    ],
)  # fmt: skip
def test_a_fault_names_field_value_and_what_is_valid(sections: dict[str, Any], line: str) -> None:
    assert problem(**sections) == line


def test_a_misspelt_field_is_not_hidden_by_the_one_that_is_missing() -> None:
    assert problem(
        mobility={"model": "constant", "positon_m": [0, 0, 1.5]}, requests={"cuont": 3, "deadline_s": -1}
    ) == (
        "4 problems: (1) mobility.positon_m = [0, 0, 1.5]: unknown field; did you mean position_m?; "
        "(2) requests.cuont = 3: unknown field; did you mean count?; "
        "(3) mobility.position_m: missing; valid: [number, number, number]; "
        "(4) requests.deadline_s = -1: too small; valid: number, more than 0"
    )


def test_a_field_of_several_shapes_is_one_fault(tmp_path: Any) -> None:
    (tmp_path / "walk.gpx").write_text("<gpx/>")
    line = problem(mobility={"model": "trace", "file": str(tmp_path / "walk.gpx"), "origin": [1, "x"]})
    assert "mobility.origin = [1, 'x']: not valid; valid: lower, centre, [number, number] or null" in line
    assert "problems" not in line


def test_many_faults_are_counted_and_the_line_stays_short() -> None:
    line = problem(**{f"field-{i}": "x" * 1000 for i in range(50)})
    assert line.startswith("50 problems: (1) field-0 = 'xxx")
    assert line.endswith("; and 42 more")
    assert len(line) < LONGEST_MESSAGE + 200


def test_a_misspelt_scenario_gets_a_guess() -> None:
    with pytest.raises(ScenarioError, match=r"'defualt': no such file; did you mean default\? valid: "):
        load_scenario("defualt")


def test_every_field_can_say_what_is_valid() -> None:
    """No field of the schema is without words, which a message would end with."""
    for _, section in sections_of(Scenario):
        for field in fields(section):
            assert isinstance(field, Field)
            assert field.type_name, (section, field.name)
