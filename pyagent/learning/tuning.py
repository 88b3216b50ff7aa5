"""Policies that are tuned on every split's runs of the same seeds, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from pyagent.dataset.table import RecordedTable
from pyagent.envs.observation import NAMES
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.policies.neurosurgeon import Link, NeurosurgeonPolicy, request_size
from pyagent.policies.threshold import ThresholdPolicy
from pyagent.policies.two_threshold import TwoThresholdPolicy
from pyagent.reward import FloatArray
from pyagent.scenario.compile import Deployment
from pyagent.surrogate.types import Contexts

CUTS = tuple(NAMES.index(n) for n in ("snr_db", "phy_rate_mbps", "recent_delay_s"))
"""What threshold rules may cut on; the training seeds choose."""

Tuner = Callable[[Deployment, RecordedTable], Policy]


def tuning_contexts(table: RecordedTable) -> Contexts:
    """Contexts [K, D] of the smallest split's runs: it always uses the link, so they show what there is."""
    return np.asarray(table.contexts[:, 0, 0])


def tuning_rewards(table: RecordedTable) -> FloatArray:
    """Rewards [K, S] of the first replicate."""
    return np.asarray(table.rewards[:, :, 0])


def tuning_evaluations(table: RecordedTable) -> int:
    """Evaluations by the language model that these rewards took."""
    return int(table.lossy[:, :, 0].sum())


def tune_static(deployment: Deployment, table: RecordedTable) -> BestStaticPolicy:
    """The split with the best mean reward."""
    return BestStaticPolicy.tune(tuning_rewards(table))


def tune_threshold(deployment: Deployment, table: RecordedTable) -> ThresholdPolicy:
    """The best cut on one of `CUTS`."""
    return ThresholdPolicy.tune(tuning_contexts(table), tuning_rewards(table), *CUTS)


def _two_threshold(deployment: Deployment, table: RecordedTable) -> Policy:
    return TwoThresholdPolicy.tune(tuning_contexts(table), tuning_rewards(table), *CUTS)


def _neurosurgeon(deployment: Deployment, table: RecordedTable) -> Policy:
    K, S = len(table), table.actions
    actions = np.tile(np.arange(S), K)
    contexts = table.contexts[:, :, 0].reshape(K * S, -1)
    link = Link.fit(deployment, contexts, actions, table.components[:, :, 0].reshape(K * S, -1))
    sizes = np.array([request_size(deployment, context) for context in tuning_contexts(table)])
    prompt, output = np.median(sizes, axis=0).astype(int).tolist()
    return NeurosurgeonPolicy(deployment, link, typical=(prompt, output))


TUNERS: Mapping[str, Tuner] = MappingProxyType(
    {
        "best-static": tune_static,
        "threshold": tune_threshold,
        "two-threshold": _two_threshold,
        "neurosurgeon": _neurosurgeon,
    }
)
"""How each is tuned: the deployment and the table of the tuning seeds make the policy."""
