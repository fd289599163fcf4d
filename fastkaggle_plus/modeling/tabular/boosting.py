"""Boosted trees, each library with settings that suit small data, one thread and a fixed seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ...exceptions import MissingExtra
from ..model import Array, Coding, FittedFunction, Model, as_frame, class_columns, shares

PRELOAD = ("sklearn.ensemble",)  # the other libraries are imported by the one trial that uses them
_MOST_LEVELS = 250  # scikit-learn's limit of a native category is 255


def hist_gradient_boosting_model(
    n_estimators: int = 150,
    *,
    learning_rate: float = 0.05,
    max_leaf_nodes: int = 15,
    min_samples_leaf: int = 10,
    l2: float = 1.0,
    seed: int = 42,
) -> Model:
    "Return scikit-learn's histogram gradient boosting; missing values are its own branch."

    def make(table: Table) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingClassifier if table.vocab else HistGradientBoostingRegressor
        few = [
            i
            for i, c in enumerate(table.cat_names)
            if len(table.x[c].cat.categories) <= _MOST_LEVELS
        ]
        return kind(
            max_iter=n_estimators,
            learning_rate=learning_rate,
            max_leaf_nodes=max_leaf_nodes,
            min_samples_leaf=min_samples_leaf,
            l2_regularization=l2,
            categorical_features=few or None,
            early_stopping=False,
            random_state=seed,
        )

    about = dict(
        n_estimators=n_estimators,
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=min_samples_leaf,
        l2=l2,
        seed=seed,
    )
    return Model("hist gradient boosting", lambda table: _fit(table, make, _codes(table)), about)


def lightgbm_model(
    n_estimators: int = 150,
    *,
    learning_rate: float = 0.05,
    num_leaves: int = 15,
    min_child_samples: int = 10,
    seed: int = 42,
) -> Model:
    "Return LightGBM. Raises MissingExtra."

    def make(table: Table) -> Any:
        try:
            import lightgbm
        except ImportError as e:
            raise MissingExtra("lightgbm", "boost") from e
        kind = lightgbm.LGBMClassifier if table.vocab else lightgbm.LGBMRegressor
        return kind(
            **settings,
            subsample=0.8,
            subsample_freq=1,
            colsample_bytree=0.8,
            reg_lambda=1.0,
            random_state=seed,
            n_jobs=1,
            verbose=-1,
            deterministic=True,
            force_row_wise=True,
        )

    settings: dict[str, Any] = dict(
        n_estimators=n_estimators,
        learning_rate=learning_rate,
        num_leaves=num_leaves,
        min_child_samples=min_child_samples,
    )
    return Model(
        "lightgbm", lambda table: _fit(table, make, _plain_names), {**settings, "seed": seed}
    )


def xgboost_model(
    n_estimators: int = 150, *, learning_rate: float = 0.05, max_depth: int = 4, seed: int = 42
) -> Model:
    "Return XGBoost. Raises MissingExtra."

    def make(table: Table) -> Any:
        try:
            import xgboost
        except ImportError as e:
            raise MissingExtra("xgboost", "boost") from e
        kind = xgboost.XGBClassifier if table.vocab else xgboost.XGBRegressor
        return kind(
            **settings,
            min_child_weight=3,
            subsample=0.8,
            colsample_bytree=0.8,
            tree_method="hist",
            enable_categorical=True,
            random_state=seed,
            n_jobs=1,
        )

    settings: dict[str, Any] = dict(
        n_estimators=n_estimators, learning_rate=learning_rate, max_depth=max_depth
    )
    return Model(
        "xgboost",
        lambda table: _fit(table, make, _plain_names, consecutive=True),
        {**settings, "seed": seed},
    )


def catboost_model(
    n_estimators: int = 200, *, learning_rate: float = 0.06, depth: int = 5, seed: int = 42
) -> Model:
    "Return CatBoost, its categories encoded in order. Raises MissingExtra."

    def make(table: Table) -> Any:
        try:
            import catboost
        except ImportError as e:
            raise MissingExtra("catboost", "boost") from e
        kind = catboost.CatBoostClassifier if table.vocab else catboost.CatBoostRegressor
        return kind(
            **settings,
            random_seed=seed,
            thread_count=1,
            verbose=False,
            allow_writing_files=False,
            cat_features=list(range(len(table.cat_names))),
        )

    settings: dict[str, Any] = dict(
        n_estimators=n_estimators, learning_rate=learning_rate, depth=depth
    )
    return Model("catboost", lambda table: _fit(table, make, _words), {**settings, "seed": seed})


def _fit(
    table: Table,
    make: Callable[[Table], Any],  # table -> unfitted estimator
    features: Callable[[Table], Any],  # table -> what the estimator takes
    *,
    consecutive: bool = False,  # the estimator wants classes 0, 1, ... without gaps
) -> FittedFunction:
    "Fit one estimator, or one a target where there are several."
    x, targs = features(table), np.asarray(table.targs)
    if table.vocab:
        classes = np.unique(targs)
        if len(classes) == 1:  # nothing to boost: the one class is certain
            return FittedFunction(
                lambda rows: class_columns(np.ones((len(rows), 1)), classes, rows)
            )
        estimator = make(table).fit(x, np.searchsorted(classes, targs) if consecutive else targs)
        return FittedFunction(
            lambda rows: class_columns(estimator.predict_proba(features(rows)), classes, rows),
            _leaning(estimator, table),
            estimator=estimator,
        )
    estimators = [
        make(table).fit(x, column) if np.ptp(column) else _Constant(column[0])
        for column in targs.reshape(len(targs), -1).T
    ]
    return FittedFunction(
        lambda rows: np.column_stack([e.predict(features(rows)) for e in estimators]),
        _leaning(estimators[0], table),
        estimator=estimators,
    )


class _Constant:
    "What a target that never varies leaves to learn."

    def __init__(self, value: float):
        self.value = value

    def predict(self, x: Any) -> Array:
        return np.full(len(x), self.value)


def _leaning(estimator: Any, table: Table) -> dict[str, float]:
    values = getattr(estimator, "feature_importances_", None)
    return {} if values is None else shares([*table.cat_names, *table.cont_names], values)


def _codes(table: Table) -> Callable[[Table], Array]:
    "Return what turns tables into category codes and numbers, NaN for missing."
    coding, n_cat = Coding(table, fill=False), len(table.cat_names)

    def coded(rows: Table) -> Array:
        x = coding(rows)
        x[:, :n_cat][x[:, :n_cat] < 0] = np.nan
        return x

    return coded


def _plain_names(table: Table) -> pd.DataFrame:
    "Features under names that no library stumbles over."
    frame = as_frame(table)
    return frame.set_axis([f"f{i}" for i in range(frame.shape[1])], axis=1)


def _words(table: Table) -> pd.DataFrame:
    "Categories as words, missing ones as a word of their own."
    return as_frame(table).assign(
        **{
            c: table.x[c].astype(object).where(table.x[c].notna(), "missing").astype(str)
            for c in table.cat_names
        }
    )
