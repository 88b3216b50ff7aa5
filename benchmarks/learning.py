"""What learning costs, in real evaluations and in wall-clock, on recorded datasets.

`python -m benchmarks.learning` prints one JSON line per scenario and one for all. Trained is on the datasets
that ship (`splitsim record`, see docs/learning.md), judged on their test episodes.

- `share`: (policy - best static) / (oracle - best static), on the same test decisions; null if the interval
  of the oracle's gap reaches 0, because there is then nothing to gain.
- `decisions`, `evaluations`, `tuning_contexts` of each policy: simulated decisions whose outcomes it used,
  evaluations by the language model, and contexts at which it used the outcome of every action.
- `evaluations_to_95`: evaluations until a policy keeps a share of 95 %, median over training seeds with its
  95 % interval; null if less than half of the runs reach it. `evaluations_to_80` is the same for 80 %.
- Ratios over the surrogate at a share of 95 %, each at the checkpoints at which the runs reach it; null with
  a `..._note` if one of the two does not reach it. `at_80` holds the same for a share of 80 %.
  - `ratio_ppo_over_mbrl`: evaluations of model-free PPO over those of the surrogate.
  - `ratio_best_nonmbrl_over_mbrl`: the same for the cheapest competitor in evaluations that reaches the
    share, `best_nonmbrl`; a competitor learns or is tuned without a model.
  - `training_speedup`: wall-clock of PPO over that of the surrogate. Each is charged its simulated decisions
    (`network_step_s` each, measured in the live co-simulation), the evaluations that it needs (`evaluation_s`
    each) and its own computing.
  - `training_speedup_cheapest`: the same for the cheapest competitor in wall-clock, `cheapest`.
- `pair_share`, `causal_ceiling_share`: what a perfect choice between the best two splits keeps, and what a
  policy keeps that was fitted to every action's outcome in the training part.
- `simple_rule_is_as_good`: a rule or LinUCB whose interval meets or exceeds the best model-based policy's.
- `coverage_90`: share of held-out outcomes within the surrogate's 90 % interval, by component.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.page import put_table
from pyagent.campaign.progress import PhaseProgress
from pyagent.campaign.seeds import Seeds
from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.envs.scoring import NO_SPLIT, Scorer
from pyagent.envs.simulator import Episode
from pyagent.evaluation.share import NOTHING_TO_GAIN, Yardstick, share_text
from pyagent.learning.comparison import MODEL_BASED, POLICIES
from pyagent.learning.on_table import learn, model_based
from pyagent.learning.ranking import RULES, TARGET, TARGETS, Ranking, Standing, draw, rank
from pyagent.learning.references import CEILING
from pyagent.paths import REPOSITORY, SimulatorNotFoundError, simulator_executable
from pyagent.surrogate.calibration import calibration
from pyagent.surrogate.types import Batch

SCENARIOS = ("default", "factory-obstacles", "tram-replay")
OURS = "surrogate-argmax"
PAGE = REPOSITORY / "docs" / "learning.md"


@dataclass(frozen=True)
class LiveCost:
    """Wall-clock of the parts of one live decision, one ns-3 process, nothing else running."""

    network_s: float
    evaluation_s: float


def live_cost(dataset: Dataset) -> LiveCost | None:
    """Play an episode with every split in turn; None without a simulator."""
    try:
        simulator_executable(dataset.scenario.program)
    except SimulatorNotFoundError:
        return None
    scorer = Scorer(dataset.scenario)
    scorer.evaluator("train")
    network_s, evaluation_s, decisions, evaluations = 0.0, 0.0, 0, 0
    seed = next(Seeds(0).learn())
    with Episode(dataset.scenario, seed) as episode:
        _, over, previous = episode.begin(), False, NO_SPLIT
        while not over:
            started = time.perf_counter()
            record, _, over = episode.decide(decisions % len(scorer.deployment.splits))
            network_s += time.perf_counter() - started
            before = scorer.evaluations
            started = time.perf_counter()
            scorer.score(record, seed=seed, replicate=0, previous_split=previous, part="train")
            if scorer.evaluations > before:
                evaluation_s += time.perf_counter() - started
                evaluations += 1
            decisions, previous = decisions + 1, record.split
    return LiveCost(network_s / decisions, evaluation_s / max(evaluations, 1))


def coverage(dataset: Dataset, decisions: int) -> dict[str, float | None]:
    """Component -> `coverage_90` on the test table after learning, qualities all bought."""
    learner = model_based(dataset, seed=0, rule="all")
    learn(learner, dataset, seed=0, decisions=decisions)
    table = dataset.test
    K, S, R, D = table.contexts.shape
    actions = np.broadcast_to(np.arange(S)[None, :, None], (K, S, R)).reshape(-1)
    outcomes = table.components.reshape(K * S * R, -1)
    batch = Batch(table.contexts.reshape(-1, D), actions.astype(np.int64), outcomes)
    found = calibration(learner.surrogate, learner.encoder, batch)
    return {name: entry["coverage_90"] for name, entry in found.items()}


def seconds_to(standing: Standing, target: float, measure: Yardstick, cost: LiveCost) -> float | None:
    """Median wall-clock until a policy reaches a share; None if less than half of its runs reach it.

    Args:
        standing: of the policy.
        target: one of `TARGETS`.
        measure: the yardstick.
        cost: of one decision and of one evaluation.
    """
    if standing.arrivals is None:
        return None
    seconds = [
        np.inf
        if at is None
        else at.decisions * cost.network_s + at.evaluations * cost.evaluation_s + at.wall_s
        for at in standing.at(target, measure)
    ]
    median = float(np.median(seconds))
    return median if np.isfinite(median) else None


def not_reached(standing: Standing) -> str:
    """Text in place of a number of a policy that does not reach a share."""
    return (
        f"{standing.name}: not reached within {standing.evaluations:,.0f} evaluations "
        f"({standing.decisions:,.0f} decisions)"
    )


def summary(ranking: Ranking, cost: LiveCost | None) -> dict[str, Any]:
    """The figures of the module's docstring."""
    found = ranking.found
    rule = max((found[name] for name in RULES), key=lambda s: s.reward.estimate)
    model = max((found[name] for name in MODEL_BASED), key=lambda s: s.reward.estimate)
    return {
        "best_rule": {"name": rule.name, "share": rule.share},
        "best_model_based": {"name": model.name, "share": model.share},
        "simple_rule_is_as_good": rule.reward.high >= model.reward.low,
        "network_step_s": None if cost is None else cost.network_s,
        "evaluation_s": None if cost is None else cost.evaluation_s,
        **ratios(ranking, TARGET, cost),
        **{f"at_{_percent(target)}": ratios(ranking, target, cost) for target in TARGETS if target != TARGET},
    }


def _percent(target: float) -> int:
    return round(100 * target)


def ratios(ranking: Ranking, target: float, cost: LiveCost | None) -> dict[str, Any]:
    """Ratios over the surrogate at one share, in evaluations and in wall-clock."""
    spent = {s.name: s.spent(target) for s in ranking.standings}
    numbers = _against(
        ranking, spent, ("ratio_ppo_over_mbrl", "ratio_best_nonmbrl_over_mbrl", "best_nonmbrl")
    )
    keys = ("training_speedup", "training_speedup_cheapest", "cheapest")
    if cost is None:
        return (
            numbers | dict.fromkeys(keys) | {"training_speedup_note": "no simulator to measure a step with"}
        )
    seconds = {s.name: seconds_to(s, target, ranking.yardstick, cost) for s in ranking.standings}
    return numbers | _against(ranking, seconds, keys) | {"ours_s": seconds[OURS]}


def _against(
    ranking: Ranking, spent: Mapping[str, float | None], keys: tuple[str, str, str]
) -> dict[str, Any]:
    """What PPO and the cheapest competitor spent over what the surrogate spent.

    Args:
        ranking: with all policies.
        spent: name -> cost of reaching the share; None if it is not reached.
        keys: of PPO's ratio, of the cheapest competitor's, and of that one's name.
    """
    ppo_key, cheapest_key, name_key = keys
    ours = spent[OURS]
    rivals = {
        name: value
        for name, value in spent.items()
        if name not in (*MODEL_BASED, CEILING) and value is not None
    }
    cheapest = min(rivals, key=lambda name: rivals[name], default=None)
    numbers: dict[str, Any] = {ppo_key: _ratio(spent["ppo"], ours), name_key: cheapest}
    numbers[cheapest_key] = None if cheapest is None else _ratio(rivals[cheapest], ours)
    notes = {name: not_reached(ranking.found[name]) for name in (OURS, "ppo") if spent[name] is None}
    if notes:
        numbers[f"{ppo_key}_note"] = "; ".join(notes.values())
    rival_notes = [notes[OURS]] if OURS in notes else []
    if cheapest is None:
        rival_notes.append("no competitor reaches it")
    if rival_notes:
        numbers[f"{cheapest_key}_note"] = "; ".join(rival_notes)
    return numbers


def _ratio(theirs: float | None, ours: float | None) -> float | None:
    """None if one of the two is missing, or ours is 0."""
    return theirs / ours if theirs is not None and ours else None


def measure(
    name: str, source: Path, seeds: int, decisions: int, images: Path | None, unlimited: bool
) -> dict[str, Any]:
    """One scenario."""
    dataset = open_dataset(source)
    with PhaseProgress() as progress:
        cost = live_cost(dataset)
        ranking = rank(dataset, POLICIES, range(seeds), decisions, progress, unlimited=unlimited)
        found = coverage(dataset, decisions)
    if images is not None:
        images.mkdir(parents=True, exist_ok=True)
        picture = draw(ranking, images)
        assert picture is not None  # the learners are among the policies
        picture.rename(images / f"{name}.png")
        (images / "learning.pdf").unlink()
    return {
        "benchmark": "learning",
        "seeds": seeds,
        "decisions": decisions,
        "unlimited": unlimited,
        **summary(ranking, cost),
        "coverage_90": found,
        **ranking.to_json(),
    }


def markdown(lines: list[dict[str, Any]]) -> str:
    """A table per scenario, best policy first."""
    return "\n".join(_section(found) for found in lines)


def _section(found: dict[str, Any]) -> str:
    coverage_90 = ", ".join(f"{name} {value:.2f}" for name, value in found["coverage_90"].items())
    low, high = found["gap_ci"]
    gap = (
        f"{found['gap']:.3f} [{low:.3f}, {high:.3f}] per decision over best static ({found['static_split']})"
    )
    pair, kept = ", ".join(map(str, found["best_pair"])), share_text(found["pair_share"], 1)
    ceiling = share_text(found["causal_ceiling_share"], 1)
    worth = f"the best pair ({pair}) keeps {kept} of it, the causal ceiling {ceiling}"
    if found["nothing_to_gain"]:
        worth = NOTHING_TO_GAIN
    return (
        f"### {found['scenario']}\n\n"
        f"{found['seeds']} training seeds, {found['decisions']} decisions of the model-based learner.\n"
        f"The oracle gains {gap}: {worth}.\n\n"
        + "".join(_ratio_lines(found, target) for target in reversed(TARGETS))
        + f"- Coverage of 90 % intervals: {coverage_90}.\n\n"
        "| policy | reward [95 %] | IQM | regret | share | decisions | evaluations | tuning contexts "
        "| evaluations to 95 % [95 %] | arrive | to 80 % | arrive |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|\n"
        + "".join(_row(name, numbers) for name, numbers in found["policies"].items())
    )


def _ratio_lines(found: dict[str, Any], target: float) -> str:
    """Ratios at one share, each with the competitor's name, or why there is none."""
    percent = _percent(target)
    at = found if target == TARGET else found[f"at_{percent}"]
    lines = []
    if all(found["policies"][name][f"arrived_{percent}"] in (0, None) for name in (OURS, "ppo")):
        rival = at["best_nonmbrl"]
        cheapest = "no competitor reaches it either"
        if rival is not None:
            spent = found["policies"][rival][f"evaluations_to_{percent}"]
            cheapest = f"`{rival}` reaches it after {_number(spent)} evaluations"
        return f"- Share of {percent} %: {at['ratio_ppo_over_mbrl_note']}; {cheapest}.\n"
    for what, keys in (
        ("Evaluations", ("ratio_ppo_over_mbrl", "ratio_best_nonmbrl_over_mbrl", "best_nonmbrl")),
        ("Wall-clock", ("training_speedup", "training_speedup_cheapest", "cheapest")),
    ):
        ppo, cheapest, name = keys
        rival = at[name] or "cheapest competitor"
        lines.append(
            f"- {what} to a share of {percent} %, over the surrogate's: `ppo` {_told(at, ppo)}; "
            f"`{rival}` {_told(at, cheapest)}.\n"
        )
    return "".join(lines)


def _told(at: dict[str, Any], key: str) -> str:
    value = at[key]
    return f"{value:,.3g} times" if value is not None else f"- ({at.get(f'{key}_note', 'not comparable')})"


def _row(name: str, numbers: dict[str, Any]) -> str:
    low, high = numbers["reward_ci"]
    cells = [
        f"`{name}`",
        f"{numbers['reward']:.3f} [{low:.3f}, {high:.3f}]",
        f"{numbers['iqm']:.3f}",
        f"{numbers['final_regret']:.3f}",
        share_text(numbers["share"], 1),
        f"{numbers['decisions']:.0f}",
        f"{numbers['evaluations']:.0f}",
        f"{numbers['tuning_contexts']:.0f}",
        *_arrival_cells(numbers, 95, interval=True),
        *_arrival_cells(numbers, 80, interval=False),
    ]
    return f"| {' | '.join(cells)} |\n"


def _arrival_cells(numbers: dict[str, Any], percent: int, *, interval: bool) -> list[str]:
    """Evaluations and share of the runs that arrive; empty for a policy without a learning curve."""
    arrived, to = numbers[f"arrived_{percent}"], numbers[f"evaluations_to_{percent}"]
    if arrived is None:
        return ["", ""]
    ends = (
        "" if not interval else f" [{', '.join(_number(e) for e in numbers[f'evaluations_to_{percent}_ci'])}]"
    )
    text = f"{_number(to)}{ends}" if to is not None else f"not within {numbers['evaluations']:,.0f}"
    return [text, f"{arrived:.0%}"]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenarios", nargs="*", help="datasets that ship, or files; default: three that ship")
    parser.add_argument("--seeds", type=int, default=10, help="training runs of each policy")
    parser.add_argument("--decisions", type=int, default=400, help="of the model-based learner")
    parser.add_argument(
        "--unlimited", action="store_true", help="PPO plays 600 times as many, A2C and DQN 50 times"
    )
    parser.add_argument("--images", type=Path, default=None, help="folder for the curves")
    parser.add_argument("--lines", type=Path, nargs="+", help="only write --page from these earlier outputs")
    parser.add_argument("--page", type=Path, default=PAGE, help="page that holds the tables")
    chosen = parser.parse_args(arguments)
    if chosen.lines:
        read = [json.loads(path.read_text(encoding="utf-8").splitlines()[0]) for path in chosen.lines]
        put_table(chosen.page, "learning", markdown(read))
        return
    found = {}
    for name in chosen.scenarios or SCENARIOS:
        source = shipped_dataset(name)
        found[source.stem] = measure(
            source.stem, source, chosen.seeds, chosen.decisions, chosen.images, chosen.unlimited
        )
        print(json.dumps(found[source.stem]), flush=True)
    keys = (
        *("pair_share", "causal_ceiling_share", "ratio_ppo_over_mbrl", "ratio_best_nonmbrl_over_mbrl"),
        *("training_speedup", "training_speedup_cheapest", "simple_rule_is_as_good"),
    )
    together = {key: {name: numbers[key] for name, numbers in found.items()} for key in keys}
    print(json.dumps({"benchmark": "learning", **together}))


if __name__ == "__main__":
    main()
