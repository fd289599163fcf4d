"""Trees and forests, as lesson 6 builds them: one rule, one tree, many trees, each row judged by trees that did not see it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ...data import Table
from ...exceptions import DataError
from ...metrics import get_metric
from ..model import Array, Coding, FittedFunction, Model, class_columns, oob_score, shares

PRELOAD = ("sklearn.ensemble", "sklearn.tree")
FEW_TREES = 30


class FewDeepTrees(UserWarning):
    "Few trees without a leaf limit: each learns its rows by heart, and there are not enough to average that out."


def forest_model(
    n_estimators: int = 100,
    *,
    min_samples_leaf: int = 5,
    max_features: float | str = "sqrt",  # features tried at each split
    max_samples: float
    | None = None,  # share of the rows a tree is fitted on; None: as many as there are, with replacement
    seed: int = 42,
) -> Model:
    "Return a random forest with out-of-bag predictions. Source: Breiman, Random forests (2001); fast.ai lesson 6."

    def fit(table: Table) -> FittedFunction:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        if n_estimators < FEW_TREES and min_samples_leaf == 1:
            warnings.warn(
                f"{n_estimators} trees with min_samples_leaf=1 overfit: each learns its rows by heart. Use 100 trees, or min_samples_leaf of 5.",
                FewDeepTrees,
                stacklevel=2,
            )
        coding = Coding(table)
        kind = RandomForestClassifier if table.vocab else RandomForestRegressor
        forest = kind(random_state=seed, n_jobs=1, bootstrap=True, **settings).fit(
            coding(table), table.targs
        )
        oob = _oob(forest, coding(table), table)

        def member(tree: Any) -> Callable[[Table], Array]:
            return lambda rows: _tree_predict(forest, tree, coding(rows), rows)

        return FittedFunction(
            lambda rows: _predict(forest, coding(rows), rows),
            shares(coding.names, forest.feature_importances_),
            oob,
            oob_score(oob, table),
            estimator=forest,
            members=[member(tree) for tree in forest.estimators_],
        )

    settings: dict[str, Any] = dict(
        n_estimators=n_estimators,
        min_samples_leaf=min_samples_leaf,
        max_features=max_features,
        max_samples=max_samples,
    )
    return Model("forest", fit, {**settings, "seed": seed})


def tree_model(
    *, max_leaf_nodes: int | None = None, min_samples_leaf: int = 1, seed: int = 42
) -> Model:
    "Return one decision tree."

    def fit(table: Table) -> FittedFunction:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        coding = Coding(table)
        kind = DecisionTreeClassifier if table.vocab else DecisionTreeRegressor
        tree = kind(
            max_leaf_nodes=max_leaf_nodes, min_samples_leaf=min_samples_leaf, random_state=seed
        ).fit(coding(table), table.targs)
        return FittedFunction(
            lambda rows: _predict(tree, coding(rows), rows),
            shares(coding.names, tree.feature_importances_),
            estimator=tree,
        )

    return Model(
        "tree", fit, dict(max_leaf_nodes=max_leaf_nodes, min_samples_leaf=min_samples_leaf)
    )


def one_r_model(*, bins: int = 6) -> Model:
    "Return the rule on one feature that errs least on the rows it is fitted on. Source: Holte, Very simple classification rules (1993)."

    def fit(table: Table) -> FittedFunction:
        rules = {c: _rule(table, c, bins) for c in (*table.cat_names, *table.cont_names)}
        if not rules:
            raise DataError("one_r_model needs at least one feature.")
        best = min(rules, key=lambda c: rules[c][1])
        answers, _, edges = rules[best]
        return FittedFunction(
            lambda rows: answers[_bins(rows, best, edges)], {best: 1.0}, estimator=best
        )

    return Model("one rule", fit)


def tree_curve(fitted: FittedFunction, table: Table, metric: str) -> list[float]:
    """Return the score on `table` with the first 1, 2, ... n trees of one fitted forest; the last is the whole forest's.

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
    "Return lesson 6's score of a split: the deviation of the targets on each side, weighted by its rows; lower is better."
    left = np.asarray(column) <= cut

    def side(rows: Array) -> float:
        return float(targs[rows].std(ddof=1) * rows.sum()) if rows.sum() > 1 else 0.0

    return (side(left) + side(~left)) / len(targs)


def best_split(column: Array, targs: Array) -> tuple[float, float]:
    "Return (cut, score) of the best split of one column, missing values left out."
    known = ~np.isnan(np.asarray(column, dtype=float))
    cuts = np.unique(np.asarray(column)[known])
    scores = [split_score(np.asarray(column)[known], np.asarray(targs)[known], cut) for cut in cuts]
    return float(cuts[int(np.argmin(scores))]), float(min(scores))


def gini(targs: Array) -> float:
    "Return lesson 6's Gini impurity of 0/1 targets: how often two rows drawn with replacement differ, 1 - p**2 - (1 - p)**2."
    p = float(np.mean(targs))
    return 1 - p**2 - (1 - p) ** 2


def _predict(estimator: Any, x: Array, table: Table) -> Array:
    if table.vocab:
        return class_columns(estimator.predict_proba(x), estimator.classes_, table)
    return np.asarray(estimator.predict(x)).reshape(len(x), -1)


def _oob(forest: Any, x: Array, table: Table) -> Array:
    "Mean prediction of the trees that did not see each row; NaN where every tree did."
    total, count = np.zeros((len(x), table.n_outputs)), np.zeros(len(x))
    for tree, seen in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        rows = np.setdiff1d(np.arange(len(x)), seen)
        if len(rows):
            total[rows] += _tree_predict(forest, tree, x[rows], table)
            count[rows] += 1
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(count == 0, np.nan, count)[:, None])


def _tree_predict(forest: Any, tree: Any, x: Array, table: Table) -> Array:
    if table.vocab:
        return class_columns(tree.predict_proba(x), forest.classes_, table)
    return np.asarray(tree.predict(x)).reshape(len(x), -1)


def _bins(table: Table, column: str, edges: Array | None) -> Array:
    if edges is None:
        return np.asarray(
            table.x[column].cat.codes
        )  # -1, the last row of the answers, is missing or unknown
    values = table.x[column].to_numpy(dtype=float)
    return np.where(np.isnan(values), -1, np.searchsorted(edges, values))


def _rule(table: Table, column: str, bins: int) -> tuple[Array, float, Array | None]:
    "Return (answer by bin, the last for missing; error on these rows; bin edges, None for a category)."
    targs = np.asarray(table.targs)
    edges = None
    if column in table.cont_names:
        values = table.x[column].to_numpy(dtype=float)
        distinct = np.unique(values[~np.isnan(values)])
        edges = (
            (distinct[:-1] + distinct[1:]) / 2
            if len(distinct) <= bins
            else np.unique(np.quantile(distinct, np.linspace(0, 1, bins + 1)[1:-1]))
        )
    codes, n_bins = (
        _bins(table, column, edges),
        (len(table.x[column].cat.categories) if edges is None else len(edges) + 1),
    )
    base = (
        np.bincount(targs, minlength=table.n_outputs) / len(targs)
        if table.vocab
        else targs.reshape(len(targs), -1).mean(0)
    )
    answers = np.tile(base, (n_bins + 1, 1)).astype(float)
    for b in [*range(n_bins), -1]:
        if (rows := codes == b).any():
            answers[b] = (
                np.bincount(targs[rows], minlength=table.n_outputs) / rows.sum()
                if table.vocab
                else targs[rows].reshape(rows.sum(), -1).mean(0)
            )
    said = answers[codes]
    error = (
        float((said.argmax(1) != targs).mean())
        if table.vocab
        else float(((said - targs.reshape(len(targs), -1)) ** 2).mean())
    )
    return answers, error, edges
