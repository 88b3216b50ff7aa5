"""Composition of the reward from physical components."""

import numpy as np
import pytest

from pyagent.reward import TERMS, RewardContext, RewardWeights, compose, paper_reward

CONTEXT = RewardContext(slo_s=2.0, delta_nll_clip=3.0, num_layers=32)
ONE = {
    "latency_s": 3.0,
    "delta_nll": 0.4,
    "ue_energy_j": 5.0,
    "failed": 0.0,
    "split": 8,
    "previous_split": 16,
    "ue_energy_all_local_j": 10.0,
}


def test_terms_by_hand():
    total, terms = compose(RewardWeights(), CONTEXT, **ONE)
    expected = {
        "quality": -0.4,
        "latency": -0.5 * 1.5,
        "energy": -0.3 * 0.5,
        "load": -0.2 * 0.25,
        "failure": 0.0,
        "switching": -0.05,
    }
    assert set(terms) == set(TERMS)
    for name, value in expected.items():
        assert terms[name] == pytest.approx(value), name
    assert total == pytest.approx(sum(expected.values()))


def test_broadcasts_over_draws_and_never_exceeds_zero():
    rng = np.random.default_rng(0)
    draws = {
        "latency_s": rng.exponential(2.0, (7, 5)),
        "delta_nll": rng.normal(0.0, 2.0, (7, 5)),
        "ue_energy_j": rng.exponential(5.0, (7, 5)),
        "failed": rng.integers(0, 2, (7, 5)),
    }
    total, terms = compose(
        RewardWeights(),
        CONTEXT,
        **draws,
        split=np.array([1, 8, 16, 24, 32]),
        previous_split=-1,
        ue_energy_all_local_j=10.0,
    )
    assert total.shape == (7, 5)
    assert all(term.shape == (7, 5) and (term <= 0).all() for term in terms.values())
    np.testing.assert_allclose(total, sum(terms.values()))
    single, _ = compose(
        RewardWeights(),
        CONTEXT,
        **{k: v[3, 2] for k, v in draws.items()},
        split=16,
        previous_split=-1,
        ue_energy_all_local_j=10.0,
    )
    assert total[3, 2] == pytest.approx(single)


def test_quality_is_clipped_on_both_sides():
    for value, expected in ((-0.5, 0.0), (99.0, -3.0)):
        _, terms = compose(RewardWeights(), CONTEXT, **{**ONE, "delta_nll": value})
        assert terms["quality"] == pytest.approx(expected)


@pytest.mark.parametrize(("previous", "expected"), [(8, 0.0), (-1, 0.0), (1, -0.05)])
def test_switching_costs_only_a_change(previous, expected):
    _, terms = compose(RewardWeights(), CONTEXT, **{**ONE, "previous_split": previous})
    assert terms["switching"] == pytest.approx(expected)


def test_each_weight_scales_its_term_only():
    _, base = compose(RewardWeights(), CONTEXT, **{**ONE, "failed": 1.0})
    for name in TERMS:
        doubled = RewardWeights(**{name: 2 * getattr(RewardWeights(), name)})
        _, terms = compose(doubled, CONTEXT, **{**ONE, "failed": 1.0})
        for other in TERMS:
            assert terms[other] == pytest.approx(base[other] * (2 if other == name else 1)), (name, other)


@pytest.mark.parametrize(
    ("field", "value"),
    [("latency_s", np.nan), ("latency_s", -1.0), ("ue_energy_all_local_j", 0.0), ("failed", -1.0)],
)
def test_bad_components_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        compose(RewardWeights(), CONTEXT, **{**ONE, field: value})


def test_bad_weights_are_named():
    with pytest.raises(ValueError, match="latency"):
        RewardWeights(latency=-0.1)
    with pytest.raises(ValueError, match="slo_s"):
        RewardContext(slo_s=0.0, delta_nll_clip=1.0, num_layers=2)


def test_paper_reward_by_hand():
    reward = paper_reward([22.1, 44.2], [10, 1], perplexity_unimpaired=22.1, max_split=10)
    np.testing.assert_allclose(reward, [0.0, -10.0 + 0.9])
