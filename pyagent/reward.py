"""Reward composed from physical components.

The components of a decision are logged as they are measured; the reward is put together afterwards, so a
different weighting needs neither a new simulation nor a new surrogate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
ContextDecoder = Callable[[NDArray[np.float32]], FloatArray]

COMPONENTS = ("latency_s", "delta_nll", "ue_energy_j", "failed")
"""Order of the last axis of every component array."""

TERMS = ("quality", "latency", "energy", "load", "failure", "switching")


@dataclass(frozen=True)
class RewardWeights:
    """Price of each term; every one is >= 0 and multiplies a penalty.

    The unit of the reward is one nat per token of lost quality; the others are prices in it.
    """

    quality: float = 1.0
    """Per nat/token: the unit that the other prices are expressed in."""
    latency: float = 0.5
    """Per multiple of the SLO: just meeting it costs as much as a perplexity factor of exp(0.5) = 1.65."""
    energy: float = 0.3
    """Per multiple of the all-local energy: battery matters, but less than an answer in time."""
    load: float = 0.2
    """Per split / L: memory and heat on the UE, the smallest of the steady costs."""
    failure: float = 1.0
    """Per failed request, on top of the censored latency and clipped quality that it already pays."""
    switching: float = 0.05
    """Per change of split: a tie-breaker against flapping, too small to forbid a useful move."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"reward weight {name}={value!r} must be finite and >= 0")


@dataclass(frozen=True)
class RewardContext:
    """What the terms are measured against.

    Args:
        slo_s: latency objective of one request, seconds, > 0.
        delta_nll_clip: largest quality loss charged, nats/token, > 0.
        num_layers: L, transformer blocks of the deployed model, >= 1.
    """

    slo_s: float
    delta_nll_clip: float
    num_layers: int

    def __post_init__(self) -> None:
        if not self.slo_s > 0:
            raise ValueError(f"slo_s={self.slo_s!r} must be > 0 s")
        if not self.delta_nll_clip > 0:
            raise ValueError(f"delta_nll_clip={self.delta_nll_clip!r} must be > 0 nats/token")
        if self.num_layers < 1:
            raise ValueError(f"num_layers={self.num_layers!r} must be >= 1")


def price_list(weights: RewardWeights, context: RewardContext) -> list[tuple[str, float, str]]:
    """The reward's terms as a reader needs them; the reward is minus the sum of weight times measure.

    Returns:
        Of each of `TERMS`: its name, its weight, and what the weight multiplies, with unit.
    """
    measures = {
        "quality": f"loss of quality [nat/token], from 0 to {context.delta_nll_clip:g}",
        "latency": f"latency [s] / {context.slo_s:g} s",
        "energy": "UE's energy [J] / energy of the same request all local [J]",
        "load": f"split / {context.num_layers} blocks",
        "failure": "1 if the request failed, else 0",
        "switching": "1 if the split is another one than before, else 0",
    }
    return [(term, float(getattr(weights, term)), measures[term]) for term in TERMS]


def _checked(name: str, value: ArrayLike, *, positive: bool = False, signed: bool = False) -> FloatArray:
    """``value`` as float64, or a ValueError that names the component."""
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a value that is not finite; failed requests carry censored values")
    if positive and (array <= 0).any():
        raise ValueError(f"{name} must be > 0, got {array.min()}")
    if not signed and (array < 0).any():
        raise ValueError(f"{name} must be >= 0, got {array.min()}")
    return array


def compose(
    weights: RewardWeights,
    context: RewardContext,
    *,
    latency_s: ArrayLike,
    delta_nll: ArrayLike,
    ue_energy_j: ArrayLike,
    failed: ArrayLike,
    split: ArrayLike,
    previous_split: ArrayLike,
    ue_energy_all_local_j: ArrayLike,
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Reward of one or many outcomes; all arguments broadcast against each other.

    Every term is a penalty, so the reward is <= 0. A quality *gain* (``delta_nll`` < 0, sampling noise)
    counts as no loss.

    Args:
        latency_s: end-to-end latency, seconds, censored at the deadline where the request failed.
        delta_nll: quality loss, nats/token; clipped here to [0, ``delta_nll_clip``].
        ue_energy_j: energy spent by the UE, joules.
        failed: 0 or 1, or a probability (the expected reward of a prediction).
        split: blocks on the UE.
        previous_split: split of the decision before; negative where there is none (no switching cost).
        ue_energy_all_local_j: energy of the same request run wholly on the UE, joules, > 0.

    Returns:
        The reward, float64 of the broadcast shape, and each of its ``TERMS`` (same shape, they sum to it).

    Raises:
        ValueError: a component is not finite or out of its range.
    """
    latency = _checked("latency_s", latency_s)
    quality = np.clip(_checked("delta_nll", delta_nll, signed=True), 0.0, context.delta_nll_clip)
    all_local = _checked("ue_energy_all_local_j", ue_energy_all_local_j, positive=True)
    blocks = _checked("split", split)
    before = _checked("previous_split", previous_split, signed=True)
    penalties = {
        "quality": weights.quality * quality,
        "latency": weights.latency * latency / context.slo_s,
        "energy": weights.energy * _checked("ue_energy_j", ue_energy_j) / all_local,
        "load": weights.load * blocks / context.num_layers,
        "failure": weights.failure * _checked("failed", failed),
        "switching": weights.switching * ((before >= 0) & (blocks != before)),
    }
    shape = np.broadcast_shapes(*(p.shape for p in penalties.values()))
    terms = {name: np.broadcast_to(0.0 - p, shape).copy() for name, p in penalties.items()}
    return np.sum(list(terms.values()), axis=0), terms


def paper_reward(
    perplexity: ArrayLike,
    split: ArrayLike,
    *,
    perplexity_unimpaired: ArrayLike,
    max_split: int,
    w_p: float = 10.0,
    w_l: float = 1.0,
) -> FloatArray:
    """``w_p (PPL0 - PPL) / PPL0 + w_l (L_max - l) / L_max``: the seed paper's reward, its code's weights.

    Args:
        perplexity: PPL under impairment, > 0.
        split: l, blocks on the UE.
        perplexity_unimpaired: PPL0, > 0.
        max_split: L_max, the largest split allowed, >= 1.

    Returns:
        float64 of the broadcast shape; unlike :func:`compose` it may be positive.

    Raises:
        ValueError: a perplexity is not positive and finite, or ``max_split`` < 1.
    """
    if max_split < 1:
        raise ValueError(f"max_split={max_split!r} must be >= 1")
    impaired = _checked("perplexity", perplexity, positive=True)
    clean = _checked("perplexity_unimpaired", perplexity_unimpaired, positive=True)
    load = (max_split - _checked("split", split)) / max_split
    return np.asarray(w_p * (clean - impaired) / clean + w_l * load, dtype=np.float64)


def feature_decoder(index: int, low: float = 0.0, high: float = 1.0) -> ContextDecoder:
    """Reads a physical value back from normalised feature ``index``: ``low + x (high - low)``.

    The returned function maps contexts [B, D] to float64 [B].
    """

    def decode(contexts: NDArray[np.float32]) -> FloatArray:
        return low + contexts[:, index].astype(np.float64) * (high - low)

    return decode


@dataclass(frozen=True)
class RewardComposer:
    """The reward of *predicted or sampled* components, where only the context is at hand.

    Args:
        weights: prices of the terms.
        context: what the terms are measured against.
        splits: blocks on the UE of each action index.
        previous_split: contexts [B, D] -> split of the decision before [B]; rounded here, negative for none.
        ue_energy_all_local_j: contexts [B, D] -> all-local energy of the request [B], joules, > 0.
    """

    weights: RewardWeights
    context: RewardContext
    splits: tuple[int, ...]
    previous_split: ContextDecoder
    ue_energy_all_local_j: ContextDecoder

    def rewards(
        self, contexts: NDArray[np.float32], actions: NDArray[np.int64], components: ArrayLike
    ) -> FloatArray:
        """Rewards [..., B] of ``components`` [..., B, C]; see :meth:`composed`."""
        return self.composed(contexts, actions, components)[0]

    def composed(
        self, contexts: NDArray[np.float32], actions: NDArray[np.int64], components: ArrayLike
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Rewards [..., B] of ``components`` [..., B, C], and each of their ``TERMS`` of the same shape.

        Args:
            contexts: float32 [B, D].
            actions: int64 [B], indices into ``splits``.
            components: in physical units and ``COMPONENTS`` order.
        """
        values = np.asarray(components, dtype=np.float64)
        return compose(
            self.weights,
            self.context,
            latency_s=values[..., 0],
            delta_nll=values[..., 1],
            ue_energy_j=values[..., 2],
            failed=values[..., 3],
            split=np.asarray(self.splits)[actions],
            previous_split=np.rint(self.previous_split(contexts)),
            ue_energy_all_local_j=self.ue_energy_all_local_j(contexts),
        )

    def with_weights(self, weights: RewardWeights) -> RewardComposer:
        """The same composer at other prices."""
        return replace(self, weights=weights)
