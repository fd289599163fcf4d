"""Bagging: members see different rows, out-of-bag predictions are honest, none may be dropped."""

import numpy as np
import pytest

from fastkaggle_plus.data import Table
from fastkaggle_plus.exceptions import ConfigError, SelectionError, UnknownName
from fastkaggle_plus.modeling import (
    FittedFunction,
    Model,
    bag,
    bag_model,
    forest_model,
    tabular_model,
    tree_model,
)

from .tables import make_table


class Recording:
    """A fit function that records its rows, by their size column, and predicts the mean target."""

    def __init__(self):
        self.seen, self.asked = [], []

    def __call__(self, table: Table):
        self.seen.append(table.x["size"].to_numpy())
        own, share = len(self.seen) - 1, table.targs.mean()

        def predict(rows):
            self.asked.append((own, rows.x["size"].to_numpy()))
            return np.tile([1 - share, share], (len(rows), 1))

        return FittedFunction(predict)


def numbered(n=100):
    """A table whose size column numbers the rows."""
    table = make_table(n=n)
    return Table(
        table.x.assign(size=np.arange(n, dtype=float)),
        table.targs,
        table.cat_names,
        table.cont_names,
        "binary",
        (0, 1),
    )


@pytest.mark.parametrize("replace", [True, False])
def test_resamples_differ_and_have_the_size_asked_for(replace):
    fit = Recording()
    bag(fit, 6, 0.75, replace=replace).fit(numbered())
    assert [len(rows) for rows in fit.seen] == [75] * 6
    assert len({tuple(rows) for rows in fit.seen}) == 6
    assert all((len(set(rows)) < 75) == replace for rows in fit.seen)


def test_out_of_bag_predictions_are_by_members_that_did_not_see_the_row():
    fit = Recording()
    fitted = bag(fit, 6, 0.75).fit(numbered())
    for member, rows in fit.asked:
        assert not set(rows) & set(fit.seen[member])
        assert set(rows) | set(fit.seen[member]) == set(range(100))
    n_members = sum(np.isin(np.arange(100), rows) for _, rows in fit.asked)
    np.testing.assert_array_equal(np.isnan(fitted.oob).any(1), n_members == 0)


@pytest.mark.parametrize(
    "model, n",
    [
        (tree_model(min_samples_leaf=5), 20),
        (forest_model(30), 5),
        (tabular_model((20,), epochs=6), 6),
        (lambda table: tree_model(min_samples_leaf=5).fit(table), 20),
    ],
    ids=["tree", "forest", "fastai learner", "a function"],
)
def test_out_of_bag_is_close_to_hold_out(model, n):
    table, other = make_table(n=300), make_table(n=400, seed=1)
    fitted = bag(model, n, 0.75).fit(table)
    preds = fitted.predict(other)
    assert len(fitted.members) == n and preds.shape == (400, 2)
    np.testing.assert_allclose(preds, np.mean([m(other) for m in fitted.members], axis=0))
    held_out = (preds.argmax(1) == other.targs).mean()
    assert held_out > 0.8 and fitted.oob_score == pytest.approx(held_out, abs=0.06)


@pytest.mark.parametrize("task", ["multiclass", "regression", "values"])
def test_other_tasks_have_out_of_bag_predictions(task):
    table = make_table(task, n=300)
    fitted = bag(tree_model(min_samples_leaf=5), 12).fit(table)
    assert fitted.oob.shape == (300, table.n_outputs) and fitted.oob_score > 0.7


def test_bagging_improves_a_deep_tree():
    table, other = make_table(n=200), make_table(n=1000, seed=1)
    one, many = tree_model().fit(table), bag(tree_model(), 30).fit(table)
    right = [(f.predict(other).argmax(1) == other.targs).mean() for f in (one, many)]
    assert right[1] > right[0]


def test_members_cannot_be_chosen_by_their_own_score():
    fitted = bag(tree_model(min_samples_leaf=5), 5).fit(make_table(n=60))
    for ask in (lambda: fitted.drop([3, 1]), lambda: fitted.drop(0), lambda: fitted.keep(best=2)):
        with pytest.raises(SelectionError, match="smaller than it is"):
            ask()
    assert len(fitted.members) == 5


def test_bag_model_makes_the_same_bag():
    table = make_table(n=80)
    named = bag_model("forest.tree_model", {"min_samples_leaf": 5}, n=4, frac=0.5, seed=3)
    given = bag(tree_model(min_samples_leaf=5), 4, 0.5, seed=3)
    assert named.about == given.about and named.name == given.name == "bag of 4 tree"
    assert named.fit(table).predict(table).tobytes() == given.fit(table).predict(table).tobytes()
    with pytest.raises(UnknownName, match="tree_model"):
        bag_model("forest.three_model")


def test_importances_are_the_mean_of_the_members():
    fitted = bag(tree_model(min_samples_leaf=5), 10).fit(make_table())
    assert sum(fitted.importances.values()) == pytest.approx(1, abs=1e-4)
    assert fitted.importances["size"] > fitted.importances["weight"]


@pytest.mark.parametrize("n, frac", [(0, 0.5), (3, 0), (3, 1.5)])
def test_invalid_sizes_are_refused(n, frac):
    with pytest.raises(ConfigError, match=f"n = {n}, frac = {frac}"):
        bag(tree_model(), n, frac)


def test_members_that_see_all_rows_leave_no_out_of_bag_score():
    fitted = bag(Model("tree", tree_model().fit), 2, 1.0, replace=False).fit(make_table(n=40))
    assert np.isnan(fitted.oob).all() and np.isnan(fitted.oob_score)
