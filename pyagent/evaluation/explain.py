"""When a policy plays which split: its own rule, or a shallow decision tree fitted to what it played."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyagent.envs.observation import FEATURES, NAMES
from pyagent.evaluation.rules import StepRule
from pyagent.evaluation.summary import split_shares

DEEPEST = 3
"""Levels of a tree: more than eight leaves explain nothing to a reader."""
ENOUGH = 0.01
"""A shallower tree is taken if it tells at most this share of the decisions less."""
LEFT_OUT = ("previous_split",)
"""It foretells a policy that seldom switches, and explains nothing."""
SNR = "snr_db"
"""The feature that readers ask for first: each policy is told by it alone as well."""
_SAME_ORDER = 0.95
"""Rank correlation from which two features divide decisions alike; only the first is offered to the tree."""
_FOLDS = 5


@dataclass(frozen=True)
class Told:
    """What a policy says of itself.

    Attributes:
        text: its rule in one line.
        steps: the same as thresholds, where it is such a rule.
        chance: whether it draws its splits.
    """

    text: str
    steps: StepRule | None = None
    chance: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Told:
        """An entry of `rules` in summary.json, see `pyagent.policies.rules.rules_of`.

        Raises:
            ValueError, TypeError, KeyError: the data is something else.
        """
        steps = StepRule.from_json(data) if "thresholds" in data else None
        return cls(str(data["text"]), steps, bool(data.get("chance")))


@dataclass(frozen=True)
class Tree:
    """A decision tree, or one of its branches.

    Attributes:
        split: most frequent one among the decisions that came here.
        decisions: how many came here.
        agreeing: how many of them have the split that the tree below here says.
        feature: name of what is asked; empty at a leaf.
        threshold: in the feature's unit.
        below, above: branches under the threshold, and from it on; None at a leaf.
    """

    split: int
    decisions: int
    agreeing: int
    feature: str = ""
    threshold: float = float("nan")
    below: Tree | None = None
    above: Tree | None = None

    def __str__(self) -> str:
        """In one line, as `snr < 14.2 dB -> (queue < 3 packets -> 16, else 32), else 1`."""
        if self.below is None or self.above is None:
            return f"always {self.split}"
        return f"{self.question} -> {self.below._inner(True)}, else {self.above._inner(False)}"

    def _inner(self, brackets: bool) -> str:
        if self.below is None:
            return str(self.split)
        return f"({self})" if brackets else str(self)

    @property
    def share(self) -> float:
        """Of the decisions with the split that the tree says."""
        return self.agreeing / self.decisions

    @property
    def question(self) -> str:
        """For example `snr < 14.2 dB`."""
        feature = FEATURES[NAMES.index(self.feature)]
        return f"{feature.quantity} < {self.threshold:.3g} {feature.unit}".rstrip()

    def lines(self) -> Iterator[str]:
        """One line for each branch, indented by its depth."""
        if self.below is None or self.above is None:
            yield f"always {self.split}"
            return
        for asked, branch in ((self.question, self.below), ("else", self.above)):
            if branch.below is None:
                yield f"{asked} -> {branch.split}  ({branch.agreeing} of {branch.decisions} decisions)"
            else:
                yield f"{asked}:"
                yield from (f"  {line}" for line in branch.lines())

    def cuts(self, feature: str) -> list[float]:
        """Thresholds on a feature, increasing."""
        if self.below is None or self.above is None:
            return []
        own = [self.threshold] if self.feature == feature else []
        return sorted([*own, *self.below.cuts(feature), *self.above.cuts(feature)])

    def to_json(self) -> dict[str, Any]:
        """Nested: a leaf has `split`, a branch `feature`, `unit`, `threshold`, `below`, `above`."""
        counts = {"decisions": self.decisions, "agreeing": self.agreeing}
        if self.below is None or self.above is None:
            return {"split": self.split, **counts}
        unit = FEATURES[NAMES.index(self.feature)].unit
        asked = {"feature": self.feature, "unit": unit, "threshold": self.threshold}
        return {**asked, **counts, "below": self.below.to_json(), "above": self.above.to_json()}


@dataclass(frozen=True)
class Explanation:
    """When a policy plays which split.

    Attributes:
        shares: of the splits that it played, the most frequent first.
        decisions: how many.
        told: its own rule; None where it has none.
        tree: fitted to its decisions; None where the rule says it all.
        features: by which it decides, the one that matters most first.
        agreement: share of the decisions in which rule or tree says what was played; None where chance
            decides.
        held_out: the same of trees that were fitted without the decision's episode; None without a tree, or
            with a single episode.
        by_snr: a tree that may ask for the SNR only; None where that does not change the split, or where the
            caller has named the features.
    """

    shares: dict[str, float]
    decisions: int
    told: Told | None
    tree: Tree | None
    features: tuple[str, ...]
    agreement: float | None
    held_out: float | None = None
    by_snr: Tree | None = None

    @property
    def words(self) -> str:
        """Rule or tree in one line; both where the rule is in words alone, which nothing can check."""
        if self.told is None:
            return str(self.tree)
        return self.told.text if self.tree is None else f"{self.told.text}; fitted tree: {self.tree}"

    def to_json(self) -> dict[str, Any]:
        """Every number, JSON-ready."""
        return {
            "rule": self.told and self.told.text,
            "tree": self.tree and self.tree.to_json(),
            "features": list(self.features),
            "agreement": self.agreement,
            "agreement_held_out": self.held_out,
            "decisions": self.decisions,
            "split_shares": self.shares,
            "by_snr": self.by_snr and {"tree": self.by_snr.to_json(), "agreement": self.by_snr.share},
        }


def explain(
    decisions: pd.DataFrame, told: Mapping[str, Told], features: Sequence[str] | None = None
) -> dict[str, Explanation]:
    """Explain every policy of a table of decisions.

    Args:
        decisions: policy, seed, split and `obs_*` in physical units.
        told: what policies say of themselves, by name.
        features: which the trees may ask for; None: all but `LEFT_OUT`.

    Returns:
        By policy, in the order of the table.
    """
    allowed = [name for name in NAMES if name not in LEFT_OUT] if features is None else list(features)
    observed = [f"obs_{name}" for name in NAMES if f"obs_{name}" in decisions.columns]
    table = decisions[["policy", "seed", "split", *observed]]
    parts = {str(policy): table[table["policy"] == policy] for policy in table["policy"].unique()}
    found = {policy: _explained(rows, told.get(policy), allowed) for policy, rows in parts.items()}
    if features is not None:
        return found
    return {
        policy: replace(explanation, by_snr=_by_snr(parts[policy], told.get(policy)))
        for policy, explanation in found.items()
    }


def _by_snr(rows: pd.DataFrame, told: Told | None) -> Tree | None:
    if told is not None and told.chance:
        return None
    tree = fit_tree(rows, [SNR]).tree
    return tree if tree.cuts(SNR) else None


def _explained(rows: pd.DataFrame, told: Told | None, allowed: Sequence[str]) -> Explanation:
    played = rows["split"].to_numpy(dtype=np.int64)
    shares = split_shares(played)
    if told is not None and told.chance:
        return Explanation(shares, len(rows), told, None, (), None)
    if told is not None and told.steps is not None:
        asked = (told.steps.feature,) if told.steps.thresholds else ()
        values = rows[f"obs_{told.steps.feature}"] if asked else np.zeros(len(rows))
        agreement = float((told.steps.choose(values) == played).mean())
        return Explanation(shares, len(rows), told, None, asked, agreement)
    fit = fit_tree(rows, allowed)
    return Explanation(shares, len(rows), told, fit.tree, fit.features, fit.tree.share, fit.held_out)


@dataclass(frozen=True)
class Fit:
    """A tree that was fitted to decisions.

    Attributes:
        tree: the fit to all decisions.
        features: for which it asks, by how much they part the splits (Gini importance).
        held_out: agreement on episodes that a tree of as many levels was not fitted to; None for one episode.
    """

    tree: Tree
    features: tuple[str, ...]
    held_out: float | None


def fit_tree(rows: pd.DataFrame, allowed: Sequence[str]) -> Fit:
    """The shallowest tree that tells nearly as much of other episodes as a deeper one.

    Args:
        rows: decisions, see `explain`.
        allowed: features that it may ask for.
    """
    names = distinct(rows, allowed)
    played = rows["split"].to_numpy(dtype=np.int64)
    if not names or len(np.unique(played)) == 1:
        return Fit(_leaf(played), (), None)
    depths = range(1, DEEPEST + 1)
    several = rows["seed"].nunique() > 1
    told = [_held_out(rows, names, d) if several else _grown(rows, names, d)[0].share for d in depths]
    best = next(place for place, share in enumerate(told) if share >= max(told) - ENOUGH)
    tree, importance = _grown(rows, names, depths[best])
    asked = sorted(filter(tree.cuts, names), key=lambda name: -importance[name])
    return Fit(tree, tuple(asked), told[best] if several else None)


def _grown(rows: pd.DataFrame, names: Sequence[str], depth: int) -> tuple[Tree, dict[str, float]]:
    """A classification tree (CART, Breiman et al. 1984) of so many levels, and the features' importance."""
    from sklearn.tree import DecisionTreeClassifier  # takes half a second to load

    values, played = _matrix(rows, names), rows["split"].to_numpy(dtype=np.int64)
    model = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=2, random_state=0).fit(values, played)
    tree = _branch(model.tree_, values, played, names, 0)
    return tree, dict(zip(names, model.feature_importances_.tolist(), strict=True))


def _held_out(rows: pd.DataFrame, names: Sequence[str], depth: int) -> float:
    """Agreement on episodes that a tree was not fitted to."""
    seeds, right = rows["seed"].unique(), 0
    for part in np.array_split(seeds, min(_FOLDS, len(seeds))):
        there = rows["seed"].isin(part)
        tree, _ = _grown(rows[~there], names, depth)
        right += int((predict(tree, rows[there]) == rows.loc[there, "split"].to_numpy()).sum())
    return right / len(rows)


def predict(tree: Tree, rows: pd.DataFrame) -> NDArray[np.int64]:
    """The split that a tree says for each row."""
    if tree.below is None or tree.above is None:
        return np.full(len(rows), tree.split, dtype=np.int64)
    under = _matrix(rows, [tree.feature])[:, 0].astype(np.float64) < tree.threshold
    splits = np.empty(len(rows), dtype=np.int64)
    splits[under], splits[~under] = predict(tree.below, rows[under]), predict(tree.above, rows[~under])
    return splits


def _matrix(rows: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """Features [decisions, names]; scikit-learn's trees know single precision only."""
    return rows[[f"obs_{name}" for name in names]].to_numpy(dtype=np.float32)


def distinct(rows: pd.DataFrame, allowed: Sequence[str]) -> list[str]:
    """Features that vary, are known everywhere, and order the decisions in another way than one before."""
    there = [name for name in allowed if f"obs_{name}" in rows.columns]
    values = rows[[f"obs_{name}" for name in there]].to_numpy(dtype=np.float64)
    finite = np.isfinite(values).all(axis=0)
    varying = np.flatnonzero(finite & (np.ptp(np.where(np.isfinite(values), values, 0), axis=0) > 0))
    if len(rows) < 3:
        return [there[i] for i in varying]
    ranks = pd.DataFrame(values[:, varying]).rank().corr().abs().to_numpy()
    kept: list[int] = []
    for place in range(len(varying)):
        if not any(ranks[place, other] > _SAME_ORDER for other in kept):
            kept.append(place)
    return [there[varying[place]] for place in kept]


def _leaf(played: NDArray[np.int64]) -> Tree:
    splits, counts = np.unique(played, return_counts=True)
    return Tree(int(splits[counts.argmax()]), len(played), int(counts.max()))


def _branch(
    fitted: Any, values: NDArray[np.float32], played: NDArray[np.int64], names: Sequence[str], node: int
) -> Tree:
    """A node of scikit-learn's tree with what is below it; branches that say the same become one leaf."""
    leaf = _leaf(played)
    if fitted.children_left[node] < 0:
        return leaf
    place, threshold = int(fitted.feature[node]), float(fitted.threshold[node])
    under = values[:, place].astype(np.float64) <= threshold  # else NumPy would round the threshold
    below, above = (
        _branch(fitted, values[part], played[part], names, int(children[node]))
        for part, children in ((under, fitted.children_left), (~under, fitted.children_right))
    )
    if below.below is None and above.below is None and below.split == above.split:
        return leaf
    agreeing = below.agreeing + above.agreeing
    return Tree(leaf.split, len(played), agreeing, names[place], threshold, below, above)
