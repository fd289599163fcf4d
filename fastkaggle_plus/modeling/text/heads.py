"""Light heads: from features to answers by a ridge regression, or by a logistic one for classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...data import Table
from ..model import Array, class_columns

Head = Callable[
    [Array, Table], Array
]  # ((n, n_features), the table of these rows) -> (n, n_outputs)

_STEPS = 1000  # of the logistic regression, at most
_CONSTANT = 1e-6  # a feature that varies less says nothing


def fit_head(
    features: Array,  # (n, n_features)
    table: Table,  # the rows to learn from
    *,
    strength: float,  # of the L2 penalty, a row, on the weights of standardised features
) -> Head:
    "Return what answers for other rows; values are kept within what was seen."
    from sklearn.linear_model import LogisticRegression, Ridge

    mean, spread = features.mean(0), features.std(0)
    spread[spread < _CONSTANT] = 1.0

    def scaled(some: Array) -> Array:
        out: Array = (some - mean) / spread
        return out

    targs, penalty = np.asarray(table.targs), strength * len(features)
    if not table.vocab:
        values = Ridge(alpha=penalty).fit(scaled(features), targs)
        low, high = targs.min(0), targs.max(0)
        return lambda some, rows: np.clip(
            values.predict(_exact(scaled(some))).reshape(len(some), *targs.shape[1:]), low, high
        ).reshape(len(some), -1)
    if len(classes := np.unique(targs)) == 1:
        return lambda some, rows: class_columns(np.ones((len(some), 1)), classes, rows)
    linear = LogisticRegression(C=1 / penalty, max_iter=_STEPS).fit(scaled(features), targs)
    return lambda some, rows: class_columns(
        linear.predict_proba(_exact(scaled(some))), linear.classes_, rows
    )


def _exact(features: Array) -> Array:
    "In single precision a row's answer would depend on its company."
    return features.astype(np.float64)
