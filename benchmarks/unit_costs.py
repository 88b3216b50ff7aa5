"""What one live decision costs: ns-3, the language model, the store. CPU seconds: other work barely counts.

`python -m benchmarks.unit_costs` prints one JSON line.

- `ns3_cpu_s`: of ns-3 for each decision of the default scenario at its smallest split, by other UEs.
- `start_cpu_s`: of ns-3 until the first decision, with the fewest of them: what an episode costs in any case.
- `evaluation_cpu_s`: of one verdict of a language model on what arrived, one thread, by model; the undamaged
  pass of each prompt's first use is in it.
- `decision_bytes`: of a decision in the store.
- `million_decisions_cpu_h`: of 10^6 decisions, all of them lossy, with the default UEs and model.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import time
from collections.abc import Sequence

import pandas as pd
import torch

from llm_split.models.catalogue import PACKAGED
from llm_split.models.fetching import is_fetched
from pyagent.campaign.collect import Decision, Job, score_episode
from pyagent.envs.scoring import Scorer
from pyagent.envs.simulator import Episode
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.scenario.load import load_scenario
from pyagent.scenario.schema import Scenario

SEED = 2
"""A test episode of run 0, in and out of coverage."""
SPLIT = 0
HOUR_S = 3600.0


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


def evaluation_cost(
    scenario: Scenario, model: str, decisions: Sequence[Decision]
) -> tuple[float, pd.DataFrame]:
    """CPU seconds of an evaluation by this model, and the decisions as they are stored."""
    scorer = Scorer(
        scenario.model_copy(update={"model": scenario.model.model_copy(update={"quality": model})})
    )
    scorer.evaluator("test")
    job = Job("test", "static", SEED, 0, lambda: BestStaticPolicy(SPLIT, len(scorer.deployment.splits)))
    before = time.process_time()
    rows = score_episode(scorer, job, decisions, "test")
    return (time.process_time() - before) / max(scorer.evaluations, 1), pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
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
    buffer = io.BytesIO()
    next(iter(costs.values()))[1].to_parquet(buffer, index=False)
    own = costs.get(scenario.model.quality)
    result = {
        "benchmark": "unit_costs",
        "decisions": len(decisions),
        "start_cpu_s": start_s,
        "ns3_cpu_s": ns3_s,
        "evaluation_cpu_s": {name: cost for name, (cost, _) in costs.items()},
        "parameters": {name: PACKAGED[name].parameters for name in chosen.models},
        "decision_bytes": len(buffer.getvalue()) / len(decisions),
        "million_decisions_cpu_h": None if own is None else 1e6 * (default_s + own[0]) / HOUR_S,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
