"""What the questions find agrees with what was planted in the table."""

import dataclasses

import numpy as np
import pytest

from fastkaggle_plus.exceptions import DataError, UnknownName
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import (
    cross_validate,
    drop_columns,
    explain_model,
    fit_fold_models,
    forest_model,
    interactions,
    partial_dependence,
    permutation_importance,
    redundant_columns,
    ridge_model,
    score_by_spread,
    train_test_shift,
    tree_spread,
    without_model,
)

from .planted import planted, three_folds


@pytest.fixture(scope="module")
def data():
    return planted()


@pytest.fixture(scope="module")
def models(data):
    return fit_fold_models(forest_model(30, max_features=0.6), data, three_folds(data))


@pytest.fixture(scope="module")
def explained(models):
    return explain_model(models, drop=[["main", "copy"]], refits=5)


def losses(frame):
    return {row.column: row for row in frame.itertuples()}


def test_a_noise_column_has_no_importance(explained):
    by_name = losses(explained.importances)
    assert by_name["noise"].low < 0 and abs(by_name["noise"].loss) < 0.05
    assert all(by_name[c].low > 0 for c in ("main", "left", "right"))
    assert explained.importances["loss"].is_monotonic_decreasing


def test_two_copies_look_less_important_alone_than_together(explained):
    by_name = losses(explained.importances)
    assert by_name["main + copy"].loss > 1.5 * (by_name["main"].loss + by_name["copy"].loss)


def test_the_intervals_cover_the_spread_between_repeats(models):
    found = [
        losses(permutation_importance(models, {"main": ["main"]}, seed=s))["main"] for s in range(4)
    ]
    assert all(a.low < b.loss < a.high for a in found for b in found)
    with pytest.raises(UnknownName):
        permutation_importance(models, {"nothing": ["none"]})


def test_more_rows_give_narrower_intervals(models):
    few, all_rows = (
        losses(permutation_importance(m, {"main": ["main"]}))["main"]
        for m in (models.sample(60), models)
    )
    assert few.high - few.low > 1.5 * (all_rows.high - all_rows.low)


def test_dependent_rows_count_once(models):
    """Rows in ten groups give the interval of ten values: that of Student's t is wide."""
    groups = np.arange(700) % 10
    grouped = dataclasses.replace(models, preds=dataclasses.replace(models.preds, groups=groups))
    row = losses(permutation_importance(grouped, {"main": ["main"]}))["main"]
    alone = losses(permutation_importance(models, {"main": ["main"]}))["main"]
    assert row.low > 0 and row.high - row.low != alone.high - alone.low


def test_copies_can_go_but_not_both(explained):
    rows = {d["tried because"].partition(" with ")[0]: d for _, d in explained.dropped.iterrows()}
    assert rows["asked"]["without"] == "main, copy" and rows["asked"]["verdict"] == "costs"
    assert rows["no importance"]["without"] == "noise"
    one_of_two = explained.dropped[explained.dropped["without"].isin(["main", "copy"])]
    assert one_of_two["tried because"].tolist()[0].startswith("redundant with")
    assert "costs" not in {*one_of_two["verdict"], rows["no importance"]["verdict"]}
    assert "main, copy: costs" in explained.answers["can go"]


def test_the_loss_without_columns_is_that_of_a_refit(models, data):
    dropped = drop_columns(models, [["left"]]).iloc[0]
    kept = [c for c in data.train.cont_names if c != "left"]
    x, x_test = data.train.x, data.test.x
    rest = data.with_features(x, x_test, cat_names=data.train.cat_names, cont_names=tuple(kept))
    preds = cross_validate(models.model, rest, models.folds)
    assert dropped["score"] == preds.oof_score and dropped["verdict"] == "costs"
    assert dropped["loses at most"] > preds.oof_score - models.preds.oof_score > 0


def test_a_model_that_does_not_see_some_columns_is_explained(data):
    """They have no importance, and dropping them once more changes nothing."""
    blind = without_model(forest_model(5), columns=["main", "day"])
    models = fit_fold_models(blind, data, three_folds(data))
    dropped = drop_columns(models, [["main"]]).iloc[0]
    assert dropped["gain"] == 0 and dropped["verdict"] == "can go"
    assert losses(permutation_importance(models))["main"].loss == 0


def test_a_column_that_does_not_exist_is_refused_before_any_refit(models):
    with pytest.raises(UnknownName, match="nois"):
        explain_model(models, drop=[["nois"]])
    with pytest.raises(UnknownName, match="id of a training row"):
        explain_model(models, row="x")


def test_redundant_features_are_those_with_the_same_ranks(data):
    """A cube is one, and so is a category whose levels have other names."""
    found = redundant_columns(data.train)
    assert sorted(map(sorted, found.groups)) == [["copy", "main"], ["kind", "kind_name"]]
    assert found.linkage[-1, 2] > 0.8  # the others are far apart
    assert redundant_columns(data.train.only(["main"])).groups == ()


def test_the_product_is_the_strongest_interaction(explained):
    first, second = explained.interactions.iloc[0], explained.interactions.iloc[1]
    assert {first["first"], first["second"]} == {"left", "right"} and first["H"] > 0.7
    assert first["SD"] > 3 * second["SD"]
    assert set(explained.curves[-1].columns) == {"left", "right"}


def test_additive_effects_do_not_interact(data):
    models = fit_fold_models(ridge_model(), data, three_folds(data))
    assert (interactions(models, ["main", "left", "right"])["SD"] < 1e-6).all()


def test_partial_dependence_is_that_of_scikit_learn(data):
    from sklearn.inspection import partial_dependence as of_sklearn

    folds = make_folds(data.targs, holdout=0.3)
    models = fit_fold_models(forest_model(10), data, folds)
    ours = partial_dependence(models, "main", n_rows=10_000)
    [fitted], [table] = models.fitted, models.tables
    at = fitted.sources.index("main")
    options = dict(features=[at], custom_values={at: ours.grid[0]}, kind="both", method="brute")
    theirs = of_sklearn(fitted.estimator, fitted.encode(table), **options)
    assert np.allclose(ours.mean, theirs["average"][0])
    assert np.allclose(ours.curves, theirs["individual"][0])


def test_partial_dependence_follows_the_planted_effect(models):
    main = partial_dependence(models, "main")
    assert main.mean[-1] - main.mean[0] > 2 and "price" in repr(main)
    kind = partial_dependence(models, "kind_name")
    by_level = dict(zip(kind.grid[0], kind.mean, strict=True))
    assert max(by_level, key=by_level.get) == "yew"
    with pytest.raises(UnknownName):
        partial_dependence(models, "mian")
    with pytest.raises(DataError, match="training range"):
        partial_dependence(models, "kind", beyond=True)


def test_a_forest_is_flat_beyond_the_training_range_and_a_line_is_not(models, data):
    forest = partial_dependence(models, "day", beyond=True)
    assert forest.is_flat_beyond and forest.inside == (0, 699)
    assert forest.grid[0][-1] >= data.test.x["day"].max()
    line = fit_fold_models(ridge_model(), data, three_folds(data))
    assert not partial_dependence(line, "day", beyond=True).is_flat_beyond


def test_the_drifting_column_separates_train_from_test(explained, data):
    assert explained.shift.columns == ["day"] and explained.shift.auc > 0.95
    assert explained.beyond.columns == ("day",)
    mixed = np.random.default_rng(0).permutation(len(data.train))
    train, test = data.train.take(mixed[:500]), data.train.take(mixed[500:])
    no_drift = dataclasses.replace(
        data.take(mixed[:500]),
        test=dataclasses.replace(test, targs=None),
        raw_test=data.raw_train.iloc[mixed[500:]].reset_index(drop=True),
        raw_train=data.raw_train.iloc[mixed[:500]].reset_index(drop=True),
        train=train,
    )
    assert train_test_shift(no_drift).columns == []


def test_the_spread_of_the_trees_is_that_of_scikit_learn(models):
    spread = tree_spread(models)
    fitted, table, rows = models.fitted[0], models.tables[0], models.rows[0]
    x = fitted.encode(table)
    assert np.allclose(spread[rows], np.std([t.predict(x) for t in fitted.estimator], axis=0))


def test_a_forest_is_more_often_wrong_where_its_trees_disagree():
    data = planted("binary")
    parts = score_by_spread(
        fit_fold_models(forest_model(30), data, three_folds(data), metric="accuracy")
    )
    assert parts["score"].iloc[0] > parts["score"].iloc[-1] + 0.1
    assert parts["rows"].sum() == len(data.train)


def test_a_model_without_trees_has_no_spread_and_answers_the_rest(data):
    models = fit_fold_models(ridge_model(), data, three_folds(data))
    with pytest.raises(DataError, match="no trees"):
        tree_spread(models)
    explained = explain_model(models, refits=1)
    assert explained.spread.empty and "confidence" not in explained.answers
    assert len(explained.dropped) == 1
