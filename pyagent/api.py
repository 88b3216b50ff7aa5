"""splitsim from Python: scenario -> environment -> policy -> evaluation -> DataFrame -> figure.

Everything here is also an attribute of `pyagent` itself. It composes what the command line uses, so a number
from here is the number that `splitsim run`, `evaluate` and `compare` print.

There are two kinds of sources. A **scenario** is played live: ns-3 simulates every packet and the language
model is run, so a decision takes about a second. A **dataset** is a scenario of which every split was played
once and recorded: it needs neither ns-3 nor a model, and thousands of decisions take a second.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import pandas as pd

from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.errors import UserError, usage_errors, writing
from pyagent.evaluation.cost import Cost
from pyagent.evaluation.summary import shares_text
from pyagent.files import LOCK
from pyagent.learning.options import Learning
from pyagent.policies.base import Policy
from pyagent.policies.user import UserPolicy, load_policy, user_policy
from pyagent.scenario.load import load_scenario as read_scenario
from pyagent.scenario.load import parse_scenario
from pyagent.scenario.schema import Scenario
from pyagent.temporary import TemporaryFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from stable_baselines3.common.base_class import BaseAlgorithm

    from pyagent.envs.replay import ReplayEnv
    from pyagent.envs.split_inference import SplitInferenceEnv

AGAINST = ("random", "best-static", "threshold")
"""Baselines that need no training."""
KIND_FIELDS = ("model", "technology", "kind")
"""Fields that say which kind of section this is; with another kind the other fields mean something else."""


class SplitRule(Protocol):
    """An object with the method that a policy of one's own needs at least."""

    def split(self, features: dict[str, float], splits: tuple[int, ...]) -> int:
        """One of `splits`, the blocks on the phone, for the request that came."""
        ...


SplitFunction = Callable[[dict[str, float], tuple[int, ...]], int]
"""(features, splits) -> one of the splits."""

if TYPE_CHECKING:
    Candidate: TypeAlias = Policy | SplitRule | SplitFunction | BaseAlgorithm | str


def load_scenario(source: str | Path | Mapping[str, Any] | Scenario, /, **sections: Any) -> Scenario:
    """A validated scenario, with some of its fields changed.

    Args:
        source: a YAML file, the name of a scenario that ships, a mapping as a YAML file holds it, or a
            scenario to vary.
        sections: new values by section, as in `docs/scenario-reference.md`. A mapping changes the fields
            that it names and leaves the others; one that names another `model`, `technology` or `kind` takes
            the section's place. Anything else takes the field's place. Relative paths in here start at the
            current folder.

    Raises:
        ScenarioError: no such file, or a field that is not valid.

    Examples:
        >>> import pyagent
        >>> scenario = pyagent.load_scenario("default", requests={"count": 5}, name="short-walk")
        >>> scenario.requests.count, scenario.link.technology
        (5, 'wifi')
    """
    if isinstance(source, Scenario):
        scenario, label = source, source.name
    elif isinstance(source, Mapping):
        scenario, label = parse_scenario(dict(source)), "scenario"
    else:
        scenario, label = read_scenario(source), str(source)
    if not sections:
        return scenario
    return parse_scenario(_merged(scenario.model_dump(mode="json"), sections), label)


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`old` with the fields of `new`, mappings within mappings."""
    for kind in KIND_FIELDS:
        if isinstance(new.get(kind), str) and new[kind] != old.get(kind):
            return dict(new)
    changed = {
        name: _merged(old[name], value)
        if isinstance(value, Mapping) and isinstance(old.get(name), Mapping)
        else value
        for name, value in new.items()
    }
    return {**old, **changed}


def load_dataset(source: str | Path) -> Dataset:
    """A recorded dataset.

    Args:
        source: a file that `splitsim record` wrote, or the name of one that ships: `default`,
            `factory-obstacles`, `tram-replay`.

    Raises:
        DatasetError: no such file or name, or no recorded dataset.

    Examples:
        >>> import pyagent
        >>> dataset = pyagent.load_dataset("default")
        >>> dataset.deployment.splits, len(dataset.train), len(dataset.test)
        ((1, 8, 16, 24, 32), 400, 120)
    """
    return open_dataset(shipped_dataset(str(source)))


def make_env(
    source: Scenario | Dataset, *, part: Literal["train", "test"] = "train"
) -> SplitInferenceEnv | ReplayEnv:
    """The Gymnasium environment of a scenario (live) or of a dataset (recorded).

    Observation: `Box(0, 1, (19,), float32)`; action: an index into `env.splits`; reward: nats per token, at
    most 0. `SplitInferenceEnv` says what each observation is.

    Args:
        source: what is played.
        part: prompts of a scenario, or episodes of a dataset, to learn from or to be judged on.

    Examples:
        >>> import pyagent
        >>> env = pyagent.make_env(pyagent.load_dataset("default"))
        >>> observation, info = env.reset(seed=3)
        >>> observation, reward, terminated, truncated, info = env.step(0)
        >>> observation.shape, reward < 0
        ((19,), True)
    """
    if isinstance(source, Dataset):
        from pyagent.envs.replay import ReplayEnv

        return ReplayEnv(source, part)
    from pyagent.envs.split_inference import SplitInferenceEnv

    return SplitInferenceEnv(source, part)


def train(
    source: Scenario | Dataset,
    policy: str = "surrogate-argmax",
    *,
    decisions: int = Learning.budget,
    seed: int = 1,
) -> Policy:
    """A policy, trained or tuned; it no longer learns.

    Args:
        source: live, every decision is played by ns-3, and the language model is asked about those that are
            bought, a quarter at most; on a dataset the recorded ones are looked up.
        policy: live `surrogate-argmax`, `ppo-imagination`, or a bandit (`linucb`, `linear-thompson`,
            `gp-ucb`), which buys all; on a dataset any that `splitsim compare` knows.
        decisions: that `surrogate-argmax` may play, 1 or more. On a dataset, policies that learn more slowly
            play a multiple of it, and rules are tuned on as many contexts.
        seed: of everything random in it. Equal seeds give equal policies.

    Raises:
        UserError: no such policy, or it can't be had in this scenario.
        SimulatorDied, SimulatorTimeout: ns-3 failed.

    Examples:
        >>> import pyagent
        >>> policy = pyagent.train(pyagent.load_dataset("default"), "threshold")
        >>> policy.name
        'threshold'
    """
    if decisions < 1:
        raise UserError(f"decisions = {decisions}: valid: 1 or more")
    if isinstance(source, Dataset):
        return _trained(source, [policy], decisions, seed)[policy][0]
    return _trained_live(source, policy, decisions, seed)


def _trained(
    dataset: Dataset, names: Sequence[str], decisions: int, seed: int
) -> dict[str, tuple[Policy, Cost]]:
    """Policies of one training run each, and what they were trained or tuned on."""
    from pyagent.learning.comparison import POLICIES, play
    from pyagent.threads import one_thread

    _check_names(names, POLICIES)
    with one_thread(), usage_errors():
        runs = play(names, dataset, [seed], decisions, lambda name: None)
    found = {}
    for name, (run,) in runs.items():
        end = run[-1]
        assert end.policy is not None  # the last checkpoint of a run keeps it
        found[name] = (end.policy, Cost(end.decisions, end.evaluations, end.tuning_contexts))
    return found


def _trained_live(scenario: Scenario, name: str, decisions: int, seed: int) -> Policy:
    from pyagent.campaign.contenders import ARGMAX, IMAGINED
    from pyagent.campaign.journal import Journal
    from pyagent.campaign.learn import MODEL, Training
    from pyagent.campaign.progress import PhaseProgress
    from pyagent.campaign.seeds import Seeds
    from pyagent.envs.scoring import Scorer
    from pyagent.learning.learners import BANDITS, OnlineLearner, make_model_based
    from pyagent.learning.model_based import ModelBasedLearner
    from pyagent.policies.ppo_imagination import PpoImaginationPolicy

    _check_names([name], (ARGMAX, IMAGINED, *BANDITS))
    scorer = Scorer(scenario)
    with (
        TemporaryFolder() as folder,
        PhaseProgress() as progress,
        progress.phase("train", f"Training {name} on {decisions} real decisions", decisions),
    ):
        journal = Journal(folder / "journal", scorer.deployment.num_layers)
        training = Training(MODEL, scorer, journal, folder / "logs")
        if name in BANDITS:
            learner: OnlineLearner = BANDITS[name](scenario, training.ask, seed=seed)
        else:
            clean = scorer.clean_delta_nll("train")
            learner = make_model_based(scenario, training.ask, clean_delta_nll=clean, seed=seed)
        training.run(
            learner,
            budget=decisions,
            seeds=Seeds(seed).learn(),
            progress=lambda note: progress.advance(note=note),
        )
    if isinstance(learner, ModelBasedLearner) and name == IMAGINED:
        return PpoImaginationPolicy.train(learner.imagined(), seed=seed)
    return learner.policy()


def _check_names(names: Sequence[str], valid: Sequence[str]) -> None:
    for name in names:
        if name not in valid:
            raise UserError(f"policy {name!r}: no such policy here; valid: {', '.join(valid)}")


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found. It lies in a run folder, as `splitsim run` writes it.

    Attributes:
        path: the run folder; a temporary one, gone with this object, where none was asked for.
        summary: every number, as in its summary.json.
    """

    path: Path
    summary: dict[str, Any]
    _temporary: TemporaryFolder | None = field(default=None, repr=False)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per decision: phase, policy, seed, decision, split, reward, its terms, outcomes, `obs_*`.

        Units are in the names. Phase `test` is what the policies did; `oracle` has every split on the same
        decisions (also those of all-local, min-split and best-static in a live evaluation); `train` and
        `tune` are there where something was learned live.
        """
        frame: pd.DataFrame = pd.read_parquet(self.path / "decisions.parquet")
        return frame

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per policy, best pair and causal ceiling, best reward first, the oracle on top.

        Means over test decisions; `_low` and `_high` are the ends of 95 % intervals. `share` is that of what
        the oracle gains over the best static split. `splits` has the three splits chosen most often.
        `simulated_decisions`, `real_evaluations` and `tuning_contexts` are NaN where it is not known what a
        policy learned from.
        """
        policies = self.summary["policies"]
        ranked = sorted({**policies, **self.summary["references"]}.items(), key=lambda r: -r[1]["reward"])
        rows = {name: _flat(metrics) for name, metrics in ranked}
        columns = list(rows[next(iter(policies))])
        oracle = _flat({**self.summary["oracle"], "regret": 0.0})
        every = pd.DataFrame.from_dict({"oracle": oracle} | rows, orient="index")
        table: pd.DataFrame = every[columns].rename_axis("policy")
        return table

    @property
    def rules(self) -> dict[str, str]:
        """The rule of each policy that has one, in one line, as `snr < 17 dB -> 32, else 1`."""
        return {name: rule["text"] for name, rule in self.summary["rules"].items()}

    @property
    def note(self) -> str:
        """Which model's quality stands for the deployed one's; empty where it is the same."""
        from pyagent.plots.data import proxy_note

        return proxy_note(self.path)

    def figure(self, name: str = "policies") -> Figure:
        """A figure. A notebook shows it (after `%matplotlib inline`); `savefig` writes it.

        Args:
            name: `policies`; after a live evaluation also `map`, `timeline`, `links`, `regret`, and where
                something was trained `surrogate` and `reliability`.

        Raises:
            UserError: no such figure, or the evaluation has no data for it.
        """
        from pyagent.plots import FIGURES, MissingDataError

        if name not in FIGURES:
            raise UserError(f"figure {name!r}: no such figure; valid: {', '.join(FIGURES)}")
        try:
            return FIGURES[name](self.path)
        except MissingDataError as error:
            raise UserError(f"figure {name!r}: this evaluation has no data for it ({error})") from error

    def save(self, folder: str | Path) -> Path:
        """Copy the run folder, and the table as `table.csv`.

        Args:
            folder: must not exist.

        Returns:
            The folder.

        Raises:
            UserError: it exists or can't be written.
        """
        target = Path(folder)
        with writing(f"folder {target}"):
            shutil.copytree(self.path, target, ignore=shutil.ignore_patterns(LOCK))
            self.table.to_csv(target / "table.csv")
        return target


def _flat(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of one policy; an interval becomes two of them."""
    row: dict[str, Any] = {}
    for name, value in metrics.items():
        if name.endswith("_ci"):
            stem = name.removesuffix("_ci")
            row[f"{stem}_low"], row[f"{stem}_high"] = value or (None, None)
        elif name == "split_shares":
            row["splits"] = shares_text(value)
        elif not isinstance(value, Mapping):
            row[name] = value
    return row


def evaluate(
    source: Scenario | Dataset,
    policies: Mapping[str, Candidate] | None = None,
    *,
    against: Sequence[str] = AGAINST,
    decisions: int = Learning.budget,
    seed: int = 1,
    out: str | Path | None = None,
) -> Evaluation:
    """Policies on unseen seeds, beside baselines and the oracle.

    Args:
        source: a scenario is played live; of a dataset the recorded test part is played, all replicates.
        policies: by their names in table and figures (lower-case letters, digits, hyphens). Each is a
            `Policy` as `train` returns it, an object with `split(features, splits)` (`SplitRule`), a function
            of that kind, a trained algorithm of stable-baselines3, or the text FILE.py:Class or FILE.zip.
            What is given is copied, and tuned first where it has `tune(features, splits, rewards)`.
        against: baselines by name: live those of `splitsim evaluate --against`, on a dataset those of
            `splitsim compare --policies`. Some of them are trained for this.
        decisions: that those may play, see `train`.
        seed: of the run. Live, it chooses the test seeds; a dataset's are fixed.
        out: run folder; None: live as the command line chooses, for a dataset a temporary one.

    Raises:
        UserError: a name is unknown or there twice, there is nobody to evaluate, or `out` can't be used.
        PolicyError: a policy did something wrong.
        SimulatorDied, SimulatorTimeout: ns-3 failed.

    Examples:
        >>> import pyagent
        >>> def fast_link(features, splits):
        ...     return splits[0] if features["phy_rate_mbps"] > 20 else splits[-1]
        >>> found = pyagent.evaluate(pyagent.load_dataset("default"), {"fast-link": fast_link})
        >>> sorted(found.table.index)
        ['best-pair', 'best-static', 'causal-ceiling', 'fast-link', 'oracle', 'random', 'threshold']
        >>> " -> " in found.rules["threshold"], float(found.table.share["oracle"])
        (True, 1.0)
        >>> len(found.frame.query("policy == 'fast-link'"))  # 120 decisions, four replicates
        480
    """
    guests = tuple(_guest(name, policy) for name, policy in (policies or {}).items())
    if not guests and not against:
        raise UserError("nobody to evaluate: policies and against are empty")
    for guest in guests:
        if guest.name in (*against, "oracle"):
            raise UserError(f"policy {guest.name!r}: is a name of a baseline; valid: another one")
    target = None if out is None else Path(out)
    if isinstance(source, Dataset):
        return _evaluated(source, guests, against, decisions, seed, target)
    return _evaluated_live(source, guests, against, decisions, seed, target)


def _guest(name: str, policy: Candidate) -> UserPolicy:
    """A policy in the form in which the user's own are played, apart from what the caller holds."""
    from stable_baselines3.common.base_class import BaseAlgorithm

    if isinstance(policy, str):
        guest = load_policy(policy)
        guest.rename(name)
        return guest
    if isinstance(policy, BaseAlgorithm):
        from pyagent.policies.actor import ActorPolicy
        from pyagent.policies.sb3 import actor_of

        policy = ActorPolicy(actor_of(policy))
    return user_policy(name, policy).copy()


def _evaluated_live(
    scenario: Scenario,
    guests: tuple[UserPolicy, ...],
    against: Sequence[str],
    decisions: int,
    seed: int,
    out: Path | None,
) -> Evaluation:
    from pyagent.campaign.contenders import BASELINES, Contenders
    from pyagent.campaign.run import run_experiment

    _check_names(against, BASELINES)
    baselines = tuple(name for name in BASELINES if name in against)
    result = run_experiment(
        scenario,
        seed=seed,
        learning=Learning(budget=decisions),
        out=out,
        contenders=Contenders(baselines, guests),
    )
    return Evaluation(result.path, result.summary)


def _evaluated(
    dataset: Dataset,
    guests: tuple[UserPolicy, ...],
    against: Sequence[str],
    decisions: int,
    seed: int,
    out: Path | None,
) -> Evaluation:
    from pyagent.campaign.folder import Plan, open_run_folder
    from pyagent.learning.comparison import tuning_tables
    from pyagent.learning.recorded import RECORDED_COMMAND, write_evaluation
    from pyagent.learning.tuning import tuning_contexts, tuning_rewards

    *_, tuned_on = tuning_tables(dataset.train, seed, decisions)
    for guest in guests:
        guest.prepare(dataset.deployment.splits, dataset.deployment.num_layers)
        if guest.tunes:
            guest.tune(tuning_contexts(tuned_on), tuning_rewards(tuned_on))
    trained = _trained(dataset, against, decisions, seed)
    temporary = None
    if out is None:
        temporary = TemporaryFolder()
        out = temporary.path / "evaluation"
    with open_run_folder(out, Plan(dataset.scenario, RECORDED_COMMAND)) as folder:
        summary = write_evaluation(folder, dataset, guests, trained, seed, tuned_on)
    return Evaluation(out, summary, temporary)
