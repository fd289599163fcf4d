"""without_model: a model that does not see some features, declared in a Trial."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.exceptions import UnknownName
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import Model, cross_validate, without_model
from fastkaggle_plus.modeling.registry import build, check_declared
from fastkaggle_plus.reading import read_tabular

DAYS = 600


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sales that grow by the day, in weeks; the test rows are the days after the training rows."""
    folder = tmp_path_factory.mktemp("sales")
    rng = np.random.default_rng(1)
    day = pd.date_range("2020-01-01", periods=DAYS)
    sales = np.arange(DAYS) * 0.01 + day.day_of_week * 2 + rng.normal(0, 0.1, DAYS)
    rows = pd.DataFrame({"id": range(DAYS), "day": day, "rain": rng.random(DAYS), "sales": sales})
    rows.head(480).to_csv(folder / "train.csv", index=False)
    rows.tail(120).drop(columns="sales").to_csv(folder / "test.csv", index=False)
    return read_tabular(
        folder, id="id", target=("sales",), task="regression", time_column="day", metric="rmse"
    )


def test_features_beyond_the_training_range_are_noted(data):
    assert set(data.notes) == {"day_Elapsed"}
    assert data.notes["day_Elapsed"].startswith("100% of the test rows")
    assert "day_Elapsed (100%" in repr(data)
    fit, _ = data.fold(np.arange(400), np.arange(400, 480))
    assert fit.beyond == tuple(data.notes)


def test_a_random_split_has_no_notes(data):
    rows = np.random.default_rng(0).permutation(480)
    train, test = data.train.take(rows[:400]), data.train.take(rows[400:])
    mixed = data.take(rows[:400]).with_features(
        train.x, test.x, cat_names=(), cont_names=train.cont_names
    )
    assert mixed.notes == {}


@pytest.mark.parametrize("columns", [None, ["day_Elapsed", "rain"]])
def test_the_model_does_not_see_the_columns(data, columns):
    seen = []

    def fit(table):
        seen.append(set(table.cont_names))
        mean = table.targs.mean()

        def predict(rows):
            seen.append(set(rows.cont_names))
            return np.full(len(rows), mean)

        return predict

    model = without_model(Model("own", fit, refit=lambda table, notes: fit(table)), columns=columns)
    left_out = set(data.notes if columns is None else columns)
    folds = make_folds(data.targs, n_folds=3, kind="time", time=data.time)
    cross_validate(model, data, folds)
    assert len(seen) >= 6
    model.refit(data.fold(np.arange(480), None)[0], [{}])
    assert all(names == set(data.train.cont_names) - left_out for names in seen)


def test_a_trial_declares_it_by_name(data):
    params = {"model": "forest.forest_model", "params": {"n_estimators": 5}}
    check_declared("without.without_model", params)
    model = build("without.without_model", params)
    folds = make_folds(data.targs, n_folds=3, kind="time", time=data.time)
    preds = cross_validate(model, data, folds)
    assert preds.about["without"] == "notes" and preds.about["n_estimators"] == 5
    assert "rain" in preds.importances and not set(data.notes) & set(preds.importances)
    with pytest.raises(UnknownName, match="day_Elapse"):
        cross_validate(without_model(model, columns=["day_Elapse"]), data, folds)
    with pytest.raises(UnknownName, match="parameter"):
        check_declared("without.without_model", {**params, "params": {"trees": 3}})
