"""Linear models of tables and of features: logistic regression, or ridge for values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data import Table
from ..model import Array, FittedFunction, Model, class_columns
from .encoders import OneHotEncoder

PRELOAD = ("sklearn.linear_model",)
_CONSTANT = 1e-6  # a feature with a smaller standard deviation is not scaled


def ridge_model(*, strength: float = 1.0) -> Model:
    """Return a linear model with an L2 penalty, on one column per level and scaled numbers.

    Predicted values are clipped to the range of the targets fitted on.
    """

    def fit(table: Table) -> FittedFunction:
        encode = OneHotEncoder(table)
        linear = LinearFit(encode(table), table, penalty=strength)
        return FittedFunction(EncodedLinear(linear, encode), estimator=linear.estimator)

    return Model("linear", fit, {"strength": strength})


class LinearFit:
    """Ridge regression, or logistic regression for classes.

    Predicted values stay within the range of the training targets.
    """

    def __init__(
        self,
        x: Any,  # (n, n_features), may be sparse
        table: Table,  # the same rows, with their targets
        *,
        penalty: float,  # L2, in all
        start: "LinearFit | None" = None,  # a fit on the same rows, from which to continue
    ):
        from sklearn.dummy import DummyClassifier
        from sklearn.linear_model import LogisticRegression, Ridge

        targs = np.asarray(table.targs)
        self.n_features = x.shape[1]
        self.low, self.high = targs.min(0), targs.max(0)
        estimator: Any = Ridge(alpha=penalty)
        if table.vocab and self.low == self.high:  # one class, which is certain
            estimator = DummyClassifier()
        elif table.vocab:
            estimator = LogisticRegression(C=1 / penalty, max_iter=1000, warm_start=True)
            if start is not None:
                estimator.coef_ = start.estimator.coef_
                estimator.intercept_ = start.estimator.intercept_
        self.estimator: Any = estimator.fit(x, targs)

    def predict(self, x: Any, table: Table) -> Array:
        """Return (n, n_outputs) predictions for the features of a table's rows."""
        if table.vocab:
            return class_columns(self.estimator.predict_proba(x), self.estimator.classes_, table)
        return np.clip(self.estimator.predict(x), self.low, self.high).reshape(len(table), -1)

    def by_output(self, table: Table, *, absent: float) -> tuple[Array, Array]:
        """Return coefficients (n_outputs, n_features) and intercepts, of values or of logits.

        The logit of a class without training rows is the constant `absent`.
        """
        if not table.vocab:
            coef = self.estimator.coef_.reshape(table.n_outputs, -1)
            return coef, np.atleast_1d(self.estimator.intercept_)
        classes = self.estimator.classes_
        coef, intercept = np.zeros((1, self.n_features)), np.zeros(1)
        if len(classes) > 1:
            coef, intercept = self.estimator.coef_, self.estimator.intercept_
        if len(classes) == 2:  # the log odds of the second class
            coef, intercept = np.vstack([-coef, coef]) / 2, np.hstack([-intercept, intercept]) / 2
        all_coef = np.zeros((table.n_outputs, self.n_features))
        all_intercepts = np.full(table.n_outputs, absent)
        all_coef[classes], all_intercepts[classes] = coef, intercept
        return all_coef, all_intercepts


class ScaledLinearFit(LinearFit):
    """The same on features that are scaled to mean 0, deviation 1."""

    def __init__(
        self,
        x: Array,  # (n, n_features)
        table: Table,  # the same rows, with their targets
        *,
        penalty: float,  # L2, per row
    ):
        self.mean, self.std = scale_of(x)
        super().__init__((x - self.mean) / self.std, table, penalty=penalty * len(x))

    def predict(self, x: Array, table: Table) -> Array:
        """Return (n, n_outputs) predictions for the features of a table's rows."""
        # float64: in float32 a row's prediction would depend on the other rows
        return super().predict(((x - self.mean) / self.std).astype(np.float64), table)


@dataclass
class EncodedLinear:
    """A linear fit behind an encoder: predicts tables."""

    linear: LinearFit
    encode: Callable[[Table], Any]

    def __call__(self, rows: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        return self.linear.predict(self.encode(rows), rows)


def scale_of(x: Array) -> tuple[Array, Array]:
    """Return each feature's mean and standard deviation, 1 for a constant feature."""
    mean, std = x.mean(0), x.std(0)
    std[std < _CONSTANT] = 1.0
    return mean, std
