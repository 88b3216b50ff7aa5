"""Policies: one file each, all with the interface of :class:`~pyagent.policies.base.Policy`."""

from pyagent.policies.all_local import AllLocalPolicy
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.policies.gp_ucb import gp_ucb_policy
from pyagent.policies.linear_thompson import LinearThompsonPolicy
from pyagent.policies.linucb import LinUcbPolicy
from pyagent.policies.min_split import MinSplitPolicy
from pyagent.policies.model_free import ModelFreePolicy
from pyagent.policies.neurosurgeon import Link, NeurosurgeonPolicy
from pyagent.policies.planner import PlannerPolicy
from pyagent.policies.ppo_imagination import PpoImaginationPolicy, PpoSettings
from pyagent.policies.random import RandomPolicy
from pyagent.policies.surrogate_argmax import SurrogateArgmaxPolicy
from pyagent.policies.threshold import ThresholdPolicy
from pyagent.policies.two_threshold import TwoThresholdPolicy

__all__ = [
    "AllLocalPolicy",
    "BestStaticPolicy",
    "LinUcbPolicy",
    "LinearThompsonPolicy",
    "Link",
    "MinSplitPolicy",
    "ModelFreePolicy",
    "NeurosurgeonPolicy",
    "PlannerPolicy",
    "Policy",
    "PpoImaginationPolicy",
    "PpoSettings",
    "RandomPolicy",
    "SurrogateArgmaxPolicy",
    "ThresholdPolicy",
    "TwoThresholdPolicy",
    "gp_ucb_policy",
]
