"""An interval of a model's score on new rows, by nested cross-validation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Data
from ..exceptions import DataError
from ..folds import Folds, make_folds
from ..metrics import Metric, pseudo_values, standard_error
from ..predictions import Predictions
from ..ui import show_progress
from ..ui.records import Shown
from . import progress
from .fitting import fit_folds
from .group_leaks import check_groups
from .model import Array, Fit, Model
from .registry import model_from


@dataclass(frozen=True, repr=False)
class CVInterval(Shown):
    """The score to expect on new rows, with an interval."""

    name: str
    metric: str
    score: float
    se: float
    low: float
    high: float
    level: float  # share of such intervals that contain the score on new rows
    cv_score: float  # mean over the repeats
    cv_se: float  # without the dependence between folds: too small
    n_fits: int

    def _facts(self) -> dict[str, object]:
        return {
            "name": self.name,
            "score": str(self),
            "plain CV": f"{self.cv_score:.4f} ± {self.cv_se:.4f}",
            "fits": self.n_fits,
        }

    def __str__(self) -> str:
        return (
            f"{self.metric} {self.score:.4f} ± {self.se:.4f}, {self.level:.0%} interval "
            f"{self.low:.4f} to {self.high:.4f}"
        )


def cv_interval(
    model: Model | Fit | Any,  # as in cross_validate
    data: Data,
    folds: Folds,  # of any kind but time, at least 3
    *,
    repeats: int = 10,  # splits; the first is `folds`, the next have the next seeds
    level: float = 0.95,
    metric: str | Metric = "",  # or its name; default: the data's, else accuracy or rmse
) -> CVInterval:
    """Return an interval for the score of the model on new rows.

    The usual error of a CV score treats its folds as independent, so its interval is too narrow.
    Here each fold is left out, the others are cross-validated, and their score is compared with
    that of the fold: the mean squared difference is the error of cross-validation. It takes K + K
    (K - 1) / 2 fits for each repeat, 15 for 5 folds. Few repeats make the error itself uncertain.
    Raises DataError for folds along time or a holdout.
    Source: Bates, Hastie and Tibshirani, Cross-validation: what does it estimate and how well does
    it do it? (2024). For means over rows theirs is exact; other scores use pseudo-values.
    """
    from scipy.stats import norm

    n_folds, model = folds.n_folds, model_from(model)
    if folds.kind == "time" or n_folds < 3 or (folds.assignment < 0).any():
        raise DataError(
            f"cv_interval needs at least 3 folds that validate every row, got {folds.kind} folds: "
            f"{n_folds}. Make them with make_folds(data.targs)."
        )
    check_groups(folds, data)
    test = np.arange(min(1, len(data.test)))  # one row: a fit predicts test rows too
    few = dataclasses.replace(data, test=data.test.take(test), test_ids=data.test_ids[test])
    found: list[_Nested] = []
    with show_progress(f"{model.name}, interval") as update, progress.send_to(update):
        for r in range(repeats):
            split = folds if r == 0 else _next_split(folds, data, r)
            with progress.step(r, repeats, "repeat"):
                found.append(_nested(model, few, split, metric=metric))
    cv_score = float(np.mean([f.cv.oof_score for f in found]))
    cv_se = float(np.mean([f.cv.oof_score_se for f in found]))
    nested = float(np.mean([f.inner_score for f in found]))
    squared = float(np.mean([f.squared_error for f in found])) * (n_folds - 1) / n_folds
    se = float(np.clip(np.sqrt(max(squared, 0.0)), cv_se, cv_se * np.sqrt(n_folds)))
    # the inner models saw fewer rows: the same step leads from the outer models to one of all rows
    score = nested - (1 + (n_folds - 2) / n_folds) * (nested - cv_score)
    half = float(norm.ppf((1 + level) / 2)) * se
    n_fits = repeats * (n_folds + n_folds * (n_folds - 1) // 2)
    first = found[0].cv
    limits = score - half, score + half
    return CVInterval(
        model.name, first.metric, score, se, *limits, level, cv_score, cv_se, n_fits=n_fits
    )


@dataclass(frozen=True)
class _Nested:
    cv: Predictions
    inner_score: float  # mean over the folds left out
    squared_error: float  # of the score of an inner cross-validation


def _next_split(folds: Folds, data: Data, r: int) -> Folds:
    options: Any = {"n_folds": folds.n_folds, "kind": folds.kind, "groups": data.groups}
    return make_folds(data.targs, seed=folds.seed + r, **options)


def _nested(model: Model, data: Data, folds: Folds, *, metric: str | Metric) -> _Nested:
    """Cross-validate with all folds, and without each of them."""
    n_folds, assignment = folds.n_folds, folds.assignment
    cv = fit_folds(model, data, folds, metric=metric)
    inner = np.full((n_folds, *cv.oof.shape), np.nan)  # by the fold that is left out
    for j in range(n_folds):
        for k in range(j):  # one fit without both is the inner model of both
            pair = Folds(np.where(np.isin(assignment, (j, k)), 0, -1), folds.kind, folds.seed)
            oof = fit_folds(model, data, pair, metric=metric, test="folds").oof
            inner[j, assignment == k] = oof[assignment == k]
            inner[k, assignment == j] = oof[assignment == j]
    scores, squares = [], []
    for k in range(n_folds):
        rows = assignment == k
        scores.append(cv.scoring.score(cv.targs[~rows], inner[k][~rows]))
        of_fold = cv.scoring.score(cv.targs[rows], cv.oof[rows])
        squares.append((scores[-1] - of_fold) ** 2 - _se(cv, rows) ** 2)
    return _Nested(cv, float(np.mean(scores)), float(np.mean(squares)))


def _se(preds: Predictions, rows: Array) -> float:
    groups = None if preds.groups is None else preds.groups[rows]
    return standard_error(pseudo_values(preds.scoring, preds.targs[rows], preds.oof[rows], groups))
