"""The interface of every model: a name, and a function that fits rows and returns a predictor."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from ..data import Table
from ..exceptions import ConfigError
from ..metrics import get_metric
from ..predictions import Predictions
from ..ui.records import Shown, joined

Array = np.ndarray[Any, Any]


class Fitted(Protocol):
    """A fitted model."""

    importances: dict[str, float]  # feature -> share of one; empty: the model has none

    def predict(self, table: Table) -> Array:
        """Return (n, n_outputs): a probability per class, in vocab order, or a value per target."""
        ...


Fit = Callable[[Table], Fitted | Callable[[Table], Any]]
# (all training rows, the `notes` of the folds' fits) -> a fitted model
Refit = Callable[[Table, list[dict[str, Any]]], Fitted | Callable[[Table], Any]]
# predictions by variant -> (the variant to use, facts about the choice)
Choose = Callable[[dict[str, Predictions]], tuple[str, dict[str, Any]]]


@dataclass(frozen=True, repr=False)
class Model(Shown):
    """A declared model. To write your own, give a name and a fit function.

    `fit(table)` returns a function predict(table), or an object with that method.
    """

    name: str
    fit: Fit
    about: dict[str, Any] = field(default_factory=dict)  # its parameters
    choose: Choose | None = None  # with it the fitted model's `variants(table)` replaces `predict`
    refit: Refit | None = None  # fits all rows with what the folds chose; default: `fit`

    def _facts(self) -> dict[str, object]:
        return {"name": self.name, "params": joined(self.about, most=20)}


@dataclass
class FittedFunction:
    """A fitted model made of a predict function."""

    NOT_KEPT: ClassVar = (
        "oob",
        "oob_score",
        "estimator",
        "members",
        "encode",
        "sources",
    )  # see `final.object_graph`

    function: Callable[[Table], Array]
    importances: dict[str, float] = field(default_factory=dict)
    oob: Array | None = None  # (n_fit, n_outputs) out-of-bag predictions; NaN: every member saw it
    oob_score: float | None = None
    estimator: Any = None  # the library's own object
    members: list[Callable[[Table], Array]] = field(default_factory=list)  # functions it averages
    notes: dict[str, Any] = field(default_factory=dict)  # what the fit chose, as plain data
    encode: Callable[[Table], Any] | None = None  # table -> the columns that `estimator` takes
    sources: list[str] = field(default_factory=list)  # the feature of each of these columns

    def predict(self, table: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        if not len(table):  # libraries refuse a table without rows
            return np.empty((0, table.n_outputs))
        return as_columns(self.function(table), table)


def as_columns(answer: Any, table: Table) -> Array:
    """Return predictions as columns.

    Where one output is expected, (n,) values become one column. With two classes they are the
    probability of the second class.
    """
    preds = np.asarray(answer)
    if preds.ndim == 1 and table.n_outputs == 1:
        return preds[:, None]
    if preds.ndim == 1 and len(table.vocab) == 2:
        return np.column_stack([1 - preds, preds])
    return preds


def as_fitted(answer: Any, name: str) -> Fitted:
    """Return what a fit function returned as a fitted model: a predict function becomes one."""
    if hasattr(answer, "predict"):
        return answer  # type: ignore[no-any-return]
    if isinstance(answer, Model):
        raise ConfigError(
            f"{name} returned a Model where a fitted model was expected. Call the function that "
            f"makes the model: {name}(), not {name}."
        )
    if callable(answer):
        return FittedFunction(answer)
    raise ConfigError(
        f"The fit function of {name} returned {type(answer).__name__}; expected a function "
        "predict(table), or an object with such a method."
    )


def shares(names: list[str], values: Any) -> dict[str, float]:
    """Return importances as shares of one."""
    values = np.clip(np.asarray(values, dtype=float), 0, None)
    values = values / max(values.sum(), 1e-12)
    return {name: round(float(v), 6) for name, v in zip(names, values, strict=True)}


def class_columns(probabilities: Array, classes: Any, table: Table) -> Array:
    """Spread probabilities over all classes of the vocab; a class without training rows gets 0."""
    out = np.zeros((len(probabilities), table.n_outputs))
    out[:, np.asarray(classes, dtype=int)] = probabilities
    return out


def out_of_bag(
    table: Table,
    members: Iterable[tuple[Array, Callable[[Array], Array]]],  # (rows seen, rows -> predictions)
) -> tuple[Array, float]:
    """Return each row's mean prediction by the members that did not see it, and the score.

    A row that every member saw is NaN. The score is accuracy, or R2 of values, as in scikit-learn.
    """
    total, count = np.zeros((len(table), table.n_outputs)), np.zeros(len(table))
    for seen, predict in members:
        is_unseen = np.ones(len(table), dtype=bool)
        is_unseen[seen] = False
        unseen = np.flatnonzero(is_unseen)
        if len(unseen):
            total[unseen] += predict(unseen)
            count[unseen] += 1
    rows = count > 0
    oob = total / np.where(rows, count, np.nan)[:, None]
    if not rows.any():
        return oob, float("nan")
    metric = get_metric("accuracy" if table.vocab else "r2")
    return oob, metric.score(np.asarray(table.targs)[rows], oob[rows])
