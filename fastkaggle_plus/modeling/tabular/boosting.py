"""Boosted trees of four libraries: early stopping, then a fit of all rows, and a fixed seed.

`n_estimators` is the most rounds; `boosting_rounds.Booster` finds their number. With
`early_stopping_rounds=0` there are exactly `n_estimators` rounds. Each function passes further
keywords to its library's estimator, where they replace its settings.

The settings won by cross-validation on public tables of 700 to 5,000 rows (docs/tables.md), also
against the tuned defaults of Holzmüller, Grinsztajn, Steinwart: Better by default (2024).
"""

import contextlib
import itertools
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ...environment import has_gpu, thread_limit
from ...exceptions import UnknownName, needs_extra
from ..model import Array, Model
from .boosting_rounds import Booster, Rows, default_learning_rate
from .encoders import OrdinalEncoder, features
from .estimators import Encode, check_names, check_sklearn

PRELOAD = ("sklearn.ensemble",)  # the other libraries are imported by the one trial that uses them
_MOST_LEVELS = 250  # scikit-learn takes at most 255 levels of a native category
_LEARNING_RATE, _LEARNING_RATE_CATBOOST = 0.05, 0.08
_CELLS_FOR_THREADS = 1_000_000  # a smaller table takes longer with more threads
GPU_ROWS = {"xgboost_model": 100_000, "catboost_model": 100_000}  # fewer: a GPU waits for data


def hist_gradient_boosting_model(
    n_estimators: int | None = None,  # most rounds; default: 2000, fewer with many classes
    *,
    learning_rate: float | None = None,  # default: 0.05, or 0.2 with more than 10 classes
    max_leaf_nodes: int | None = 15,
    min_samples_leaf: int = 10,
    l2: float = 1.0,
    early_stopping_rounds: int | None = None,  # rounds without improvement; 0: no stop
    seed: int = 42,
    **more: Any,  # of scikit-learn's HistGradientBoosting
) -> Model:
    """Return scikit-learn's histogram gradient boosting. Missing values get their own branch."""
    trees: dict[str, Any] = dict(
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=min_samples_leaf,
    )
    fixed: dict[str, Any] = dict(l2_regularization=l2, early_stopping=False, random_state=seed)
    settings = {**trees, **fixed, **more}
    declared = {"max_iter": n_estimators, **settings}
    check_sklearn("HistGradientBoosting", {k: v for k, v in declared.items() if v is not None})

    def make(table: Table, rounds: int, _n_rows: int) -> Any:
        n_levels = [len(table.x[c].cat.categories) for c in table.cat_names]
        few = [i for i, n in enumerate(n_levels) if n <= _MOST_LEVELS] or None
        kind = _estimator("sklearn.ensemble", "HistGradientBoosting", table)
        rate = _rate(learning_rate, table)
        return kind(**{"max_iter": rounds, "categorical_features": few, **settings, **rate})

    def stop_early(estimator: Any, fit: Rows, valid: Rows, patience: int) -> int:
        estimator.set_params(early_stopping=True, n_iter_no_change=patience)
        estimator.fit(*fit, X_val=valid[0], y_val=valid[1])
        return max(int(np.argmax(estimator.validation_score_)), 1)  # the first: without a tree

    encoder, patience = _codes_with_nan, early_stopping_rounds
    booster = Booster("hist gradient boosting", make, encoder, stop_early, n_estimators, patience)
    return booster.model(_about(booster, {**trees, "l2": l2}, seed, more))


def lightgbm_model(
    n_estimators: int | None = None,  # most rounds; default: 2000, fewer with many classes
    *,
    learning_rate: float | None = None,  # default: 0.05, or 0.2 with more than 10 classes
    num_leaves: int | None = None,  # default: 8 below 3,000 rows, else 15
    min_child_samples: int = 10,
    early_stopping_rounds: int | None = None,  # rounds without improvement; 0: no stop
    seed: int = 42,
    **more: Any,  # of lightgbm.LGBMClassifier and LGBMRegressor
) -> Model:
    """Return LightGBM. Raises MissingExtra, and UnknownName for a parameter it does not have."""
    trees: dict[str, Any] = dict(
        learning_rate=learning_rate, num_leaves=num_leaves, min_child_samples=min_child_samples
    )
    sampling = dict(subsample=0.8, subsample_freq=1, colsample_bytree=0.8, reg_lambda=1.0)
    categories = dict(cat_smooth=30, min_data_per_group=50)  # of many levels: do not learn each
    fixed = dict(verbose=-1, deterministic=True, force_row_wise=True, random_state=seed)
    _check_lightgbm(more)

    def make(table: Table, rounds: int, n_rows: int) -> Any:
        kind = _estimator("lightgbm", "LGBM", table)
        threads = thread_limit() if table.x.size >= _CELLS_FOR_THREADS else 1
        counts = dict(n_estimators=rounds, n_jobs=threads)
        leaves = {"num_leaves": num_leaves or _num_leaves(n_rows)}
        trees_here = {**trees, **leaves, **_rate(learning_rate, table)}
        return kind(**{**counts, **trees_here, **sampling, **categories, **fixed, **more})

    def stop_early(estimator: Any, fit: Rows, valid: Rows, patience: int) -> int:
        stopping = import_module("lightgbm").early_stopping(patience, verbose=False)
        with warnings.catch_warnings():
            # version 4.7 has eval_X and eval_y for it, older versions do not
            warnings.filterwarnings("ignore", "The argument 'eval_set' is deprecated")
            estimator.fit(*fit, eval_set=[valid], callbacks=[stopping])
        return int(
            estimator.best_iteration_ or estimator.n_estimators
        )  # none with boosting_type="dart"

    encoder, patience = _plain_names, early_stopping_rounds
    booster = Booster("lightgbm", make, encoder, stop_early, n_estimators, patience)
    return booster.model(_about(booster, trees, seed, more))


def xgboost_model(
    n_estimators: int | None = None,  # most rounds; default: 2000, fewer with many classes
    *,
    learning_rate: float | None = None,  # default: 0.05, or 0.2 with more than 10 classes
    max_depth: int = 4,
    early_stopping_rounds: int | None = None,  # rounds without improvement; 0: no stop
    seed: int = 42,
    **more: Any,  # of xgboost.XGBClassifier and XGBRegressor
) -> Model:
    """Return XGBoost. Raises MissingExtra, and UnknownName for a parameter it does not have.

    It uses one thread, because its results depend on their number; with many rows, a GPU.
    """
    trees: dict[str, Any] = dict(learning_rate=learning_rate, max_depth=max_depth)
    sampling = dict(min_child_weight=3, subsample=0.8, colsample_bytree=0.8)
    fixed = dict(tree_method="hist", enable_categorical=True, n_jobs=1, random_state=seed)
    _check_xgboost(more)

    def make(table: Table, rounds: int, _n_rows: int) -> Any:
        kind = _estimator("xgboost", "XGB", table)
        device = {"device": "cuda"} if _on_gpu("xgboost_model", table) else {}
        trees_here = {"n_estimators": rounds, **trees, **_rate(learning_rate, table)}
        return kind(**{**trees_here, **sampling, **fixed, **device, **more})

    def stop_early(estimator: Any, fit: Rows, valid: Rows, patience: int) -> int:
        estimator.set_params(early_stopping_rounds=patience)
        return int(estimator.fit(*fit, eval_set=[valid], verbose=False).best_iteration) + 1

    encoder, patience = _plain_names, early_stopping_rounds
    booster = Booster("xgboost", make, encoder, stop_early, n_estimators, patience, True)
    return booster.model(_about(booster, trees, seed, more))


def catboost_model(
    n_estimators: int | None = None,  # most rounds; default: 2000, fewer with many classes
    *,
    learning_rate: float | None = None,  # default: 0.08, or 0.3 with more than 10 classes
    depth: int = 5,
    early_stopping_rounds: int | None = None,  # rounds without improvement; 0: no stop
    seed: int = 42,
    **more: Any,  # of catboost.CatBoostClassifier and CatBoostRegressor
) -> Model:
    """Return CatBoost, with its own encoding of categories by mean target.

    The settings that save time: no combinations of categories, one column per level of a category
    of few levels, one gradient step per leaf. With many rows it uses a GPU.
    Raises MissingExtra, and ConfigError for a parameter it does not have.
    """
    trees: dict[str, Any] = dict(learning_rate=learning_rate, depth=depth)
    quick = dict(
        boosting_type="Plain",
        max_ctr_complexity=1,
        one_hot_max_size=15,
        leaf_estimation_iterations=1,
        border_count=128,
    )
    fixed = dict(verbose=False, allow_writing_files=False, random_seed=seed)
    if more:
        with needs_extra("boost"):
            library = import_module("catboost")
        check_names(library.CatBoostClassifier, more)

    def make(table: Table, rounds: int, _n_rows: int) -> Any:
        kind = _estimator("catboost", "CatBoost", table)
        counts = dict(n_estimators=rounds, thread_count=thread_limit())
        device = {"task_type": "GPU"} if _on_gpu("catboost_model", table) else {}
        categories = {"cat_features": list(range(len(table.cat_names)))}
        trees_here = {**trees, **_rate(learning_rate, table, _LEARNING_RATE_CATBOOST)}
        return kind(**{**counts, **trees_here, **quick, **fixed, **device, **categories, **more})

    def stop_early(estimator: Any, fit: Rows, valid: Rows, patience: int) -> int:
        estimator.fit(*fit, eval_set=valid, early_stopping_rounds=patience)
        return int(estimator.get_best_iteration()) + 1

    encoder, patience = _categories_as_text, early_stopping_rounds
    booster = Booster("catboost", make, encoder, stop_early, n_estimators, patience)
    return booster.model(_about(booster, trees, seed, more))


def _about(
    booster: Booster, trees: Mapping[str, Any], seed: int, more: Mapping[str, Any]
) -> dict[str, Any]:
    counts = {"n_estimators": booster.most_rounds, "early_stopping_rounds": booster.patience}
    return {**counts, **trees, "seed": seed, **more}


def _rate(declared: float | None, table: Table, usual: float = _LEARNING_RATE) -> dict[str, float]:
    rate = default_learning_rate(table, usual) if declared is None else declared
    return {"learning_rate": rate}


def _num_leaves(n_rows: int) -> int:
    return 8 if n_rows < 3000 else 15


def _on_gpu(model: str, table: Table) -> bool:
    return len(table) >= GPU_ROWS[model] and has_gpu()


def _check_lightgbm(more: Mapping[str, Any]) -> None:
    """Look parameters up in LightGBM's own table of names. It ignores unknown ones."""
    if not more:
        return
    with needs_extra("boost"):
        library = import_module("lightgbm")
    aliases = library.basic._ConfigAliases._get_all_param_aliases()
    known = {*library.LGBMModel().get_params(), *aliases, *itertools.chain(*aliases.values())}
    for name in more:
        if name not in known:
            raise UnknownName("parameter of lightgbm", name, known)


def _check_xgboost(more: Mapping[str, Any]) -> None:
    """Fit one tree to four rows with the parameters that XGBoost may ignore, and read its warning.

    XGBoost has no list of its parameters: they depend on each other.
    """
    if not more:
        return
    with needs_extra("boost"):
        library = import_module("xgboost")
    known = library.XGBModel().get_params()
    if not (others := {k: v for k, v in more.items() if k not in known}):
        return
    given = {k: more[k] for k in ("booster", "objective", "tree_method") if k in more}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(library.core.XGBoostError):  # such as an objective for classes
            library.train(
                {**given, **others}, library.DMatrix(np.eye(4), label=[0.0, 1.0, 0.0, 1.0]), 1
            )
    ignored = re.findall(
        r"Parameters: \{(.*?)\} are not used", " ".join(str(w.message) for w in caught)
    )
    for name in re.findall(r'"(\w+)"', " ".join(ignored)):
        hint = f"XGBoost would ignore it with {given or 'its defaults'}."
        raise UnknownName("parameter of xgboost", name, known, hint)


def _estimator(module: str, prefix: str, table: Table) -> Any:
    """Import a library and return its class for this task. Raises MissingExtra."""
    with needs_extra("boost"):
        library = import_module(module)
    return getattr(library, prefix + ("Classifier" if table.vocab else "Regressor"))


def _codes_with_nan(table: Table) -> tuple[Encode, list[str]]:
    """Encode categories as level codes; missing levels and numbers are NaN."""
    return CodesWithNan(OrdinalEncoder(table, fill=False)), [*table.cat_names, *table.cont_names]


@dataclass
class CodesWithNan:
    """The encoder of scikit-learn's boosted trees."""

    encoder: OrdinalEncoder

    def __call__(self, rows: Table) -> Array:
        """Return (n, n_features) floats."""
        codes = self.encoder.codes(rows)
        return np.hstack([np.where(codes < 0, np.nan, codes), self.encoder.numbers(rows)])


def _plain_names(table: Table) -> tuple[Encode, list[str]]:
    """Rename the features: some libraries refuse brackets and quotes in a name."""
    return PlainNames(), [*table.cat_names, *table.cont_names]


class PlainNames:
    """The encoder of LightGBM and XGBoost."""

    def __call__(self, rows: Table) -> pd.DataFrame:
        """Return the features, called f0, f1, ..."""
        x = features(rows)
        return x.set_axis([f"f{i}" for i in range(x.shape[1])], axis=1)


def _categories_as_text(table: Table) -> tuple[Encode, list[str]]:
    """Write categories as text, a missing level as one more level."""
    return CategoriesAsText(), [*table.cat_names, *table.cont_names]


class CategoriesAsText:
    """The encoder of CatBoost."""

    def __call__(self, rows: Table) -> pd.DataFrame:
        """Return the features."""
        columns = {c: rows.x[c].astype(object) for c in rows.cat_names}
        texts = {c: v.where(v.notna(), "missing").astype(str) for c, v in columns.items()}
        return features(rows).assign(**texts)
