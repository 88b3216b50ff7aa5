"""GP-UCB: the upper confidence bound of a Gaussian process (Srinivas et al. 2010)."""

from __future__ import annotations

from pyagent.policies.surrogate_argmax import SurrogateArgmaxPolicy
from pyagent.reward import RewardComposer
from pyagent.surrogate.gaussian_process import GaussianProcessSurrogate
from pyagent.surrogate.scales import ComponentScales
from pyagent.surrogate.types import ActionEncoder


def gp_ucb_policy(
    context_dim: int,
    encoder: ActionEncoder,
    scales: ComponentScales,
    composer: RewardComposer,
    *,
    seed: int,
    beta: float = 2.0,
) -> SurrogateArgmaxPolicy:
    """A new :class:`SurrogateArgmaxPolicy` named ``gp-ucb`` on an untrained Gaussian process.

    The bound is that of the *composed* reward: its mean over the posterior functions plus ``beta`` of its
    standard deviations over them. The paper models the reward itself; here the components are modelled, so
    other weights need no retraining.

    Args:
        context_dim: D.
        encoder: features of the actions.
        scales: fixed physical scales of the scenario.
        composer: components to reward.
        seed: of the surrogate and of the policy.
        beta: see :class:`SurrogateArgmaxPolicy`.

    Raises:
        UserError: gpytorch is not installed.
    """
    surrogate = GaussianProcessSurrogate(context_dim, encoder, scales, seed=seed)
    return SurrogateArgmaxPolicy(
        surrogate, encoder, composer, mode="ucb", seed=seed, beta=beta, label="gp-ucb"
    )
