"""Table and Data: rows taken, columns added, features replaced, fingerprints."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.data import Data, Table, as_features
from fastkaggle_plus.exceptions import DataError


def make_data(targs=(0, 1, 0, 1), vocab=("no", "yes"), task="binary"):
    raw, raw_test = (
        pd.DataFrame({"c": ["a", "b", "a", None], "n": [1, 2, 3, np.inf]}),
        pd.DataFrame({"c": ["b", "z"], "n": [4.0, np.nan]}),
    )
    x, x_test = (as_features(f, raw, ("c",), ("n",)) for f in (raw, raw_test))
    facts = dict(cat_names=("c",), cont_names=("n",), task=task, vocab=vocab)
    sample = pd.DataFrame({"id": [4, 5], "y": 0})
    return Data(
        Table(x, np.array(targs), **facts),
        Table(x_test, None, **facts),
        np.arange(4),
        np.arange(4, 6),
        sample,
        raw,
        raw_test,
    )


def test_features_have_the_levels_of_train_and_finite_numbers():
    data = make_data()
    assert (
        list(data.test.x["c"].cat.categories) == ["a", "b"]
        and data.test.x["c"].tolist()[0] == "b"
        and data.test.x["c"].isna()[1]
    )
    assert np.isnan(data.train.x["n"][3]) and data.train.x["n"].dtype == float


def test_take_keeps_rows_and_targets_together():
    part = make_data().train.take(np.array([3, 0]))
    assert (
        len(part) == 2
        and part.targs.tolist() == [1, 0]
        and part.x["n"].iloc[1] == 1
        and part.x.index.tolist() == [0, 1]
    )
    assert make_data().test.take(np.array([1])).targs is None


@pytest.mark.parametrize(
    ("targs", "vocab", "outputs"),
    [((0, 1, 0, 1), ("no", "yes"), 2), ((1.0, 2.0, 3.0, 4.0), (), 1), (((1.0, 2.0),) * 4, (), 2)],
)
def test_width_of_a_prediction(targs, vocab, outputs):
    assert make_data(targs, vocab).train.n_outputs == outputs


def test_with_columns_adds_numbers_and_categories():
    table = make_data().train.with_columns(
        pd.DataFrame({"m": [1, 2, 3, 4], "k": pd.Categorical(["u", "v", "u", "v"])}), cat=("k",)
    )
    assert (
        table.cat_names == ("c", "k")
        and table.cont_names == ("n", "m")
        and table.x["k"].dtype == "category"
    )
    assert "m" not in make_data().train.x


def test_fold_adds_features_from_the_rows_to_fit_alone():
    def in_fold(fit, rows):
        mean = fit.targs.mean()
        return tuple(
            t.with_columns(pd.DataFrame({"mean": np.full(len(t), mean)})) for t in (fit, rows)
        )

    data = dataclasses.replace(make_data(), in_fold=in_fold)
    fit, rows = data.fold(np.array([1, 3]), np.array([0, 2]))
    assert rows.x["mean"].tolist() == [1.0, 1.0] and len(fit) == 2
    assert len(data.fold(np.array([0, 1]), None)[1]) == 2
    assert list(make_data().fold(np.array([0]), None)[0].x) == ["c", "n"]


def test_with_features_keeps_rows_targets_and_ids():
    data = make_data()
    own = data.with_features(
        data.raw_train.assign(d=data.raw_train["n"] * 2),
        data.raw_test.assign(d=0),
        cat_names=("c",),
        cont_names=("d",),
    )
    assert (
        list(own.train.x) == ["c", "d"] == list(own.test.x)
        and own.targs is data.targs
        and own.ids is data.ids
    )
    assert own.train.cont_names == ("d",) and own.vocab == ("no", "yes") and own.task == "binary"


def test_the_fingerprint_depends_on_features_targets_ids_and_names():
    data = make_data()
    prints = {
        data.fingerprint(),
        make_data((1, 1, 0, 1)).fingerprint(),
        make_data(vocab=("n", "y")).fingerprint(),
        dataclasses.replace(data, ids=np.arange(1, 5)).fingerprint(),
        dataclasses.replace(data, test_ids=np.arange(2)).fingerprint(),
        dataclasses.replace(data, test=data.test.take(np.array([1, 0]))).fingerprint(),
        dataclasses.replace(
            data, train=dataclasses.replace(data.train, x=data.train.x.assign(n=0.0))
        ).fingerprint(),
    }
    assert len(prints) == 7
    assert data.fingerprint() == make_data().fingerprint()


def test_a_table_without_targets_is_an_error():
    data = make_data()
    with pytest.raises(DataError, match="no targets"):
        _ = dataclasses.replace(data, train=dataclasses.replace(data.train, targs=None)).targs
