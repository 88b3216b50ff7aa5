"""Policies: one file each, all with the interface of :class:`~pyagent.policies.base.Policy`."""

from pyagent.policies.all_local import AllLocalPolicy
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.policies.gp_ucb import gp_ucb_policy
from pyagent.policies.min_split import MinSplitPolicy
from pyagent.policies.ppo_imagination import PpoImaginationPolicy, PpoSettings
from pyagent.policies.random import RandomPolicy
from pyagent.policies.surrogate_argmax import SurrogateArgmaxPolicy
from pyagent.policies.threshold import ThresholdPolicy

__all__ = [
    "AllLocalPolicy",
    "BestStaticPolicy",
    "MinSplitPolicy",
    "Policy",
    "PpoImaginationPolicy",
    "PpoSettings",
    "RandomPolicy",
    "SurrogateArgmaxPolicy",
    "ThresholdPolicy",
    "gp_ucb_policy",
]
