"""The contract of all models of tables: each fits realistic tables and predicts in one shape."""

import dataclasses
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus import modeling
from fastkaggle_plus.data import Table, as_features
from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.metrics import get_metric
from fastkaggle_plus.modeling.registry import public_models

from .tables import CAT, blind, make_table

QUICK = {
    **{
        f"{name}_model": dict(n_estimators=30, learning_rate=0.2)
        for name in ("hist_gradient_boosting", "lightgbm", "xgboost", "catboost")
    },
    "forest_model": dict(n_estimators=30),
    "tabular_model": dict(epochs=10, bs=16, n_nets=1),
    "tabm_model": dict(k=4, d_block=32, epochs=20, lr=0.01, bs=32),
    "deep_net_model": dict(epochs=200, lr=1.0),
    "bag_model": dict(model="forest.tree_model", params=dict(min_samples_leaf=5), n=8),
    "without_model": dict(model="forest.forest_model", params=dict(n_estimators=30)),
}
OTHER_ROOMS = ("fastkaggle_plus.modeling.vision", "fastkaggle_plus.modeling.text")  # no tables
NAMES = sorted(
    n for n in public_models() if not getattr(modeling, n).__module__.startswith(OTHER_ROOMS)
)
TWO_CLASSES_ONLY = LESSON5 = {"linear_model", "sigmoid_model", "net_model", "deep_net_model"}
TASKS = ("binary", "multiclass", "regression", "values")
ODD = ["a[0]", "a]0[", "a<0", '{"a": 0}', "a 0", "a_0", "é", "__target__", "n0", "c0", "0", ""]


def make(name):
    return getattr(modeling, name)(**QUICK.get(name, {}))


def supports(name, task):
    return task == "binary" or name not in TWO_CLASSES_ONLY


def fitted(name, table):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        return make(name).fit(table)


def check(preds, table):
    """Check that predictions are finite, in shape, and that probabilities sum to one."""
    assert (
        isinstance(preds, np.ndarray)
        and preds.shape == (len(table), table.n_outputs)
        and np.isfinite(preds).all()
    )
    if table.vocab:
        assert (preds >= 0).all() and (preds <= 1 + 1e-6).all()
        np.testing.assert_allclose(preds.sum(1), 1, atol=1e-5)


EVERY = pytest.mark.parametrize("name", NAMES)


def test_the_contract_covers_all_models():
    assert len(NAMES) >= 14 and set(QUICK) <= set(NAMES)


@pytest.mark.parametrize("task", TASKS)
@EVERY
def test_it_beats_a_constant_on_an_easy_problem(name, task):
    train, rows = make_table(task), make_table(task, seed=1)
    if not supports(name, task):
        with pytest.raises(DataError, match="tabular_model"):
            make(name).fit(train)
        return
    model = fitted(name, train)
    preds = model.predict(blind(rows)) if task != "values" else model.predict(rows)
    check(preds, rows)
    metric = get_metric("accuracy" if rows.vocab else "rmse")
    base = (
        np.bincount(train.targs, minlength=len(rows.vocab)) / len(train)
        if rows.vocab
        else train.targs.mean(0)
    )
    constant = metric.score(rows.targs, np.tile(base, (len(rows), 1)))
    assert metric.gain(metric.score(rows.targs, preds), constant) > (
        0.1 if rows.vocab else 0.1 * constant
    )
    assert set(model.importances) <= {*rows.x, "size missing", "weight missing"}
    assert not model.importances or sum(model.importances.values()) == pytest.approx(1, abs=1e-4)


@EVERY
def test_new_gaps_and_unknown_levels(name):
    """Columns without gaps in the rows fitted on have gaps in the rows to predict."""
    table = make_table(n=120)
    whole = table.take(np.flatnonzero(table.x.notna().all(axis=1)))
    model = fitted(name, whole)
    rows = make_table(n=60, seed=1)
    rows = dataclasses.replace(
        rows, x=rows.x.assign(weight=np.nan, color=rows.x["color"].mask(rows.x["size"] > 0))
    )
    check(model.predict(rows), rows)


@EVERY
def test_constant_and_empty_columns(name):
    table = make_table(n=120)
    one, none = pd.Categorical(["a"] * 120), pd.Categorical([None] * 120, categories=["a"])
    table = table.with_columns(
        pd.DataFrame({"same": 7.0, "empty": np.nan, "one": one, "none": none}), cat=("one", "none")
    )
    model = fitted(name, table)
    check(model.predict(table), table)
    assert (
        name in LESSON5 or (model.predict(table).argmax(1) == table.targs).mean() > 0.7
    )  # lesson 5's learning rates suit its own rows


@pytest.mark.parametrize("kind", ["no categories", "no numbers"])
@EVERY
def test_columns_of_one_kind(name, kind):
    table = make_table(n=200, cat=()) if kind == "no categories" else make_table(n=200, cont=())
    model = fitted(name, table)
    preds = model.predict(table)
    check(preds, table)
    assert (
        name in LESSON5
        or (preds.argmax(1) == table.targs).mean()
        > np.bincount(table.targs).max() / len(table) + 0.05
    )


@EVERY
def test_a_class_without_training_rows(name):
    if name in TWO_CLASSES_ONLY:
        return
    table = make_table("multiclass", n=150)
    preds = fitted(name, table.take(np.flatnonzero(table.targs != 1))).predict(table)
    check(preds, table)
    assert preds[:, 1].max() < 0.2


@EVERY
def test_one_class_only(name):
    table = make_table(n=120)
    preds = fitted(name, table.take(np.flatnonzero(table.targs == 1))).predict(table)
    check(preds, table)
    assert preds[:, 1].mean() > 0.8


@pytest.mark.parametrize("task", ("regression", "values"))
@EVERY
def test_constant_targets(name, task):
    if not supports(name, task):
        return
    table = make_table(task, n=60)
    table = dataclasses.replace(table, targs=np.full_like(table.targs, 7.0))
    np.testing.assert_allclose(fitted(name, table).predict(table), 7.0, atol=1e-3)


@pytest.mark.parametrize("n", [2, 3, 10, 33])
@pytest.mark.parametrize("task", TASKS)
@EVERY
def test_few_rows(name, task, n):
    """33 rows in batches of 32 leave one row over, and batch norm needs two."""
    if not supports(name, task):
        return
    table = make_table(task, n=200)
    first = [np.flatnonzero(table.targs == code)[0] for code in range(2)] if table.vocab else []
    rows = table.take(np.array([*first, *np.arange(100, 100 + n - len(first))]))
    check(fitted(name, rows).predict(table), table)
    check(fitted(name, rows).predict(table.take(np.arange(1))), table.take(np.arange(1)))


@EVERY
def test_odd_column_names(name):
    """Brackets, JSON, names that are equal once cleaned, and names that models use internally."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame(
        {c: rng.normal(size=80) if i % 2 else rng.choice(["p", "q"], 80) for i, c in enumerate(ODD)}
    )
    cat, cont = tuple(ODD[::2]), tuple(ODD[1::2])
    table = Table(
        as_features(x, x, cat, cont),
        (x["a]0["] > 0).to_numpy().astype(int),
        cat,
        cont,
        "binary",
        (0, 1),
    )
    model = fitted(name, table)
    check(model.predict(table), table)
    assert set(model.importances) <= set(ODD)


@EVERY
def test_the_same_seed_gives_the_same_bytes(name):
    table = make_table(n=120)
    one, two = (fitted(name, table).predict(table) for _ in range(2))
    assert one.tobytes() == two.tobytes()


@EVERY
def test_the_other_rows_do_not_change_a_prediction(name):
    """Neither the order nor the number of rows changes a prediction."""
    table = make_table(n=120)
    model = fitted(name, table)
    order = np.random.default_rng(0).permutation(120)
    whole = model.predict(table)
    np.testing.assert_allclose(model.predict(table.take(order)), whole[order], atol=1e-6)
    np.testing.assert_allclose(model.predict(table.take(np.arange(5))), whole[:5], atol=1e-6)


@EVERY
def test_the_table_is_not_changed(name):
    table = make_table(n=80)
    x, targs = table.x.copy(), table.targs.copy()
    fitted(name, table).predict(table)
    pd.testing.assert_frame_equal(table.x, x)
    np.testing.assert_array_equal(table.targs, targs)


@EVERY
def test_about_is_plain_data_that_names_the_settings(name):
    import json

    about = make(name).about
    assert json.loads(json.dumps(about)) == about
    for setting in set(QUICK.get(name, {})) & {"n_estimators", "learning_rate", "epochs", "bs"}:
        assert about[setting] == QUICK[name][setting]


@EVERY
def test_it_uses_only_columns_that_are_named_as_features(name):
    """A column of the frame that is no feature changes nothing."""
    table = make_table(n=120)
    leaky = dataclasses.replace(table, x=table.x.assign(answer=table.targs))
    model = fitted(name, leaky)
    assert model.predict(leaky).tobytes() == fitted(name, table).predict(table).tobytes()
    assert "answer" not in model.importances and set(CAT) <= set(leaky.cat_names)


def test_memory_does_not_grow_with_the_number_of_levels():
    n = 20_000
    rng = np.random.default_rng(0)
    x = pd.DataFrame(
        {c: pd.Categorical([f"k{v}" for v in rng.integers(0, 15_000, n)]) for c in "abcd"}
    )
    table = Table(x, rng.integers(0, 2, n), tuple("abcd"), (), "binary", (0, 1))
    tracemalloc.start()
    check(modeling.ridge_model().fit(table).predict(table), table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * 2**20  # dense columns for all levels would take 7 GB
