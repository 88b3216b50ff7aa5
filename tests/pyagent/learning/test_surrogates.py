"""What every surrogate of the registry must do, on the synthetic cell."""

import builtins
import math

import numpy as np
import pytest
import torch

from pyagent.errors import UserError
from pyagent.policies import RandomPolicy, SurrogateArgmaxPolicy, gp_ucb_policy
from pyagent.reward import COMPONENTS, RewardWeights
from pyagent.surrogate import SURROGATES, Batch, calibration, make_surrogate
from pyagent.surrogate.base import TARGETS

from .world import COMPOSER, ENCODER, SCALES, SNR, SPLITS, D, World, collect, run

OURS = ("linear", "gp")
ROWS, STEPS = 200, 12
S = len(SPLITS)
QUALITY = COMPONENTS.index("delta_nll")


def made(name, seed=0):
    return make_surrogate(name, D, ENCODER, SCALES, seed=seed)


@pytest.fixture(scope="module", params=OURS)
def trained(request):
    surrogate = made(request.param)
    surrogate.update(collect(1, ROWS)[0], STEPS)
    surrogate.freeze()
    return surrogate


def probe(rows=20, seed=3):
    rng = np.random.default_rng(seed)
    return rng.random((rows, D)).astype(np.float32), ENCODER.encode(rng.integers(0, S, rows))


def answers(surrogate):
    """All that can be asked, as bytes."""
    context, action = probe()
    member = np.arange(len(context)) % surrogate.members
    drawn = surrogate.sample(context, action, member, np.random.default_rng(1))
    return surrogate.predict(context, action).member_means.tobytes() + drawn.tobytes()


def test_registry_names_what_it_has():
    assert set(SURROGATES) == {"ensemble", "linear", "gp"}
    with pytest.raises(UserError, match=r"'forest' is not known; valid: ensemble, linear, gp"):
        made("forest")


def test_missing_gpytorch_is_one_line(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "gpytorch":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'ns3-llm-split\[gp\]'"):
        made("gp")
    assert made("linear").members > 1


@pytest.mark.parametrize("name", OURS)
def test_before_any_data(name):
    surrogate = made(name)
    context, action = probe()
    p = surrogate.predict(context, action)
    assert p.member_means.shape == (surrogate.members, 20, len(COMPONENTS))
    for array in (p.mean, p.aleatoric_std, p.epistemic_std):
        assert array.shape == (20, len(COMPONENTS))
        assert np.isfinite(array).all()
    assert (p.mean >= 0).all()
    assert p.mean[:, 3].mean() < 0.5
    assert surrogate.observed == 0
    assert math.isnan(surrogate.update(None, 5))
    with pytest.raises(ValueError, match="contexts"):
        surrogate.predict(context[:, :2], action)
    with pytest.raises(ValueError, match="actions"):
        surrogate.predict(context, action[:, :2])


def test_calibrated_and_ranked_on_new_decisions(trained):
    report = calibration(trained, ENCODER, collect(2, 300)[0], draws=60)
    for name, entry in report.items():
        assert 0.80 <= entry["coverage_90"] <= 0.97, (name, entry)
    for name in ("latency_s", "delta_nll", "ue_energy_j"):
        assert report[name]["rank_correlation"] > 0.65, name
    assert report["failed"]["rank_correlation"] > 0.25


def test_decides_better_than_chance_and_than_the_best_static(trained):
    batch, _, tables = collect(2, 150)
    oracle, static = tables.max(1).mean(), tables.mean(0).max()
    policy = SurrogateArgmaxPolicy(trained, ENCODER, COMPOSER, mode="greedy")
    reached = np.mean([tables[k, policy.act(c)] for k, c in enumerate(batch.contexts)])
    assert reached > static + 0.6 * (oracle - static)


def test_new_weights_need_no_retraining(trained):
    contexts = collect(2, 100)[0].contexts
    contexts = contexts[contexts[:, SNR] < 0.6]
    policy = SurrogateArgmaxPolicy(trained, ENCODER, COMPOSER, mode="greedy")
    choices = {}
    for name, prices in (("energy", {"energy": 1}), ("safety", {"quality": 1, "failure": 1})):
        weights = RewardWeights(**{**dict.fromkeys(vars(RewardWeights()), 0), **prices})
        policy.composer = COMPOSER.with_weights(weights)
        choices[name] = np.array([policy.act(c) for c in contexts])
    assert (choices["energy"] == 0).mean() > 0.9
    assert (choices["safety"] == S - 1).mean() > 0.8


def test_ignorance_is_larger_away_from_data(trained):
    name = trained.kind
    batch = collect(1, 200)[0]
    seen = (batch.contexts[:, SNR] > 0.5) & (batch.actions < 3)
    surrogate = made(name)
    surrogate.update(Batch(batch.contexts[seen], batch.actions[seen], batch.outcomes[seen]), STEPS)
    rng = np.random.default_rng(0)
    near = rng.random((100, D)).astype(np.float32)
    near[:, SNR] = rng.uniform(0.6, 1.0, 100)
    inside, outside = (
        surrogate.predict(near, ENCODER.encode(rng.integers(low, low + 2, 100))).epistemic_std.mean(0)
        for low in (0, 3)
    )
    assert (outside[[0, 2]] > 1.5 * inside[[0, 2]]).all(), (inside, outside)


@pytest.mark.parametrize("name", OURS)
def test_unbought_qualities_teach_all_but_quality(name):
    batch = collect(1, 80)[0]
    hidden = batch.outcomes.copy()
    hidden[:, QUALITY] = np.nan
    empty, free, bought = (made(name) for _ in range(3))
    free.update(Batch(batch.contexts, batch.actions, hidden), STEPS)
    bought.update(batch, STEPS)
    context, action = probe()
    before, after, known = (s.predict(context, action).member_means for s in (empty, free, bought))
    assert (known[..., QUALITY] != before[..., QUALITY]).any()
    for c in (0, 2, 3):
        np.testing.assert_array_equal(after[..., c], known[..., c])
        assert (after[..., c] != before[..., c]).any()
    # delta_nll mixes "answered" with "failed", whose share was learned; each of the two is as it was.
    inputs = free._inputs(context, action)
    means, untouched = free._heads(*inputs)[0], empty._heads(*inputs)[0]
    for t, (_, component) in enumerate(TARGETS):
        assert torch.equal(means[..., t], untouched[..., t]) == (component == QUALITY)


@pytest.mark.parametrize("name", OURS)
def test_same_seed_same_bytes_and_global_state_untouched(name):
    batch, results = collect(1, 60)[0], []
    for run_number, seed in enumerate((1, 1, 2)):
        torch.manual_seed(run_number)
        before = (torch.get_rng_state(), np.random.get_state()[1].copy())
        surrogate = made(name, seed)
        surrogate.update(batch, 3)
        results.append(answers(surrogate))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1] == before[1]).all()
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("name", OURS)
def test_save_and_load_continue_bit_for_bit(name, tmp_path):
    batch = collect(1, 70)[0]
    first, second = (
        Batch(batch.contexts[part], batch.actions[part], batch.outcomes[part])
        for part in (slice(0, 50), slice(50, 70))
    )
    surrogate = made(name)
    surrogate.update(first, 3)
    surrogate.save(tmp_path)
    restored = type(surrogate).load(tmp_path)
    assert restored.observed == 50
    assert answers(restored) == answers(surrogate)
    for s in (surrogate, restored):
        for row in zip(second.contexts, second.actions, second.outcomes, strict=True):
            s.update(Batch.of_one(*row), 2)
    assert answers(restored) == answers(surrogate)


def test_frozen_ignores_data_and_stays_so_on_disk(trained, tmp_path):
    before = answers(trained)
    assert math.isnan(trained.update(collect(2, 40)[0], 20))
    assert trained.observed == ROWS
    assert answers(trained) == before
    trained.save(tmp_path)
    assert type(trained).load(tmp_path).frozen
    other = next(SURROGATES[name] for name in OURS if name != trained.kind)
    with pytest.raises(ValueError, match="surrogate kind"):
        other.load(tmp_path)


def test_ucb_is_mean_plus_beta_deviations_of_the_composed_reward(trained):
    contexts = collect(2, 20)[0].contexts
    chosen = {}
    for beta in (0.0, 50.0):
        policy = SurrogateArgmaxPolicy(trained, ENCODER, COMPOSER, mode="ucb", beta=beta)
        chosen[beta] = [policy.act(c) for c in contexts]
        scores = np.stack([policy.scores(c) for c in contexts])  # (K, M, S)
        assert chosen[beta] == (scores.mean(1) + beta * scores.std(1)).argmax(1).tolist()
    assert chosen[0.0] != chosen[50.0]
    with pytest.raises(ValueError, match="beta"):
        SurrogateArgmaxPolicy(trained, ENCODER, COMPOSER, mode="ucb", beta=-1.0)


@pytest.mark.parametrize("name", OURS)
def test_ucb_learns_while_it_acts(name):
    if name == "gp":
        policy = gp_ucb_policy(D, ENCODER, SCALES, COMPOSER, seed=0)
        assert policy.name == "gp-ucb"
    else:
        policy = SurrogateArgmaxPolicy(made(name), ENCODER, COMPOSER, mode="ucb", probe_rate=0)
        assert policy.name == "surrogate-ucb"
    regrets, _ = run(World(1), policy, 80)
    by_chance, _ = run(World(1), RandomPolicy(SPLITS), 80)
    assert regrets[40:].mean() < 0.5 * by_chance[40:].mean()
