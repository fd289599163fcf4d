"""Trees and forests: equal to scikit-learn out of bag, and one rule finds the planted column."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from fastkaggle_plus.data import Table
from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.modeling import (
    FewDeepTrees,
    bag,
    forest_model,
    one_r_model,
    split_score,
    tree_curve,
    tree_model,
)
from fastkaggle_plus.modeling.tabular import forest
from fastkaggle_plus.modeling.tabular.encoders import OrdinalEncoder
from fastkaggle_plus.modeling.tabular.forest import best_split, gini

from ..tables import make_table


def sklearns(kind, table, n=60):
    return kind(n, min_samples_leaf=5, max_features="sqrt", oob_score=True, random_state=42).fit(
        OrdinalEncoder(table)(table), table.targs
    )


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_out_of_bag_is_scikit_learns(task):
    table = make_table(task)
    ours, theirs = forest_model(60).fit(table), sklearns(RandomForestClassifier, table)
    np.testing.assert_allclose(ours.oob, theirs.oob_decision_function_, atol=1e-12)
    assert ours.oob_score == pytest.approx(theirs.oob_score_)
    np.testing.assert_allclose(
        ours.predict(table), theirs.predict_proba(OrdinalEncoder(table)(table))
    )


@pytest.mark.parametrize("task", ["regression", "values"])
def test_out_of_bag_values_are_scikit_learns(task):
    table = make_table(task)
    ours, theirs = forest_model(60).fit(table), sklearns(RandomForestRegressor, table)
    np.testing.assert_allclose(ours.oob, theirs.oob_prediction_.reshape(len(table), -1), atol=1e-9)
    assert ours.oob_score == pytest.approx(theirs.oob_score_)


def test_out_of_bag_is_close_to_hold_out():
    table, other = make_table(n=600), make_table(n=600, seed=1)
    fitted = forest_model(100).fit(table)
    held_out = (fitted.predict(other).argmax(1) == other.targs).mean()
    assert fitted.oob_score == pytest.approx(held_out, abs=0.04)
    assert fitted.oob_score < (fitted.predict(table).argmax(1) == table.targs).mean()


def test_rows_that_every_tree_saw_have_no_out_of_bag_prediction():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewDeepTrees)
        fitted = forest_model(2).fit(make_table(n=100))
    missing = np.isnan(fitted.oob).any(1)
    assert 20 < missing.sum() < 60 and 0 < fitted.oob_score <= 1  # (1 - 1/e)**2 of the rows


def test_the_number_of_threads_does_not_change_the_bytes():
    table = make_table("multiclass")
    one, two = (forest_model(20, n_jobs=n).fit(table) for n in (1, 2))
    assert one.predict(table).tobytes() == two.predict(table).tobytes()
    assert one.oob.tobytes() == two.oob.tobytes()


def test_a_tree_sees_a_part_of_many_rows(monkeypatch):
    monkeypatch.setattr(forest, "_MOST_ROWS", 100)
    table = make_table(n=400)
    few, all_rows = forest_model(30).fit(table), forest_model(30, max_samples=1.0).fit(table)
    assert [fitted.estimator.max_samples for fitted in (few, all_rows)] == [100, 1.0]
    assert {len(set(rows)) > 100 for rows in all_rows.estimator.estimators_samples_} == {True}
    held_out = make_table(n=400, seed=1)
    accuracy = (few.predict(held_out).argmax(1) == held_out.targs).mean()
    assert few.oob_score == pytest.approx(accuracy, abs=0.05)  # the rows that a tree did not see


def test_few_deep_trees_warn_and_others_do_not():
    table = make_table(n=60)
    with pytest.warns(FewDeepTrees, match="100 trees"):
        forest_model(10, min_samples_leaf=1).fit(table)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FewDeepTrees)
        forest_model(10, min_samples_leaf=5).fit(table)
        forest_model(30, min_samples_leaf=1).fit(table)


@pytest.mark.parametrize("task, metric", [("binary", "logloss"), ("regression", "rmse")])
def test_the_curve_of_trees_flattens_and_ends_at_the_whole_forest(task, metric):
    from fastkaggle_plus.metrics import get_metric

    fitted, other = forest_model(100).fit(make_table(task)), make_table(task, seed=1)
    curve = tree_curve(fitted, other, metric)
    assert len(curve) == 100
    assert curve[-1] == pytest.approx(get_metric(metric).score(other.targs, fitted.predict(other)))
    assert abs(curve[-1] - curve[49]) < 0.1 * abs(curve[0] - curve[-1]) and curve[-1] < curve[0]


def test_the_curve_of_a_bag_and_of_no_other_model():
    table = make_table()
    fitted = bag(tree_model(min_samples_leaf=5), 12).fit(table)
    assert len(tree_curve(fitted, table, "accuracy")) == 12
    with pytest.raises(DataError, match="forest_model or bag"):
        tree_curve(tree_model().fit(table), table, "accuracy")


@pytest.mark.parametrize("planted", ["size", "color"])
def test_one_rule_finds_the_planted_column(planted):
    table = make_table(n=300)
    targs = (
        (table.x["size"] > 0.2 if planted == "size" else table.x["color"] == "blue")
        .to_numpy()
        .astype(int)
    )
    table = Table(table.x, targs, table.cat_names, table.cont_names, "binary", (0, 1))
    fitted = one_r_model().fit(table)
    assert fitted.importances == {planted: 1.0}
    assert (fitted.predict(table).argmax(1) == targs).mean() > 0.9


def test_one_rule_predicts_the_mean_of_values():
    color = pd.Categorical(["a", "a", "b", "b", None], categories=["a", "b", "c"])
    table = Table(
        pd.DataFrame({"color": color}),
        np.array([1.0, 3.0, 10.0, 10.0, 7.0]),
        ("color",),
        (),
        "regression",
    )
    other = Table(
        pd.DataFrame({"color": pd.Categorical(["c", "b", None], categories=["a", "b", "c"])}),
        None,
        ("color",),
        (),
        "regression",
    )
    assert one_r_model().fit(table).predict(other).ravel().tolist() == [
        6.2,
        10.0,
        7.0,
    ]  # a level without rows gets the mean of all rows


def test_one_rule_needs_a_feature():
    with pytest.raises(DataError, match="at least one feature"):
        one_r_model().fit(
            Table(pd.DataFrame(index=range(3)), np.array([0, 1, 0]), (), (), "binary", (0, 1))
        )


def test_split_scores_by_hand():
    column, targs = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 1])
    assert split_score(column, targs, 2) == 0
    assert split_score(column, targs, 1) == pytest.approx(np.std([0, 1, 1], ddof=1) * 3 / 4)
    assert best_split(np.array([1.0, 2.0, np.nan, 3.0, 4.0]), np.array([0, 0, 1, 1, 1])) == (
        2.0,
        0.0,
    )
    assert gini(np.array([0, 1])) == 0.5 and gini(np.array([1, 1])) == 0


def test_leaf_limits_reach_the_tree():
    table = make_table(n=300)
    assert tree_model(max_leaf_nodes=4).fit(table).estimator.get_n_leaves() == 4
    leaves = tree_model(min_samples_leaf=50).fit(table).estimator
    assert (
        np.bincount(leaves.apply(OrdinalEncoder(table)(table)))[
            leaves.tree_.children_left == -1
        ].min()
        >= 50
    )
