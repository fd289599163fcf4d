"""Linear baselines: logistic regression for classes, ridge regression for values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...data import Table
from ..model import FittedFunction, Model, OneHot, class_columns

PRELOAD = ("sklearn.linear_model",)


def ridge_model(*, strength: float = 1.0) -> Model:
    "Return a linear model with an L2 penalty, on scaled numbers and one column a level; values are kept within what was seen."

    def fit(table: Table) -> FittedFunction:
        from sklearn.linear_model import LogisticRegression, Ridge

        coding, targs = OneHot(table), np.asarray(table.targs)
        if not table.vocab:
            values = Ridge(alpha=strength).fit(coding(table), targs)
            low, high = targs.min(0), targs.max(0)
            return FittedFunction(
                lambda rows: np.clip(values.predict(coding(rows)), low, high).reshape(
                    len(rows), -1
                ),
                estimator=values,
            )
        if len(classes := np.unique(targs)) == 1:
            return FittedFunction(
                lambda rows: class_columns(np.ones((len(rows), 1)), classes, rows)
            )
        linear: Any = LogisticRegression(C=1 / strength, max_iter=1000).fit(coding(table), targs)
        return FittedFunction(
            lambda rows: class_columns(linear.predict_proba(coding(rows)), linear.classes_, rows),
            estimator=linear,
        )

    return Model("linear", fit, dict(strength=strength))
