"""What one live decision costs: ns-3 and the language model, in CPU seconds, so other work barely counts.

`python -m benchmarks.unit_costs` prints one JSON line.

- `ns3_cpu_s`: of ns-3 for each decision of the default scenario at its smallest split, by other UEs.
- `start_cpu_s`: of ns-3 until the first decision, with the fewest of them: what an episode costs in any case.
- `evaluation_cpu_s`: of one verdict of a language model on what arrived, one thread, by model; the undamaged
  pass of each prompt's first use is in it.
- `million_decisions_cpu_h`: of 10^6 decisions, all of them lossy, with the default UEs and model.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.page import put_table
from llm_split.models.catalogue import PACKAGED
from llm_split.models.fetching import is_fetched
from pyagent.campaign.collect import Decision, Job, score_episode
from pyagent.envs.scoring import Scorer
from pyagent.envs.simulator import Episode
from pyagent.paths import REPOSITORY
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.scenario.load import load_scenario
from pyagent.scenario.schema import Scenario

SEED = 2
"""A test episode of run 0, in and out of coverage."""
SPLIT = 0
HOUR_S = 3600.0
PAGE = REPOSITORY / "docs" / "sweep.md"


def with_others(scenario: Scenario, count: int) -> Scenario:
    """The scenario with so many other UEs."""
    if count == 0:
        return scenario.model_copy(update={"others": []})
    group = scenario.others[0].model_copy(update={"count": count})
    return scenario.model_copy(update={"others": [group]})


def children_cpu_s() -> float:
    """Of all processes that have ended and been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def play(scenario: Scenario, decisions: int | None = None) -> tuple[list[Decision], float]:
    """Decisions at the smallest split, and ns-3's CPU seconds; all of an episode, or only its first few."""
    before = children_cpu_s()
    played: list[Decision] = []
    with Episode(scenario, SEED) as episode:
        state, over = episode.begin(), False
        while not over and (decisions is None or len(played) < decisions):
            record, after, over = episode.decide(SPLIT)
            played.append(Decision(state, SPLIT, record))
            state = after
    return played, children_cpu_s() - before


def evaluation_cost(scenario: Scenario, model: str, decisions: Sequence[Decision]) -> float:
    """CPU seconds of an evaluation by this model."""
    scorer = Scorer(
        scenario.model_copy(update={"model": scenario.model.model_copy(update={"quality": model})})
    )
    scorer.evaluator("test")
    job = Job("test", "static", SEED, 0, lambda: BestStaticPolicy(SPLIT, len(scorer.deployment.splits)))
    before = time.process_time()
    score_episode(scorer, job, decisions, "test")
    return (time.process_time() - before) / max(scorer.evaluations, 1)


def markdown(found: dict[str, Any]) -> str:
    """A table for the docs."""
    rows = [("ns-3, start of an episode", f"{found['start_cpu_s']:.2f} s")]
    rows += [
        (f"ns-3, a decision among {ues} other UEs", f"{s:.2f} s") for ues, s in found["ns3_cpu_s"].items()
    ]
    rows += [
        (f"an evaluation by {name}, {found['parameters'][name] / 1e6:.0f} M parameters", f"{s:.2f} s")
        for name, s in found["evaluation_cpu_s"].items()
    ]
    if found["million_decisions_cpu_h"] is not None:
        hours = f"{found['million_decisions_cpu_h']:.0f} core hours"
        rows.append(("10^6 decisions of the default scenario, each with an evaluation", hours))
    return "| what | cost |\n|---|---|\n" + "".join(f"| {what} | {cost} |\n" for what, cost in rows)


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--page", action="store_true", help="write the table of docs/sweep.md")
    parser.add_argument("--ues", type=int, nargs="+", default=[0, 3, 10, 20], help="other UEs")
    fetched = [name for name in PACKAGED if is_fetched(name)]
    parser.add_argument("--models", nargs="+", default=fetched, choices=fetched, help="that are here")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    scenario = load_scenario("default")
    _, start_s = play(with_others(scenario, chosen.ues[0]), decisions=0)
    ns3_s = {}
    for count in chosen.ues:
        played, cpu_s = play(with_others(scenario, count))
        ns3_s[str(count)] = (cpu_s - start_s) / len(played)
    decisions, cpu_s = play(scenario)
    default_s = (cpu_s - start_s) / len(decisions)
    costs = {name: evaluation_cost(scenario, name, decisions) for name in chosen.models}
    own_s = costs.get(scenario.model.quality)
    result = {
        "benchmark": "unit_costs",
        "decisions": len(decisions),
        "start_cpu_s": start_s,
        "ns3_cpu_s": ns3_s,
        "evaluation_cpu_s": costs,
        "parameters": {name: PACKAGED[name].parameters for name in chosen.models},
        "million_decisions_cpu_h": None if own_s is None else 1e6 * (default_s + own_s) / HOUR_S,
    }
    if chosen.page:
        put_table(PAGE, "unit_costs", markdown(result))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
