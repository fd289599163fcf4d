"""Any scikit-learn estimator as a model: encode the rows, fit, and predict in one shape."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from ...data import Table
from ...exceptions import ConfigError, UnknownName
from ..model import Array, FittedFunction, Model, class_columns, shares

_SEED = 42
_MOST_CELLS = 50_000_000  # of a dense matrix, 400 MB; a larger one stays sparse

Encode = Callable[[Table], Any]  # table -> what the estimator takes
# rows fitted on -> (how to encode a table, the feature of each column)
Encoder = Callable[[Table], tuple[Encode, list[str]]]


def is_estimator(model: Any) -> bool:
    """Say whether an object or a class has the methods of a scikit-learn estimator."""
    return all(callable(getattr(model, method, None)) for method in ("fit", "predict"))


def seed_of(random_state: Any) -> Any:
    """Return the estimator's seed, 42 if it has none: a trial must give the same result again."""
    return _SEED if random_state is None else random_state


def from_estimator(
    estimator: Any,  # unfitted, for one target; with several targets it is fitted to each
    *,
    task: str = "",  # of the competition, if known
) -> Model:
    """Return an estimator as a model, behind the encoder of the linear models.

    The encoder makes one column of each category level, fills missing numbers with the median and
    scales numbers. `random_state` is 42 unless it is given. Raises ConfigError for a regressor
    where classes are predicted, and the reverse, and for parameters that scikit-learn refuses.
    """
    from sklearn.base import clone

    estimator, name = clone(estimator, safe=False), type(estimator).__name__
    params = estimator.get_params() if hasattr(estimator, "get_params") else {}
    if "random_state" in params:
        estimator.set_params(random_state=seed_of(params["random_state"]))
    _check_values(estimator)
    _check_task(estimator, task)

    def make(table: Table, _target: int) -> Any:
        _check_task(estimator, table.task)
        return clone(estimator, safe=False)

    about = {"estimator": " ".join(repr(estimator).split())}
    return Model(name, partial(fit_estimators, make, _one_hot), about)


def fit_estimators(
    make: Callable[[Table, int], Any],  # (rows, number of the target) -> an unfitted estimator
    encoder: Encoder,
    table: Table,
    *,
    consecutive: bool = False,  # the estimator needs classes 0, 1, ... without gaps
) -> FittedFunction:
    """Fit one estimator, or one per target if there are several."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    (encode, sources), targs = encoder(table), np.asarray(table.targs)
    x, classes = encode(table), np.unique(targs)
    if table.vocab and consecutive:
        targs = np.searchsorted(classes, targs)
    estimators: list[Any] = []
    for target, column in enumerate(targs.reshape(len(targs), -1).T):
        if np.ptp(column):
            estimator = make(table, target)
        else:  # nothing to learn
            estimator = DummyClassifier() if table.vocab else DummyRegressor(strategy="median")
        estimators.append(estimator.fit(x, column))

    predict = Estimators(estimators, encode, classes, consecutive)
    values = getattr(estimators[0], "feature_importances_", None)
    importances = {} if values is None else _by_feature(sources, values)
    kept = estimators[0] if table.vocab else estimators
    return FittedFunction(predict, importances, estimator=kept, encode=encode, sources=sources)


@dataclass
class Estimators:
    """One fitted estimator, or one per target: predicts tables."""

    estimators: list[Any]
    encode: Encode
    classes: Array  # in the rows fitted on
    consecutive: bool

    def __call__(self, rows: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        x = self.encode(rows)
        if not rows.vocab:
            return np.column_stack([np.ravel(e.predict(x)) for e in self.estimators])
        known = np.arange(len(self.classes)) if self.consecutive else self.classes
        return class_columns(_probabilities(self.estimators[0], x, known), self.classes, rows)


def check_sklearn(prefix: str, settings: Mapping[str, Any]) -> None:
    """Check the parameters of an ensemble of scikit-learn. Raises ConfigError."""
    kind = getattr(import_module("sklearn.ensemble"), f"{prefix}Classifier")
    check_names(kind, settings)
    without_task = {k: v for k, v in settings.items() if k not in ("loss", "criterion")}
    _check_values(kind(**without_task))


def check_names(kind: type[Any], settings: Mapping[str, Any]) -> None:
    """Raise UnknownName for a parameter that a class does not take."""
    known = inspect.signature(kind).parameters
    for name in settings:
        if name not in known:
            raise UnknownName(f"parameter of {kind.__name__}", name, known)


def _probabilities(estimator: Any, x: Any, classes: Array) -> Array:
    """Return a probability per class; 1 for the predicted class of an estimator without them."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(x))
    return (np.ravel(estimator.predict(x))[:, None] == classes).astype(float)


def _by_feature(sources: list[str], values: Any) -> dict[str, float]:
    """Sum the importances of the columns that were made from one feature."""
    names = list(dict.fromkeys(sources))
    sums = dict.fromkeys(names, 0.0)
    for name, value in zip(sources, values, strict=True):
        sums[name] += max(float(value), 0.0)
    return shares(names, list(sums.values()))


def _one_hot(table: Table) -> tuple[Encode, list[str]]:
    from .encoders import OneHotEncoder  # imports pandas, which the board does not need

    encoder = OneHotEncoder(table)
    return DenseIfSmall(encoder), encoder.sources(table)


@dataclass
class DenseIfSmall:
    """Encodes rows as the sparse encoder does, dense if that takes little memory."""

    encoder: Encode

    def __call__(self, rows: Table) -> Any:
        """Return an (n, n_columns) matrix."""
        x = self.encoder(rows)
        return x.toarray() if np.prod(x.shape) <= _MOST_CELLS else x


def _check_values(estimator: Any) -> None:
    """Let scikit-learn check the parameters as its `fit` does. Raises ConfigError."""
    if not hasattr(estimator, "_validate_params"):  # of another library
        return
    try:
        estimator._validate_params()
    except ValueError as e:
        raise ConfigError(str(e)) from e


def _check_task(estimator: Any, task: str) -> None:
    from sklearn.base import is_classifier, is_regressor

    if not task or not hasattr(estimator, "get_params"):
        return
    name = type(estimator).__name__
    if task != "regression" and is_regressor(estimator):
        raise ConfigError(
            f"{name} predicts numbers, and the task is {task}: expected a classifier, as in "
            '"sklearn.linear_model.LogisticRegression".'
        )
    if task == "regression" and is_classifier(estimator):
        raise ConfigError(
            f"{name} predicts classes, and the task is regression: expected a regressor, as in "
            '"sklearn.linear_model.Ridge".'
        )
