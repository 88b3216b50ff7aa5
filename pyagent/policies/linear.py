"""What the linear bandits share: features of (context, action) and the Bayesian ridge regression on them."""

from __future__ import annotations

import numpy as np

from pyagent.policies.base import Context, Mask, masked_argmax
from pyagent.reward import COMPONENTS, FloatArray, RewardComposer
from pyagent.surrogate.types import ActionEncoder, Contexts, Indices


class PairFeatures:
    """Features of a context with every action: a part that all actions share and one of each action's own.

    With x = (1, context) and u = split / L, the shared part is x, u x, u^2 x and whether the split would
    change (the switching cost is known to be a step, not a slope); the own part is x once per action, zero
    for the others. That is the hybrid model of LinUCB (Li, Chu, Langford, Schapire, WWW 2010, section 3.2)
    written as one regression.

    Args:
        encoder: the actions.
        composer: knows the split before from the context.
    """

    def __init__(self, encoder: ActionEncoder, composer: RewardComposer) -> None:
        self._composer = composer
        self._splits = np.asarray(encoder.splits)
        self._one_hot = np.eye(len(encoder.splits))
        depth = self._splits / encoder.num_layers
        self._powers = np.stack([np.ones_like(depth), depth, depth**2], 1)  # (S, 3)

    def of(self, context: Context) -> FloatArray:
        """Features of all actions, float64 [S, F], at a context [D]."""
        x = np.r_[1.0, np.asarray(context, dtype=np.float64)]
        before = np.rint(self._composer.previous_split(np.asarray(context, dtype=np.float32)[None]))[0]
        switches = ((before >= 0) & (self._splits != before)).astype(np.float64)[:, None]
        actions = np.concatenate([self._powers, self._one_hot], 1)
        products = (actions[:, :, None] * x).reshape(len(actions), -1)
        return np.concatenate([products, switches], 1)


class RidgePosterior:
    """Bayesian linear regression with unknown noise (normal-inverse-gamma; Bishop 2006, exercise 3.12).

    Args:
        width: F, features.
        ridge: prior precision of a weight in units of the noise's: the prior says "about 0".
        noise_std: prior guess of the noise, worth one observation.
    """

    def __init__(self, width: int, *, ridge: float, noise_std: float) -> None:
        if ridge <= 0 or noise_std <= 0:
            raise ValueError(f"want ridge, noise_std > 0; got {ridge}, {noise_std}")
        self._precision = ridge * np.eye(width)
        self._moment = np.zeros(width)
        self._squares, self._count, self._prior_variance = 0.0, 0, noise_std**2
        self._solve()

    def observe(self, features: FloatArray, value: float) -> None:
        """Takes in one noisy value at features [F]."""
        self._precision += np.outer(features, features)
        self._moment += value * features
        self._squares += value**2
        self._count += 1
        self._solve()

    def _solve(self) -> None:
        self._factor = np.linalg.cholesky(self._precision)
        self.mean: FloatArray = np.linalg.solve(self._factor.T, np.linalg.solve(self._factor, self._moment))

    @property
    def noise_std(self) -> float:
        """Estimate of the noise: root of the posterior's scale of its variance."""
        residual = max(self._squares - float(self._moment @ self.mean), 0.0)
        return float(np.sqrt((self._prior_variance + residual) / (1 + self._count)))

    def spread(self, features: FloatArray) -> FloatArray:
        """Standard deviation of the expected value [B] at features [B, F]; the noise not counted."""
        return np.asarray(self.noise_std * np.linalg.norm(np.linalg.solve(self._factor, features.T), axis=0))

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """Weights [F] drawn from the posterior at the estimated noise."""
        draw = np.linalg.solve(self._factor.T, rng.standard_normal(len(self.mean)))
        return np.asarray(self.mean + self.noise_std * draw)


class LinearBandit:
    """Online linear regression of the composed reward; a subclass says how it explores.

    It learns the reward, not the components: other weights need a new bandit and new observations.

    Args:
        encoder: the actions.
        composer: components to reward.
        ridge: prior precision of a weight, relative to an observation's.
        noise_std: prior guess of the reward's noise, in its unit (nats/token).
        seed: until the first :meth:`reset`.
    """

    name: str

    def __init__(
        self,
        encoder: ActionEncoder,
        composer: RewardComposer,
        *,
        ridge: float = 1.0,
        noise_std: float = 0.5,
        seed: int = 0,
    ) -> None:
        if encoder.splits != composer.splits:
            raise ValueError(f"encoder and composer differ: {encoder.splits}, {composer.splits}")
        self._features, self._composer = PairFeatures(encoder, composer), composer
        self._ridge, self._noise_std = ridge, noise_std
        self._posterior: RidgePosterior | None = None
        self._frozen = False
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Restarts the random numbers; what was learned stays."""
        self._rng = np.random.default_rng(seed)

    def freeze(self) -> None:
        """From now on it neither learns nor explores: the best mean is chosen."""
        self._frozen = True

    def values(self, posterior: RidgePosterior, features: FloatArray) -> FloatArray:
        """What each action [S] with features [S, F] is worth while it explores."""
        raise NotImplementedError

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The allowed action of the highest value at a context [D]."""
        features = self._features.of(context)
        posterior = self._posterior_of(features)
        values = features @ posterior.mean if self._frozen else self.values(posterior, features)
        return masked_argmax(values, mask)

    def act_batch(self, contexts: Contexts) -> Indices:
        """Actions [B] of the best means at contexts [B, D]; for a frozen one."""
        features = np.stack([self._features.of(context) for context in contexts])
        values = features @ self._posterior_of(features[0]).mean
        return np.asarray(values.argmax(1), dtype=np.int64)

    def observe(self, context: Context, action: int, outcome: FloatArray) -> None:
        """Learns from the outcome [C] of an action.

        Raises:
            ValueError: a component is not finite. Where the quality was not bought there is no reward.
        """
        values = np.asarray(outcome, dtype=np.float64)
        unknown = [name for name, value in zip(COMPONENTS, values, strict=True) if not np.isfinite(value)]
        if unknown:
            raise ValueError(
                f"{self.name}: {', '.join(unknown)} of the outcome is not finite; a bandit learns from whole "
                "rewards, show it only decisions whose quality was evaluated"
            )
        if self._frozen:
            return
        contexts, actions = np.asarray(context, dtype=np.float32)[None], np.array([action], dtype=np.int64)
        reward = float(self._composer.rewards(contexts, actions, values[None])[0])
        features = self._features.of(context)
        self._posterior_of(features).observe(features[action], reward)

    def _posterior_of(self, features: FloatArray) -> RidgePosterior:
        if self._posterior is None:
            self._posterior = RidgePosterior(features.shape[1], ridge=self._ridge, noise_std=self._noise_std)
        return self._posterior
