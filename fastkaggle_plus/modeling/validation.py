"""cross_validate: a model x folds -> Predictions. It checks that the folds belong to the data."""

import contextlib
from typing import Any

from ..data import Data
from ..exceptions import DataError
from ..folds import Folds, rows_fingerprint
from ..metrics import Metric
from ..predictions import Predictions
from ..ui import open_display, show_progress
from . import progress
from .epochs import epoch_table
from .fitting import OnFold, fit_folds
from .group_leaks import check_groups, warn_of_groups
from .model import Fit, Model
from .registry import model_from


def cross_validate(
    model: Model | Fit | Any,  # Any: a scikit-learn estimator
    data: Data,
    folds: Folds,
    *,
    metric: str | Metric = "",  # or its name; default: the data's, else accuracy or rmse
    name: str = "",  # default: the model's
    on_fold: OnFold | None = None,  # called with (fold, fold_score) after each; may raise to stop
    look_for_groups: bool = True,  # warn once when the folds split groups of this data
    verbose: bool = False,  # for nets: show losses and metric of each epoch
    test: str = "auto",  # who predicts test rows: folds | refit | auto, see below
) -> Predictions:
    """Fit the model once per fold; return out-of-fold and test predictions.

    Test rows get the mean of the fold models (test="folds"), or the predictions of one more fit on
    all rows ("refit"). "auto" refits if the folds run along time: there, a fold model has seen few
    rows, and never the latest. The score is that of the folds in either case.

    A fit function takes a Table and returns a function that predicts one. An estimator gets encoded
    rows, see `from_estimator`.

    Features that need targets are computed inside each fold. For rmsle the model is fitted to
    log(1 + target). Progress is a bar, or goes to the callback of `progress.send_to`;
    `no_progress` hides it. Warns (GroupsOverlap) when
    the split makes scores look too good, see `find_group_leak`. Raises DataError for folds of other
    rows, for grouped folds that split a group of this data, and for invalid predictions.
    """
    model = model_from(model, name=name)
    if len(folds) != len(data.train):
        raise DataError(
            f"The folds have {len(folds)} rows, and the data has {len(data.train)}. "
            "Make the folds from this data's targs."
        )
    if folds.rows and folds.rows != rows_fingerprint(data.targs):
        raise DataError(
            "The folds were made for other rows, or for these in another order: their targets do "
            "not match this data's, so a model would be validated on rows it was fitted on. "
            "Shuffle first, then split: make_folds(data.targs, ...). If the folds are right and "
            'only made from another column: dataclasses.replace(folds, rows="").'
        )
    check_groups(folds, data)
    if look_for_groups:
        warn_of_groups(data, folds, metric=metric)
    with contextlib.ExitStack() as shown:
        if verbose:
            shown.enter_context(epoch_table(shown.enter_context(open_display()).row))
        if not progress.has_callback():
            update = shown.enter_context(show_progress(name or model.name))
            shown.enter_context(progress.send_to(update))
        return fit_folds(model, data, folds, metric=metric, name=name, on_fold=on_fold, test=test)
