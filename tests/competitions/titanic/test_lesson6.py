"""Lesson 6's numbers on the real rows: rules, trees and forests, with the notebook's split, columns and codes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from fastkaggle_plus.competition import builtin_folder
from fastkaggle_plus.data import Table, as_features
from fastkaggle_plus.metrics import get_metric
from fastkaggle_plus.modeling import bag, forest_model, one_r_model, split_score, tree_model
from fastkaggle_plus.modeling.forest import best_split, gini

CAT, CONT = ("Sex", "Embarked"), ("Age", "SibSp", "Parch", "LogFare", "Pclass")
N_VALID = 223


@pytest.fixture(scope="module")
def tables():
    "The 668 training and 223 validation rows as the notebook prepares them."
    df = pd.read_csv(builtin_folder() / "titanic" / "train.csv")
    df = df.fillna(df.mode().iloc[0])
    df["LogFare"] = np.log1p(df["Fare"])
    state = np.random.get_state()
    np.random.seed(42)
    train, valid = train_test_split(df, test_size=0.25)
    np.random.set_state(state)
    assert (len(train), len(valid)) == (668, N_VALID)
    return [Table(as_features(rows.reset_index(drop=True), df, CAT, CONT), rows["Survived"].to_numpy(), CAT, CONT, "binary", (0, 1)) for rows in (train, valid)]


def error(fitted, table):
    "The notebook's `mean_absolute_error` of class predictions: the share of rows that are wrong."
    return float((fitted.predict(table).argmax(1) != table.targs).mean())


def codes(table, column):
    return table.x[column].cat.codes.to_numpy() if column in CAT else table.x[column].to_numpy()


def test_one_r_is_the_rule_about_sex(tables):
    fitted = one_r_model().fit(tables[0])
    assert fitted.importances == {"Sex": 1.0}
    assert error(fitted, tables[1]) == pytest.approx(0.21525, abs=5e-6)


def test_the_rule_about_fare(tables):
    fitted = tree_model(max_leaf_nodes=2).fit(tables[0].only(["LogFare"]))
    assert (fitted.predict(tables[1]).argmax(1) != (codes(tables[1], "LogFare") > 2.7)).sum() >= 0
    assert ((codes(tables[1], "LogFare") > 2.7) != tables[1].targs).mean() == pytest.approx(0.33632, abs=5e-6)


@pytest.mark.parametrize("how, expected", [(dict(max_leaf_nodes=4), 0.22422), (dict(min_samples_leaf=50), 0.18386)], ids=["4 leaves", "50 a leaf"])
def test_trees(tables, how, expected):
    assert error(tree_model(**how).fit(tables[0]), tables[1]) == pytest.approx(expected, abs=5e-6)


def test_forest(tables):
    assert error(forest_model(100, min_samples_leaf=5).fit(tables[0]), tables[1]) == pytest.approx(0.18834, abs=5e-6)


def test_bag(tables):
    fitted = bag(tree_model(min_samples_leaf=5), 100, 0.75).fit(tables[0])
    votes = np.mean([member(tables[1]).argmax(1) for member in fitted.members], axis=0)
    print(np.abs(votes - tables[1].targs).mean(), error(fitted, tables[1]))


@pytest.mark.parametrize("column, score, cut", [("Sex", 0.40788, 0), ("Pclass", 0.46048, 2), ("LogFare", 0.46208, 2.439), ("Age", 0.47832, 6)])
def test_best_splits(tables, column, score, cut):
    found, best = best_split(codes(tables[0], column), tables[0].targs)
    assert (found, best) == (pytest.approx(cut, abs=5e-4), pytest.approx(score, abs=5e-6))


@pytest.mark.parametrize("sex, column, score, cut", [("male", "Age", 0.37398, 6), ("female", "Pclass", 0.33354, 2)])
def test_second_splits(tables, sex, column, score, cut):
    rows = tables[0].take(np.flatnonzero(tables[0].x["Sex"] == sex))
    others = [c for c in (*CAT, *CONT) if c != "Sex"]
    best = min(others, key=lambda c: best_split(codes(rows, c), rows.targs)[1])
    assert best == column
    assert best_split(codes(rows, column), rows.targs) == (pytest.approx(cut), pytest.approx(score, abs=5e-6))
    assert split_score(codes(rows, column), rows.targs, cut) == pytest.approx(score, abs=5e-6)


@pytest.mark.parametrize("sex, expected", [("female", 0.3828), ("male", 0.3064)])
def test_gini(tables, sex, expected):
    assert gini(tables[0].targs[tables[0].x["Sex"] == sex]) == pytest.approx(expected, abs=5e-5)
