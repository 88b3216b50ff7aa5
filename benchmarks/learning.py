"""What learning costs, in real evaluations and in wall-clock, on recorded datasets.

`python -m benchmarks.learning` prints one JSON line per scenario and one for all. Trained is on the datasets
that ship (`splitsim record`, see docs/learning.md), judged on their test episodes.

- `evaluations_to_95`: real LLM evaluations until a policy has 95 % of the oracle's gain over random, median
  over training seeds with its 95 % interval; null where at least half of the runs never get there.
- `ratio_ppo_over_mbrl`: model-free PPO's over the surrogate's. Where PPO never arrives it is what PPO had
  spent at its end over the surrogate's, a lower bound (`ratio_ppo_is_lower_bound`).
- `ratio_best_nonmbrl_over_mbrl`: the same for the best policy that learns or is tuned without a model.
- `training_speedup`: wall-clock of PPO with a real evaluation at each step over ours. A step is measured in
  the live co-simulation (`live_step_s`), times the steps that PPO needed on the dataset, or, where it never
  arrives, the 240,000 of the published approach (`ppo_steps_are`). Ours is the decisions that the surrogate
  needed in the live simulator (`network_step_s` each), its evaluations (`evaluation_s` each) and its own
  computing.
- `simple_rule_is_as_good`: a threshold rule or LinUCB whose interval meets the best model-based policy's.
- `coverage_90`: share of held-out outcomes within the surrogate's 90 % interval, by component.
"""

from __future__ import annotations

import argparse
import json
import time
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
from pyagent.learning.comparison import MODEL_BASED, POLICIES
from pyagent.learning.on_table import learn, model_based
from pyagent.learning.ranking import Ranking, Standing, draw, rank
from pyagent.paths import REPOSITORY, SimulatorNotFoundError, simulator_executable
from pyagent.surrogate.calibration import calibration
from pyagent.surrogate.types import Batch

SCENARIOS = ("default", "factory-obstacles", "tram-replay")
PUBLISHED_PPO_STEPS = 240_000
OURS = "surrogate-argmax"
PAGE = REPOSITORY / "docs" / "learning.md"
RULES = ("threshold", "two-threshold", "linucb")


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


def arrived_at(standing: Standing) -> tuple[float, float] | None:
    """Median (decisions, learning seconds) of the runs when they arrived; None where they never do."""
    assert standing.arrival is not None
    if standing.arrival.median is None:
        return None
    at = [
        next(point for point in run if point.evaluations >= needed)
        for run, needed in zip(standing.runs, standing.arrival.per_run, strict=True)
        if needed is not None
    ]
    return float(np.median([p.decisions for p in at])), float(np.median([p.wall_s for p in at]))


def summary(ranking: Ranking, cost: LiveCost | None) -> dict[str, Any]:
    """The figures of the module's docstring."""
    found = {s.name: s for s in ranking.standings}
    ours, ppo = found[OURS], found["ppo"]
    spent = _spent(ours)
    others = [s for s in found.values() if s.name not in MODEL_BASED and _spent(s) is not None]
    best = min(others, key=lambda s: _spent(s) or np.inf, default=None)
    rule = max((found[name] for name in RULES), key=lambda s: s.gain)
    model = max((found[name] for name in MODEL_BASED), key=lambda s: s.gain)
    numbers: dict[str, Any] = {
        "ratio_ppo_over_mbrl": None,
        "ratio_ppo_is_lower_bound": ppo.arrival is None or ppo.arrival.median is None,
        "ratio_best_nonmbrl_over_mbrl": None,
        "best_nonmbrl": None if best is None else best.name,
        "best_rule": {"name": rule.name, "gain": rule.gain},
        "simple_rule_is_as_good": rule.reward.high >= model.reward.low,
    }
    if spent is not None:
        numbers["ratio_ppo_over_mbrl"] = (_spent(ppo) or ppo.evaluations) / spent
        if best is not None:
            numbers["ratio_best_nonmbrl_over_mbrl"] = (_spent(best) or np.nan) / spent
    return numbers | _speedup(ours, ppo, cost)


def _spent(standing: Standing) -> float | None:
    return None if standing.arrival is None else standing.arrival.median


def _speedup(ours: Standing, ppo: Standing, cost: LiveCost | None) -> dict[str, Any]:
    at, spent = arrived_at(ours), _spent(ours)
    if cost is None or at is None or spent is None:
        return {"training_speedup": None}
    theirs = arrived_at(ppo)
    steps = PUBLISHED_PPO_STEPS if theirs is None else theirs[0]
    ppo_step_s = ppo.wall_s / ppo.decisions
    step_s = cost.network_s + cost.evaluation_s + ppo_step_s
    mine_s = at[0] * cost.network_s + spent * cost.evaluation_s + at[1]
    return {
        "training_speedup": steps * step_s / mine_s,
        "ppo_steps": steps,
        "ppo_steps_are": "published" if theirs is None else "needed on the dataset",
        "live_step_s": cost.network_s + cost.evaluation_s,
        "network_step_s": cost.network_s,
        "evaluation_s": cost.evaluation_s,
        "ours_s": mine_s,
        "ours_decisions": at[0],
    }


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
    parts = []
    for found in lines:
        speedup = found["training_speedup"]
        ratio = found["ratio_ppo_over_mbrl"]
        bound = "at least " if found["ratio_ppo_is_lower_bound"] else ""
        coverage_90 = ", ".join(f"{name} {value:.2f}" for name, value in found["coverage_90"].items())
        parts.append(
            f"### {found['scenario']}\n\n"
            f"{found['seeds']} training seeds, {found['decisions']} decisions of the model-based learner.\n"
            f"PPO over surrogate in evaluations: {bound}{_number(ratio)}.\n"
            f"Training speed-up: {_number(speedup)} (PPO's steps: {found.get('ppo_steps_are', '-')}).\n"
            f"Coverage of 90 % intervals: {coverage_90}.\n\n"
            "| policy | reward [95 %] | IQM | regret | gain | evaluations | to 95 % [95 %] | arrive |\n"
            "|---|---|---|---|---|---|---|---|\n"
            + "".join(_row(name, numbers) for name, numbers in found["policies"].items())
        )
    return "\n".join(parts)


def _row(name: str, numbers: dict[str, Any]) -> str:
    low, high = numbers["reward_ci"]
    to = numbers["evaluations_to_95"]
    ends = numbers["evaluations_to_95_ci"] or (None, None)
    arrived = numbers["arrived"]
    cells = [
        f"`{name}`",
        f"{numbers['reward']:.3f} [{low:.3f}, {high:.3f}]",
        f"{numbers['iqm']:.3f}",
        f"{numbers['final_regret']:.3f}",
        f"{numbers['gain']:.1%}",
        f"{numbers['evaluations']:.0f}",
        "" if arrived is None else f"{_number(to)} [{_number(ends[0])}, {_number(ends[1])}]",
        "" if arrived is None else f"{arrived:.0%}",
    ]
    return f"| {' | '.join(cells)} |\n"


def _number(value: float | None) -> str:
    return "never" if value is None else f"{value:,.0f}"


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
    keys = ("ratio_ppo_over_mbrl", "ratio_ppo_is_lower_bound", "training_speedup", "simple_rule_is_as_good")
    together = {key: {name: numbers[key] for name, numbers in found.items()} for key in keys}
    print(json.dumps({"benchmark": "learning", **together}))


if __name__ == "__main__":
    main()
