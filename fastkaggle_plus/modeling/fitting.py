"""Fit a model once per fold and collect its out-of-fold predictions, without checking the folds."""

import dataclasses
import os
import platform
import time
import warnings
from collections.abc import Callable

import numpy as np

from ..data import Data, Table
from ..exceptions import DataError
from ..folds import Folds
from ..metrics import Metric, get_metric
from ..predictions import Predictions
from . import epochs, progress
from .model import Array, Fitted, Model, as_columns, as_fitted

_SUM_TOLERANCE = 1e-3  # of probabilities that must sum to one

OnFold = Callable[[int, float], None]  # called with (fold, fold_score) after each fold


def fit_folds(
    model: Model,
    data: Data,
    folds: Folds,
    *,
    metric: str | Metric = "",  # or its name; default: the data's, else accuracy or rmse
    name: str = "",  # default: the model's
    on_fold: OnFold | None = None,
) -> Predictions:
    """Return what `cross_validate` returns. Call that instead: it checks the folds first."""
    metric = metric or data.metric or ("rmse" if data.task == "regression" else "accuracy")
    score = get_metric(metric, task=data.task)
    is_log, start = score.name == "rmsle", time.perf_counter()
    oofs: dict[str, Array] = {}  # by variant
    tests: dict[str, list[Array]] = {}
    importances, notes = [], []
    for k, (fit_rows, rows) in enumerate(folds.splits()):
        with progress.step(k, folds.n_folds, "fold"):
            fit, valid = data.fold(fit_rows, rows)
            _, test = data.fold(fit_rows, None)
            with epochs.validated_on(valid, score, f"{k + 1}/{folds.n_folds}"):
                fitted = _fit(model, fit, is_log)
            for variant, preds in _predict(model, fitted, valid, fit.n_outputs, is_log).items():
                empty = np.full((len(data.train), fit.n_outputs), np.nan)
                oofs.setdefault(variant, empty)[rows] = preds
            for variant, preds in _predict(model, fitted, test, fit.n_outputs, is_log).items():
                tests.setdefault(variant, []).append(preds)
            importances.append(getattr(fitted, "importances", {}))
            notes.append(dict(getattr(fitted, "notes", {})))
            del fitted  # the next fold's network may not fit into memory with this one
        if on_fold:
            on_fold(k, score.score(data.targs[rows], next(iter(oofs.values()))[rows]))
    about = {
        "model": model.name,
        **model.about,
        "n_folds": folds.n_folds,
        "split": folds.kind,
        "split_seed": folds.seed,
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}",
        **({"fits": notes} if any(notes) else {}),
    }
    seconds_s, variants = time.perf_counter() - start, {}
    for variant, oof in oofs.items():
        variants[variant] = Predictions(
            variant or name or model.name,
            str(metric),
            data.task,
            data.vocab,
            data.ids,
            data.targs,
            oof,
            folds.assignment,
            data.test_ids,
            np.mean(tests[variant], 0),
            seconds_s,
            about,
            {c: float(np.mean([i.get(c, 0.0) for i in importances])) for c in importances[0]},
            own_metric=score,
        )
    chosen, facts = model.choose(variants) if model.choose else ("", {})
    name = name or model.name
    return dataclasses.replace(variants[chosen], name=name, about={**about, **facts})


def _fit(model: Model, table: Table, is_log: bool) -> Fitted:
    if is_log and table.targs is not None:
        table = dataclasses.replace(table, targs=np.log1p(table.targs))
    with warnings.catch_warnings():  # of feature names and rare classes: both are handled here
        warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
        return as_fitted(model.fit(table), model.name)


def _predict(
    model: Model, fitted: Fitted, table: Table, n_outputs: int, is_log: bool
) -> dict[str, Array]:
    """Return checked predictions by variant. A model without `choose` has one variant."""
    if model.choose:
        variants = fitted.variants(table)  # type: ignore[attr-defined]  # `choose` demands them
    else:
        variants = {"": fitted.predict(table)}
    checked = {}
    for variant, answer in variants.items():
        preds = as_columns(answer, table).astype(float)
        if preds.shape != (len(table), n_outputs):
            raise DataError(
                f"{model.name} returned shape {preds.shape} for {len(table)} rows; expected "
                f"({len(table)}, {n_outputs}): one column per class or target."
            )
        checked[variant] = np.expm1(preds).clip(0) if is_log else preds
        _check_values(model.name, checked[variant], table)
    return checked


def _check_values(name: str, preds: Array, table: Table) -> None:
    """Refuse NaN, infinity, and probabilities that do not sum to one. Raises DataError."""
    if (odd := ~np.isfinite(preds).all(1)).any():
        raise DataError(
            f"{name} predicted {'NaN' if np.isnan(preds).any() else 'infinity'} in "
            f"{int(odd.sum())} of {len(preds)} rows. "
            "Lower its learning rate, or look for empty or huge features."
        )
    errors = np.abs(preds.sum(1) - 1)
    if table.vocab and (errors > _SUM_TOLERANCE).any():
        raise DataError(
            f"{name} predicted probabilities that sum to {preds[errors.argmax()].sum():.3f}. "
            "Apply softmax, or divide each row by its sum."
        )
