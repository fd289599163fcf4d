"""Boosted trees of four libraries, with settings for small data, one thread and a fixed seed.

Each function passes further keywords to its library's estimator, where they replace its settings.
"""

import contextlib
import itertools
import re
import warnings
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ...exceptions import UnknownName, needs_extra
from ..model import Array, Model
from .encoders import OrdinalEncoder, features
from .estimators import Encode, check_names, check_sklearn, fit_estimators

PRELOAD = ("sklearn.ensemble",)  # the other libraries are imported by the one trial that uses them
_MOST_LEVELS = 250  # scikit-learn takes at most 255 levels of a native category


def hist_gradient_boosting_model(
    n_estimators: int = 150,
    *,
    learning_rate: float = 0.05,
    max_leaf_nodes: int | None = 15,
    min_samples_leaf: int = 10,
    l2: float = 1.0,
    seed: int = 42,
    **more: Any,  # of scikit-learn's HistGradientBoosting
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
    settings = {**trees, **fixed, **more}
    check_sklearn("HistGradientBoosting", settings)

    def make(table: Table) -> Any:
        n_levels = [len(table.x[c].cat.categories) for c in table.cat_names]
        few = [i for i, n in enumerate(n_levels) if n <= _MOST_LEVELS] or None
        kind = _estimator("sklearn.ensemble", "HistGradientBoosting", table)
        return kind(**{"categorical_features": few, **settings})

    about = {"n_estimators": n_estimators, **trees, "l2": l2, "seed": seed, **more}
    fit = partial(fit_estimators, make, _codes_with_nan)
    return Model("hist gradient boosting", fit, about)


def lightgbm_model(
    n_estimators: int = 150,
    *,
    learning_rate: float = 0.05,
    num_leaves: int = 15,
    min_child_samples: int = 10,
    seed: int = 42,
    **more: Any,  # of lightgbm.LGBMClassifier and LGBMRegressor
) -> Model:
    """Return LightGBM. Raises MissingExtra, and UnknownName for a parameter it does not have."""
    trees: dict[str, Any] = dict(
        n_estimators=n_estimators,
        learning_rate=learning_rate,
        num_leaves=num_leaves,
        min_child_samples=min_child_samples,
    )
    sampling = dict(subsample=0.8, subsample_freq=1, colsample_bytree=0.8, reg_lambda=1.0)
    fixed = dict(n_jobs=1, verbose=-1, deterministic=True, force_row_wise=True)
    _check_lightgbm(more)

    def make(table: Table) -> Any:
        kind = _estimator("lightgbm", "LGBM", table)
        return kind(**{**trees, **sampling, **fixed, "random_state": seed, **more})

    about = {**trees, "seed": seed, **more}
    return Model("lightgbm", partial(fit_estimators, make, _plain_names), about)


def xgboost_model(
    n_estimators: int = 150,
    *,
    learning_rate: float = 0.05,
    max_depth: int = 4,
    seed: int = 42,
    **more: Any,  # of xgboost.XGBClassifier and XGBRegressor
) -> Model:
    """Return XGBoost. Raises MissingExtra, and UnknownName for a parameter it does not have."""
    trees: dict[str, Any] = dict(
        n_estimators=n_estimators, learning_rate=learning_rate, max_depth=max_depth
    )
    sampling = dict(min_child_weight=3, subsample=0.8, colsample_bytree=0.8)
    fixed = dict(tree_method="hist", enable_categorical=True, n_jobs=1)
    _check_xgboost(more)

    def make(table: Table) -> Any:
        kind = _estimator("xgboost", "XGB", table)
        return kind(**{**trees, **sampling, **fixed, "random_state": seed, **more})

    fit = partial(fit_estimators, make, _plain_names, consecutive=True)
    return Model("xgboost", fit, {**trees, "seed": seed, **more})


def catboost_model(
    n_estimators: int = 200,
    *,
    learning_rate: float = 0.06,
    depth: int = 5,
    seed: int = 42,
    **more: Any,  # of catboost.CatBoostClassifier and CatBoostRegressor
) -> Model:
    """Return CatBoost, with ordered encoding of categories.

    Raises MissingExtra, and ConfigError for a parameter it does not have.
    """
    trees: dict[str, Any] = dict(
        n_estimators=n_estimators, learning_rate=learning_rate, depth=depth
    )
    fixed = dict(thread_count=1, verbose=False, allow_writing_files=False)
    if more:
        with needs_extra("boost"):
            library = import_module("catboost")
        check_names(library.CatBoostClassifier, more)

    def make(table: Table) -> Any:
        kind = _estimator("catboost", "CatBoost", table)
        categories = list(range(len(table.cat_names)))
        settings = {**trees, **fixed, "random_seed": seed, "cat_features": categories, **more}
        return kind(**settings)

    about = {**trees, "seed": seed, **more}
    return Model("catboost", partial(fit_estimators, make, _categories_as_text), about)


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
    encoder = OrdinalEncoder(table, fill=False)

    def encode(rows: Table) -> Array:
        codes = encoder.codes(rows)
        return np.hstack([np.where(codes < 0, np.nan, codes), encoder.numbers(rows)])

    return encode, [*table.cat_names, *table.cont_names]


def _plain_names(table: Table) -> tuple[Encode, list[str]]:
    """Rename the features: some libraries refuse brackets and quotes in a name."""
    names = [f"f{i}" for i in range(features(table).shape[1])]
    sources = [*table.cat_names, *table.cont_names]
    return lambda rows: features(rows).set_axis(names, axis=1), sources


def _categories_as_text(table: Table) -> tuple[Encode, list[str]]:
    """Write categories as text, a missing level as one more level."""

    def encode(rows: Table) -> pd.DataFrame:
        columns = {c: rows.x[c].astype(object) for c in rows.cat_names}
        texts = {c: v.where(v.notna(), "missing").astype(str) for c, v in columns.items()}
        return features(rows).assign(**texts)

    return encode, [*table.cat_names, *table.cont_names]
