"""Rules of policies as a summary has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyagent.policies.base import Policy
from pyagent.policies.random import RandomPolicy
from pyagent.scenario.compile import Deployment


def rules_of(policies: Mapping[str, Policy], deployment: Deployment) -> dict[str, Any]:
    """The rule of each policy that can tell it, JSON-ready.

    Args:
        policies: by name. Those without `describe` are left out: their behaviour is learned.
        deployment: gives the splits of the actions.

    Returns:
        name -> `text`, one line in physical units; of thresholds on one feature also `feature`,
        `unit`, `thresholds` and `splits`, see `pyagent.evaluation.rules.StepRule`. `chance` tells whether the
        splits are drawn.
    """
    rules = {}
    for name, policy in policies.items():
        describe = getattr(policy, "describe", None)
        text = describe(deployment) if describe is not None else ""
        if text:
            rule = getattr(policy, "rule", lambda _: None)(deployment)
            steps = rule.to_json() if rule is not None else {}
            rules[name] = {**steps, "text": text, "chance": isinstance(policy, RandomPolicy)}
    return rules
