"""The sweep file: what is varied, who is tested, on which seeds; and the runs that it stands for."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from llm_split.plain import one_line
from llm_split.problems import describe_problems
from pyagent.campaign.contenders import BASELINES, Contenders
from pyagent.campaign.seeds import MAX_RUN_SEED, SEEDS_PER_RUN
from pyagent.dataset import open_dataset, shipped_dataset
from pyagent.errors import UserError
from pyagent.files import is_file
from pyagent.learning.options import Learning, Purchase, check_choice
from pyagent.policies.user import load_policy
from pyagent.scenario.compile import deploy
from pyagent.scenario.load import find_scenario, parse_scenario, read_yaml
from pyagent.scenario.schema import Scenario
from pyagent.scenario.schema.base import Section
from pyagent.sweep.spec import Budget, OwnPolicy, Rate, RunSpec, Seed, SurrogateName

EngineKind = Literal["local", "ray"]
Point = dict[str, Any]
"""Dotted path -> value of one combination."""


class SweepError(UserError):
    """The sweep file is missing or something in it is not valid."""


class Base(Section):
    """What every run starts from: a scenario, played live, or a recorded dataset."""

    scenario: str | None = None
    """name of one that ships, or a file; a relative path starts at the sweep file"""
    dataset: str | None = None
    """name of one that ships, or what `splitsim record` wrote"""

    @model_validator(mode="after")
    def _one(self) -> Base:
        if (self.scenario is None) == (self.dataset is None):
            raise ValueError("valid: one of scenario and dataset")
        return self


class Agent(Section):
    """Who is tested, and what a learning policy may buy."""

    budget: Budget = Learning.budget
    """real decisions that the learning agent may play"""
    policies: Annotated[list[str], Field(min_length=1)] | Literal["all"] = "all"
    """names; live: those of `splitsim evaluate --against`, and FILE.py:CLASS or FILE.zip of your own;
    recorded: those of `splitsim compare`"""
    surrogate: SurrogateName = Learning.surrogate
    """of the model-based policies"""
    buy: Purchase = Learning.buy
    """evaluations that they buy"""
    per_decision: Rate = Learning.per_decision
    """evaluations per decision, unless they buy all"""


VARIED = ("dataset", *(f"agent.{name}" for name in Agent.model_fields))
"""Paths that a sweep may vary beside the scenario's."""


class SeedRange(Section):
    """Seeds of the runs, one after another; no two of them share an episode."""

    first: Seed = 1
    """the first one"""
    count: Annotated[int, Field(ge=1, le=100_000)] = 1
    """how many"""

    @model_validator(mode="after")
    def _fit(self) -> SeedRange:
        if self.first + self.count - 1 > MAX_RUN_SEED:
            raise ValueError(f"first + count must be at most {MAX_RUN_SEED + 1}")
        return self


class EngineOptions(Section):
    """Where runs are made, unless the command line says otherwise."""

    kind: EngineKind = "local"
    """local: processes on this machine; ray: a Ray cluster"""
    workers: Annotated[int, Field(ge=1)] | None = None
    """runs at a time; none: as many as the cores allow"""
    threads: Annotated[int, Field(ge=1)] = 1
    """threads of one run's language model"""
    address: str | None = None
    """of a Ray cluster that is running; none: one on this machine, for this sweep"""

    @model_validator(mode="after")
    def _address_is_rays(self) -> EngineOptions:
        if self.address is not None and self.kind != "ray":
            raise ValueError(f"address = {self.address!r} is a Ray cluster's; valid with kind: ray")
        return self


MOST_COMBINATIONS = 100_000
MOST_RUNS = 1_000_000
"""In one sweep: each of its runs is a row and a file, and all are held in memory."""


class SweepFile(Section):
    """A sweep file. Every combination of `grid`'s values is tried with every row of `list`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    """lower-case letters, digits, - and _"""
    description: str = ""
    """one line"""
    base: Base
    agent: Agent = Agent()
    seeds: SeedRange = SeedRange()
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    """dotted path -> values"""
    rows: Annotated[list[Point], Field(alias="list", min_length=1, default_factory=lambda: [{}])]
    """combinations of values that belong together, as dotted path -> value"""
    engine: EngineOptions = EngineOptions()

    @field_validator("grid", "rows")
    @classmethod
    def _paths_are_known(cls, given: Any) -> Any:
        for path in itertools.chain.from_iterable([given] if isinstance(given, dict) else given):
            if path.split(".")[0] != "scenario" and path not in VARIED:
                raise ValueError(
                    f"{path!r} can't be varied; valid: scenario, scenario.<field>, {', '.join(VARIED)}"
                )
        return given

    @model_validator(mode="after")
    def _paths_do_not_meet(self) -> SweepFile:
        twice = set(self.grid) & {path for row in self.rows for path in row}
        if twice:
            raise ValueError(f"{min(twice)!r} is in grid and in list; valid: one of them")
        kind = {"scenario"} if self.base.dataset is not None else {"dataset"}
        wrong = kind & {*self.grid, *(path for row in self.rows for path in row)}
        if wrong:
            raise ValueError(f"{wrong.pop()!r} can't be varied: base has the other kind")
        return self

    @model_validator(mode="after")
    def _are_not_too_many(self) -> SweepFile:
        points = math.prod(map(len, self.grid.values())) * len(self.rows)
        if points > MOST_COMBINATIONS:
            raise ValueError(f"grid and list make more than {MOST_COMBINATIONS} combinations")
        if points * self.seeds.count > MOST_RUNS:
            raise ValueError(
                f"{points} combinations with {self.seeds.count} seeds each are too many; valid: {MOST_RUNS} "
                "runs or fewer"
            )
        return self

    @property
    def swept(self) -> tuple[str, ...]:
        """The dotted paths that vary."""
        return tuple(dict.fromkeys([*self.grid, *(path for row in self.rows for path in row)]))

    def points(self) -> Iterator[Point]:
        """Every combination."""
        for values in itertools.product(*self.grid.values()):
            for row in self.rows:
                yield dict(zip(self.grid, values, strict=True)) | row


@dataclass(frozen=True)
class Sweep:
    """A sweep file that was read, and all that it stands for.

    Attributes:
        file: its contents.
        points: one run of each combination, with the first seed.
    """

    file: SweepFile
    points: tuple[RunSpec, ...]

    def of_point(self, point: int, places: Iterable[int]) -> list[RunSpec]:
        """Runs of one combination, with its first, second, ... seed."""
        first = self.file.seeds.first
        return [self.points[point].model_copy(update={"seed": first + place}) for place in places]

    def runs(self, counts: Sequence[int] | None = None, skip: Sequence[int] | None = None) -> list[RunSpec]:
        """Runs of all combinations.

        Args:
            counts: how many seeds of each; None: as many as the file says.
            skip: how many of them are passed over; None: none.
        """
        upto = counts or [self.file.seeds.count] * len(self.points)
        after = skip or [0] * len(self.points)
        return [
            run
            for point, (start, stop) in enumerate(zip(after, upto, strict=True))
            for run in self.of_point(point, range(start, stop))
        ]


def load_sweep(path: Path) -> Sweep:
    """Read and validate a sweep file, and resolve its combinations.

    Raises:
        SweepError: no such file, no YAML, a field that is not valid, or a combination that is no scenario;
            the message names the field, the value and what is valid.
    """
    if not is_file(path):
        raise SweepError(f"sweep {str(path)!r}: no such file; docs/sweep.md shows how to write one")
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise SweepError(f"{path}: expected a mapping of sections, not {type(data).__name__}")
    try:
        file = SweepFile.model_validate(data)
    except ValidationError as error:
        raise SweepError(f"{path}: {describe_problems(error, data, SweepFile)}") from error
    return Sweep(file, _Resolver(file, path).points())


class _Resolver:
    """From combinations to runs. A scenario that several combinations share is one object."""

    def __init__(self, file: SweepFile, path: Path) -> None:
        self._file, self._path = file, path
        self._scenarios: dict[str, Scenario] = {}
        self._tried: set[tuple[tuple[str, ...], tuple[OwnPolicy, ...]]] = set()

    def points(self) -> tuple[RunSpec, ...]:
        return tuple(self._resolve(point) for point in self._file.points())

    def _resolve(self, point: Point) -> RunSpec:
        fields = {path: value for path, value in point.items() if path.startswith("scenario.")}
        recorded = self._file.base.dataset is not None
        dataset = self._dataset(point) if recorded else None
        scenario = self._rewarded(dataset, fields) if dataset else self._scenario(point, fields)
        agent = self._agent(point)
        if dataset is None:
            self._check_episodes(scenario, agent.budget)
        policies, own = self._policies(agent.policies, recorded)
        return RunSpec(
            scenario=scenario,
            dataset=dataset,
            policies=policies,
            own=own,
            seed=self._file.seeds.first,
            **agent.model_dump(exclude={"policies"}),
        )

    def _agent(self, point: Point) -> Agent:
        said = {path.split(".")[1]: value for path, value in point.items() if path.startswith("agent.")}
        data = self._file.agent.model_dump() | said
        try:
            agent = Agent.model_validate(data)
            check_choice(agent.surrogate, agent.buy)
        except ValidationError as error:
            raise self._wrong(describe_problems(error, data, Agent, within="agent")) from error
        except UserError as error:
            raise self._wrong(f"agent: {error}") from error
        return agent

    def _scenario(self, point: Point, fields: Point) -> Scenario:
        name = self._text(point, "scenario", self._file.base.scenario)
        mark = repr((name, sorted(fields.items())))
        if mark not in self._scenarios:
            source = self._beside(name)
            data = copy.deepcopy(_yaml(source))
            for path, value in fields.items():
                self._put(data, path, value)
            shown = f"{self._path}: {source.name}" + (f" with {_told(fields)}" if fields else "")
            scenario = parse_scenario(data, shown, source.parent)
            try:
                deploy(scenario)
            except UserError as error:
                raise SweepError(f"{shown}: {error}") from error
            self._scenarios[mark] = scenario
        return self._scenarios[mark]

    def _beside(self, name: str) -> Path:
        own = self._path.parent / name
        return own if is_file(own) else find_scenario(name)

    def _dataset(self, point: Point) -> Path:
        name = self._text(point, "dataset", self._file.base.dataset)
        own = self._path.parent / name
        return (own if is_file(own) else shipped_dataset(name)).resolve()

    def _rewarded(self, dataset: Path, fields: Point) -> Scenario:
        """The dataset's scenario with another reward."""
        mark = repr((dataset, sorted(fields.items())))
        if mark not in self._scenarios:
            scenario = _recorded_scenario(dataset)
            data = scenario.model_dump(mode="json")
            for path, value in fields.items():
                if not path.startswith("scenario.reward."):
                    raise self._wrong(
                        f"{path!r} can't be varied: what is recorded stays as it is; valid with "
                        "base.dataset: scenario.reward.<field>"
                    )
                self._put(data, path, value)
            if fields:
                scenario = parse_scenario(data, f"{self._path}: {dataset.stem} with {_told(fields)}")
            self._scenarios[mark] = scenario
        return self._scenarios[mark]

    def _put(self, data: Any, path: str, value: Any) -> None:
        """Set a field of a scenario's plain data; what is no field is found when that is validated."""
        *parents, last = path.split(".")[1:]
        place = data
        for part in parents:
            if isinstance(place, dict):
                place = place.setdefault(part, {})
            elif isinstance(place, list) and part.isdecimal() and int(part) < len(place):
                place = place[int(part)]
            else:
                raise self._wrong(f"{path!r}: there is nothing at {part!r}")
        if isinstance(place, list) and last.isdecimal() and int(last) < len(place):
            place[int(last)] = value
        elif isinstance(place, dict):
            place[last] = value
        else:
            raise self._wrong(f"{path!r}: there is nothing at {last!r}")

    def _policies(
        self, names: list[str] | Literal["all"], recorded: bool
    ) -> tuple[tuple[str, ...], tuple[OwnPolicy, ...]]:
        """Those that come with the tool, in their order, and the user's own."""
        known = _recorded_policies() if recorded else BASELINES
        if names == "all":
            return known, ()
        shipped = tuple(name for name in known if name in names)
        others = [name for name in names if name not in known]
        if recorded and others:
            raise self._wrong(
                f"agent.policies = {others[0]!r}: no such recorded policy; valid: all, {', '.join(known)}"
            )
        own = tuple(map(self._own, others))
        self._try(shipped, own)
        return shipped, own

    def _try(self, shipped: tuple[str, ...], own: tuple[OwnPolicy, ...]) -> None:
        """What is wrong with these policies is told before anything is played; once for all combinations."""
        if (shipped, own) in self._tried:
            return
        try:
            Contenders(shipped, tuple(load_policy(policy.source) for policy in own))
        except UserError as error:
            raise self._wrong(f"agent.policies: {error}") from error
        self._tried.add((shipped, own))

    def _own(self, name: str) -> OwnPolicy:
        """A policy of the user's own; a relative path starts at the sweep file."""
        file, _, class_name = (name, "", None) if name.endswith(".zip") else name.rpartition(":")
        if not file:
            raise self._wrong(
                f"agent.policies = {name!r}: no such live policy; valid: all, FILE.py:CLASS, FILE.zip, "
                f"{', '.join(BASELINES)}"
            )
        return OwnPolicy(path=(self._path.parent / file).resolve(), class_name=class_name)

    def _check_episodes(self, scenario: Scenario, budget: int) -> None:
        """Two seeds share no episode only as long as each stays within its own."""
        episodes = SEEDS_PER_RUN * scenario.requests.count
        if budget > episodes:
            raise self._wrong(
                f"agent.budget = {budget}: more than {SEEDS_PER_RUN} episodes of {scenario.name}, so seeds "
                f"would share some; valid: at most {episodes}"
            )

    def _text(self, point: Point, path: str, default: str | None) -> str:
        value = point.get(path, default)
        if not isinstance(value, str):
            raise self._wrong(f"{path} = {value!r}: valid: a name or a file")
        return value

    def _wrong(self, problem: str) -> SweepError:
        return SweepError(f"{self._path}: {problem}")


@lru_cache(maxsize=64)
def _yaml(path: Path) -> Any:
    return read_yaml(path)


@lru_cache(maxsize=64)
def _recorded_scenario(dataset: Path) -> Scenario:
    return open_dataset(dataset).scenario


def _recorded_policies() -> tuple[str, ...]:
    from pyagent.learning.comparison import POLICIES  # torch is slow to load

    return POLICIES


def _told(fields: Mapping[str, Any]) -> str:
    return one_line(", ".join(f"{path} = {one_line(repr(value))}" for path, value in fields.items()), 500)
