"""The models of one cross-validation, kept: each can be asked about the rows it validates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ...data import Data, Table
from ...exceptions import ConfigError, DataError
from ...folds import Folds
from ...metrics import Metric
from ...predictions import Predictions
from ...ui.records import Shown, joined
from ..fitting import Trainer
from ..model import Array, Fit, Fitted, Model, as_fitted
from ..quick_effect import sampled
from ..registry import model_from
from ..validation import cross_validate


@dataclass(frozen=True, eq=False, repr=False)
class FoldModels(Shown):
    """Each fold's fitted model, with the rows that it validates."""

    model: Model
    data: Data
    folds: Folds
    preds: Predictions  # out-of-fold
    fitted: tuple[Fitted, ...]  # by fold
    rows: tuple[Array, ...]  # by fold: positions of the validated rows
    tables: tuple[Table, ...]  # by fold: these rows, with the features of `in_fold`

    @property
    def is_log(self) -> bool:
        """Whether the models predict log(1 + target), as for rmsle; see `Trainer`."""
        return self.preds.scoring.name == "rmsle"

    @cached_property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Each column of the files with the features made from it, as day: (day_Week, day_Year).

        A feature belongs to the column that begins its name; other features are their own source.
        """
        found: dict[str, tuple[str, ...]] = {}
        for f in (*self.tables[0].cat_names, *self.tables[0].cont_names):
            raw = [c for c in map(str, self.data.raw_train) if f == c or f.startswith(f"{c}_")]
            source = max(raw, key=len, default=f)
            found[source] = (*found.get(source, ()), f)
        return found

    def predict(self, fold: int, table: Table) -> Array:
        """Return (n, n_outputs) predictions of a fold's model, in the scale of the metric."""
        trainer = Trainer(self.model, self.data.train.n_outputs, is_log=self.is_log)
        return trainer.predict(self.fitted[fold], table)[""]

    def after(self, change: Callable[[Table], Table]) -> Predictions:
        """Return the out-of-fold predictions of the same models after a change of their rows."""
        oof = np.full_like(self.preds.oof, np.nan)
        for k, (rows, table) in enumerate(zip(self.rows, self.tables, strict=True)):
            if len(rows):
                oof[rows] = self.predict(k, change(table))
        return replace(self.preds, oof=oof)

    def sample(self, most: int) -> FoldModels:
        """Return the same models with at most so many of their rows, drawn at random."""
        validated = np.flatnonzero(self.preds.validated)
        kept = validated[sampled(len(validated), most)]
        places = [np.flatnonzero(np.isin(rows, kept)) for rows in self.rows]
        oof = np.full_like(self.preds.oof, np.nan)
        oof[kept] = self.preds.oof[kept]
        rows = tuple(r[p] for r, p in zip(self.rows, places, strict=True))
        tables = tuple(t.take(p) for t, p in zip(self.tables, places, strict=True))
        return replace(self, preds=replace(self.preds, oof=oof), rows=rows, tables=tables)

    def output_of(self, preds: Array | None = None) -> tuple[int, str]:
        """Return the output to explain, and its name: the first target, or a class.

        The second of two classes, else the likeliest of a row's `preds`, (n_outputs,).
        """
        vocab = self.data.vocab
        if not vocab:
            return 0, str(list(self.data.sample)[1])
        place = 1 if len(vocab) == 2 else 0 if preds is None else int(preds.argmax())
        return place, f"probability of {vocab[place]}"

    def _facts(self) -> dict[str, object]:
        score = f"{self.preds.metric} {self.preds.oof_score:.4f} ± {self.preds.oof_score_se:.4f}"
        folds = f"{len(self.fitted)}, {self.folds.kind}, seed {self.folds.seed}"
        columns = joined(list(self.sources), most=20)
        return {"model": self.model.name, "folds": folds, "CV score": score, "columns": columns}


def fit_fold_models(
    model: Model | Fit | Any,  # as for `cross_validate`
    data: Data,
    folds: Folds,
    *,
    metric: str | Metric = "",  # or its name; default: the data's, else accuracy or rmse
    name: str = "",  # default: the model's
) -> FoldModels:
    """Fit the model once per fold, and keep the fitted models.

    Raises DataError for data without features, ConfigError for a model of images.
    """
    model, fitted = model_from(model, name=name), list[Fitted]()
    if model.choose:
        raise ConfigError(f"{model.name} is a model of images. These questions are about tables.")

    def fit(table: Table) -> Fitted:
        fitted.append(as_fitted(model.fit(table), model.name))
        return fitted[-1]

    options: dict[str, Any] = dict(metric=metric, name=name, look_for_groups=False, test="folds")
    preds = cross_validate(replace(model, fit=fit), data, folds, **options)
    splits = list(folds.splits())
    rows, tables = tuple(r for _, r in splits), tuple(data.fold(*split)[1] for split in splits)
    if not (tables[0].cat_names or tables[0].cont_names):
        raise DataError("There is nothing to ask: the data has no features.")
    return FoldModels(model, data, folds, preds, tuple(fitted), rows, tables)


def with_values(table: Table, values: dict[str, Any]) -> Table:
    """Return the table with other values of some features."""
    x = table.x.copy()
    for c, new in values.items():
        x[c] = pd.Series(new, x.index, dtype=x[c].dtype)
    return replace(table, x=x)
