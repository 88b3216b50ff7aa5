"""What the policies do and what is asked of them: rules, trees, and the reward's terms."""

from __future__ import annotations

from collections.abc import Sequence

from pyagent.evaluation.explain import Explanation
from pyagent.evaluation.summary import shares_text
from pyagent.plots.data import explained, num_layers, read_scenario
from pyagent.report.files import Run
from pyagent.report.table import Grid
from pyagent.reward import RewardContext, price_list


def explanations(
    run: Run, policy: str | None = None, features: Sequence[str] | None = None
) -> dict[str, Explanation]:
    """When each policy of the run plays which split, in the order of its table.

    Args:
        run: a finished run.
        policy: the only one to explain; None: all.
        features: see `pyagent.evaluation.explain.explain`.

    Raises:
        MissingDataError: there are no test decisions.
    """
    _, found = explained(run.path, policy, features)
    ranked = sorted(run.summary["policies"].items(), key=lambda item: -item[1]["reward"])
    return {name: found[name] for name, _ in ranked if name in found}


def choice_grid(run: Run) -> Grid:
    """Shares of the splits, rule or tree, and how many choices that tells.

    Raises:
        MissingDataError: see `explanations`.
    """
    rows = [
        [name, shares_text(e.shares), e.words, "own rule" if e.tree is None else "tree", agreement_text(e)]
        for name, e in explanations(run).items()
    ]
    return Grid(["policy", "splits", "when", "by", "so in"], rows)


def agreement_text(explanation: Explanation) -> str:
    """Share of the decisions in which rule or tree says what was played; of a tree also on other episodes."""
    if explanation.agreement is None:
        return "-"
    whole = f"{100 * explanation.agreement:.0f} %"
    if explanation.held_out is None:
        return whole
    return f"{whole} ({100 * explanation.held_out:.0f} % in other episodes)"


def reward_grid(run: Run) -> Grid:
    """The reward's terms with weights and units.

    Raises:
        MissingDataError: the scenario can't be read.
    """
    scenario = read_scenario(run.path)
    context = RewardContext(scenario.reward.slo_s, scenario.reward.delta_nll_clip, num_layers(scenario))
    priced = price_list(scenario.reward.as_weights(), context)
    return Grid(["term", "weight", "times"], [[term, f"{weight:g}", what] for term, weight, what in priced])
