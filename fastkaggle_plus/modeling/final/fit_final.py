"""fit_final: one model, or an ensemble, fitted for use: on all rows, or one model per fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ...competition import Competition
from ...data import Data
from ...ensembling import ensemble
from ...exceptions import DataError
from ...folds import Folds
from ...metrics import Metric, get_metric
from ...predictions import Predictions
from ...reading.images import ImageColumns, image_features
from ...reading.new_rows import IMAGE, NewRows
from ..fitting import Trainer, default_metric, fit_folds
from ..model import Array, Fitted, Model
from ..registry import model_from
from .final_card import ModelCard
from .final_model import FinalModel
from .member import Member, RowsOfFit

_EXAMPLES = 3  # test rows that are kept as examples
_LINEAR = ("mean", "weighted", "greedy", "optimum")  # ensembles that are sums of their members


def fit_final(
    model: Model | Any,  # or several, for an ensemble; Any: what `cross_validate` takes
    data: Data,
    *,
    folds: Folds | None = None,  # keep the models of these folds; None: refit on all rows
    name: str = "",
    predictions: Predictions | Sequence[Predictions] = (),  # of `cross_validate`, one per model
    combined: Predictions | None = None,  # their `ensemble`: its weights; default: the mean
    comp: Competition | None = None,  # for the card
) -> FinalModel:
    """Return a model for use, with a card that has its CV score.

    Without folds it is fitted to all rows, with what the folds' fits of `predictions` chose: rounds
    of boosted trees, epochs of TabM, test-time augmentation. With folds the models of the folds are
    kept together, and predict the mean; they are cross-validated here. The CV score is that of the
    folds in both cases; without folds and predictions there is none.
    Raises DataError for an ensemble that is no weighted mean (rank, geometric, stack).
    """
    several = model if isinstance(model, list | tuple) else [model]
    models = [model_from(m, name="" if len(several) > 1 else name) for m in several]
    known = [predictions] if isinstance(predictions, Predictions) else list(predictions)
    if known and len(known) != len(models):
        raise DataError(
            f"Expected one Predictions for each of the {len(models)} models, got {len(known)}."
        )
    metric = comp.scoring if comp else default_metric(data)
    given: list[Predictions | None] = [*known] or [None] * len(models)
    parts = [_fit(m, data, folds, p, metric) for m, p in zip(models, given, strict=True)]
    scored = [p for _, p in parts if p is not None]
    if combined is None and len(scored) == len(parts):
        combined = ensemble(_renamed(scored)) if len(scored) > 1 else scored[0]
    weights = _weights(combined, known, len(models))
    members = [
        replace(m, weight=weight / len(fitted))
        for (fitted, _), weight in zip(parts, weights, strict=True)
        for m in fitted
    ]
    label = name or (models[0].name if len(models) == 1 else f"ensemble of {len(models)} models")
    new_rows: Any = data.new_rows or _rows_of_features(data)
    made = f"models of {folds.n_folds} folds" if folds else f"fit on all {len(data.train)} rows"
    card = _card(data, new_rows, combined, comp=comp, metric=str(metric))
    about = models[0].about if len(models) == 1 else {m.name: m.about for m in models}
    return FinalModel(replace(card, model=label, made=made, params=about), members, new_rows)


def _fit(
    model: Model, data: Data, folds: Folds | None, known: Predictions | None, metric: str | Metric
) -> tuple[list[Member], Predictions | None]:
    """Return the fitted models of one model, and its predictions, if there are any."""
    is_log = get_metric(metric, task=data.task).name == "rmsle"
    trainer, members = Trainer(model, data.train.n_outputs, is_log=is_log), list[Member]()

    def keep(rows: Array, fitted: Fitted) -> None:
        members.append(Member(fitted, 1.0, is_log=is_log, features=_fitted_features(data, rows)))

    if folds is not None:
        known = fit_folds(model, data, folds, metric=metric, test="folds", on_fitted=keep)
    else:
        notes = known.about.get("fits", []) if known else None
        keep(np.arange(len(data.train)), trainer.fit_all(data, notes))
    variant = _variant(model, known)
    return [replace(m, variant=variant) for m in members], known


def _rows_of_features(data: Data) -> NewRows:
    """Return the reader of rows that have the features as columns, as own code makes them."""
    train, texts = data.train, () if data.train.texts is None else tuple(map(str, data.train.texts))
    columns = dict.fromkeys(texts, "str") | dict.fromkeys(train.cat_names, "category")
    columns |= dict.fromkeys(train.cont_names, "float64")
    if train.images is None:
        return NewRows.of(train, make=None, columns=columns)
    measured = set(image_features([]))
    others = {c: dtype for c, dtype in columns.items() if c not in measured}
    return NewRows.of(train, make=ImageColumns(), columns={IMAGE: "path"} | others)


def _fitted_features(data: Data, rows: Array) -> Any:
    """Return what adds the features that need targets, fitted on some rows; None without any."""
    if data.in_fold is None:
        return None
    fit, _ = replace(data, in_fold=None).fold(rows, None)
    if fitted := getattr(data.in_fold, "fitted", None):
        return fitted(fit)
    return RowsOfFit(data.in_fold, replace(fit, images=None, texts=None, also=None))


def _variant(model: Model, known: Predictions | None) -> str:
    """Return which variant of a model's predictions the folds chose, "" for a model without any."""
    if model.choose is None:
        return ""
    facts = known.about if known else {}
    chosen = [facts[key]["chosen"] for key in ("tta", "rounding_test") if key in facts]
    declared = str(model.about.get("tta", ""))
    return chosen[0] if chosen else "" if declared == "auto" else declared


def _weights(combined: Predictions | None, known: Sequence[Predictions], n: int) -> list[float]:
    """Return each model's weight. Raises DataError for an ensemble that is no weighted mean."""
    if n == 1:
        return [1.0]
    about = combined.about if combined else {}
    method = about.get("method", "mean")
    if method not in _LINEAR or about.get("options", {}).get("negative"):
        raise DataError(
            f"An ensemble by {method} cannot be kept: its prediction of a row depends on the other "
            f"rows, or is no weighted mean. Use one of {', '.join(_LINEAR)}."
        )
    weights = about.get("weights", {})
    found = [weights[p.name] for p in known if p.name in weights] or list(weights.values())
    if not found:
        return [1 / n] * n
    if len(found) != n:
        raise DataError(f"The ensemble has weights for {', '.join(weights)}; expected {n} models.")
    return [w / sum(found) for w in found]


def _renamed(scored: list[Predictions]) -> list[Predictions]:
    """Return predictions with different names, which `ensemble` needs."""
    names = [p.name for p in scored]
    return [
        replace(p, name=f"{p.name} {i + 1}") if names.count(p.name) > 1 else p
        for i, p in enumerate(scored)
    ]


def _card(
    data: Data,
    new_rows: NewRows,
    scored: Predictions | None,
    *,
    comp: Competition | None,
    metric: str,
) -> ModelCard:
    x = data.train.x
    return ModelCard(
        slug=comp.slug if comp else "",
        title=comp.title if comp else "",
        task=data.task,
        metric=scored.metric if scored else metric,
        kind=new_rows.kind,
        columns=dict(new_rows.columns),
        vocab=data.vocab,
        targets=tuple(map(str, data.sample))[1:],
        cv_score=float(scored.oof_score) if scored else None,
        cv_error=float(scored.oof_score_se) if scored else None,
        model="",
        made="",
        params={},
        n_rows=len(data.train),
        choices={
            c: x[c].cat.categories.tolist() for c in data.train.cat_names if c in new_rows.columns
        },
        examples=_examples(data, new_rows),
        typical=_typical(data, new_rows),
        versions={},
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
    )


def _examples(data: Data, new_rows: NewRows) -> list[dict[str, Any]]:
    """Return some test rows, as the model takes them."""
    test = data.test.take(np.arange(min(_EXAMPLES, len(data.test))))
    rows: list[dict[str, Any]] = [{} for _ in range(len(test))]
    for column in new_rows.columns:
        if column == IMAGE and test.images is not None:
            values = list(test.images)
        elif test.texts is not None and column in test.texts:
            values = test.texts[column].tolist()
        else:
            frame = test.x if column in test.x else data.raw_test
            values = frame[column].astype(object).where(frame[column].notna(), None).tolist()
        for row, value in zip(rows, values, strict=False):
            row[column] = value
    return rows


def _typical(data: Data, new_rows: NewRows) -> dict[str, Any]:
    """Return the median, or the most frequent value, of each column that is a feature too."""
    x, found = data.train.x, {}
    for c in [c for c in new_rows.columns if c in x and x[c].notna().any()]:
        found[c] = x[c].mode().tolist()[0] if c in data.train.cat_names else float(x[c].median())
    return found
