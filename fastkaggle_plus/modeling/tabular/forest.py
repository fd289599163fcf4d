"""Trees and forests, as lesson 6 builds them: one rule, one tree, many trees."""

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...data import Table
from ...environment import thread_limit
from ...exceptions import DataError
from ...metrics import Metric, get_metric
from ..model import Array, FittedFunction, Model, class_columns, out_of_bag, shares
from .encoders import OrdinalEncoder
from .estimators import check_sklearn

PRELOAD = ("sklearn.ensemble", "sklearn.tree")
FEW_TREES = 30
_MOST_ROWS = 50_000  # drawn for one tree


class FewDeepTrees(UserWarning):
    """Few trees without a leaf limit: each memorizes its rows, and averaging few does not help."""


def forest_model(
    n_estimators: int = 100,
    *,
    min_samples_leaf: int = 5,
    max_features: float | str = "sqrt",  # features tried at each split
    max_samples: float
    | None = None,  # share of the rows drawn for each tree; None: all, at most 50,000
    seed: int = 42,
    **more: Any,  # of scikit-learn's RandomForestClassifier and RandomForestRegressor
) -> Model:
    """Return a random forest with out-of-bag predictions. Raises ConfigError, UnknownName.

    Source: Breiman, Random forests (2001); fast.ai lesson 6.
    """
    settings: dict[str, Any] = dict(
        n_estimators=n_estimators,
        min_samples_leaf=min_samples_leaf,
        max_features=max_features,
        max_samples=max_samples,
        **more,
    )
    check_sklearn("RandomForest", settings)

    def fit(table: Table) -> FittedFunction:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        if n_estimators < FEW_TREES and min_samples_leaf == 1:
            warnings.warn(
                f"{n_estimators} trees with min_samples_leaf=1 overfit: each memorizes its rows. "
                "Use 100 trees, or min_samples_leaf of 5.",
                FewDeepTrees,
                stacklevel=2,
            )
        encode = OrdinalEncoder(table)
        x = encode(table)
        kind = RandomForestClassifier if table.vocab else RandomForestRegressor
        fixed: dict[str, Any] = dict(random_state=seed, n_jobs=thread_limit(), bootstrap=True)
        drawn = {}
        if max_samples is None and len(table) > _MOST_ROWS:
            drawn["max_samples"] = _MOST_ROWS
        forest = kind(**{**fixed, **settings, **drawn}).fit(x, table.targs)
        forest.n_jobs = 1  # a sum over threads would differ in its last bits
        whole, *trees = [
            _Tree(tree, getattr(forest, "classes_", None), encode)
            for tree in (forest, *forest.estimators_)
        ]
        judges = [partial(tree.predict_rows, x, table) for tree in trees]
        oob = out_of_bag(table, zip(forest.estimators_samples_, judges, strict=True))
        importances = shares(encode.names, forest.feature_importances_)
        known: dict[str, Any] = dict(estimator=forest, encode=encode, sources=encode.sources)
        return FittedFunction(whole, importances, *oob, members=list(trees), **known)

    return Model("forest", fit, {**settings, "seed": seed})


def tree_model(
    *, max_leaf_nodes: int | None = None, min_samples_leaf: int = 1, seed: int = 42
) -> Model:
    """Return one decision tree."""
    settings: dict[str, Any] = dict(
        max_leaf_nodes=max_leaf_nodes, min_samples_leaf=min_samples_leaf
    )

    def fit(table: Table) -> FittedFunction:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        encode = OrdinalEncoder(table)
        kind = DecisionTreeClassifier if table.vocab else DecisionTreeRegressor
        tree = kind(**settings, random_state=seed).fit(encode(table), table.targs)
        importances = shares(encode.names, tree.feature_importances_)
        predict = _Tree(tree, getattr(tree, "classes_", None), encode)
        known: dict[str, Any] = dict(estimator=tree, encode=encode, sources=encode.sources)
        return FittedFunction(predict, importances, **known)

    return Model("tree", fit, settings)


def one_r_model(*, bins: int = 6) -> Model:
    """Return the rule on one feature with the smallest error on the rows it is fitted on.

    Source: Holte, Very simple classification rules (1993).
    """

    def fit(table: Table) -> FittedFunction:
        rules = [_Rule(table, c, bins) for c in (*table.cat_names, *table.cont_names)]
        if not rules:
            raise DataError("one_r_model needs at least one feature.")
        best = min(rules, key=lambda rule: rule.error)
        return FittedFunction(best, {best.column: 1.0}, estimator=best.column)

    return Model("one rule", fit)


def tree_curve(fitted: FittedFunction, table: Table, metric: str | Metric) -> list[float]:
    """Return the scores on `table` of the first 1, 2, ... n trees of one fitted forest or bag.

    The curve flattens: more trees never overfit, they only cost time.
    """
    if not fitted.members or table.targs is None:
        raise DataError("tree_curve needs a fitted forest_model or bag, and a table with targets.")
    score, total, curve = get_metric(metric), np.zeros((len(table), table.n_outputs)), []
    for i, member in enumerate(fitted.members, 1):
        total += member(table)
        curve.append(score.score(table.targs, total / i))
    return curve


def split_score(column: Array, targs: Array, cut: float) -> float:
    """Return lesson 6's score of a split; lower is better.

    It is the standard deviation of the targets on each side, weighted by the side's rows.
    """
    left = np.asarray(column) <= cut
    sides = [targs[rows] for rows in (left, ~left) if rows.sum() > 1]
    return float(sum(side.std(ddof=1) * len(side) for side in sides)) / len(targs)


def best_split(column: Array, targs: Array) -> tuple[float, float]:
    """Return (cut, score) of the best split of one column, without its missing values."""
    known = ~np.isnan(np.asarray(column, dtype=float))
    column, targs = np.asarray(column)[known], np.asarray(targs)[known]
    cuts = np.unique(column)
    scores = [split_score(column, targs, cut) for cut in cuts]
    return float(cuts[int(np.argmin(scores))]), float(min(scores))


def gini(targs: Array) -> float:
    """Return lesson 6's Gini impurity of 0/1 targets, 1 - p**2 - (1 - p)**2.

    It is the probability that two rows drawn with replacement differ.
    """
    p = float(np.mean(targs))
    return 1 - p**2 - (1 - p) ** 2


@dataclass
class _Tree:
    """A fitted tree or forest: predicts tables."""

    estimator: Any
    classes: Array | None  # of the whole forest: its trees number them from 0; None: values
    encode: OrdinalEncoder

    def __call__(self, table: Table) -> Array:
        return self.predict_rows(self.encode(table), table, slice(None))

    def predict_rows(self, x: Array, table: Table, rows: Array | slice) -> Array:
        """Predict some rows of a table that is encoded as `x`."""
        x = x[rows]
        if table.vocab:
            return class_columns(self.estimator.predict_proba(x), self.classes, table)
        return np.asarray(self.estimator.predict(x)).reshape(len(x), -1)


class _Rule:
    """The mean target in each bin of one column: levels of a category, or quantiles of numbers."""

    def __init__(self, table: Table, column: str, bins: int):
        targs, self.column, self.edges = np.asarray(table.targs), column, None
        targs = np.eye(table.n_outputs)[targs] if table.vocab else targs.reshape(len(targs), -1)
        if column in table.cont_names:
            distinct = np.unique(table.x[column].dropna().to_numpy(dtype=float))
            self.edges = (distinct[:-1] + distinct[1:]) / 2  # between all values, if they are few
            if len(distinct) > bins:
                self.edges = np.unique(np.quantile(distinct, np.linspace(0, 1, bins + 1)[1:-1]))
            n_bins = len(self.edges) + 1
        else:
            n_bins = len(table.x[column].cat.categories)
        bin_of = self._bins(table)
        self.means = np.tile(targs.mean(0), (n_bins + 1, 1))  # the last one: missing or unknown
        for b in np.unique(bin_of):
            self.means[b] = targs[bin_of == b].mean(0)
        preds = self.means[bin_of]
        wrong = preds.argmax(1) != targs.argmax(1) if table.vocab else (preds - targs) ** 2
        self.error = float(wrong.mean())

    def __call__(self, table: Table) -> Array:
        """Return the mean target of each row's bin."""
        return self.means[self._bins(table)]

    def _bins(self, table: Table) -> Array:
        """Return the bin of each row, -1 for a missing or unknown value."""
        if self.edges is None:
            return np.asarray(table.x[self.column].cat.codes)
        values = table.x[self.column].to_numpy(dtype=float)
        return np.where(np.isnan(values), -1, np.searchsorted(self.edges, values))
