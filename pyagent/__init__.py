"""pyagent: the agent's side of splitsim (bridge to ns-3, environments, surrogate, policies, evaluation).

`pyagent.api` is what a notebook needs; its names are attributes here, loaded when first used. Nothing heavy
is loaded before: the command line is to start at once.
"""

from typing import TYPE_CHECKING, Any

from pyagent.registration import register_environments
from pyagent.threads import wait_passively

if TYPE_CHECKING:
    from pyagent.api import Evaluation, evaluate, load_dataset, load_scenario, make_env, train

__all__ = ["Evaluation", "evaluate", "load_dataset", "load_scenario", "make_env", "train"]

register_environments()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    wait_passively()
    from pyagent import api

    return getattr(api, name)
