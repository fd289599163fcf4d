"""Test predictions: the mean of the fold models, or one model fitted again on all rows."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fastkaggle_plus import load_predictions
from fastkaggle_plus.ensembling import ensemble
from fastkaggle_plus.exceptions import UnknownName
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import (
    FittedFunction,
    Model,
    bag,
    cross_validate,
    forest_model,
    progress,
    ridge_model,
    tree_model,
)

from .tables import make_data


def along_time(n_folds=3, **options):
    """Return data whose rows are sorted by time, and its folds."""
    data = dataclasses.replace(make_data(), time=np.arange(240))
    return data, make_folds(data.targs, n_folds=n_folds, kind="time", time=data.time, **options)


def constant(share):
    return FittedFunction(lambda rows: np.tile([1 - share, share], (len(rows), 1)))


def spy(calls, *, refit=True):
    """Return a model that records its fits; fold models predict 0.25, a refit predicts 0.75."""

    def fit(table):
        calls.append(len(table))
        return dataclasses.replace(constant(0.25), notes={"iterations": len(calls)})

    def again(table, notes):
        calls.append((len(table), notes, table.time[-1]))
        return dataclasses.replace(constant(0.75), notes={"iterations": 9})

    return Model("spy", fit, refit=again if refit else None)


def test_along_time_all_rows_are_fitted_with_what_the_folds_chose():
    data, folds = along_time()
    calls = []
    preds = cross_validate(spy(calls), data, folds)
    notes = [{"iterations": k} for k in (1, 2, 3)]
    assert calls == [60, 120, 180, (240, notes, 239)]
    assert (preds.test[:, 1] == 0.75).all() and (preds.oof[60:, 1] == 0.25).all()
    assert preds.about["test"] == "refit on all rows" and "refit on all rows" in repr(preds)
    assert preds.about["fits"] == notes and preds.about["refit"] == {"iterations": 9}


def test_a_model_without_refit_is_fitted_on_all_rows():
    data, folds = along_time()
    calls = []
    preds = cross_validate(spy(calls, refit=False), data, folds)
    assert calls == [60, 120, 180, 240] and (preds.test[:, 1] == 0.25).all()


@pytest.mark.parametrize(
    "model",
    [
        forest_model(20),
        ridge_model(),
        LogisticRegression(),
        bag(tree_model(min_samples_leaf=5), 3),
        lambda table: tree_model(max_leaf_nodes=4).fit(table),
    ],
    ids=["forest", "ridge", "estimator", "bag", "function"],
)
def test_a_refit_is_the_model_fitted_on_all_rows(model):
    from fastkaggle_plus.modeling.registry import model_from

    data = make_data()
    folds = make_folds(data.targs, n_folds=2)
    mean, refit = (cross_validate(model, data, folds, test=how) for how in ("folds", "refit"))
    whole, test = data.fold(np.arange(240), None)
    np.testing.assert_array_equal(refit.test, model_from(model).fit(whole).predict(test))
    np.testing.assert_array_equal(refit.oof, mean.oof)
    assert not np.array_equal(refit.test, mean.test) and refit.oof_score == mean.oof_score
    assert [p.about["test"] for p in (mean, refit)] == ["mean of 2 folds", "refit on all rows"]


def test_auto_refits_only_along_time():
    data = make_data()
    by_folds = cross_validate(spy([]), data, make_folds(data.targs, n_folds=2))
    assert by_folds.about["test"] == "mean of 2 folds" and (by_folds.test[:, 1] == 0.25).all()
    held_out = cross_validate(spy([]), data, make_folds(data.targs, holdout=0.2))
    assert held_out.about["test"] == "fit without the holdout"
    data, latest = along_time(holdout=0.2)
    calls = []
    assert (cross_validate(spy(calls), data, latest).test[:, 1] == 0.75).all()
    assert calls[0] == 192 and calls[1][0] == 240
    assert (cross_validate(spy([]), data, latest, test="folds").test[:, 1] == 0.25).all()
    with pytest.raises(UnknownName, match=r"'all'.*auto"):
        cross_validate(spy([]), data, latest, test="all")


def test_a_refit_of_rmsle_is_fitted_to_the_logarithm():
    data = make_data("regression", metric="rmsle")
    data = dataclasses.replace(
        data, train=dataclasses.replace(data.train, targs=np.expm1(np.abs(data.targs)))
    )

    def fit(table):
        return FittedFunction(lambda rows: np.full((len(rows), 1), table.targs.mean()))

    preds = cross_validate(Model("mean", fit), data, make_folds(data.targs), test="refit")
    np.testing.assert_allclose(preds.test, np.expm1(np.log1p(data.targs).mean()))


def test_features_that_need_targets_come_from_all_rows():
    calls = []

    def in_fold(fit, rows):
        calls.append((len(fit), len(rows)))
        return fit, rows

    data = make_data(in_fold=in_fold)
    assert data.notes == {} and calls.pop() == (240, 40)  # looks at all features once
    cross_validate(spy([], refit=False), data, make_folds(data.targs, n_folds=3), test="refit")
    assert calls == [(160, 80)] * 3 + [(240, 40)]  # the folds predict no test rows


class Views:
    """Fitted models whose variants have the chance 0.1 and 0.9 of the first class."""

    notes, importances = {}, {}

    def __init__(self, table):
        self.n = len(table)

    def predict(self, table):
        return self.variants(table)["low"]

    def variants(self, table):
        low = np.tile([0.1, 0.9], (len(table), 1))
        return {"low": low, "high": low[:, ::-1] if self.n < 240 else np.full_like(low, 0.5)}


def test_the_variant_that_the_folds_chose_is_used():
    chosen = []

    def choose(variants):
        chosen.append({name: p.oof[0, 0] for name, p in variants.items()})
        return "high", {"tta": {"chosen": "high"}}

    data = make_data()
    model = Model("views", Views, choose=choose)
    preds = cross_validate(model, data, make_folds(data.targs), test="refit")
    assert chosen == [{"low": 0.1, "high": 0.9}] and (preds.oof[:, 0] == 0.9).all()
    assert (preds.test == 0.5).all() and preds.about["tta"] == {"chosen": "high"}


def test_the_members_of_a_bag_are_refitted_with_the_notes_of_all_folds():
    calls = []
    data, folds = along_time(n_folds=2)
    preds = cross_validate(bag(spy(calls), 2, 0.5), data, folds)
    notes = [{"iterations": k} for k in (1, 2, 3, 4)]
    assert [c[:2] for c in calls[4:]] == [(120, notes), (120, notes)]
    assert (preds.test[:, 1] == 0.75).all()


def test_the_progress_has_a_step_for_the_refit():
    data, folds = along_time()
    received = []
    with progress.send_to(lambda share, position: received.append((round(share, 2), position))):
        cross_validate(spy([]), data, folds)
    assert received[0] == (0.0, "fold 1/3") and received[-3] == (0.75, "fold 3/3")
    assert received[-2:] == [(0.75, "refit"), (1.0, "refit")]


def test_an_ensemble_mixes_refits_and_fold_means(tmp_path):
    data, folds = along_time()
    trees = cross_validate(tree_model(min_samples_leaf=9), data, folds, name="a")
    line = cross_validate(ridge_model(), data, folds, test="folds", name="b")
    both = ensemble([trees, line])
    np.testing.assert_allclose(both.test, (trees.test + line.test) / 2)
    assert "test" not in both.about
    assert ensemble([trees]).about["test"] == "refit on all rows"
    assert load_predictions(trees.save(tmp_path / "a.npz")).about["test"] == "refit on all rows"


def test_the_seconds_of_each_part_are_known():
    data, folds = along_time()
    refit = cross_validate(forest_model(5), data, folds)
    assert set(refit.about["seconds"]) == {"fit", "predict", "refit"}
    assert 0 < sum(refit.about["seconds"].values()) <= refit.seconds_s
    assert set(cross_validate(forest_model(5), data, folds, test="folds").about["seconds"]) == {
        "fit",
        "predict",
    }
