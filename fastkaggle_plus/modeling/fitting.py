"""Fit a model once per fold and collect its out-of-fold predictions, without checking the folds."""

import contextlib
import dataclasses
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..data import Data, Table
from ..exceptions import DataError
from ..folds import Folds, dependent_rows, is_refit
from ..metrics import Metric, get_metric
from ..predictions import Predictions
from . import epochs, progress
from .model import Array, Fitted, Model, as_columns, as_fitted

_SUM_TOLERANCE = 1e-3  # of probabilities that must sum to one

OnFold = Callable[[int, float], None]  # called with (fold, fold_score) after each fold
OnFitted = Callable[[Array, Fitted], None]  # called with (rows fitted on, the model of a fold)


def fit_folds(
    model: Model,
    data: Data,
    folds: Folds,
    *,
    metric: str | Metric = "",  # or its name; default: the data's, else accuracy or rmse
    name: str = "",  # default: the model's
    on_fold: OnFold | None = None,
    test: str = "auto",  # folds | refit | auto, see `is_refit`
    on_fitted: OnFitted | None = None,
) -> Predictions:
    """Return what `cross_validate` returns. Call that instead: it checks the folds first."""
    metric = metric or default_metric(data)
    score, start = get_metric(metric, task=data.task), time.perf_counter()
    trainer = Trainer(model, data.train.n_outputs, is_log=score.name == "rmsle")
    refits, n, n_folds = is_refit(test, folds.kind), len(data.train), folds.n_folds
    oofs: dict[str, Array] = {}  # by variant
    tests: dict[str, list[Array]] = {}
    importances, notes, curves = [], [], list[dict[str, Any]]()
    for k, (fit_rows, rows) in enumerate(folds.splits()):
        with progress.step(k, n_folds + refits, position=f"fold {k + 1}/{n_folds}"):
            fit, valid = data.fold(fit_rows, rows)
            with epochs.validated_on(valid, score, f"{k + 1}/{n_folds}") as learned:
                fitted = trainer.fit(fit)
            curves += map(asdict, learned)
            for variant, preds in trainer.predict(fitted, valid).items():
                empty = np.full((n, trainer.n_outputs), np.nan)
                oofs.setdefault(variant, empty)[rows] = preds
            if on_fold:  # before the test rows: it may raise, to stop the trial
                on_fold(k, _fold_score(score, data.targs[rows], next(iter(oofs.values()))[rows]))
            if not refits:
                _, unknown = data.fold(fit_rows, None)
                for variant, preds in trainer.predict(fitted, unknown).items():
                    tests.setdefault(variant, []).append(preds)
            if on_fitted:
                on_fitted(fit_rows, fitted)
            importances.append(getattr(fitted, "importances", {}))
            notes.append(dict(getattr(fitted, "notes", {})))
            del fitted  # the next fold's network may not fit into memory with this one
    about = {
        "model": model.name,
        **model.about,
        "n_folds": n_folds,
        "split": folds.kind,
        "split_seed": folds.seed,
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}",
        "test": f"mean of {n_folds} folds" if n_folds > 1 else "fit without the holdout",
        "seconds": trainer.seconds,
        **({"fits": notes} if any(notes) else {}),
        **({"curves": curves} if curves else {}),
    }
    none, variants = np.full((len(data.test), trainer.n_outputs), np.nan), {}
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
            none if refits else np.mean(tests[variant], 0),
            about=about,
            importances={
                c: float(np.mean([i.get(c, 0.0) for i in importances])) for c in importances[0]
            },
            own_metric=score,
            groups=dependent_rows(folds, groups=data.groups, time=data.time),
        )
    chosen, facts = model.choose(variants) if model.choose else ("", {})
    test_preds = variants[chosen].test
    if refits:
        with progress.step(n_folds, n_folds + 1, position="refit"):
            whole, unknown = data.fold(np.arange(n), None)
            fitted = trainer.fit(whole, notes)
            test_preds = trainer.predict(fitted, unknown)[chosen]
        facts = {**facts, "test": "refit on all rows"}
        if noted := dict(getattr(fitted, "notes", {})):
            facts["refit"] = noted
    return dataclasses.replace(
        variants[chosen],
        name=name or model.name,
        test=test_preds,
        seconds_s=time.perf_counter() - start,
        about={**about, **facts},
    )


def default_metric(data: Data) -> str | Metric:
    """Return the data's metric, or its name; else the usual one of the task."""
    return data.metric or ("rmse" if data.task == "regression" else "accuracy")


@dataclass
class Trainer:
    """Fits a model and predicts with it, for the scale of the metric; measures the time."""

    model: Model
    n_outputs: int
    is_log: bool  # whether the model is fitted to log(1 + target)
    seconds: dict[str, float] = field(default_factory=dict)  # fit | predict | refit

    def fit_all(self, data: Data, notes: list[dict[str, Any]] | None) -> Fitted:
        """Return a model fitted to all training rows, with what the folds' fits chose, if known."""
        whole, _ = data.fold(np.arange(len(data.train)), None)
        return self.fit(whole, notes)

    def fit(
        self,
        table: Table,
        notes: list[dict[str, Any]] | None = None,  # of the folds' fits; given: fit all rows again
    ) -> Fitted:
        """Return a fitted model."""
        if self.is_log and table.targs is not None:
            table = dataclasses.replace(table, targs=np.log1p(table.targs))
        with self._timed("fit" if notes is None else "refit"), warnings.catch_warnings():
            # of feature names and rare classes: both are handled here
            warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
            if notes is not None and self.model.refit:
                return as_fitted(self.model.refit(table, notes), self.model.name)
            return as_fitted(self.model.fit(table), self.model.name)

    def predict(self, fitted: Fitted, table: Table) -> dict[str, Array]:
        """Return checked predictions by variant. A model without `choose` has one variant."""
        with self._timed("predict"):
            if self.model.choose:
                variants = fitted.variants(table)  # type: ignore[attr-defined]  # `choose` needs it
            else:
                variants = {"": fitted.predict(table)}
        return {variant: self._checked(answer, table) for variant, answer in variants.items()}

    def _checked(self, answer: Any, table: Table) -> Array:
        name, preds = self.model.name, as_columns(answer, table).astype(float)
        if preds.shape != (len(table), self.n_outputs):
            raise DataError(
                f"{name} returned shape {preds.shape} for {len(table)} rows; expected "
                f"({len(table)}, {self.n_outputs}): one column per class or target."
            )
        preds = np.expm1(preds).clip(0) if self.is_log else preds
        _check_values(name, preds, table)
        return preds

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start


def _fold_score(metric: Metric, targs: Array, preds: Array) -> float:
    """Return the score of a fold; NaN if it has none, as a fold with one class has no AUC."""
    try:
        return metric.score(targs, preds)
    except DataError:
        return float("nan")


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
