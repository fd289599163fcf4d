"""One prediction taken apart: the parts add up to the prediction, for every family."""

import numpy as np
import pytest

from fastkaggle_plus.exceptions import DataError, UnknownName
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import (
    bag,
    catboost_model,
    contributions,
    fit_fold_models,
    forest_model,
    hist_gradient_boosting_model,
    lightgbm_model,
    ridge_model,
    tree_model,
    xgboost_model,
)

from .planted import planted, three_folds

FEW = dict(n_estimators=20, early_stopping_rounds=0)
MODELS = {
    "tree": tree_model(max_leaf_nodes=20),
    "forest": forest_model(15),
    "lightgbm": lightgbm_model(**FEW),
    "xgboost": xgboost_model(**FEW),
    "catboost": catboost_model(**FEW),
    "hist gradient boosting": hist_gradient_boosting_model(**FEW),
    "ridge": ridge_model(),
    "bag": bag(tree_model(max_leaf_nodes=20), n=5),
}
RAW = ("lightgbm", "xgboost", "catboost")  # of classes their parts are those of a raw score


@pytest.fixture(scope="module")
def tables():
    return {task: planted(task, n=240) for task in ("regression", "binary", "multiclass")}


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("name", MODELS)
def test_the_parts_add_up_to_the_prediction(tables, task, name):
    data = tables[task]
    models = fit_fold_models(MODELS[name], data, three_folds(data))
    found, oof = contributions(models, 17), models.preds.oof[17]
    place, _ = models.output_of(oof)
    expected = oof[place]
    if name in RAW and task == "binary":
        expected = np.log(oof[1] / oof[0])
    if name in RAW and task == "multiclass":
        return _check_softmax(models, found)
    assert found.end == pytest.approx(expected, rel=1e-4, abs=1e-5)
    if name in ("tree", "forest"):
        assert found.end == pytest.approx(expected, abs=1e-12)
    assert set(found.parts) == set(models.sources) and str(data.ids[17]) in repr(found)


def _check_softmax(models, found):
    """The raw scores of all classes give the predicted probabilities."""
    from fastkaggle_plus.modeling.explain.prediction_parts import exact_parts

    fold = next(k for k, rows in enumerate(models.rows) if 17 in rows)
    table = models.tables[fold].take(np.flatnonzero(models.rows[fold] == 17))
    raw = []
    for place in range(3):
        _, start, parts = exact_parts(models.fitted[fold], table, place, np.arange(3))
        raw.append(start + sum(parts.values()))
    softmax = np.exp(raw) / np.exp(raw).sum()
    assert np.allclose(softmax, models.preds.oof[17], atol=1e-5)
    assert found.end == pytest.approx(max(raw)) and "raw score" in found.output


def test_parts_of_rmsle_are_in_the_logarithm():
    data = planted(metric="rmsle", n=240)
    models = fit_fold_models(forest_model(15), data, three_folds(data))
    found = contributions(models, 17)
    assert found.end == pytest.approx(np.log1p(models.preds.oof[17, 0])) and "log(" in found.output


def test_sampled_parts_of_a_line_are_its_slopes(tables):
    """A linear model's Shapley value is its slope times the distance from the mean."""
    data = tables["regression"]
    models = fit_fold_models(ridge_model(), data, three_folds(data))
    found = contributions(models, 17)
    fold = next(k for k, rows in enumerate(models.rows) if 17 in rows)
    table = models.tables[fold]
    moved = models.after(lambda t: _plus_one(t, "main")).oof - models.preds.oof
    distance = data.train.x["main"][17] - table.x["main"].mean()
    slope = moved[models.rows[fold][0], 0]
    assert found.parts["main"] == pytest.approx(slope * distance, abs=0.15 * abs(slope))


def _plus_one(table, column):
    from fastkaggle_plus.modeling.explain.fold_models import with_values

    return with_values(table, {column: table.x[column] + 1})


def test_the_largest_parts_are_of_the_columns_that_matter(tables):
    data = tables["regression"]
    models = fit_fold_models(forest_model(15), data, three_folds(data))
    largest = int(data.train.x["main"].argmax())
    found = contributions(models, largest)
    assert {*list(found.parts)[:2]} <= {"main", "copy"} and found.parts["main"] > 0
    assert found.values["main"] == f"{data.train.x['main'][largest]:.6g}"


def test_a_row_that_no_fold_validates_is_refused():
    data = planted(n=240)
    folds = make_folds(data.targs, n_folds=2, kind="time", time=data.train.x["day"].to_numpy())
    models = fit_fold_models(forest_model(5), data, folds)
    with pytest.raises(DataError, match="not validated"):
        contributions(models, 3)
    with pytest.raises(UnknownName, match="id of a training row"):
        contributions(models, 99_999)
