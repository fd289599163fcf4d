"""Boosted trees of four libraries, with settings for small data, one thread and a fixed seed."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ...exceptions import needs_extra
from ..model import Array, FittedFunction, Model, class_columns, shares
from .encoders import OrdinalEncoder, features

PRELOAD = ("sklearn.ensemble",)  # the other libraries are imported by the one trial that uses them
_MOST_LEVELS = 250  # scikit-learn takes at most 255 levels of a native category

Encode = Callable[[Table], Any]  # table -> what the estimator takes


def hist_gradient_boosting_model(
    n_estimators: int = 150,
    *,
    learning_rate: float = 0.05,
    max_leaf_nodes: int = 15,
    min_samples_leaf: int = 10,
    l2: float = 1.0,
    seed: int = 42,
) -> Model:
    """Return scikit-learn's histogram gradient boosting. Missing values get their own branch."""
    trees: dict[str, Any] = dict(
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=min_samples_leaf,
    )
    fixed: dict[str, Any] = dict(
        max_iter=n_estimators, l2_regularization=l2, early_stopping=False, random_state=seed
    )

    def make(table: Table) -> Any:
        n_levels = [len(table.x[c].cat.categories) for c in table.cat_names]
        few = [i for i, n in enumerate(n_levels) if n <= _MOST_LEVELS] or None
        kind = _estimator("sklearn.ensemble", "HistGradientBoosting", table)
        return kind(**trees, **fixed, categorical_features=few)

    about = {"n_estimators": n_estimators, **trees, "l2": l2, "seed": seed}
    return Model("hist gradient boosting", partial(_fit, make, _codes_with_nan), about)


def lightgbm_model(
    n_estimators: int = 150,
    *,
    learning_rate: float = 0.05,
    num_leaves: int = 15,
    min_child_samples: int = 10,
    seed: int = 42,
) -> Model:
    """Return LightGBM. Raises MissingExtra."""
    trees: dict[str, Any] = dict(
        n_estimators=n_estimators,
        learning_rate=learning_rate,
        num_leaves=num_leaves,
        min_child_samples=min_child_samples,
    )
    sampling = dict(subsample=0.8, subsample_freq=1, colsample_bytree=0.8, reg_lambda=1.0)
    fixed = dict(n_jobs=1, verbose=-1, deterministic=True, force_row_wise=True)

    def make(table: Table) -> Any:
        kind = _estimator("lightgbm", "LGBM", table)
        return kind(**trees, **sampling, **fixed, random_state=seed)

    return Model("lightgbm", partial(_fit, make, _plain_names), {**trees, "seed": seed})


def xgboost_model(
    n_estimators: int = 150, *, learning_rate: float = 0.05, max_depth: int = 4, seed: int = 42
) -> Model:
    """Return XGBoost. Raises MissingExtra."""
    trees: dict[str, Any] = dict(
        n_estimators=n_estimators, learning_rate=learning_rate, max_depth=max_depth
    )
    sampling = dict(min_child_weight=3, subsample=0.8, colsample_bytree=0.8)
    fixed = dict(tree_method="hist", enable_categorical=True, n_jobs=1)

    def make(table: Table) -> Any:
        kind = _estimator("xgboost", "XGB", table)
        return kind(**trees, **sampling, **fixed, random_state=seed)

    fit = partial(_fit, make, _plain_names, consecutive=True)
    return Model("xgboost", fit, {**trees, "seed": seed})


def catboost_model(
    n_estimators: int = 200, *, learning_rate: float = 0.06, depth: int = 5, seed: int = 42
) -> Model:
    """Return CatBoost, with ordered encoding of categories. Raises MissingExtra."""
    trees: dict[str, Any] = dict(
        n_estimators=n_estimators, learning_rate=learning_rate, depth=depth
    )
    fixed = dict(thread_count=1, verbose=False, allow_writing_files=False)

    def make(table: Table) -> Any:
        kind = _estimator("catboost", "CatBoost", table)
        categories = list(range(len(table.cat_names)))
        return kind(**trees, **fixed, random_seed=seed, cat_features=categories)

    return Model("catboost", partial(_fit, make, _categories_as_text), {**trees, "seed": seed})


def _estimator(module: str, prefix: str, table: Table) -> Any:
    """Import a library and return its class for this task. Raises MissingExtra."""
    with needs_extra("boost"):
        library = import_module(module)
    return getattr(library, prefix + ("Classifier" if table.vocab else "Regressor"))


def _fit(
    make: Callable[[Table], Any],  # returns an unfitted estimator
    encoder: Callable[[Table], Encode],  # learned from the rows fitted on
    table: Table,
    *,
    consecutive: bool = False,  # the estimator needs classes 0, 1, ... without gaps
) -> FittedFunction:
    """Fit one estimator, or one per target if there are several."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    encode, targs = encoder(table), np.asarray(table.targs)
    x, classes = encode(table), np.unique(targs)
    if table.vocab and consecutive:
        targs = np.searchsorted(classes, targs)
    estimators: list[Any] = []
    for column in targs.reshape(len(targs), -1).T:
        if np.ptp(column):
            estimator = make(table)
        else:  # nothing to boost
            estimator = DummyClassifier() if table.vocab else DummyRegressor(strategy="median")
        estimators.append(estimator.fit(x, column))

    def predict(rows: Table) -> Array:
        if table.vocab:
            return class_columns(estimators[0].predict_proba(encode(rows)), classes, rows)
        return np.column_stack([e.predict(encode(rows)) for e in estimators])

    values = getattr(estimators[0], "feature_importances_", None)
    importances = {} if values is None else shares([*table.cat_names, *table.cont_names], values)
    kept = estimators[0] if table.vocab else estimators
    return FittedFunction(predict, importances, estimator=kept)


def _codes_with_nan(table: Table) -> Encode:
    """Encode categories as level codes; missing levels and numbers are NaN."""
    encoder = OrdinalEncoder(table, fill=False)

    def encode(rows: Table) -> Array:
        codes = encoder.codes(rows)
        return np.hstack([np.where(codes < 0, np.nan, codes), encoder.numbers(rows)])

    return encode


def _plain_names(table: Table) -> Encode:
    """Rename the features: some libraries refuse brackets and quotes in a name."""
    names = [f"f{i}" for i in range(features(table).shape[1])]
    return lambda rows: features(rows).set_axis(names, axis=1)


def _categories_as_text(table: Table) -> Encode:
    """Write categories as text, a missing level as one more level."""

    def encode(rows: Table) -> pd.DataFrame:
        columns = {c: rows.x[c].astype(object) for c in rows.cat_names}
        texts = {c: v.where(v.notna(), "missing").astype(str) for c, v in columns.items()}
        return features(rows).assign(**texts)

    return encode
