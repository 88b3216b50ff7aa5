"""Imagined against real trajectories: how far ahead the surrogate and the channel model can be trusted.

From a real context the imagined world is rolled forward under the actions that were really taken. Whatever
happened should lie within the imagined bands as often as they say, and nearer to them than to the marginal
distribution, which knows nothing of the context that one started from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pyagent.evaluation.statistics import bootstrap_interval
from pyagent.reward import COMPONENTS, FloatArray
from pyagent.surrogate.calibration import randomised_pit
from pyagent.surrogate.imagined import ImaginedModel
from pyagent.surrogate.types import Contexts, Indices

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the bands."""
OUTCOMES = ("latency_s", "delta_nll", "ue_energy_j", "reward")
"""What is compared of a decision's outcome."""
MAX_STARTS = 128
"""Real contexts that imagination is begun from, at most; they are spread evenly."""
MIN_POOL = 20
"""Real outcomes of an action that make a marginal distribution of its own."""

Series = dict[str, FloatArray]


@dataclass(frozen=True)
class TrackedFeature:
    """A feature of the context that is compared.

    Args:
        name: with its unit.
        index: place in the context.
        restore: [0, 1] of any shape to the physical unit.
    """

    name: str
    index: int
    restore: Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class RealEpisode:
    """T >= 1 real decisions in order of time.

    Args:
        seed: of the episode; episodes of one seed share place and fade, so they are alike.
        contexts: float32 [T, D].
        actions: int64 [T].
        outcomes: float64 [T, C], physical units; NaN where something was not measured.
        rewards: float64 [T]; NaN likewise.
    """

    seed: int
    contexts: Contexts
    actions: Indices
    outcomes: FloatArray
    rewards: FloatArray

    def __post_init__(self) -> None:
        rows = len(self.actions)
        shapes = (self.contexts.shape[:1], self.outcomes.shape, self.rewards.shape)
        if rows == 0 or shapes != ((rows,), (rows, len(COMPONENTS)), (rows,)):
            raise ValueError(f"want T >= 1 decisions in each; got {self.actions.shape}, {shapes}")


@dataclass(frozen=True)
class Bands:
    """One series of one episode.

    Args:
        imagined: its `QUANTILES` over the draws, float64 [5, T].
        real: float64 [T].
    """

    imagined: FloatArray
    real: FloatArray

    def coverage(self, level: float) -> float:
        """Share of the measured steps inside the central 50 or 90 % band; NaN without any."""
        outer = {0.5: 1, 0.9: 0}[level]
        measured = np.isfinite(self.real)
        inside = (self.imagined[outer] <= self.real) & (self.real <= self.imagined[-1 - outer])
        return float(inside[measured].mean()) if measured.any() else float("nan")


@dataclass(frozen=True)
class LeadSkill:
    """One series, H leads ahead of the real context that imagination began from, over many beginnings.

    Args:
        leads: decisions ahead, int64 [H]; from 0 for outcomes (only the surrogate is asked), from 1 for
            features (at 0 they are given).
        imagined_crps, marginal_crps: mean continuous ranked probability score of imagination and of the
            marginal distribution, float64 [H], in the unit of the series; small is good.
        gain_low: lower end of the 95 % interval of ``marginal_crps - imagined_crps`` [H].
        coverage_50, coverage_90: share of the real values inside these central intervals [H].
    """

    leads: NDArray[np.int64]
    imagined_crps: FloatArray
    marginal_crps: FloatArray
    gain_low: FloatArray
    coverage_50: FloatArray
    coverage_90: FloatArray

    @property
    def skill(self) -> FloatArray:
        """``1 - imagined / marginal`` [H]: 1 is perfect, 0 no better than the marginal; NaN of 0 / 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(1.0 - self.imagined_crps / self.marginal_crps)

    @property
    def horizon(self) -> int | None:
        """First lead at which imagination isn't shown to beat the marginal; None: it does at every one."""
        not_better = np.flatnonzero(~(self.gain_low > 0))
        return int(self.leads[not_better[0]]) if len(not_better) else None


def imagine_episode(
    model: ImaginedModel,
    episode: RealEpisode,
    tracked: Sequence[TrackedFeature],
    *,
    draws: int = 200,
    seed: int = 0,
) -> dict[str, Bands]:
    """Bands of a whole episode, imagined from its first context under its own actions.

    Returns:
        By name: each tracked feature, then `OUTCOMES`.
    """
    rng = np.random.default_rng(seed)
    imagined = _roll(model, episode.contexts[:1], episode.actions[None], tracked, draws, rng)
    real = _series(tracked, episode.contexts, episode.outcomes, episode.rewards)
    return {
        name: Bands(np.quantile(values[:, 0], QUANTILES, axis=0), real[name])
        for name, values in imagined.items()
    }


def lead_skill(
    model: ImaginedModel,
    episodes: Sequence[RealEpisode],
    seen: Sequence[RealEpisode],
    tracked: Sequence[TrackedFeature],
    *,
    horizon: int = 10,
    draws: int = 200,
    seed: int = 0,
) -> dict[str, LeadSkill]:
    """How imagination fares against the marginal distribution, lead by lead.

    The score is the CRPS in its fair form (Ferro 2014), which doesn't reward a large number of draws. The
    marginal distribution of a feature is that of all decisions of ``seen``; of an outcome, of those with the
    same action where they are `MIN_POOL` or more. The interval of the gain is a block bootstrap over the
    beginnings, those of one seed and time side by side, since they share what happened.

    Args:
        episodes: real ones that the model hasn't learned from.
        seen: those that it has.
        horizon: largest lead, >= 1.
        draws: imagined trajectories for each beginning, >= 2.

    Returns:
        By name, as `imagine_episode`.

    Raises:
        ValueError: no episode is longer than ``horizon``, or a number is too small.
    """
    if horizon < 1 or draws < 2:
        raise ValueError(f"want horizon >= 1 and draws >= 2, got {horizon} and {draws}")
    starts = _starts(episodes, horizon)
    rng = np.random.default_rng(seed)
    windows = [(episodes[e], slice(t, t + horizon + 1)) for e, t in starts]
    actions = np.stack([episode.actions[at] for episode, at in windows])
    first = np.stack([episode.contexts[at.start] for episode, at in windows])
    imagined = _roll(model, first, actions, tracked, draws, rng)
    real = _series(
        tracked,
        np.stack([episode.contexts[at] for episode, at in windows]),
        np.stack([episode.outcomes[at] for episode, at in windows]),
        np.stack([episode.rewards[at] for episode, at in windows]),
    )
    pool = _pool(seen, tracked)
    pool_actions = np.concatenate([episode.actions for episode in seen])
    skills = {}
    for name, draws_of in imagined.items():
        outcome = name in OUTCOMES
        marginal = _marginal_crps(pool[name], real[name], pool_actions if outcome else None, actions)
        skills[name] = _skill(draws_of, real[name], marginal, first_lead=0 if outcome else 1, rng=rng)
    return skills


def _starts(episodes: Sequence[RealEpisode], horizon: int) -> list[tuple[int, int]]:
    """(episode, decision) of every beginning with ``horizon`` decisions after it; alike ones are adjacent."""
    everything = [(e, t) for e, episode in enumerate(episodes) for t in range(len(episode.actions) - horizon)]
    if not everything:
        longest = max((len(episode.actions) for episode in episodes), default=0)
        raise ValueError(
            f"no episode is long enough for horizon = {horizon}; the longest has {longest} decisions"
        )
    everything.sort(key=lambda start: (episodes[start[0]].seed, start[1], start[0]))
    places = np.linspace(0, len(everything) - 1, min(MAX_STARTS, len(everything))).round().astype(int)
    return [everything[place] for place in places]


def _roll(
    model: ImaginedModel,
    first: Contexts,
    actions: Indices,
    tracked: Sequence[TrackedFeature],
    draws: int,
    rng: np.random.Generator,
) -> Series:
    """Imagined series [draws, B, T] from contexts [B, D] under actions [B, T]; a draw is one member's."""
    model = replace(model, pessimism=0.0)  # what is compared with the world must not be pessimistic
    batch, steps = actions.shape
    contexts = np.tile(first, (draws, 1))
    member = rng.integers(0, model.surrogate.members, len(contexts))
    visited, outcomes, rewards = [], [], []
    for step in range(steps):
        visited.append(contexts)
        contexts, reward, outcome = model.advance(contexts, np.tile(actions[:, step], draws), member, rng)
        outcomes.append(outcome)
        rewards.append(reward)

    def by_draw(values: list[FloatArray] | list[Contexts]) -> FloatArray:
        stacked = np.stack(values, axis=1)
        return np.asarray(stacked.reshape(draws, batch, steps, *stacked.shape[2:]))

    return _series(tracked, by_draw(visited), by_draw(outcomes), by_draw(rewards))


def _series(
    tracked: Sequence[TrackedFeature],
    contexts: NDArray[np.float32] | FloatArray,
    outcomes: FloatArray,
    rewards: FloatArray,
) -> Series:
    """Each compared series [...] of contexts [..., D], outcomes [..., C] and rewards [...]."""
    series = {f.name: f.restore(contexts[..., f.index].astype(np.float64)) for f in tracked}
    parts = {name: outcomes[..., COMPONENTS.index(name)] for name in OUTCOMES if name != "reward"}
    return series | parts | {"reward": rewards}


def _pool(seen: Sequence[RealEpisode], tracked: Sequence[TrackedFeature]) -> Mapping[str, FloatArray]:
    """Every real value of each series, [N]."""
    if not seen:
        raise ValueError("the marginal distribution needs an episode at least")
    contexts, outcomes, rewards = (
        np.concatenate([getattr(episode, name) for episode in seen])
        for name in ("contexts", "outcomes", "rewards")
    )
    return _series(tracked, contexts, outcomes, rewards)


def crps(draws: FloatArray, observed: FloatArray) -> FloatArray:
    """Fair CRPS ``mean |x - y| - mean over pairs |x - x'| / 2`` [...] of draws [K >= 2, ...].

    Ferro (2014), "Fair scores for ensemble forecasts"; its expectation doesn't depend on K. Unit of the
    values; NaN where ``observed`` is.
    """
    count = len(draws)
    ordered = np.sort(draws, axis=0)
    ranks = (2.0 * np.arange(1, count + 1) - count - 1).reshape(-1, *(1,) * observed.ndim)
    spread = (ranks * ordered).sum(0) / (count * (count - 1))
    return np.asarray(np.abs(draws - observed).mean(0) - spread)


def _marginal_crps(
    pool: FloatArray, real: FloatArray, pool_actions: Indices | None, actions: Indices
) -> FloatArray:
    """CRPS [B, T] of real values [B, T] under the marginal distribution, that of its action if given."""
    measured = np.isfinite(pool)
    if measured.sum() < 2:
        return np.full(real.shape, np.nan)
    scores = crps(pool[measured].reshape(-1, 1, 1), real)
    if pool_actions is not None:
        for action in np.unique(actions):
            own = pool[measured & (pool_actions == action)]
            if len(own) >= MIN_POOL:
                chosen = actions == action
                scores[chosen] = crps(own[:, None], real[chosen])
    return scores


def _skill(
    draws: FloatArray, real: FloatArray, marginal: FloatArray, *, first_lead: int, rng: np.random.Generator
) -> LeadSkill:
    """Skill of draws [K, B, T] of real values [B, T], given the marginal's CRPS [B, T]."""
    imagined = crps(draws, real)
    distance = np.abs(randomised_pit(draws, real, rng) - 0.5)
    rows = []
    for lead in range(first_lead, real.shape[1]):
        measured = np.isfinite(imagined[:, lead]) & np.isfinite(marginal[:, lead])
        if not measured.any():
            rows.append([np.nan] * 5)
            continue
        ours, theirs, off = (x[measured, lead] for x in (imagined, marginal, distance))
        gain = bootstrap_interval(theirs - ours, np.zeros(len(ours)))
        rows.append([ours.mean(), theirs.mean(), gain.low, (off <= 0.25).mean(), (off <= 0.45).mean()])
    return LeadSkill(np.arange(first_lead, real.shape[1]), *np.array(rows).T)
