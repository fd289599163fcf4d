"""Bugs of the course's Titanic notebooks that do not occur here."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from fastkaggle_plus.ensembling import ensemble
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import bag, cross_validate, forest_model, tabular_model, tree_model
from fastkaggle_plus.modeling.tabular.scratch import ByMaximum


def test_levels_become_floats_not_booleans(data):
    """Lesson 5: `get_dummies` gives booleans today, which `tensor(..., dtype=float)` refuses."""
    with pytest.raises((TypeError, ValueError)):
        torch.tensor(pd.get_dummies(data.raw_train[["Age", "Sex"]]).to_numpy(), dtype=torch.float)
    indeps = ByMaximum(data.train, ["Age", "Sex"])(data.train)
    assert (
        indeps.dtype == torch.float
        and indeps.shape == (891, 3)
        and set(indeps[:, 1:].unique().tolist()) == {0.0, 1.0}
    )


def test_the_title_is_the_passengers_own(data):
    """Lesson 5: `Title` was assigned a `value_counts` result, so all 891 were missing."""
    assert data.train.x["Title"].isna().sum() == data.test.x["Title"].isna().sum() == 0
    own = data.raw_train["Name"].str.contains("Master.", regex=False)
    assert ((data.train.x["Title"] == "Master") == own).all() and own.sum() == 40


def test_alone_means_without_family(data):
    """Lesson 5: `Alone = Family == 1` was true of those with one relative."""
    family = data.raw_train["SibSp"] + data.raw_train["Parch"]
    assert ((data.train.x["Alone"] == 1) == (family == 0)).all()
    assert (data.train.x["Alone"] == 1).sum() == 537


def test_tickets_are_counted_over_train_and_test(data):
    """Lesson 5: a ticket in both files was counted as one person in each file."""
    both = pd.concat([data.raw_train, data.raw_test])["Ticket"]
    shared = data.raw_train["Ticket"].isin(data.raw_test["Ticket"])
    alone_in_its_file = data.raw_train["Ticket"].map(data.raw_train["Ticket"].value_counts()) == 1
    assert (shared & alone_in_its_file).sum() > 20
    assert (data.train.x["TicketFreq"][shared & alone_in_its_file] > 1).all()
    for table, raw in ((data.train, data.raw_train), (data.test, data.raw_test)):
        np.testing.assert_array_equal(table.x["TicketFreq"], raw["Ticket"].map(both.value_counts()))


def test_a_number_missing_only_in_test_is_handled(comp, files):
    """Lesson 5: fastai's FillMissing refuses a column that is incomplete only in test."""
    plain = comp.read_files(comp.folder)
    assert plain.raw_train["Fare"].notna().all() and plain.raw_test["Fare"].isna().sum() == 1
    assert plain.test.x["Fare"].isna().sum() == 1
    fitted = tabular_model((10, 10), epochs=2).fit(plain.train)
    probabilities = fitted.predict(plain.test)
    assert probabilities.shape == (418, 2) and np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)


def test_an_ensemble_is_scored_on_held_out_rows(data):
    """Lesson 5: the ensemble of five nets was never scored before it was submitted."""
    folds = make_folds(data.targs, n_folds=3)
    members = [
        cross_validate(m, data, folds, name=n)
        for n, m in {"tree": tree_model(min_samples_leaf=50), "forest": forest_model(50)}.items()
    ]
    both = ensemble(members)
    assert both.validated.all() and (both.folds == folds.assignment).all()
    assert both.oof_score > 0.8
    right = [(m.oof.argmax(1) == m.targs).mean() for m in (*members, both)]
    assert [m.oof_score for m in (*members, both)] == pytest.approx(right)


def test_a_category_absent_in_test_changes_no_code(read, files, data):
    """Lesson 6: test had its own category codes, so without Cherbourg they would be shifted."""
    train, test = files
    fewer = read(train, test[test["Embarked"] != "C"])
    assert (
        list(fewer.test.x["Embarked"].cat.categories)
        == list(fewer.train.x["Embarked"].cat.categories)
        == ["C", "Q", "S"]
    )
    whole = data.test.x["Embarked"][(test["Embarked"] != "C").to_numpy()]
    np.testing.assert_array_equal(fewer.test.x["Embarked"].cat.codes, whole.cat.codes)


def test_importances_belong_to_the_model(data):
    """Lesson 6: the plot said `rf` and showed the single tree `m`."""
    tree, forest = (m.fit(data.train) for m in (tree_model(max_leaf_nodes=4), forest_model(50)))
    for fitted in (tree, forest):
        own = fitted.estimator.feature_importances_
        assert list(fitted.importances.values()) == pytest.approx(
            (own / own.sum()).tolist(), abs=1e-5
        )
    assert (
        sum(v > 0 for v in tree.importances.values())
        <= 3
        < sum(v > 0 for v in forest.importances.values())
    )
    assert max(forest.importances, key=forest.importances.get) in ("Sex", "Title", "WomanOrChild")


def test_forests_and_bags_have_an_out_of_bag_score(data):
    """Lesson 6 explains out-of-bag error and never asks for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in (forest_model(100), bag(tree_model(min_samples_leaf=5), 40)):
            fitted = model.fit(data.train)
            assert 0.79 < fitted.oob_score < 0.86, model.name
            assert fitted.oob.shape == (891, 2)
