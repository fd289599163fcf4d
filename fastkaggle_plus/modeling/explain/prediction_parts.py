"""The parts of a prediction: from the paths of trees, a booster's own SHAP, or random orders."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ...data import Table
from ..model import Array, as_columns
from .fold_models import with_values

_BOOSTERS = ("lightgbm", "xgboost", "catboost")
_ORDERS = 100  # random orders of the columns

Parts = tuple[str, float, dict[str, float]]  # (method, start, feature -> part)


def exact_parts(
    fitted: Any,
    table: Table,  # one row
    place: int,  # of the output
    classes: Array | None,  # codes of the classes that were fitted; None: values
) -> Parts | None:
    """Return the parts of a tree, forest or booster; None for a model without an exact way."""
    encode, estimator = getattr(fitted, "encode", None), getattr(fitted, "estimator", None)
    if encode is None or (classes is not None and place not in classes):
        return None
    if isinstance(estimator, list):  # one for each target
        estimator, place = estimator[place], 0
    library = type(estimator).__module__.partition(".")[0]
    at = place if classes is None else int(np.searchsorted(classes, place))
    if library in _BOOSTERS:
        parts, method = _booster_parts(library, estimator, encode(table)), f"{library}'s tree SHAP"
        if classes is not None and len(classes) == 2:  # one raw score, of the second class
            parts = np.vstack([-parts, parts])
        *values, start = parts[at]
    elif hasattr(estimator, "tree_") or hasattr(estimator, "estimators_samples_"):
        method = "paths of the trees"
        start, values = _path_parts(estimator, encode(table), at, of_classes=classes is not None)
    else:
        return None
    by_feature = dict.fromkeys(fitted.sources, 0.0)
    for feature, part in zip(fitted.sources, values, strict=True):
        by_feature[feature] += float(part)
    return method, float(start), by_feature


def sampled_parts(
    fitted: Any,
    table: Table,  # one row
    others: Table,  # rows to start from
    place: int,  # of the output
    players: Mapping[str, Sequence[str]],  # features that change together
) -> Parts:
    """Return Shapley values: the mean change as the row's values replace another row's.

    They are replaced one player after the other, in random orders. The sum is exact in any case.
    """
    rng, n = np.random.default_rng(0), len(players)
    starts = others.take(rng.integers(len(others), size=_ORDERS))
    order = rng.permuted(np.tile(np.arange(n), (_ORDERS, 1)), axis=1)
    rank = np.argsort(order, axis=1)  # the step after which a player has the row's value
    steps, values = starts.take(np.repeat(np.arange(_ORDERS), n + 1)), {}
    for p, features in enumerate(players.values()):
        is_own = (rank[:, p, None] < np.arange(n + 1)).ravel()
        for f in features:
            kind = float if f in table.cont_names else object
            values[f] = steps.x[f].astype(kind).mask(is_own, table.x[f].iloc[0])
    walked = with_values(steps, values)
    preds = as_columns(fitted.predict(walked), walked)[:, place].reshape(_ORDERS, n + 1)
    parts = np.zeros(n)
    np.add.at(parts, order, np.diff(preds, axis=1) / _ORDERS)
    first = {fs[0]: float(part) for fs, part in zip(players.values(), parts, strict=True)}
    return f"Shapley values of {_ORDERS} random orders", float(preds[:, 0].mean()), first


def _path_parts(estimator: Any, x: Array, at: int, *, of_classes: bool) -> tuple[float, Array]:
    """Return the mean of the trees' starts, and of the changes along the row's paths."""
    trees = getattr(estimator, "estimators_", [estimator])
    start, parts = 0.0, np.zeros(x.shape[1])
    for tree in trees:
        nodes = tree.tree_
        value = nodes.value[:, 0, at] if of_classes else nodes.value[:, at, 0]
        path = np.sort(tree.decision_path(x).indices)  # a child has a larger number
        start += value[0] / len(trees)
        np.add.at(parts, nodes.feature[path[:-1]], np.diff(value[path]) / len(trees))
    return start, parts


def _booster_parts(library: str, estimator: Any, x: Any) -> Array:
    """Return (n_scores, n_columns + 1) parts of the raw scores of one row, the start last."""
    if library == "lightgbm":
        parts = estimator.predict(x, pred_contrib=True)
    elif library == "xgboost":
        rows = import_module(library).DMatrix(x, enable_categorical=True)
        parts = estimator.get_booster().predict(rows, pred_contribs=True)
    else:
        rows = import_module(library).Pool(x, cat_features=estimator.get_param("cat_features"))
        parts = estimator.get_feature_importance(rows, type="ShapValues")
    return np.asarray(parts, dtype=float).reshape(-1, x.shape[1] + 1)
