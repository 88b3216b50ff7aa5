"""Whether the scenario's targets can be met at all, by the two machines' computing alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from llm_split.roofline import ComputeTables
from pyagent.scenario.computing import computing
from pyagent.scenario.schema import Requests, Targets
from pyagent.scenario.schema.targets import ACCEPTED_SHARE


@dataclass(frozen=True)
class LeastCost:
    """What no request at one split can stay below: the scenario's smallest one over a network that costs
    nothing and to an idle edge. All of it grows with a request's tokens, so it bounds every request.

    Attributes:
        ttft_s, tpot_s, completion_s: of a request that doesn't fail; tpot_s is 0 where a request may ask for
            one token, which has none.
        ue_energy_j: of a request that doesn't fail, computing alone.
        failed_ue_energy_j: of a request that fails, which has computed its prompt or been cut at it.
    """

    split: int
    ttft_s: float
    tpot_s: float
    completion_s: float
    ue_energy_j: float
    failed_ue_energy_j: float


def least_cost(
    split: int, num_layers: int, ue: ComputeTables, edge: ComputeTables, power_w: float, requests: Requests
) -> LeastCost:
    """The bounds of one split, timed as the simulator does.

    Args:
        split: blocks on the UE.
        num_layers: of the model.
        ue, edge: their compute times.
        power_w: of the computing UE, above idle.
        requests: the scenario's.
    """
    prompt, output = requests.prompt_tokens[0], requests.output_tokens[0]
    cost = computing(split, num_layers, ue, edge, prompt, output)
    return LeastCost(
        split=split,
        ttft_s=cost.ttft_s,
        tpot_s=cost.decode_s / (output - 1) if output > 1 else 0.0,
        completion_s=cost.completion_s,
        ue_energy_j=cost.ue_s * power_w,
        failed_ue_energy_j=min(cost.ue_prefill_s, requests.deadline_s) * power_w,
    )


TIMES = ("ttft_s", "tpot_s", "completion_s")


def contradiction(targets: Targets, costs: list[LeastCost]) -> str | None:
    """What is wrong with targets that no policy can meet, whatever it mixes and however good the network.

    Each time lets 5 % of the requests off, so with k of them all but 5 k % of the requests must meet all at
    once: there has to be a split for these, and the mean energy is at least theirs at its cheapest, with the
    cheapest failure for the rest.

    Args:
        targets: the scenario's.
        costs: of the feasible splits, at least one.

    Returns:
        None where the bounds leave room.
    """
    stated = targets.stated
    times = [name for name in TIMES if name in stated]
    bounded = [*times, *(["ue_energy_j"] if "ue_energy_j" in stated else [])]
    if not bounded:
        return None
    quick = [cost for cost in costs if all(getattr(cost, name) <= stated[name] for name in times)]
    if quick and _least_mean_energy_j(quick, costs, len(times)) <= stated.get("ue_energy_j", math.inf):
        return None
    closest = min(costs, key=lambda cost: max(getattr(cost, name) / stated[name] for name in bounded))
    wanted = ", ".join(f"{name} = {stated[name]:g}" for name in bounded)
    needed = ", ".join(f"{name} {getattr(closest, name):.3g}" for name in bounded)
    return (
        f"{wanted}: no split can meet {'this' if len(bounded) == 1 else 'these together'}; the closest is "
        f"split {closest.split}, whose computing alone takes {needed} for the smallest request"
    )


def _least_mean_energy_j(quick: list[LeastCost], costs: list[LeastCost], times: int) -> float:
    """Bound on the mean energy where all but 5 % for each of the `times` targets must be `quick` requests."""
    failing_j = min(cost.failed_ue_energy_j for cost in costs)
    if times == 0:
        return failing_j
    working_share = 1.0 - (1.0 - ACCEPTED_SHARE) * times
    return working_share * min(cost.ue_energy_j for cost in quick) + (1.0 - working_share) * failing_j
