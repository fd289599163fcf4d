"""Stacking: a linear model of the members' predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data import Array

_PENALTIES = np.logspace(-3, 3, 13)  # of ridge
_INVERSE_PENALTIES = [1e-3, 1e-2, 1e-1, 1.0]  # of the logistic regression
_INNER_FOLDS = 5
_LEAST_P = 1e-6


class Stack:
    """Ridge regression of values, logistic regression of classes on logarithms of probabilities.

    The penalty is chosen inside the rows that it is fitted on. Weights may be negative. Sources:
    Wolpert, Stacked generalization (1992); Breiman, Stacked regressions (1996).
    """

    def __init__(self, task: str, n_classes: int):
        self.task, self.n_classes = task, n_classes
        self._model: Any = None

    def features(self, preds: Sequence[Array]) -> Array:
        """Return (n, members * columns) features of the members' predictions (n, n_outputs)."""
        if self.task == "regression":
            return np.concatenate(preds, 1)
        logs = [np.log(np.clip(p, _LEAST_P, None)) for p in preds]
        if self.n_classes == 2:
            return np.stack([p[:, 1] - p[:, 0] for p in logs], 1)
        return np.concatenate(logs, 1)

    def fit(self, features: Array, targs: Array) -> Stack:
        """Fit the model and its penalty."""
        from sklearn.linear_model import LogisticRegression, RidgeCV
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if self.task == "regression":
            self._model = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES))
        else:
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            n_folds = max(2, min(_INNER_FOLDS, int(np.bincount(targs)[np.unique(targs)].min())))
            grid = {"logisticregression__C": _INVERSE_PENALTIES}
            self._model = GridSearchCV(model, grid, scoring="neg_log_loss", cv=n_folds)
        self._model.fit(features, targs)
        return self

    def predict(self, features: Array) -> Array:
        """Return (n, n_outputs) values, or probabilities of all classes."""
        if self.task == "regression":
            return np.asarray(self._model.predict(features)).reshape(len(features), -1)
        preds = np.zeros((len(features), self.n_classes))
        preds[:, self._model.classes_] = self._model.predict_proba(features)
        return preds

    def shares(self, n_members: int) -> Array:
        """Return (members,) shares of the absolute coefficients of the standardised features."""
        best = getattr(self._model, "best_estimator_", self._model)
        sizes = np.abs(np.atleast_2d(best[-1].coef_)).sum(0).reshape(n_members, -1).sum(1)
        return np.asarray(sizes / sizes.sum() if sizes.any() else np.full(n_members, 1 / n_members))
