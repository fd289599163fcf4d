"""Boosted trees find their number of rounds on an inner split, and fit all rows with it."""

import dataclasses

import numpy as np
import pytest

from fastkaggle_plus import modeling
from fastkaggle_plus.metrics import get_metric
from fastkaggle_plus.modeling.tabular import boosting

from ..tables import make_table

LIBRARIES = ("hist_gradient_boosting", "lightgbm", "xgboost", "catboost")
EVERY = pytest.mark.parametrize("library", LIBRARIES)
FAST = dict(n_estimators=300, learning_rate=0.2, early_stopping_rounds=20)


def make(library, **params):
    return getattr(modeling, f"{library}_model")(**{**FAST, **params})


def noisy(n=300, seed=0):
    """Return rows of two classes, 30% of them with the wrong label: many trees overfit."""
    table = make_table(n=n, seed=seed)
    flip = np.random.default_rng(seed).random(n) < 0.3
    return dataclasses.replace(table, targs=np.where(flip, 1 - table.targs, table.targs))


@EVERY
def test_early_stopping_finds_fewer_rounds_and_a_lower_loss(library):
    table, rows = noisy(), noisy(n=600, seed=1)
    stopped = make(library).fit(table)
    every_round = make(library, early_stopping_rounds=0).fit(table)
    loss = get_metric("log_loss").score
    assert 1 <= stopped.notes["iterations"] < 100 and every_round.notes == {}
    assert loss(rows.targs, stopped.predict(rows)) < loss(rows.targs, every_round.predict(rows))


@EVERY
def test_the_last_fit_has_all_rows_and_exactly_these_rounds(library):
    table = noisy()
    stopped = make(library).fit(table)
    n = stopped.notes["iterations"]
    fixed = make(library, n_estimators=n, early_stopping_rounds=None).fit(table)
    assert stopped.predict(table).tobytes() == fixed.predict(table).tobytes()
    assert stopped.notes["rows"] == len(table)


@EVERY
def test_a_refit_takes_the_mean_rounds_of_the_folds_in_proportion_to_rows(library):
    table = noisy()
    notes = [{"iterations": 4, "rows": 75}, {"iterations": 12, "rows": 225}]
    refitted = make(library).refit(table, notes)  # 10 rounds at a mean of 187.5 rows
    fixed = make(library, n_estimators=16, early_stopping_rounds=0)
    assert refitted.predict(table).tobytes() == fixed.fit(table).predict(table).tobytes()
    assert (
        fixed.refit(table, [{}, {}]).predict(table).tobytes() == refitted.predict(table).tobytes()
    )


def test_along_time_the_latest_rows_decide_when_to_stop():
    table = make_table(n=400)
    latest = np.arange(400) >= 320
    noise = np.random.default_rng(0).integers(0, 2, 400)
    table = dataclasses.replace(table, targs=np.where(latest, noise, table.targs))
    by_time = make("lightgbm").fit(dataclasses.replace(table, time=np.arange(400)))
    at_random = make("lightgbm").fit(table)
    assert by_time.notes["iterations"] < at_random.notes["iterations"]


def test_in_a_bag_no_copy_of_a_row_to_fit_is_validated():
    """Copies would be predicted well by trees that overfit, and stop nothing."""
    fitted = modeling.bag(make("lightgbm", min_child_samples=1, num_leaves=31), 3).fit(noisy())
    assert max(predict.__self__.notes["iterations"] for predict in fitted.members) < 30


@EVERY
def test_each_target_has_its_own_rounds(library):
    table = make_table("values", n=200)
    noise = np.random.default_rng(0).normal(size=200)
    table = dataclasses.replace(table, targs=np.column_stack([table.targs[:, 0], noise]))
    model = make(library)
    fitted = model.fit(table)
    easy, hard = fitted.notes["iterations"]
    assert hard < easy
    refitted = model.refit(table, [fitted.notes, fitted.notes])
    assert refitted.predict(table).tobytes() == fitted.predict(table).tobytes()


@EVERY
def test_a_class_of_one_row_is_in_either_part_of_the_inner_split(library):
    table = make_table("multiclass", n=150)
    for row in range(6):  # some of these rows are validated, others fitted
        targs = np.where(table.targs == 2, 0, table.targs)
        targs[row] = 2
        preds = make(library, n_estimators=20).fit(dataclasses.replace(table, targs=targs))
        assert preds.predict(table).shape == (150, 3)


@pytest.mark.parametrize(
    "library, params",
    [
        ("lightgbm", {"boosting_type": "dart"}),  # it cannot stop early
        ("lightgbm", {"metric": "auc", "reg_lambda": 5.0}),
        ("xgboost", {"booster": "dart"}),
        ("xgboost", {"eval_metric": "auc", "min_child_weight": 1}),
        ("catboost", {"boosting_type": "Ordered", "one_hot_max_size": 2}),
        ("catboost", {"eval_metric": "AUC", "border_count": 64}),
        ("hist_gradient_boosting", {"max_depth": 2, "max_bins": 64}),
    ],
)
def test_keywords_of_the_library_replace_its_settings(library, params):
    fitted = make(library, n_estimators=30, **params).fit(noisy())
    used = fitted.estimator.get_params()
    assert {name: used[name] for name in params} == params
    assert 1 <= fitted.notes["iterations"] <= 38  # 30 for 80% of the rows


@pytest.mark.parametrize("library, name", [("lightgbm", "n_jobs"), ("catboost", "thread_count")])
def test_the_number_of_threads_does_not_change_the_bytes(library, name):
    table = make_table("multiclass")
    one, two = (make(library, n_estimators=10, **{name: n}).fit(table) for n in (1, 2))
    assert one.predict(table).tobytes() == two.predict(table).tobytes()


def test_a_gpu_is_used_where_rows_are_many(monkeypatch):
    """Without a GPU, XGBoost warns and uses the CPU."""
    monkeypatch.setattr(boosting, "has_gpu", lambda: True)
    few = make("xgboost", n_estimators=2).fit(make_table())
    monkeypatch.setitem(boosting.GPU_ROWS, "xgboost_model", 100)
    many = make("xgboost", n_estimators=2).fit(make_table())
    assert [m.estimator.get_params()["device"] for m in (few, many)] == [None, "cuda"]
