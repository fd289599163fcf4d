"""Models that are not ours: fit functions, estimators, and further keywords of the libraries."""

import dataclasses

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastkaggle_plus import modeling
from fastkaggle_plus.exceptions import ConfigError, FastkaggleError
from fastkaggle_plus.modeling import bag, forest_model, tree_model
from fastkaggle_plus.modeling.registry import build, check_declared, model_from

from .tables import make_table


def fit_and_predict(model, task="binary"):
    train, rows = make_table(task), make_table(task, seed=1)
    fitted = model_from(model).fit(train)
    preds = (fitted.predict if hasattr(fitted, "predict") else fitted)(rows)
    return train, rows, preds


@pytest.mark.parametrize(
    "estimator, task",
    [
        (LogisticRegression(max_iter=500), "binary"),
        (LogisticRegression, "multiclass"),
        (RidgeClassifier(), "multiclass"),  # no probabilities
        (GaussianNB(), "binary"),  # takes no sparse rows
        (make_pipeline(StandardScaler(), LogisticRegression()), "binary"),
        (Ridge(alpha=3), "regression"),
        (LinearRegression(), "values"),  # several targets
    ],
)
def test_any_estimator_is_a_model(estimator, task):
    _, rows, preds = fit_and_predict(estimator, task)
    assert preds.shape == (len(rows), rows.n_outputs) and np.isfinite(preds).all()
    if rows.vocab:
        np.testing.assert_allclose(preds.sum(1), 1)
        assert (preds.argmax(1) == rows.targs).mean() > 0.6


def test_an_estimator_gives_the_same_result_again_and_importances_by_feature():
    estimator = RandomForestClassifier(5)
    (train, _, a), (_, _, b) = fit_and_predict(estimator), fit_and_predict(estimator)
    np.testing.assert_array_equal(a, b)
    assert not hasattr(estimator, "classes_")  # the user's object is not fitted
    importances = model_from(estimator).fit(train).importances
    assert set(importances) <= set(train.x) and sum(importances.values()) == pytest.approx(1)


def mean_model(shift=0.0):
    """The ten lines that a user writes: a fit function that returns a predict function."""

    def fit(table):
        mean = np.mean(table.targs) + shift
        return lambda rows: np.full(len(rows), mean)

    return fit


def test_one_value_a_row_is_enough_for_one_output(own_data):
    for task, expected in (("binary", 2), ("regression", 1)):
        data, folds = own_data(task)
        preds = modeling.cross_validate(mean_model(), data, folds)
        assert preds.oof.shape == (len(data.train), expected) and preds.name == "fit"
        assert modeling.cross_validate(bag(mean_model(), 3), data, folds).oof.shape[1] == expected
    with pytest.raises(FastkaggleError, match=r"shape .* expected .*one column per class"):
        modeling.cross_validate(mean_model(), *own_data("multiclass"))


@pytest.fixture
def own_data():
    from fastkaggle_plus import make_folds
    from fastkaggle_plus.data import Data

    def make(task):
        table = make_table(task, n=90)
        test = dataclasses.replace(table, targs=None)
        ids = np.arange(90)
        data = Data(table, test, ids, ids, table.x[[]], table.x, table.x)
        return data, make_folds(data.targs, n_folds=2)

    return make


def test_a_function_that_makes_a_model_must_be_called():
    with pytest.raises(ConfigError, match=r"Write forest_model\(\)"):
        model_from(forest_model)
    with pytest.raises(ConfigError, match="expected a function"):
        modeling.bag(lambda table: 3, 2).fit(make_table())
    with pytest.raises(ConfigError, match="Expected a Model"):
        model_from("forest_model")


@pytest.mark.parametrize(
    "name, more, attribute",
    [
        ("forest_model", {"max_depth": 2, "n_estimators": 3}, "max_depth"),
        ("hist_gradient_boosting_model", {"max_depth": 2, "n_estimators": 3}, "max_depth"),
        ("lightgbm_model", {"extra_trees": True, "n_estimators": 3}, "extra_trees"),
        ("xgboost_model", {"subsample": 0.5, "n_estimators": 3}, "subsample"),
        ("catboost_model", {"l2_leaf_reg": 7, "n_estimators": 3}, "l2_leaf_reg"),
    ],
)
def test_further_keywords_reach_the_library(name, more, attribute):
    model = build(name, more)
    assert model.fit(make_table()).estimator.get_params()[attribute] == more[attribute]
    assert attribute in model.about


@pytest.mark.parametrize(
    "model, params, words",
    [
        ("forest_model", {"n_estimator": 3}, "Did you mean 'n_estimators'"),
        ("forest_model", {"n_estimators": "3"}, "expected int, got '3'"),
        ("forest_model", {"max_depth": "deep"}, "'max_depth' parameter of RandomForestClassifier"),
        ("lightgbm_model", {"mindata": 3}, "Did you mean 'min_data'"),
        ("xgboost_model", {"gama": 3}, "Did you mean 'gamma'"),
        ("catboost_model", {"l2_leaf": 3}, "Did you mean 'l2_leaf_reg'"),
        ("hist_gradient_boosting_model", {"max_dept": 3}, "Did you mean 'max_depth'"),
        ("sklearn.linear_model.Ridge", {"alpa": 3}, "Did you mean 'alpha'"),
        ("sklearn.linear_model.Ridge", {"alpha": "3"}, "'alpha' parameter of Ridge"),
        ("tabular_model", {"lr": "fast"}, "lr: expected float, got 'fast'"),
        ("vision_model", {"epochs": 2.5}, "epochs: expected int, got 2.5"),
        ("bag_model", {"model": "forest_model", "params": {"trees": 3}}, "parameter"),
        ("bag_model", {}, "needs a value for model"),
    ],
)
def test_wrong_parameters_are_found_without_training(model, params, words):
    with pytest.raises(FastkaggleError, match=words):
        check_declared(model, params)


def test_a_regressor_for_classes_is_refused():
    with pytest.raises(ConfigError, match="Ridge predicts numbers, and the task is binary"):
        fit_and_predict(Ridge())


def test_an_own_model_can_be_bagged_by_name(tmp_path):
    from fastkaggle_plus import load_comp

    (tmp_path / "competition.toml").write_text(
        'task = "binary"\nmetric = "accuracy"\nid = "id"\ntarget = "y"\n'
    )
    (tmp_path / "own.py").write_text(
        "from helper import leaves\nfrom fastkaggle_plus.modeling import tree_model\n"
        "def my_model():\n    return tree_model(max_leaf_nodes=leaves)\n"
    )
    (tmp_path / "helper.py").write_text("leaves = 3\n")
    comp = load_comp(tmp_path)
    model = build("bag_model", {"model": "my_model", "n": 2}, comp)
    assert model.name == "bag of 2 tree" and model.about["max_leaf_nodes"] == 3
    (tmp_path / "helper.py").write_text("leaves = 4\n")  # the same size, within a second
    assert build("my_model", {}, comp).about == tree_model(max_leaf_nodes=4).about
    assert not (tmp_path / "__pycache__").exists()
    (tmp_path / "other.py").write_text("def my_model():\n    pass\n")
    with pytest.raises(ConfigError, match=r"other\.py and own\.py|own\.py and other\.py"):
        build("my_model", {}, comp)
    assert build("own.my_model", {}, comp).name == "tree"
