"""tabm_model: stopped early by the competition's own rule, repeatable, and refit on all rows."""

import dataclasses
import sys

import numpy as np
import pytest
from fastai.learner import Learner

from fastkaggle_plus.exceptions import ConfigError, MissingExtra
from fastkaggle_plus.modeling import progress, tabm_model
from fastkaggle_plus.modeling.inner_split import inner_split

from ..tables import blind, make_table

SMALL = dict(k=4, d_block=32, bs=32, lr=0.01)


def test_training_stops_at_the_best_epoch_and_says_so():
    table = make_table(n=200)
    fitted = tabm_model(**SMALL, epochs=60, patience=3).fit(table)
    assert isinstance(fitted.estimator, Learner)
    assert 1 <= fitted.notes["epochs"] < 60 and fitted.notes["validated_on"] == 40
    same = tabm_model(**SMALL, epochs=fitted.notes["epochs"], patience=3).fit(table)
    np.testing.assert_array_equal(same.predict(table), fitted.predict(table))


def test_it_stops_on_the_latest_rows_where_the_competition_splits_along_time(monkeypatch):
    table = make_table(n=200)
    table = dataclasses.replace(table, time=np.arange(200))
    _, valid = inner_split(table)
    assert valid.min() == 160
    noise = np.random.default_rng(0).integers(0, 2, 200)
    swapped = np.where(np.arange(200) < 160, table.targs, 1 - table.targs)
    epochs = [
        tabm_model(**SMALL, epochs=30, patience=5)
        .fit(dataclasses.replace(table, targs=t))
        .notes["epochs"]
        for t in (table.targs, swapped, noise)
    ]
    assert epochs[0] > 5 and epochs[1] <= 2  # the latest rows contradict all others


def test_a_refit_trains_on_all_rows_for_the_epochs_of_the_folds():
    table = make_table(n=200)
    model = tabm_model(**SMALL)
    refit = model.refit(table, [{"epochs": 4}, {"epochs": 9}])
    assert refit.notes == {"epochs": 6}
    changed = dataclasses.replace(table, targs=table.targs.copy())
    _, valid = inner_split(table)
    changed.targs[valid] = 1 - changed.targs[valid]
    other = model.refit(changed, [{"epochs": 4}, {"epochs": 9}])
    assert np.abs(other.predict(table) - refit.predict(table)).max() > 0.05


def test_members_are_averaged():
    table, rows = make_table(n=150), blind(make_table(n=30, seed=1))
    fitted = tabm_model(**SMALL, epochs=3).fit(table)
    predictor = fitted.function
    out = predictor.outputs(*predictor.tensors(predictor.inputs(rows)))
    assert out.shape == (30, 4, 2)
    wanted = out.double().softmax(2).mean(1).numpy()
    np.testing.assert_allclose(fitted.predict(rows), wanted, atol=1e-6)
    assert (out[:, 0] - out[:, 1]).abs().max() > 0.01


def test_values_stay_within_the_targets():
    table, rows = make_table("regression", n=150), make_table("regression", n=50, seed=1)
    far = dataclasses.replace(rows, x=rows.x.assign(size=rows.x["size"] * 100))
    preds = tabm_model(**SMALL, epochs=5).fit(table).predict(blind(far))
    assert table.targs.min() <= preds.min() and preds.max() <= table.targs.max()


def test_each_epoch_is_reported():
    heard = []
    with progress.send_to(lambda share, position: heard.append(position)):
        tabm_model(**SMALL, epochs=3).fit(make_table(n=80))
    assert heard == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


@pytest.mark.parametrize("wrong", [dict(k=0), dict(dropout=1.5), dict(bs=1), dict(epochs=2.5)])
def test_wrong_settings_are_refused_before_anything_is_read(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        tabm_model(**wrong)


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tabm", None)
    with pytest.raises(MissingExtra, match=r"fastkaggle_plus\[nets\]"):
        tabm_model().fit(make_table(n=80))
