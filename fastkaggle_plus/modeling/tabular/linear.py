"""Linear baselines: logistic regression for classes, ridge regression for values."""

from typing import Any

import numpy as np

from ...data import Table
from ..model import Array, FittedFunction, Model, class_columns
from .encoders import OneHotEncoder

PRELOAD = ("sklearn.linear_model",)


def ridge_model(*, strength: float = 1.0) -> Model:
    """Return a linear model with an L2 penalty, on one column per level and scaled numbers.

    Predicted values are clipped to the range of the targets fitted on.
    """

    def fit(table: Table) -> FittedFunction:
        from sklearn.linear_model import LogisticRegression, Ridge

        encode, targs = OneHotEncoder(table), np.asarray(table.targs)
        if not table.vocab:
            ridge = Ridge(alpha=strength).fit(encode(table), targs)
            low, high = targs.min(0), targs.max(0)

            def predict(rows: Table) -> Array:
                return np.clip(ridge.predict(encode(rows)), low, high).reshape(len(rows), -1)

            return FittedFunction(predict, estimator=ridge)
        if len(classes := np.unique(targs)) == 1:
            return FittedFunction(
                lambda rows: class_columns(np.ones((len(rows), 1)), classes, rows)
            )
        linear: Any = LogisticRegression(C=1 / strength, max_iter=1000).fit(encode(table), targs)
        return FittedFunction(
            lambda rows: class_columns(linear.predict_proba(encode(rows)), linear.classes_, rows),
            estimator=linear,
        )

    return Model("linear", fit, {"strength": strength})
