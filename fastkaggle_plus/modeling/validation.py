"""cross_validate: a model x folds -> Predictions."""

from __future__ import annotations

import dataclasses
import os
import platform
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..data import Data, Table
from ..exceptions import DataError
from ..folds import Folds, rows_fingerprint
from ..metrics import get_metric
from ..predictions import Predictions
from . import progress
from .group_leaks import check_groups, warn_of_groups
from .model import Array, Fitted, Model

_SUM_TOLERANCE = 1e-3


def cross_validate(
    model: Model,
    data: Data,
    folds: Folds,
    *,
    metric: str = "",  # default: the data's, else accuracy or rmse
    name: str = "",  # default: the model's
    on_fold: Callable[[int, float], None]
    | None = None,  # called with (fold, fold_score) after each fold
    look_for_groups: bool = True,  # warn of groups that the folds tear apart, once for the same data and folds
) -> Predictions:
    """Fit the model once a fold, and return its out-of-fold predictions with the mean of the folds' test predictions.

    Features that need targets are computed inside each fold. For rmsle the model is fitted to log(1 + target).
    Whoever listens (see `progress`) hears how far it is. Warns (GroupsOverlap) where the split flatters, see `find_group_leak`.
    Raises DataError for folds of other rows, grouped folds that split a group of this data, and predictions that cannot be.
    """
    check_rows(folds, data)
    if look_for_groups:
        warn_of_groups(data, folds, metric=metric)
    return validated(model, data, folds, metric=metric, name=name, on_fold=on_fold)


def check_rows(folds: Folds, data: Data) -> None:
    "Refuse folds that were made for other rows, or for these in another order. Raises DataError."
    if len(folds) != len(data.train):
        raise DataError(
            f"The folds are of {len(folds)} rows, and the data has {len(data.train)}. Make them from this data's targs."
        )
    if folds.rows and folds.rows != rows_fingerprint(data.targs):
        raise DataError(
            "The folds were made for other rows, or for these in another order: the targets they were made from do not follow each other like "
            "this data's. A row would be validated by a model that saw it. Shuffle first and split then: make_folds(data.targs, ...). "
            '(Folds meant for these rows, but made from another column: dataclasses.replace(folds, rows="").)'
        )
    check_groups(folds, data)


def validated(
    model: Model,
    data: Data,
    folds: Folds,
    *,
    metric: str = "",
    name: str = "",
    on_fold: Callable[[int, float], None] | None = None,
) -> Predictions:
    "Return what `cross_validate` does, of folds that were looked at."
    metric = metric or data.metric or ("rmse" if data.task == "regression" else "accuracy")
    score, targs, n_outputs = get_metric(metric), data.targs, data.train.n_outputs
    through = (np.log1p, lambda p: np.expm1(p).clip(0)) if metric == "rmsle" else None
    oofs: dict[str, Array] = {}
    tests: dict[str, list[Array]] = {}
    leaning, notes, start = [], [], time.perf_counter()
    for k, (fit_rows, rows) in enumerate(folds.splits()):
        with progress.part(k, folds.n_folds, "fold"):
            fit, valid = data.fold(fit_rows, rows)
            _, test = data.fold(fit_rows, None)
            fitted = _fit(model, fit, through)
            for variant, preds in _answers(model, fitted, valid, n_outputs, through).items():
                oofs.setdefault(variant, np.full((len(targs), n_outputs), np.nan))[rows] = preds
            for variant, preds in _answers(model, fitted, test, n_outputs, through).items():
                tests.setdefault(variant, []).append(preds)
            leaning.append(fitted.importances)
            notes.append(dict(getattr(fitted, "notes", {})))
            del fitted  # two large networks need not fit into memory together
        if on_fold:
            on_fold(k, score.score(targs[rows], next(iter(oofs.values()))[rows]))
    seconds_s = time.perf_counter() - start
    about = {
        "model": model.name,
        **model.about,
        "n_folds": folds.n_folds,
        "split": folds.kind,
        "split_seed": folds.seed,
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}",
        **({"fits": notes} if any(notes) else {}),
    }
    importances = {c: float(np.mean([one.get(c, 0.0) for one in leaning])) for c in leaning[0]}
    variants = {
        v: Predictions(
            v or name or model.name,
            metric,
            data.task,
            data.vocab,
            data.ids,
            targs,
            oof,
            folds.assignment,
            data.test_ids,
            np.mean(tests[v], 0),
            seconds_s,
            about,
            importances,
        )
        for v, oof in oofs.items()
    }
    chosen, why = model.choose(variants) if model.choose else ("", {})
    return dataclasses.replace(variants[chosen], name=name or model.name, about={**about, **why})


def _answers(
    model: Model, fitted: Fitted, table: Table, n_outputs: int, through: Any
) -> dict[str, Array]:
    "What the fitted model says of these rows, by variant; most have but one."
    said = fitted.variants(table) if model.choose else {"": fitted.predict(table)}  # type: ignore[attr-defined]  # who chooses has variants
    return {name: _checked(model, preds, table, n_outputs, through) for name, preds in said.items()}


def _fit(model: Model, table: Table, through: Any) -> Fitted:
    if through is not None and table.targs is not None:
        table = dataclasses.replace(table, targs=through[0](table.targs))
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", category=UserWarning, module="sklearn"
        )  # about feature names and rare classes: known here
        return model.fit(table)


def _checked(model: Model, said: Array, table: Table, n_outputs: int, through: Any) -> Array:
    "Return predictions as they are to be scored; refuse what no model should answer."
    preds = np.asarray(said, dtype=float)
    if preds.shape != (len(table), n_outputs):
        raise DataError(
            f"{model.name} answered with shape {preds.shape} for {len(table)} rows; ({len(table)}, {n_outputs}) is wanted: "
            "a column a class or target."
        )
    if through is not None:
        preds = through[1](preds)
    if (odd := ~np.isfinite(preds).all(1)).any():
        raise DataError(
            f"{model.name} predicted {'NaN' if np.isnan(preds).any() else 'infinity'} in {int(odd.sum())} of {len(preds)} rows. "
            "Lower its learning rate, or look for empty or huge features."
        )
    sums = preds.sum(1)
    if table.vocab and (np.abs(sums - 1) > _SUM_TOLERANCE).any():
        raise DataError(
            f"{model.name} predicted probabilities that sum to {sums[np.abs(sums - 1).argmax()]:.3f}. "
            "Apply softmax, or divide each row by its sum."
        )
    return preds
