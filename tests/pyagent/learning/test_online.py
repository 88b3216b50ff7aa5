"""Learning goes on while the system runs: a change half-way hurts only who has stopped learning."""

import numpy as np
import pytest

from pyagent.policies import SurrogateArgmaxPolicy
from pyagent.surrogate import EnsembleSurrogate

from .world import COMPOSER, ENCODER, World, make_surrogate, run

WARMUP, AFTER, SEEDS = 200, 240, 6


def _play(seed, folder):
    """Regret of each decision after the change, for (learning, frozen); and before it."""
    surrogate = make_surrogate(seed, half_life=64.0)
    policy = SurrogateArgmaxPolicy(surrogate, ENCODER, COMPOSER, seed=seed)
    before, _ = run(World(seed), policy, WARMUP)
    surrogate.save(folder)
    after = {}
    for kind in ("learning", "frozen"):
        twin = EnsembleSurrogate.load(folder)
        if kind == "frozen":
            twin.freeze()
        world = World(seed + 100, change_at=0)  # the splits have swapped their roles
        after[kind], _ = run(world, SurrogateArgmaxPolicy(twin, ENCODER, COMPOSER, seed=seed), AFTER)
    return before, after["learning"], after["frozen"]


@pytest.mark.slow
def test_online_learning_survives_a_change_that_freezing_does_not(tmp_path):
    runs = [_play(seed, tmp_path / str(seed)) for seed in range(SEEDS)]
    before, learning, frozen = (np.array(x) for x in zip(*runs, strict=True))  # (seeds, decisions)
    paired = frozen.mean(1) - learning.mean(1)
    standard_error = paired.std(ddof=1) / SEEDS**0.5
    assert paired.mean() > 2 * standard_error, paired
    assert frozen.mean() > 1.5 * learning.mean(), (frozen.mean(), learning.mean())
    # Once it has relearned, the factor is larger, and it is about as good as before the change.
    late = slice(AFTER // 2, None)
    assert frozen[:, late].mean() > 2.5 * learning[:, late].mean()
    # Learning, not luck: regret falls during the warm-up too.
    assert before[:, -50:].mean() < 0.5 * before[:, :25].mean()
    assert learning[:, late].mean() < 0.5 * learning[:, :30].mean()
