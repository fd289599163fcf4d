"""The kept models of the folds answer for their own validation rows only."""

import numpy as np
import pytest

from fastkaggle_plus.exceptions import ConfigError, DataError
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import Model, cross_validate, fit_fold_models, forest_model

from ..tables import make_data
from .planted import planted, three_folds


def test_they_are_those_of_cross_validate():
    data = planted(n=300)
    model, folds = forest_model(10), three_folds(data)
    models, preds = fit_fold_models(model, data, folds), cross_validate(model, data, folds)
    assert np.array_equal(models.preds.oof, preds.oof)
    assert np.array_equal(models.after(lambda table: table).oof, preds.oof)
    assert "FoldModels" in repr(models) and "3, random" in repr(models)


@pytest.mark.parametrize("metric", ["rmse", "rmsle"])
def test_predictions_have_the_scale_of_the_metric(metric):
    data = planted(metric=metric, n=300)
    models = fit_fold_models(forest_model(10), data, three_folds(data))
    assert models.is_log == (metric == "rmsle")
    assert np.allclose(models.after(lambda table: table).oof, models.preds.oof)


def test_a_sample_has_some_rows_of_the_same_models():
    data = planted(n=300)
    models = fit_fold_models(forest_model(10), data, three_folds(data))
    few = models.sample(50)
    rows = np.flatnonzero(few.preds.validated)
    assert len(rows) == 50 == sum(map(len, few.tables))
    assert np.array_equal(few.after(lambda table: table).oof[rows], models.preds.oof[rows])


def test_rows_that_are_never_validated_have_no_answers():
    data = planted(n=300)
    folds = make_folds(data.targs, n_folds=2, kind="time", time=data.train.x["day"].to_numpy())
    models = fit_fold_models(forest_model(10), data, folds)
    after = models.after(lambda table: table)
    assert np.isnan(after.oof[:100]).all() and after.validated.sum() == 200


def test_features_belong_to_the_column_they_were_made_from():
    def in_fold(fit, rows):
        made = [t.with_columns(t.x[["size"]].set_axis(["color_mean"], axis=1)) for t in (fit, rows)]
        return made[0], made[1]

    data = make_data("binary", in_fold=in_fold)
    models = fit_fold_models(forest_model(5), data, three_folds(data))
    assert models.sources["color"] == ("color", "color_mean")
    assert models.sources["size"] == ("size",)


def test_models_of_images_and_data_without_features_are_refused():
    data = make_data("binary")
    images = Model("net", lambda table: None, choose=lambda variants: ("", {}))
    with pytest.raises(ConfigError, match="about tables"):
        fit_fold_models(images, data, three_folds(data))
    no_features = data.with_features(data.train.x, data.test.x, cat_names=(), cont_names=())
    mean = Model("mean", lambda table: lambda rows: np.full(len(rows), 0.5))
    with pytest.raises(DataError, match="no features"):
        fit_fold_models(mean, no_features, three_folds(data))
