"""pyagent: the agent's side of splitsim (bridge to ns-3, environments, surrogate, policies, evaluation)."""

from pyagent.registration import register_environments

register_environments()
