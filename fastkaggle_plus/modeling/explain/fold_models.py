"""The models of one cross-validation, kept: each can be asked about the rows it validates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
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

    @property
    def features(self) -> list[str]:
        """The features of the models."""
        return [*self.tables[0].cat_names, *self.tables[0].cont_names]

    @cached_property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Each column of the files with the features made from it, as day: (day_Week, day_Year).

        A feature belongs to the column that begins its name; other features are their own source.
        """
        found: dict[str, tuple[str, ...]] = {}
        for f in self.features:
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
        return dataclasses.replace(self.preds, oof=oof)

    def sample(self, most: int) -> FoldModels:
        """Return the same models with at most so many of their rows, drawn at random."""
        validated = np.flatnonzero(self.preds.validated)
        kept = np.zeros(len(self.preds.oof), dtype=bool)
        kept[validated[sampled(len(validated), most)]] = True
        places = [np.flatnonzero(kept[rows]) for rows in self.rows]
        return dataclasses.replace(
            self,
            preds=dataclasses.replace(
                self.preds, oof=np.where(kept[:, None], self.preds.oof, np.nan)
            ),
            rows=tuple(rows[p] for rows, p in zip(self.rows, places, strict=True)),
            tables=tuple(table.take(p) for table, p in zip(self.tables, places, strict=True)),
        )

    def output_of(self, preds: Array | None = None) -> tuple[int, str]:
        """Return the output to explain, and its name.

        It is the first target, the second of two classes, or of several classes the likeliest one
        of a row's `preds`, (n_outputs,).
        """
        vocab = self.data.vocab
        if not vocab:
            return 0, str(list(self.data.sample)[1])
        place = 1 if len(vocab) == 2 else 0 if preds is None else int(preds.argmax())
        return place, f"probability of {vocab[place]}"

    def _facts(self) -> dict[str, object]:
        kind = f"{len(self.fitted)}, {self.folds.kind}, seed {self.folds.seed}"
        score = f"{self.preds.metric} {self.preds.oof_score:.4f} ± {self.preds.oof_score_se:.4f}"
        columns = joined(list(self.sources), most=20)
        return {"model": self.model.name, "folds": kind, "CV score": score, "columns": columns}


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

    keeping = dataclasses.replace(model, fit=fit)
    preds = cross_validate(
        keeping, data, folds, metric=metric, name=name, look_for_groups=False, test="folds"
    )
    splits = list(folds.splits())
    tables = tuple(data.fold(*split)[1] for split in splits)
    if not (tables[0].cat_names or tables[0].cont_names):
        raise DataError("There is nothing to ask: the data has no features.")
    rows = tuple(rows for _, rows in splits)
    return FoldModels(model, data, folds, preds, tuple(fitted), rows, tables)


def with_values(table: Table, values: dict[str, Any]) -> Table:
    """Return the table with other values of some features."""
    x = table.x.copy()
    for c, new in values.items():
        x[c] = pd.Categorical(new, dtype=x[c].dtype) if c in table.cat_names else new
    return dataclasses.replace(table, x=x)
