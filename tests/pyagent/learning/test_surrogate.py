"""The ensemble: what it learns, what it knows that it does not know, what it remembers."""

import json
import math

import numpy as np
import pytest
import torch

from pyagent.errors import DamagedFileError
from pyagent.reward import COMPONENTS
from pyagent.surrogate import Batch, EnsembleSurrogate, calibration
from pyagent.surrogate.heads import Heads
from pyagent.surrogate.registry import load_surrogate
from pyagent.surrogate.replay import ReplayBuffer
from pyagent.surrogate.scales import InverseScale

from .world import DEADLINE_S, ENCODER, SCALES, SPLITS, D, collect, make_surrogate


@pytest.fixture(scope="module")
def trained():
    surrogate = make_surrogate(0, half_life=math.inf)
    surrogate.update(collect(1, 600)[0], 400)
    return surrogate


def probe(rows=40, seed=3):
    rng = np.random.default_rng(seed)
    return rng.random((rows, D)).astype(np.float32), ENCODER.encode(rng.integers(0, len(SPLITS), rows))


def test_shapes_and_ranges(trained):
    context, action = probe()
    p = trained.predict(context, action)
    assert p.member_means.shape == (5, 40, 4)
    for array in (p.mean, p.aleatoric_std, p.epistemic_std):
        assert array.shape == (40, 4)
        assert np.isfinite(array).all()
    np.testing.assert_allclose(p.mean, p.member_means.mean(0))
    assert ((p.mean[:, 0] > 0) & (p.mean[:, 0] <= DEADLINE_S)).all()
    assert ((p.mean[:, 3] >= 0) & (p.mean[:, 3] <= 1)).all()
    assert (p.aleatoric_std >= 0).all()


def test_calibrated_and_ranked_on_new_decisions(trained):
    report = calibration(trained, ENCODER, collect(2, 800)[0])
    assert set(report) == set(COMPONENTS)
    for name, entry in report.items():
        for level in (50, 90, 95):
            assert entry[f"coverage_{level}"] == pytest.approx(level / 100, abs=0.12), (name, level)
        curve = dict(entry["reliability"])
        assert list(curve) == [pytest.approx(0.05 * i) for i in range(1, 20)]
        assert (curve[0.5], curve[0.9], curve[0.95]) == tuple(
            entry[f"coverage_{level}"] for level in (50, 90, 95)
        )
        assert list(curve.values()) == sorted(curve.values())
    for name in ("latency_s", "delta_nll", "ue_energy_j"):
        assert report[name]["rank_correlation"] > 0.65, name
    assert report["failed"]["rank_correlation"] > 0.25


def test_coverage_notices_overconfidence(trained):
    noisy = collect(2, 400)[0]
    outcomes = noisy.outcomes.copy()
    outcomes[:, 2] *= np.random.default_rng(0).choice([0.3, 3.0], len(outcomes))
    shifted = Batch(noisy.contexts, noisy.actions, outcomes)
    assert calibration(trained, ENCODER, shifted)["ue_energy_j"]["coverage_90"] < 0.3


def test_calibration_leaves_out_what_was_not_bought(trained):
    batch = collect(2, 60)[0]
    outcomes = batch.outcomes.copy()
    outcomes[20:, 1] = np.nan
    report = calibration(trained, ENCODER, Batch(batch.contexts, batch.actions, outcomes), draws=20)
    bought = Batch(batch.contexts[:20], batch.actions[:20], batch.outcomes[:20])
    error = calibration(trained, ENCODER, bought, draws=20)["delta_nll"]["mean_absolute_error"]
    assert report["delta_nll"]["mean_absolute_error"] == pytest.approx(error)
    outcomes[:, 1] = np.nan
    report = calibration(trained, ENCODER, Batch(batch.contexts, batch.actions, outcomes), draws=20)
    assert report["delta_nll"] == {**dict.fromkeys(report["delta_nll"]), "reliability": []}
    assert len(report["latency_s"]["reliability"]) == 19


def test_samples_follow_the_predicted_moments(trained):
    context, action = probe(6)
    rng = np.random.default_rng(0)
    repeat = 4000
    member = np.full(6 * repeat, 2)
    draws = trained.sample(np.tile(context, (repeat, 1)), np.tile(action, (repeat, 1)), member, rng)
    draws = draws.reshape(repeat, 6, 4)
    standard_error = draws.std(0) / repeat**0.5
    expected = trained.predict(context, action).member_means[2]
    # 6 standard errors, plus 0.5 % for the quadrature.
    assert (np.abs(draws.mean(0) - expected) < 6 * standard_error + 0.005 * np.abs(expected) + 1e-3).all()
    failed = draws[..., 3] == 1
    assert failed.any()
    assert (draws[..., 0][failed] == DEADLINE_S).all()


def test_epistemic_uncertainty_is_larger_away_from_data():
    rng = np.random.default_rng(0)
    batch = collect(1, 500)[0]
    seen = (batch.contexts[:, 0] > 0.5) & (batch.actions < 3)
    surrogate = make_surrogate(0, half_life=math.inf)
    surrogate.update(Batch(batch.contexts[seen], batch.actions[seen], batch.outcomes[seen]), 300)
    near, far = (rng.random((200, D)).astype(np.float32) for _ in range(2))
    near[:, 0], far[:, 0] = rng.uniform(0.6, 1.0, 200), rng.uniform(0.0, 0.3, 200)
    inside = surrogate.predict(near, ENCODER.encode(rng.integers(0, 3, 200))).epistemic_std.mean(0)
    context_gap = surrogate.predict(far, ENCODER.encode(rng.integers(0, 3, 200))).epistemic_std.mean(0)
    action_gap = surrogate.predict(near, ENCODER.encode(rng.integers(3, 5, 200))).epistemic_std.mean(0)
    assert (context_gap > 2 * inside).all(), (context_gap, inside)
    assert (action_gap[:3] > 2 * inside[:3]).all(), (action_gap, inside)


def test_same_seed_same_bits_other_seed_other_bits():
    batch = collect(1, 80)[0]
    context, action = probe()
    results = []
    for seed in (4, 4, 5):
        torch.manual_seed(len(results))  # the global state must not matter
        np.random.seed(len(results))
        surrogate = make_surrogate(seed)
        surrogate.update(batch, 20)
        results.append(surrogate.predict(context, action).member_means)
    assert results[0].tobytes() == results[1].tobytes()
    assert results[0].tobytes() != results[2].tobytes()


@pytest.mark.parametrize("half_life", [50.0, math.inf])
def test_save_and_load_continue_bit_for_bit(tmp_path, half_life):
    first, more = collect(1, 120)[0], collect(2, 30)[0]
    original = make_surrogate(0, capacity=100, half_life=half_life)
    original.update(first, 30)
    original.save(tmp_path)
    json.loads((tmp_path / "surrogate.json").read_text(), parse_constant=pytest.fail)  # strict JSON
    restored = EnsembleSurrogate.load(tmp_path)
    assert restored.observed == 120
    context, action = probe()
    for _ in range(2):
        a, b = original.predict(context, action), restored.predict(context, action)
        assert a.member_means.tobytes() == b.member_means.tobytes()
        original.update(more, 10)
        restored.update(more, 10)


@pytest.mark.parametrize(
    ("field", "value"), [("observed", [2]), ("observed", -1), ("observed", "7"), ("frozen", 0)]
)
def test_a_file_with_another_kind_of_count_or_flag_is_refused(tmp_path, field, value):
    surrogate = make_surrogate(0)
    surrogate.update(collect(1, 20)[0], 1)
    surrogate.save(tmp_path)
    assert load_surrogate(tmp_path).observed == 20
    about = json.loads((tmp_path / "surrogate.json").read_text())
    (tmp_path / "surrogate.json").write_text(json.dumps(about | {field: value}))
    with pytest.raises(DamagedFileError, match=r"observed, frozen = .*valid: a count, a flag"):
        load_surrogate(tmp_path)


def test_frozen_learns_nothing_and_stays_frozen_on_disk(tmp_path):
    surrogate = make_surrogate(0)
    surrogate.update(collect(1, 40)[0], 5)
    context, action = probe()
    before = surrogate.predict(context, action).mean
    surrogate.freeze()
    assert math.isnan(surrogate.update(collect(2, 40)[0], 20))
    assert surrogate.observed == 40
    np.testing.assert_array_equal(surrogate.predict(context, action).mean, before)
    surrogate.save(tmp_path)
    assert EnsembleSurrogate.load(tmp_path).frozen


def test_scales_round_trip_and_bound():
    physical = np.array([[0.0, -0.2, 0.1], [DEADLINE_S, 3.0, 40.0], [0.7, 0.02, 8.0]])
    z = torch.from_numpy(SCALES.to_model(physical).astype(np.float32))
    np.testing.assert_allclose(InverseScale(SCALES)(z).numpy(), physical, rtol=1e-4, atol=1e-5)
    assert InverseScale(SCALES)(torch.full((3,), 50.0)).tolist() == [DEADLINE_S, 3.0, 40.0]
    assert InverseScale(SCALES)(torch.full((3,), -50.0)).tolist() == [0.0, -3.0, 0.0]


def test_gaussian_loss_gradient_is_the_beta_nll_gradient():
    outputs = torch.zeros(1, 1, 13, requires_grad=True)
    heads = Heads.from_outputs(outputs)
    targets = torch.tensor([[0.3, -0.4, 0.5]])
    heads.loss(targets[None], torch.zeros(1), torch.ones(1, 1)).backward()
    variance = heads.log_variance.detach().exp()[0, 0, 0]
    # d/dmean of variance^0.5 * (t - mean)^2 / (2 variance), at mean 0
    np.testing.assert_allclose(outputs.grad[0, 0, :3], -targets[0] / variance**0.5, rtol=1e-5)
    assert (outputs.grad[0, 0, 3:6] == 0).all()  # the failed branch was not observed
    assert outputs.grad[0, 0, 12] == pytest.approx(1 / (1 + math.e), rel=1e-5)


def test_replay_prefers_recent_by_half_life_and_overwrites_the_oldest():
    rng = np.random.default_rng(0)
    buffer = ReplayBuffer(100, D, 3)
    buffer.append(collect(1, 130)[0], rng)
    assert len(buffer) == 100
    np.testing.assert_array_equal(buffer.ordered().contexts, collect(1, 130)[0].contexts[30:])
    ages = (buffer.total - 1 - buffer.sample(200_000, 20.0, rng)) % 100
    counts = np.bincount(ages, minlength=100)
    expected = 0.5 ** (np.arange(100) / 20.0)
    np.testing.assert_allclose(counts / counts.sum(), expected / expected.sum(), atol=0.002)
    uniform = np.bincount(buffer.sample(200_000, math.inf, rng), minlength=100)
    np.testing.assert_allclose(uniform / uniform.sum(), 0.01, atol=0.002)


def test_bad_shapes_are_reported():
    surrogate = make_surrogate(0)
    context, action = probe(3)
    with pytest.raises(ValueError, match="contexts"):
        surrogate.predict(context[:, :2], action)
    with pytest.raises(ValueError, match="actions"):
        surrogate.predict(context, action[:, :2])
    with pytest.raises(ValueError, match="failed"):
        Batch(context, np.zeros(3, np.int64), np.full((3, 4), 0.5))
    with pytest.raises(ValueError, match="finite"):
        Batch(context, np.zeros(3, np.int64), np.full((3, 4), np.nan))


def test_only_the_quality_may_be_unknown():
    context, _ = probe(2)
    known = np.array([0.5, 0.1, 2.0, 0.0])
    for c, name in enumerate(COMPONENTS):
        outcomes = np.stack([known, known])
        outcomes[1, c] = np.nan
        if name == "delta_nll":
            assert np.isnan(Batch(context, np.zeros(2, np.int64), outcomes).outcomes[1, c])
        else:
            with pytest.raises(ValueError, match="only delta_nll may be NaN"):
                Batch(context, np.zeros(2, np.int64), outcomes)
    with pytest.raises(ValueError, match="finite"):
        Batch(context, np.zeros(2, np.int64), np.stack([known, known * [1, np.inf, 1, 1]]))
