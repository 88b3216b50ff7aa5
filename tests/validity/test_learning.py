"""What decides and what judges, against other people's implementations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, optimize, sparse, stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct
from sklearn.linear_model import Ridge

from pyagent.envs.seed_optimum import SeedProblem
from pyagent.envs.seed_quality import QualityTable
from pyagent.evaluation.learning_curves import probability_of_improvement, stratified_interval
from pyagent.evaluation.statistics import Interval, bootstrap_interval, mean, mean_interval, student_quantile
from pyagent.policies.linear import PairFeatures, RidgePosterior
from pyagent.policies.linucb import LinUcbPolicy
from tests.agreement import Agreement
from tests.pyagent.learning.world import COMPOSER, ENCODER, SPLITS, collect

# --- LinUCB ---

RIDGE, ALPHA = 0.7, 1.3


def gaussian_process(noise_std: float) -> GaussianProcessRegressor:
    """The posterior of a linear function with independent normal weights of variance noise^2 / ridge."""
    kernel = ConstantKernel(noise_std**2 / RIDGE, "fixed") * DotProduct(0.0, "fixed")
    return GaussianProcessRegressor(kernel, alpha=noise_std**2, optimizer=None)


def test_the_posterior_of_linucb(agree: Agreement) -> None:
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(80, 9)), rng.normal(size=(30, 9))
    y = x @ rng.normal(size=9) + 0.3 * rng.normal(size=80)
    posterior = RidgePosterior(9, ridge=RIDGE, noise_std=0.5)
    for features, value in zip(x, y, strict=True):
        posterior.observe(features, value)
    ridge = Ridge(alpha=RIDGE, fit_intercept=False, solver="svd").fit(x, y)
    agree("LinUCB: weights", posterior.mean, ridge.coef_, within=1e-9, origin="scikit-learn's Ridge")
    _, deviation = gaussian_process(posterior.noise_std).fit(x, y).predict(new, return_std=True)
    agree(
        "LinUCB: deviation of the mean",
        posterior.spread(new),
        deviation,
        share=1e-6,
        origin="scikit-learn's GaussianProcessRegressor with a linear kernel",
    )


def test_linucb_chooses_what_the_formula_chooses(agree: Agreement) -> None:
    """Sixty decisions: at each, mean + alpha deviations of every action from scikit-learn."""
    batch, _, _ = collect(1, 60)
    policy = LinUcbPolicy(ENCODER, COMPOSER, alpha=ALPHA, ridge=RIDGE, noise_std=0.5)
    features = PairFeatures(ENCODER, COMPOSER)
    x, y, chosen, expected = [], [], [], []
    for context, outcome in zip(batch.contexts, batch.outcomes, strict=True):
        every = features.of(context)
        if x:
            ridge = Ridge(alpha=RIDGE, fit_intercept=False, solver="svd").fit(x, y)
            misfit = np.sum((y - x @ ridge.coef_) ** 2) + RIDGE * np.sum(ridge.coef_**2)
            process = gaussian_process(np.sqrt((0.5**2 + misfit) / (1 + len(y)))).fit(x, y)
            middle, deviation = process.predict(every, return_std=True)
            expected.append(int(np.argmax(middle + ALPHA * deviation)))
            chosen.append(policy.act(context))
        action = len(x) % len(SPLITS)
        reward = COMPOSER.rewards(context[None], np.array([action]), outcome[None])[0]
        policy.observe(context, action, outcome)
        x, y = [*x, every[action]], [*y, reward]
    assert len(set(chosen)) > 1
    agree("LinUCB: actions", chosen, expected, within=0, origin="mean + alpha deviations, scikit-learn")


# --- intervals ---


def widened(found: Interval, reference: Any, count: int) -> tuple[float, float]:
    """scipy's interval with the spread that a mean of `count` values hides, (n / (n - 1))^(1/2)."""
    low, high = reference.confidence_interval
    factor = np.sqrt(count / (count - 1))
    return found.estimate + (low - found.estimate) * factor, found.estimate + (high - found.estimate) * factor


def ends_over_half_width(found: Interval, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far an interval's ends are from SciPy's percentile bootstrap of the mean, [2].

    Both draw 40,000 times; a quantile of so many is known to about 1.5 % of the interval's half width.
    """
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=40_000, method="percentile", vectorized=True, rng=1
    )
    low, high = widened(found, reference, len(values))
    return np.array([found.low - low, found.high - high]) / ((high - low) / 2)


def test_a_bootstrap_without_blocks_is_scipys(agree: Agreement) -> None:
    values = np.random.default_rng(4).gamma(2.0, size=40)
    found = bootstrap_interval(values, np.zeros(40), block_length=1, resamples=40_000)
    agree(
        "bootstrap interval of a mean, ends over half width",
        ends_over_half_width(found, values),
        0,
        within=0.03,
        origin="scipy.stats.bootstrap, percentile, widened by (n / (n - 1))^(1/2)",
    )


def test_a_bootstrap_of_runs_is_scipys(agree: Agreement) -> None:
    """Whole rows are drawn: the means of the rows."""
    rows = np.random.default_rng(5).normal(size=(12, 6)) + np.arange(6)
    found = stratified_interval(rows, statistic=mean, resamples=40_000)
    agree(
        "bootstrap interval over runs, ends over half width",
        ends_over_half_width(found, rows.mean(1)),
        0,
        within=0.03,
        origin="scipy.stats.bootstrap of the runs' means, widened",
    )


def test_students_quantiles(agree: Agreement) -> None:
    degrees = np.arange(1, 200)
    agree(
        "Student's quantiles",
        [student_quantile(p, int(n)) for p in (0.9, 0.95, 0.975) for n in degrees],
        np.concatenate([stats.t.ppf(p, degrees) for p in (0.9, 0.95, 0.975)]),
        share=0.01,
        origin="scipy.stats.t",
    )
    values = np.random.default_rng(6).normal(size=9)
    found = mean_interval(values)
    reference = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    half = (reference.high - reference.low) / 2
    agree(
        "Student's interval, ends over half width",
        np.array([found.low - reference.low, found.high - reference.high]) / half,
        0,
        within=0.01,
        origin="scipy.stats.ttest_1samp",
    )


def test_probability_of_improvement(agree: Agreement) -> None:
    rng = np.random.default_rng(7)
    x, y = rng.integers(0, 6, (8, 5)) * 1.0, rng.integers(0, 5, (11, 5)) * 1.0  # many ties
    agree(
        "probability of improvement",
        probability_of_improvement(x, y).estimate,
        np.mean([stats.mannwhitneyu(x[:, s], y[:, s]).statistic / 88 for s in range(5)]),
        within=1e-12,
        origin="scipy.stats.mannwhitneyu",
    )


# --- the published environment ---

MOVES = (0, -1, 1, -2, 2, -3, 3, -4, 4)
DRIFT = {-4: 1.002, -3: 1.0015, -2: 1.001, -1: 1.0005, 0: 1, 1: 0.9995, 2: 0.999, 3: 0.9995, 4: 0.998}
"""As the published code has them (Chen et al., arXiv 2406.02616)."""
STEPS, LAST_SPLIT, MOST_LOSS = 5, 10, 0.3


def linear_program(losses: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Values [m, S] of the first step: the least function that no action improves on.

    Bellman's equations as a linear program (Puterman, Markov Decision Processes, 1994, section 6.9): minimise
    the sum of v subject to v(t, s) >= r + sum of v(t + 1, s') over the next states, for each action. Between
    two points of the grid the next state is one or the other, with the shares of linear interpolation.
    """
    m, states = len(losses), len(losses) * LAST_SPLIT
    reward = 10 * (1 - ratios) + (LAST_SPLIT - np.arange(1, LAST_SPLIT + 1)) / LAST_SPLIT
    rows, columns, factors, limits = [], [], [], []
    for i, loss in enumerate(losses):
        for split in range(1, LAST_SPLIT + 1):
            for move in MOVES:
                after = min(max(split + move, 1), LAST_SPLIT)
                place = min(loss * DRIFT[after - split], MOST_LOSS) / MOST_LOSS * (m - 1)
                low = min(int(place), m - 2)
                shares = ((low, 1 - (place - low)), (low + 1, place - low))
                gained = sum(share * reward[cell, after - 1] for cell, share in shares)
                for step in range(STEPS):
                    row = len(limits)
                    limits.append(-gained)
                    rows.append(row)
                    columns.append(step * states + i * LAST_SPLIT + split - 1)
                    factors.append(-1.0)
                    if step + 1 < STEPS:
                        for cell, share in shares:
                            rows.append(row)
                            columns.append((step + 1) * states + cell * LAST_SPLIT + after - 1)
                            factors.append(share)
    constraints = sparse.csr_matrix((factors, (rows, columns)), shape=(len(limits), STEPS * states))
    solved = optimize.linprog(
        np.ones(STEPS * states), A_ub=constraints, b_ub=limits, bounds=(None, None), method="highs"
    )
    assert solved.status == 0, solved.message
    return solved.x[:states].reshape(m, LAST_SPLIT)


def test_the_optimum_of_the_published_environment(agree: Agreement) -> None:
    table = QualityTable.load()
    problem = SeedProblem(table.ratios, points=61)
    losses = np.linspace(0, MOST_LOSS, 61)
    value = linear_program(losses, table.ratios(losses))
    agree(
        "optimum of the published environment, by state",
        problem.value_of(problem.optimum().actions),
        value,
        within=1e-6,
        origin="linear program of Bellman's equations, scipy's HiGHS",
    )
    # First splits 1 to 9 alike, first losses uniform from 0.01 to 0.3: the trapezoid rule.
    first = losses >= 0.01 - 1e-12
    per_episode = integrate.trapezoid(value[first, :9].mean(1), losses[first]) / (0.3 - 0.01)
    agree(
        "optimum of the published environment, per episode",
        problem.optimum().value,
        per_episode,
        within=1e-6,
        origin="linear program of Bellman's equations, scipy's HiGHS",
    )


@pytest.mark.parametrize("name", ["optimum", "best static", "random"])
def test_simple_rules_are_played_as_valued(agree: Agreement, name: str) -> None:
    """By simulation with the published moves, first states drawn as they are."""
    table = QualityTable.load()
    problem = SeedProblem(table.ratios)
    rng = np.random.default_rng(8)
    n = 20_000
    loss, split = rng.uniform(0.01, 0.3, n), rng.integers(1, 10, n)
    total, actions, target = np.zeros(n), problem.optimum().actions, problem.best_static().split
    drift = np.array([DRIFT[move] for move in range(-4, 5)])
    for step in range(STEPS):
        if name == "optimum":
            move = np.array(MOVES)[actions[step][np.rint(loss * 1000).astype(int), split - 1]]
        elif name == "random":
            move = np.array(MOVES)[rng.integers(0, 9, n)]
        else:
            move = np.clip(target - split, -4, 4)
        after = np.clip(split + move, 1, LAST_SPLIT)
        loss, split = np.minimum(loss * drift[after - split + 4], MOST_LOSS), after
        ratio = table.ratios(loss)[np.arange(n), split - 1]
        total += 10 * (1 - ratio) + (LAST_SPLIT - split) / LAST_SPLIT
    valued = {
        "optimum": problem.optimum().value,
        "best static": problem.best_static().value,
        "random": problem.random(),
    }
    error = total.std(ddof=1) / np.sqrt(n)
    agree(
        f"value of a rule in the published environment, {name}",
        valued[name],
        total.mean(),
        share=4 * error / abs(total.mean()),
        origin="20,000 episodes simulated from the published moves; four standard errors",
    )
