"""One run of a campaign, with nothing left to look up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from pyagent.campaign.seeds import MAX_RUN_SEED
from pyagent.errors import UserError
from pyagent.learning.options import Learning, Purchase, tuning_episodes
from pyagent.scenario.schema import Scenario
from pyagent.scenario.schema.base import Section
from pyagent.surrogate_names import known_surrogate


def _known_surrogate(name: str) -> str:
    try:
        return known_surrogate(name)
    except UserError as error:
        raise ValueError(str(error)) from error  # which pydantic reports with the field


Budget = Annotated[int, Field(ge=1, le=1_000_000)]
Rate = Annotated[float, Field(ge=0.001, le=1.0)]
Seed = Annotated[int, Field(ge=0, le=MAX_RUN_SEED)]
SurrogateName = Annotated[str, AfterValidator(_known_surrogate)]


class OwnPolicy(Section):
    """A policy of the user's own: a class in a Python file, or a stable-baselines3 zip."""

    path: Path
    """the file"""
    class_name: str | None = None
    """of the class; none: a zip"""

    @property
    def source(self) -> str:
        """As `splitsim evaluate --policy` takes it."""
        return str(self.path) if self.class_name is None else f"{self.path}:{self.class_name}"


class RunSpec(Section):
    """One run.

    Without a dataset it is played in the live co-simulation; with one its policies are trained and judged on
    what was recorded, and the scenario is the dataset's own, its reward perhaps another.
    """

    scenario: Scenario
    """what is played"""
    dataset: Path | None = None
    """recorded dataset; none: live"""
    policies: tuple[str, ...]
    """who is tested"""
    own: tuple[OwnPolicy, ...] = ()
    """who else is, live"""
    budget: Budget
    """real decisions that the learning agent may play"""
    surrogate: SurrogateName = Learning.surrogate
    """the model-based policies' own"""
    buy: Purchase = Learning.buy
    """which evaluations they buy"""
    per_decision: Rate = Learning.per_decision
    """how many of them per decision, unless they buy all"""
    seed: Seed
    """of the whole run"""

    @property
    def learning(self) -> Learning:
        """How the learning agent trains."""
        return Learning(self.budget, self.surrogate, self.buy, self.per_decision)

    @property
    def about(self) -> str:
        """A few words for a person."""
        where = "live" if self.dataset is None else "recorded"
        return f"{self.scenario.name} ({where}), budget {self.budget}, seed {self.seed}"

    @property
    def kind(self) -> str:
        """Runs of one kind take about as long for each decision: live or recorded, scenario, policies."""
        where = "live" if self.dataset is None else "recorded"
        return f"{where} {self.scenario.name} {'+'.join(self.policies)}"

    @property
    def decisions(self) -> int:
        """About how many decisions are played, every split and replicate counted: the size of a run."""
        if self.dataset is not None:
            return self.budget * sum(map(_patience, self.policies))
        scenario, count = self.scenario, self.scenario.requests.count
        evaluation, splits = scenario.evaluation, len(scenario.model.splits)
        tuning = tuning_episodes(self.budget, count, evaluation.tune_seeds)
        static = (tuning + evaluation.test_seeds * evaluation.replicates) * splits
        live = (len(self.policies) + len(self.own)) * evaluation.test_seeds
        return self.budget + count * (static + live)


def _patience(policy: str) -> int:
    from pyagent.learning.comparison import ENTRIES  # torch is slow to load

    return ENTRIES[policy].patience if policy in ENTRIES else 1


def settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a sweep file's dotted paths point into.

    Args:
        spec: a `RunSpec` as plain data; not validated, since files that it names may be gone. Of an older
            store it may lack fields that had one value only, today's default.
    """
    spec = {name: field.default for name, field in RunSpec.model_fields.items()} | dict(spec)
    dataset = spec["dataset"]
    return {
        "scenario": spec["scenario"],
        "dataset": None if dataset is None else Path(dataset).stem,
        "agent": {
            "policies": [*spec["policies"], *map(_own_name, spec["own"])],
            **{name: spec[name] for name in ("budget", "surrogate", "buy", "per_decision")},
        },
        "seed": spec["seed"],
    }


def _own_name(own: Mapping[str, Any]) -> str:
    """File and class, without the folder."""
    return OwnPolicy(path=Path(Path(own["path"]).name), class_name=own["class_name"]).source


def look_up(settings: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path of `settings`; None where there is none.

    The path `scenario` alone is the scenario's name. A list is given as one text.
    """
    found: Any = settings
    for part in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    if path == "scenario":
        return found["name"]
    return found if isinstance(found, str | int | float | bool | None) else _text(found)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(inner)}" for name, inner in value.items())
    return "+".join(map(_text, value)) if isinstance(value, list) else str(value)
