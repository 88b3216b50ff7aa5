"""Rules on any feature, best pair and causal ceiling, on tables whose best choice is known."""

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from pyagent.dataset.table import RecordedTable
from pyagent.envs.observation import NAMES
from pyagent.evaluation.cost import Cost
from pyagent.evaluation.oracle import oracle
from pyagent.evaluation.pair import best_pair, pair_oracle
from pyagent.evaluation.share import share_text
from pyagent.learning.comparison import tuning_counts, tuning_tables
from pyagent.learning.references import (
    CEILING,
    PAIR,
    Chosen,
    choose,
    gap_facts,
    oracle_row,
    reference_rows,
    yardstick_of,
)
from pyagent.learning.tuning import TUNERS, earned, fit_ceiling, tune_threshold, tuning_cost, whole_cost
from pyagent.policies import BestStaticPolicy, ThresholdPolicy, TwoThresholdPolicy
from pyagent.policies.causal_ceiling import CausalCeilingPolicy, Forest
from pyagent.reward import RewardComposer, RewardContext, RewardWeights, feature_decoder

SPLITS = (1, 16, 32)
LAYERS = 32
DISTANCE, SNR, SPEED, PREVIOUS = (
    NAMES.index(name) for name in ("distance_m", "snr_db", "speed_mps", "previous_split")
)


def composer(switching: float = 0.0) -> RewardComposer:
    return RewardComposer(
        weights=RewardWeights(switching=switching),
        context=RewardContext(slo_s=1.0, delta_nll_clip=3.0, num_layers=LAYERS),
        splits=SPLITS,
        previous_split=lambda c: np.where(c[:, PREVIOUS] * LAYERS < 0.5, -1, c[:, PREVIOUS] * LAYERS),
        ue_energy_all_local_j=feature_decoder(0, 1.0, 1.0),
    )


def table(best, episodes=6, length=20, replicates=1, noise=0.1, seed=0) -> RecordedTable:
    """Rewards of -1 and noise, 0 for the best action; `best` gives it for contexts [K, D]."""
    rng = np.random.default_rng(seed)
    K, S = episodes * length, len(SPLITS)
    seen = rng.random((K, len(NAMES)), dtype=np.float32)
    contexts = np.broadcast_to(seen[:, None, None], (K, S, replicates, len(NAMES))).copy()
    contexts[..., PREVIOUS] = (np.asarray(SPLITS, dtype=np.float32) / LAYERS)[:, None]
    contexts[::length, ..., PREVIOUS] = 0  # nothing came before
    rewards = noise * rng.normal(size=(K, S, replicates)) - 1
    rewards[np.arange(K), best(seen)] += 1
    return RecordedTable(
        seeds=np.repeat(np.arange(episodes), length),
        decisions=np.tile(np.arange(length), episodes),
        contexts=contexts,
        rewards=rewards,
        components=np.zeros((K, S, replicates, 4)),
        network=np.zeros((K, S, replicates, 3)),
        lossy=rng.random((K, S, replicates)) < 0.25,
    )


def near_or_far(seen):
    return np.where(seen[:, DISTANCE] < 0.4, 0, 2)


def crossed(seen):
    """Which of two actions is better depends on two features at once: no single cut tells."""
    return np.where((seen[:, SNR] > 0.5) ^ (seen[:, SPEED] > 0.5), 2, 0)


@pytest.mark.parametrize("name", ["threshold", "two-threshold"])
def test_rules_may_cut_on_any_feature_that_learners_see(name):
    tuned = TUNERS[name](None, table(near_or_far, length=40), composer())
    assert tuned.feature == DISTANCE
    assert 0.4 in [pytest.approx(threshold, abs=0.03) for threshold in tuned.thresholds]
    assert (tuned.choices[0], tuned.choices[-1]) == (0, 2)


def test_a_rule_pays_for_its_switches_when_its_feature_is_chosen():
    """Speed tells a little more at each decision, but a rule on it would switch all the time."""
    made = table(near_or_far, episodes=1, length=40, noise=0.0)
    contexts, rewards = made.contexts.copy(), np.full_like(made.rewards, -1.0)
    k = np.arange(40)
    contexts[..., SPEED] = (k % 2)[:, None, None]
    contexts[..., DISTANCE] = (k >= 20)[:, None, None]
    rewards[k % 2 == 0, 0] += 0.5
    rewards[k % 2 == 1, 1] += 0.5
    rewards[k < 20, 0] += 0.2
    rewards[k >= 20, 1] += 0.2
    made = replace(made, contexts=contexts, rewards=rewards)
    assert tune_threshold(None, made, composer(0.0)).feature == SPEED
    assert tune_threshold(None, made, composer(0.4)).feature == DISTANCE


def test_what_a_rule_earned_is_what_it_gets_with_its_own_history():
    made = table(near_or_far, replicates=2)
    rule = ThresholdPolicy(DISTANCE, 0.4, 0, 2, 3)
    total = 0.0
    for r in range(2):
        previous = None
        for k in range(len(made)):
            previous = None if made.first_of_seed[k] else previous
            action = rule.act(made.contexts[k, 0 if previous is None else previous, r])
            total += made.rewards[k, action, r] - 0.3 * (previous not in (None, action))
            previous = action
    assert earned(rule, made, composer(0.3)) == pytest.approx(total / (2 * len(made)))


@pytest.mark.parametrize("kind", [ThresholdPolicy, TwoThresholdPolicy])
def test_rules_play_many_contexts_as_they_play_one(kind):
    rng = np.random.default_rng(1)
    contexts = rng.random((60, 4), dtype=np.float32)
    tuned = kind.tune(contexts, rng.normal(size=(60, 3)), 0, 1, 2, 3)
    assert tuned.act_batch(contexts).tolist() == [tuned.act(context) for context in contexts]


def test_rules_get_as_many_contexts_as_learners_get_decisions():
    assert tuning_counts(20, 20.0) == [1, 2, 3, 4, 6, 10, 16, 20]
    assert tuning_counts(20, 14.2)[-1] == 15  # the last episode is not torn
    assert tuning_counts(20, 1000.0)[-1] == 20  # there are no more
    train = table(near_or_far, episodes=6, length=10)
    parts = list(tuning_tables(train, seed=3, decisions=40))
    assert [len(part) for part in parts] == [10, 20, 30, 40]
    for smaller, larger in pairwise(parts):
        assert set(smaller.seeds) < set(larger.seeds)
    assert tuning_cost(parts[-1]) == Cost(120, int(parts[-1].lossy.sum()), 40)


def test_the_best_pair_is_found_and_not_fooled_by_noise():
    rng = np.random.default_rng(2)
    best = np.array([0, 3])[rng.integers(0, 2, 300)]
    rewards = -np.ones((300, 5, 4)) + 0.1 * rng.normal(size=(300, 5, 4))
    rewards[np.arange(300), best] += 1
    assert best_pair(rewards) == (0, 3)
    assert best_pair(rewards[:, :, :1]) == (0, 3)
    # A constant action and two that are worse on average and very noisy: a plain maximum falls for them.
    noisy = rng.normal(-1.3, 6.0, (3000, 3, 4))
    noisy[:, 0] = -1 + 0.01 * rng.normal(size=(3000, 4))
    maxima = {pair: noisy.mean(2)[:, list(pair)].max(1).mean() for pair in combinations(range(3), 2)}
    assert max(maxima, key=lambda pair: maxima[pair]) == (1, 2)
    pair = best_pair(noisy)
    assert 0 in pair
    assert pair_oracle(noisy, pair).value.mean() < -0.9
    assert best_pair(rewards[:, :1]) == (0, 0)
    with pytest.raises(ValueError, match="finite reward table"):
        best_pair(np.full((2, 2, 4), np.nan))


def test_a_pairs_oracle_is_that_of_its_two_columns_with_the_tables_numbers():
    rewards = np.random.default_rng(3).normal(size=(50, 4, 6))
    found, alone = pair_oracle(rewards, (1, 3)), oracle(rewards[:, [1, 3]])
    np.testing.assert_array_equal(found.value, alone.value)
    assert set(found.action) <= {1, 3}
    np.testing.assert_array_equal(found.action == 3, alone.action == 1)
    assert found.static_action in (1, 3)


def test_the_ceiling_learns_what_no_single_cut_can():
    train, test = table(crossed, episodes=12, seed=1), table(crossed, replicates=4, seed=2)
    ceiling = fit_ceiling(None, train, composer())
    rule = tune_threshold(None, train, composer())
    assert earned(ceiling, test, composer()) > -0.2
    assert earned(rule, test, composer()) < -0.35


def test_the_ceiling_finds_nothing_in_noise():
    def chance(seen):
        return np.random.default_rng(9).integers(0, 3, len(seen))

    train, test = table(chance, episodes=12, seed=1), table(chance, replicates=4, seed=2)
    made = fit_ceiling(None, train, composer())
    static = max(earned(BestStaticPolicy(a, 3), test, composer()) for a in range(3))
    assert earned(made, test, composer()) < static + 0.1


def test_the_ceiling_pays_for_switches_and_works_on_one_episode():
    train = table(near_or_far, episodes=1, length=40)
    dear = fit_ceiling(None, train, composer(switching=50.0))
    actions = dear.act_batch(train.contexts[1:, 1, 0])  # after split 16
    assert set(actions) == {1}
    assert dear.act_batch(train.contexts[:1, 0, 0])[0] in (0, 2)  # the first decision switches nothing
    free = fit_ceiling(None, train, composer())
    assert set(free.act_batch(train.contexts[1:, 1, 0])) >= {0, 2}
    context = train.contexts[3, 0, 0]
    assert free.act(context) == free.act_batch(context[None])[0]
    assert free.act(context, np.array([False, True, False])) == 1


def test_a_ceiling_of_few_episodes_is_a_rule_where_trees_earn_less():
    """Two episodes are too few for trees on nineteen features, of which one matters."""
    test, gains = table(near_or_far, replicates=4, seed=2), []
    for seed in (2, 3):
        few = table(near_or_far, episodes=2, noise=0.8, seed=seed)
        ceiling = fit_ceiling(None, few, composer())
        trees = CausalCeilingPolicy.fit(few.contexts, few.rewards, composer(), Forest("extra", 4, trees=50))
        assert ceiling.name == trees.name == "causal-ceiling"
        gains.append(earned(ceiling, test, composer()) - earned(trees, test, composer()))
    assert np.mean(gains) > 0.1
    assert ThresholdPolicy.name == "threshold"  # the class keeps its own


def test_the_ceiling_is_the_same_again():
    train = table(crossed)
    one, other = (fit_ceiling(None, train, composer()) for _ in range(2))
    np.testing.assert_array_equal(
        one.expected(train.contexts[:, 0, 0]), other.expected(train.contexts[:, 0, 0])
    )


def test_references_have_shares_and_costs_by_hand():
    train, test = table(near_or_far, seed=1), table(near_or_far, replicates=4, seed=2)
    chosen = choose(None, train, composer())
    assert chosen.pair == (0, 2)
    assert chosen.cost == whole_cost(train) == Cost(360, int(train.lossy.sum()), 120)
    best = oracle(test.rewards)
    measure = yardstick_of(chosen.static, test, best)
    assert measure.static == pytest.approx(test.rewards[:, chosen.static].mean())
    rows = reference_rows(chosen, test, best, measure, SPLITS, 0.0)
    pair, ceiling = rows[PAIR], rows[CEILING]
    gap = best.value.mean() - test.rewards[:, chosen.static].mean()
    value = oracle(test.rewards[:, [0, 2]]).value.mean()
    assert pair["share"] == pytest.approx(1 - (best.value.mean() - value) / gap)
    assert pair["splits"] == [1, 32]
    two = test.lossy[:, [0, 2]]
    assert pair["simulated_decisions"] == 360 + two.size
    assert pair["real_evaluations"] == train.lossy.sum() + two.sum()
    assert (ceiling["simulated_decisions"], ceiling["tuning_contexts"]) == (360, 120)
    assert 0.8 < ceiling["share"] < 1.05
    assert ceiling["regret_ci"][0] <= ceiling["regret"] <= ceiling["regret_ci"][1]
    top = oracle_row(test, best, measure, SPLITS)
    assert (top["share"], top["simulated_decisions"], top["tuning_contexts"]) == (1.0, test.rewards.size, 0)
    facts = gap_facts(measure, rows)
    assert (facts["best_pair"], facts["pair_share"], facts["nothing_to_gain"]) == (
        [1, 32],
        pair["share"],
        False,
    )


def test_where_one_action_is_best_nothing_is_to_gain_and_nobody_has_a_share():
    def always(seen):
        return np.ones(len(seen), int)

    train, test = table(always, seed=1), table(always, replicates=4, seed=2)
    chosen = Chosen(1, (0, 1), BestStaticPolicy(1, 3), whole_cost(train))
    best = oracle(test.rewards)
    measure = yardstick_of(chosen.static, test, best)
    rows = reference_rows(chosen, test, best, measure, SPLITS, 0.0)
    facts = gap_facts(measure, rows)
    assert facts["nothing_to_gain"] is True
    assert facts["pair_share"] is None
    assert facts["causal_ceiling_share"] is None
    assert share_text(None) == "-"
    assert share_text(-0.0001) == "0 %"
