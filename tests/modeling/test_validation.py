"""cross_validate: honest folds, features from the rows fitted on, and checked predictions."""

import weakref

import numpy as np
import pytest

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.metrics import get_metric
from fastkaggle_plus.modeling import (
    FittedFunction,
    Model,
    cross_validate,
    forest_model,
    ridge_model,
    tree_model,
)

from .tables import make_data


def answering(answer):
    """Return a model that predicts `answer(rows)`."""
    return Model("odd", lambda table: FittedFunction(answer))


def test_every_row_is_predicted_by_the_fold_that_did_not_see_it():
    data, folds = make_data(), make_folds(make_data().targs)
    seen = []

    def fit(table):
        seen.append(table)
        known = set(table.x["weight"].dropna())
        return FittedFunction(
            lambda rows: np.tile(
                [0.0, 1.0] if set(rows.x["weight"].dropna()) & known else [1.0, 0.0], (len(rows), 1)
            )
        )

    preds = cross_validate(Model("spy", fit), data, folds)
    assert (preds.oof[:, 0] == 1).all() and len(seen) == 5
    assert all(len(table) == (folds.assignment != k).sum() for k, table in enumerate(seen))
    np.testing.assert_array_equal(preds.folds, folds.assignment)


def test_the_record_is_complete():
    data, folds = (
        make_data("multiclass"),
        make_folds(make_data("multiclass").targs, n_folds=4, seed=7),
    )
    preds = cross_validate(forest_model(30), data, folds, name="mine")
    assert preds.name == "mine" and preds.metric == "accuracy" and preds.vocab == ("a", "b", "c")
    assert preds.oof.shape == (240, 3) and preds.test.shape == (40, 3) and preds.seconds_s > 0
    assert (
        preds.about["n_folds"] == 4
        and preds.about["split_seed"] == 7
        and preds.about["model"] == "forest"
        and "cores" in preds.about["hardware"]
    )
    assert preds.importances["size"] > preds.importances["weight"]
    np.testing.assert_allclose(preds.test.sum(1), 1)
    np.testing.assert_array_equal(preds.test_ids, data.test_ids)


def test_the_test_rows_get_the_mean_of_the_folds():
    data, folds = make_data(), make_folds(make_data().targs, n_folds=3)
    preds = cross_validate(tree_model(min_samples_leaf=10), data, folds)
    each = [
        tree_model(min_samples_leaf=10).fit(data.train.take(rows)).predict(data.test)
        for rows, _ in folds.splits()
    ]
    np.testing.assert_allclose(preds.test, np.mean(each, 0))


def test_folds_of_other_rows_are_refused():
    with pytest.raises(DataError, match="100 rows, and the data has 240"):
        cross_validate(tree_model(), make_data(), make_folds(np.arange(100) % 2))


@pytest.mark.parametrize(
    "answer, match",
    [
        (lambda rows: np.full((len(rows), 2), np.nan), "predicted NaN in 48 of 48 rows"),
        (lambda rows: np.tile([0.0, np.inf], (len(rows), 1)), "predicted infinity"),
        (lambda rows: np.full((len(rows), 2), 0.7), r"sum to 1\.4"),
        (
            lambda rows: np.full((len(rows), 3), 1 / 3),
            r"shape \(48, 3\) for 48 rows; expected \(48, 2\)",
        ),
        (lambda rows: np.full(len(rows) + 1, 0.5), r"shape \(49, 2\)"),
        (lambda rows: np.full((5, 2), 0.5), r"shape \(5, 2\)"),
    ],
    ids=["NaN", "infinity", "sum", "columns", "flat", "rows"],
)
def test_invalid_predictions_are_refused(answer, match):
    data = make_data()
    with pytest.raises(DataError, match=match):
        cross_validate(answering(answer), data, make_folds(data.targs))


@pytest.mark.parametrize("width", [1, 3])
def test_test_rows_need_as_many_columns_as_there_are_targets(width):
    """A test table has no targets to count, so the training table's number is expected."""
    data = make_data("values")
    answer = answering(lambda rows: np.zeros((len(rows), 2 if rows.targs is not None else width)))
    with pytest.raises(DataError, match=rf"shape \(40, {width}\)"):
        cross_validate(answer, data, make_folds(data.targs))


def test_rmsle_is_fitted_to_the_logarithm():
    data = make_data("regression", metric="rmsle")
    positive = np.expm1(np.abs(data.targs))
    data = type(data)(
        **{**vars(data), "train": type(data.train)(**{**vars(data.train), "targs": positive})}
    )
    seen = []

    def fit(table):
        seen.append(table.targs)
        return FittedFunction(lambda rows: np.full((len(rows), 1), table.targs.mean()))

    folds = make_folds(data.targs)
    preds = cross_validate(Model("mean", fit), data, folds)
    fit_rows, rows = next(iter(folds.splits()))
    np.testing.assert_allclose(seen[0], np.log1p(positive[fit_rows]))
    np.testing.assert_allclose(preds.oof[rows], np.expm1(seen[0].mean()))
    np.testing.assert_array_equal(preds.targs, positive)
    low = cross_validate(answering(lambda rows: np.full((len(rows), 1), -5.0)), data, folds)
    assert (low.oof == 0).all() and np.isfinite(low.oof_score)


def test_along_time_the_earliest_rows_stay_without_a_prediction():
    data = make_data()
    folds = make_folds(data.targs, n_folds=3, kind="time", time=np.arange(240))
    preds = cross_validate(forest_model(30), data, folds)
    assert np.isnan(preds.oof[:60]).all() and np.isfinite(preds.oof[60:]).all()
    assert preds.validated.sum() == 180 and preds.oof_score > 0.8


def test_features_that_need_targets_come_from_the_rows_fitted_on():
    calls = []

    def in_fold(fit, rows):
        calls.append((len(fit), len(rows), rows.targs is None))
        import pandas as pd

        mean = fit.targs.mean()
        return tuple(
            t.with_columns(pd.DataFrame({"rate": np.full(len(t), mean)})) for t in (fit, rows)
        )

    data = make_data(in_fold=in_fold)
    assert data.notes == {} and calls.pop() == (240, 40, True)  # looks at all features once
    means = []

    def fit(table):
        assert table.x["rate"].iloc[0] == table.targs.mean() and "rate" in table.cont_names
        means.append(table.targs.mean())

        def predict(rows):
            assert (rows.x["rate"] == table.targs.mean()).all()
            return np.tile([0.5, 0.5], (len(rows), 1))

        return FittedFunction(predict)

    cross_validate(Model("needs rate", fit), data, make_folds(data.targs, n_folds=3))
    assert calls == [(160, 80, False), (160, 40, True)] * 3 and len(means) == 3


def test_on_fold_is_called_after_each_fold():
    data, calls = make_data(), []
    preds = cross_validate(
        tree_model(min_samples_leaf=10),
        data,
        make_folds(data.targs),
        on_fold=lambda k, score: calls.append((k, score)),
    )
    assert [k for k, _ in calls] == list(range(5))
    assert [score for _, score in calls] == pytest.approx(preds.fold_scores)


@pytest.mark.parametrize(
    "task, metric, expected",
    [("binary", "", "accuracy"), ("regression", "", "rmse"), ("binary", "auc", "auc")],
)
def test_the_metric_is_the_datas_or_the_tasks(task, metric, expected):
    data = make_data(task, metric=metric)
    folds = make_folds(data.targs)
    assert cross_validate(ridge_model(), data, folds).metric == expected
    other = "logloss" if task == "binary" else "mae"
    preds = cross_validate(ridge_model(), data, folds, metric=other)
    assert preds.metric == other and preds.oof_score == pytest.approx(
        get_metric(other).score(data.targs, preds.oof)
    )


def test_several_targets():
    data = make_data("values")
    preds = cross_validate(forest_model(30), data, make_folds(data.targs))
    assert preds.oof.shape == (240, 2) and preds.test.shape == (40, 2)


def test_a_folds_model_is_freed_before_the_next_fit():
    data, made, alive = make_data(), [], []

    def fit(table):
        alive.append([one() is not None for one in made])
        fitted = FittedFunction(lambda rows: np.tile([0.5, 0.5], (len(rows), 1)))
        made.append(weakref.ref(fitted))
        return fitted

    cross_validate(Model("net", fit), data, make_folds(data.targs, n_folds=3))
    assert alive == [[], [False], [False, False]]
