"""Nets keep a curve of each fit, say when they stop early, and take fastai's callbacks."""

import dataclasses
import json

import numpy as np
import pytest
from fastai.callback.core import Callback

from fastkaggle_plus.exceptions import ConfigError, UnknownName
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import (
    bag,
    cross_validate,
    forest_model,
    linear_model,
    lr_find,
    net_model,
    progress,
    ridge_model,
    tabm_model,
    tabular_model,
)
from fastkaggle_plus.modeling.inner_split import inner_split
from fastkaggle_plus.modeling.registry import build
from fastkaggle_plus.predictions import load_predictions
from fastkaggle_plus.reporting import plot_curves

from .tables import make_data, make_table

SMALL_NET = dict(layers=[8], epochs=3, lr=0.01)
SMALL_TABM = dict(k=4, d_block=32, bs=32, lr=0.01)


def validated(model, data=None, **options):
    data = data or make_data("binary")
    return cross_validate(model, data, make_folds(data.targs, n_folds=2), **options)


@pytest.fixture(scope="module")
def early():
    """TabM, stopped early, with everything that its progress said."""
    heard = []
    with progress.send_to(lambda share, position: heard.append(position)):
        preds = validated(tabm_model(**SMALL_TABM, epochs=50, patience=2))
    return preds, heard


@pytest.mark.parametrize(
    "model", [tabular_model(**SMALL_NET), net_model(epochs=3)], ids=["fastai", "scratch"]
)
def test_a_curve_of_each_fold_ends_with_its_score(model, tmp_path):
    preds = validated(model)
    curves = load_predictions(preds.save(tmp_path / "net.npz")).about["curves"]
    assert [curve["fold"] for curve in curves] == ["1/2", "2/2"]
    for curve, score in zip(curves, preds.fold_scores, strict=True):
        assert curve["epochs"] == [1, 2, 3] and curve["n_epochs"] == 3
        assert curve["score"][-1] == pytest.approx(score, abs=1e-5)
        assert curve["train_loss"][-1] < curve["train_loss"][0]
        assert all(np.isfinite(curve["valid_loss"])) and curve["stopped"] == 0
    assert len(json.dumps(curves)) < 1000 and preds.early_stops == ""


def test_the_last_validation_loss_is_that_of_the_predictions():
    preds = validated(tabular_model(**SMALL_NET))
    rows = preds.folds == 0
    right = preds.oof[rows][np.arange(rows.sum()), preds.targs[rows]]
    found = preds.about["curves"][0]["valid_loss"][-1]
    assert found == pytest.approx(-np.log(right).mean(), rel=1e-4)
    scratch = validated(linear_model(epochs=2)).about["curves"][0]
    assert 0 < scratch["valid_loss"][0] < 1  # a mean absolute error, as its training loss


def test_keeping_curves_changes_no_prediction():
    data = make_data("regression")
    folds = make_folds(data.targs, n_folds=2)
    for model in (tabular_model(**SMALL_NET), tabm_model(**SMALL_TABM, epochs=4)):
        preds = cross_validate(model, data, folds)
        fit, rows = next(folds.splits())
        table, valid = data.fold(fit, rows)
        np.testing.assert_array_equal(model.fit(table).predict(valid), preds.oof[rows])
        assert "curves" in preds.about


def test_many_epochs_and_many_rows_keep_a_small_record(monkeypatch):
    from fastkaggle_plus.modeling import epochs

    monkeypatch.setattr(epochs, "_MOST_ROWS", 10)
    sizes = []
    whole = epochs._ValidationRows.report
    monkeypatch.setattr(
        epochs._ValidationRows,
        "report",
        lambda self, *a: (sizes.append(len(self.table)), whole(self, *a)),
    )
    [first, _] = validated(linear_model(epochs=120)).about["curves"]
    assert first["epochs"][0] == 1 and first["epochs"][-1] == 120 and len(first["epochs"]) < 52
    assert set(sizes) == {10}


def test_a_fold_without_a_score_keeps_its_losses():
    data = make_data("binary")
    targs = np.r_[np.ones(len(data.train) // 2, int), data.targs[len(data.train) // 2 :]]
    data = dataclasses.replace(data, train=dataclasses.replace(data.train, targs=targs))
    folds = dataclasses.replace(
        make_folds(targs, n_folds=2), assignment=(np.arange(len(targs)) * 2 // len(targs))
    )
    preds = cross_validate(tabular_model(**SMALL_NET), data, folds, metric="auc")
    assert np.isnan(preds.about["curves"][0]["score"]).all()
    assert np.isfinite(preds.about["curves"][0]["valid_loss"]).all()
    assert plot_curves(preds)


def test_each_member_of_a_bag_has_a_curve():
    curves = validated(bag(tabular_model(**SMALL_NET), 2)).about["curves"]
    assert [curve["fold"] for curve in curves] == ["1/2", "1/2", "2/2", "2/2"]
    assert all(curve["epochs"] == [1, 2, 3] for curve in curves)


def test_early_stopping_says_at_which_epoch_and_why(early):
    preds, heard = early
    for curve, notes in zip(preds.about["curves"], preds.about["fits"], strict=True):
        assert curve["kept"] == notes["epochs"] == curve["stopped"] - 2
        assert curve["epochs"][-1] == curve["stopped"] < 50
    stopped, kept = ([curve[key] for curve in preds.about["curves"]] for key in ("stopped", "kept"))
    why = "no lower loss of the inner validation rows for 2 epochs"
    assert preds.early_stops == (
        f"2 of 2 fits, after epoch {stopped[0]}, {stopped[1]} of 50: {why}; the weights of epoch "
        f"{kept[0]}, {kept[1]} are used"
    )
    assert preds.early_stops in " ".join(repr(preds).split())
    assert f"fold 1/2, stopped after epoch {stopped[0]}/50: {why}" in heard


def test_the_plot_marks_the_epoch_that_is_used(early):
    preds, _ = early
    figure = plot_curves(preds)
    losses, scores = figure.axes
    labels = [t.get_text() for axes in figure.axes for t in axes.get_legend().get_texts()]
    assert labels == ["training loss", "validation loss", "accuracy, validation"]
    dots = [line.get_xdata()[0] for line in scores.lines if line.get_marker() == "o"]
    assert dots == [curve["kept"] for curve in preds.about["curves"]]
    thick = next(line for line in losses.lines if line.get_label() == "validation loss")
    first = [curve["valid_loss"][0] for curve in preds.about["curves"]]
    assert thick.get_ydata()[0] == pytest.approx(np.mean(first))
    assert "dot: stopped early" in scores.get_xlabel()
    assert plot_curves(validated(ridge_model())) is None


@pytest.mark.parametrize(
    "model",
    [tabular_model([8]), tabm_model(**SMALL_TABM), net_model(), linear_model()],
    ids=lambda m: m.name,
)
def test_lr_find_suggests_a_rate_for_every_net(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = make_table(n=120)
    rates = lr_find(model, table, num_it=40, start_lr=1e-4, end_lr=1000)
    assert 1e-4 < rates.valley < 1000 and 1e-4 < rates.slide < 1000
    assert len(rates.lrs) == len(rates.losses) and not list(tmp_path.iterdir())
    assert rates.losses.min() < rates.losses[0]
    assert lr_find(model, table, num_it=40, start_lr=1e-4, end_lr=1000).valley == rates.valley


def test_lr_find_explains_a_loss_that_explodes_at_once():
    with pytest.raises(ConfigError, match=r"exploded after 2 of 40 steps.*smaller start_lr"):
        lr_find(linear_model(), make_table(n=120), num_it=40, start_lr=1e6, end_lr=1e9)
    with pytest.raises(ConfigError, match=r"Cannot find a learning rate for forest.*text_model"):
        lr_find(forest_model(n_estimators=2), make_table(n=60))


def test_callbacks_by_name_stop_early_on_rows_that_are_not_the_folds(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    cbs = [{"EarlyStoppingCallback": {"patience": 2}}, "SaveModelCallback"]
    model = build("tabular.tabular_model", {"layers": [8], "lr": 0.1, "epochs": 40, "cbs": cbs})
    assert model.about["cbs"] == cbs
    preds = validated(model)
    assert "2 of 2 fits, after epoch" in preds.early_stops and "of 40" in preds.early_stops
    assert "no better loss of the inner validation rows for 2 epochs" in preds.early_stops
    for curve in preds.about["curves"]:
        assert curve["kept"] == curve["stopped"] - 2  # SaveModelCallback restores the best
    assert not list(tmp_path.iterdir())  # fastai saves the weights to the working folder
    assert "early stopping" not in capfd.readouterr().out

    table = make_table(n=200)
    fit, held = inner_split(table)
    shuffled = dataclasses.replace(table, targs=table.targs.copy())
    shuffled.targs[held] = 1 - shuffled.targs[held]  # they decide when to stop, nothing else
    plain, other = (model.fit(t).predict(table) for t in (table, shuffled))
    assert len(fit) + len(held) == 200 and np.abs(plain - other).max() > 0.01


def test_the_best_weights_are_those_of_the_best_epoch():
    """Save the best model: one epoch at a good rate, then epochs that ruin the net."""

    class Ruin(Callback):
        def before_epoch(self):
            if self.epoch:
                for p in self.model.parameters():
                    p.data.mul_(50)

    table = make_table(n=200)
    options = dict(layers=[8], lr=0.01, epochs=3)
    kept = tabular_model(**options, cbs=["SaveModelCallback", Ruin]).fit(table)
    ruined = tabular_model(**options, cbs=[Ruin()]).fit(table)
    accuracy = [(f.predict(table).argmax(1) == table.targs).mean() for f in (kept, ruined)]
    log_loss = [
        -np.log(f.predict(table)[np.arange(200), table.targs].clip(1e-7)).mean()
        for f in (kept, ruined)
    ]
    assert log_loss[0] < log_loss[1] / 2, (accuracy, log_loss)


def test_an_object_is_copied_for_each_fit():
    class Counting(Callback):
        n = 0

        def after_epoch(self):
            self.n += 1

    counting = Counting()
    preds = validated(tabular_model(**SMALL_NET, cbs=[counting]))
    assert counting.n == 0 and preds.about["cbs"] == ["Counting"]


@pytest.mark.parametrize(
    ("cbs", "error", "words"),
    [
        (["EarlyStopping"], UnknownName, "EarlyStoppingCallback"),
        ("MixUp", ConfigError, r"Give cbs = \['MixUp'\]"),
        ([{"EarlyStoppingCallback": {"patient": 3}}], ConfigError, "patient"),
        ([3], ConfigError, "Cannot make the callback int"),
    ],
)
def test_a_wrong_callback_is_refused_before_any_row_is_read(cbs, error, words):
    with pytest.raises(error, match=words):
        tabular_model(cbs=cbs)
