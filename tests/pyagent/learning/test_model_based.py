"""Buying evaluations: what the quality model knows, what is bought, and that it pays."""

import numpy as np
import pytest

from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.dataset.dataset import CLEAN
from pyagent.learning.acquisition import RULES
from pyagent.learning.comparison import curve, play, yardstick
from pyagent.learning.model_based import ModelBasedLearner, Played
from pyagent.learning.on_table import ask_table, episodes, judge, learn, model_based, play_episode
from pyagent.learning.quality import QualityModel, Record
from pyagent.surrogate.ensemble import EnsembleSettings

CLIP = 3.0
SMALL = EnsembleSettings(members=3, hidden=(32,))


def record(actions, prompt_loss, output_loss=None, generated=None) -> Record:
    n = len(actions)
    output = prompt_loss if output_loss is None else output_loss
    share = np.ones(n) if generated is None else generated
    network = np.stack([prompt_loss, output, share], axis=1)
    return Record(np.asarray(actions), network, (np.asarray(prompt_loss) > 0) & (share > 0))


def truth(r: Record) -> np.ndarray:
    slope = np.array([2.0, 0.5, 1.0])[r.actions]
    per_token = np.clip(slope * r.network[:, 0] ** 0.5, 0, CLIP)
    return np.where(r.lossy, per_token, 0) * r.network[:, 2] + CLIP * (1 - r.network[:, 2])


def quality(**options) -> QualityModel:
    made = {"delta_nll_clip": CLIP, "clean_delta_nll": np.zeros(3), "seed": 0} | options
    return QualityModel(3, 4, **made)


def random_record(n, seed=1) -> Record:
    rng = np.random.default_rng(seed)
    return record(rng.integers(0, 3, n), rng.random(n) * 0.4, generated=rng.choice([0.0, 0.5, 1.0], n))


def test_some_dozens_of_evaluations_tell_the_curve_of_every_split():
    model, rng = quality(), np.random.default_rng(0)
    seen, asked = random_record(60), random_record(200, seed=2)
    before = np.abs(model.predict(asked).mean(1) - truth(asked))[asked.lossy].mean()
    model.add(seen, np.clip(truth(seen) + 0.05 * rng.standard_normal(60), 0, CLIP))
    after = np.abs(model.predict(asked).mean(1) - truth(asked))[asked.lossy].mean()
    assert after < 0.05 < before


def test_what_the_record_tells_needs_no_evaluation():
    model = quality()
    known = record([0, 1, 2], np.zeros(3), generated=np.array([1.0, 0.25, 0.0]))
    np.testing.assert_allclose(model.predict(known), np.repeat([[0.0], [0.75 * CLIP], [CLIP]], 4, 1))
    assert (model.variance(known) == 0).all()
    assert (model.value(known, random_record(50)) == 0).all()
    np.testing.assert_array_equal(model.sample(known, np.ones(3)), model.predict(known))


def test_what_a_split_costs_without_loss_is_known_and_loss_comes_on_top():
    clean = np.array([0.1, -0.05, 0.4])
    model = quality(clean_delta_nll=clean)
    known = record([0, 1, 2, 2], np.zeros(4), generated=np.array([1, 1, 1, 0.5]))
    expected = [0.1, 0.0, 0.4, 0.2 + 0.5 * CLIP]
    np.testing.assert_allclose(model.predict(known), np.repeat(np.array(expected)[:, None], 4, 1))
    seen, asked = random_record(80), random_record(200, seed=2)
    shift = clean[seen.actions] * seen.network[:, 2]
    model.add(seen, truth(seen) + np.where(seen.lossy, shift, 0))
    told = np.clip(truth(asked) + clean[asked.actions] * asked.network[:, 2], 0, None)
    # Nearly no loss: what is left is the cost of the split.
    assert np.abs(model.predict(asked).mean(1) - told)[asked.lossy].mean() < 0.05
    little = record([0, 1, 2], np.full(3, 1e-6))
    np.testing.assert_allclose(model.predict(little).mean(1), np.clip(clean, 0, None), atol=0.02)
    with pytest.raises(ValueError, match=r"clean_delta_nll has shape \(2,\), valid: \(3,\)"):
        quality(clean_delta_nll=np.zeros(2))


def test_posterior_is_that_of_ridge_regression():
    model, seen = quality(), random_record(40)
    model.add(seen, truth(seen))
    x, y, noise = model._features, model._targets, model._noise * model._scale
    weights = np.linalg.solve(model._prior + (x / noise[:, None]).T @ x, (x / noise[:, None]).T @ y)
    np.testing.assert_allclose(model._mean, weights, atol=1e-8)
    covariance = np.linalg.inv(model._prior + (x / noise[:, None]).T @ x)
    asked = random_record(30, seed=5)
    features = model._encode(asked)
    expected = (
        np.einsum("nf,fg,ng->n", features, covariance, features) * asked.network[:, 2] ** 2 * asked.lossy
    )
    np.testing.assert_allclose(model.variance(asked), expected, rtol=1e-6, atol=1e-12)


def test_the_value_of_an_evaluation_is_the_variance_that_it_takes_away():
    model, pending = quality(), random_record(40)
    model.add(random_record(12, seed=3), truth(random_record(12, seed=3)))
    values = model.value(pending, pending)
    best = int(np.argmax(values))
    scale = model._scale
    one = Record(pending.actions[[best]], pending.network[[best]], pending.lossy[[best]])
    before = model.variance(pending)
    model.add(one, truth(one))
    # The noise is estimated anew with every evaluation; at the old estimate the promise is exact.
    x, noise = model._features, model._noise * scale
    covariance = np.linalg.inv(model._prior + (x / noise[:, None]).T @ x)
    features = model._encode(pending)
    after = (
        np.einsum("nf,fg,ng->n", features, covariance, features) * pending.network[:, 2] ** 2 * pending.lossy
    )
    np.testing.assert_allclose((before - after).mean(), values[best], rtol=1e-6)


def test_rules_choose_what_they_say():
    model, pending = quality(), record([0, 1, 1, 2], np.array([0.1, 0.3, 0.2, 0.05]))
    rng, ones = np.random.default_rng(0), np.ones(4)
    assert RULES["round-robin"](model, pending, ones, np.array([2, 1, 1]), rng) == 2  # the newest of split 1
    assert {RULES["random"](model, pending, ones, np.zeros(3), rng) for _ in range(50)} == {0, 1, 2, 3}
    chosen = RULES["epistemic"](model, pending, ones, np.zeros(3), rng)
    assert chosen == int(np.argmax(model.value(pending, pending)))
    dear = np.where(np.arange(4) == chosen, 1e6, 1.0)
    assert RULES["epistemic"](model, pending, dear, np.zeros(3), rng) != chosen


@pytest.fixture(scope="module")
def tram() -> Dataset:
    """The tram's recording, as if every request that sends had lost something: all of them can be bought."""
    whole = open_dataset(shipped_dataset("tram-replay"))
    lost = np.maximum(whole.rows["prompt_loss"], 0.02 * (whole.rows["uplink_bytes"] > 0))
    about = {CLEAN: {"train": whole.clean_delta_nll.tolist()}}
    return Dataset(whole.scenario, whole.rows.assign(prompt_loss=lost), about)


def played(learner: ModelBasedLearner, dataset: Dataset, decisions: int) -> ModelBasedLearner:
    learn(learner, dataset, seed=0, decisions=decisions)
    return learner


def test_it_buys_no_more_than_it_may_and_asks_only_what_is_lossy(tram: Dataset):
    table, asked = tram.train, []

    def ask(key):
        assert table.lossy[key]
        asked.append(key)
        return ask_table(table)(key)

    learner = model_based(tram, seed=0, per_decision=0.2, most=7, settings=SMALL)
    learner._ask = ask
    played(learner, tram, 60)
    assert learner.evaluations == len(asked) == len(set(asked)) == 7
    every = played(model_based(tram, seed=0, rule="all", settings=SMALL), tram, 60)
    assert every.evaluations > 20
    assert not every._pending


def test_unbought_decisions_are_learned_from_by_what_the_quality_model_thinks(tram: Dataset):
    learner = played(model_based(tram, seed=0, per_decision=0.1, settings=SMALL), tram, 60)
    buffer = learner.surrogate._buffer
    pending = [learner._lossy[i] for i in learner._pending]
    assert len(pending) > 20
    for number, item, normal in pending[:10]:
        one = Record(np.array([item.action]), item.network[None], np.array([True]))
        expected = learner.quality.sample(one, np.array([normal]))
        np.testing.assert_allclose(buffer.quality[number], expected[0], rtol=1e-5)
    bought = {number for i, (number, _, _) in enumerate(learner._lossy) if i not in learner._pending}
    for number in bought:
        assert len(set(buffer.quality[number].tolist())) == 1


def test_what_is_not_bought_is_not_known(tram: Dataset):
    """Replacing every answer that was not bought changes nothing."""
    first = played(model_based(tram, seed=3, per_decision=0.1, settings=SMALL), tram, 50)
    told = {item.key for i, (_, item, _) in enumerate(first._lossy) if i not in first._pending}
    components = tram.train.components.copy()
    hidden = tram.train.lossy.copy()
    for key in told:
        hidden[key] = False
    components[hidden, 1] = 99.0

    second = model_based(tram, seed=3, per_decision=0.1, settings=SMALL)
    steps = 0
    for rows, replicate in episodes(tram.train, 0):
        previous = -1
        for row in rows:
            if steps == 50:
                break
            context = tram.train.contexts[row, max(previous, 0), replicate]
            action = second.act(context)
            cell = (row, action, replicate)
            second.observe(
                Played(
                    context,
                    action,
                    components[cell],
                    tram.train.network[cell],
                    bool(tram.train.lossy[cell]),
                    cell,
                )
            )
            previous, steps = action, steps + 1
        if steps == 50:
            break
    assert (second.surrogate._flat == first.surrogate._flat).all()


def test_few_evaluations_learn_most_of_what_there_is(tram: Dataset):
    (run,) = play(["surrogate-argmax"], tram, [0], 160, lambda name: None)["surrogate-argmax"]
    measure = yardstick(tram)
    assert measure.share(run[-1].reward) > 0.3
    assert run[-1].evaluations <= 41
    assert run[-1].policy is not None
    assert run[0].policy is None
    assert (np.diff(curve(run).evaluations) > 0).all()


@pytest.mark.parametrize("name", ["best-static", "threshold", "two-threshold", "neurosurgeon"])
def test_the_others_learn_on_the_same_table(tram: Dataset, name: str):
    (run,) = play([name], tram, [0], 40, lambda name: None)[name]
    assert run[-1].reward > yardstick(tram).static - 0.2
    assert run[-1].evaluations > 0
    again = judge(run[-1].policy, tram)
    assert again[0] == run[-1].reward


def test_an_episode_is_played_whole_before_the_next(tram: Dataset):
    seen = []
    stream = episodes(tram.train, 1)
    for _ in range(20):
        rows, replicate = next(stream)
        seen.append(int(tram.train.seeds[rows.start]))
        assert replicate == 0
    assert len(set(seen)) == 20
    learner = model_based(tram, seed=0, settings=SMALL)
    assert 0 <= next(play_episode(learner, tram.train, range(20), 0)) < 5
