"""The contract of light text models: any texts, any number of columns, one shape of predictions."""

import dataclasses
import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus import modeling
from fastkaggle_plus.exceptions import DataError, UnknownName
from fastkaggle_plus.metrics import get_metric

from ..phrases import make_phrases

NAMES = ("cosine_model", "overlap_model", "static_text_model", "text_probe_model")
PAIRS_ONLY = {"cosine_model", "overlap_model"}
EVERY = pytest.mark.parametrize("name", NAMES)
ODD = [
    "",
    " ",
    "\n",
    "...",
    "naïve “quotes”, 'n' \"all\"",
    "👍🏽 gear 👍🏽",
    "日本語",
    "line\nbreak\ttab",
    "x" * 500,
    "gear " * 600,
    "xxbos xxpad xxunk",
    "<br /> & ©",
]


@cache  # models share the vectors that they loaded and the texts that they encoded
def make(name, **more):
    return getattr(modeling, name)(**more)


def blind(table):
    return dataclasses.replace(table, targs=None)


def check(preds, table):
    assert (
        isinstance(preds, np.ndarray)
        and preds.shape == (len(table), table.n_outputs)
        and np.isfinite(preds).all()
    )
    if table.vocab:
        assert (preds >= 0).all()
        np.testing.assert_allclose(preds.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "values"])
@EVERY
def test_it_beats_a_constant_on_an_easy_problem(name, task):
    train, rows = make_phrases(task, n=120), make_phrases(task, n=100, seed=1)
    preds = make(name).fit(train).predict(rows if task == "values" else blind(rows))
    check(preds, rows)
    metric = get_metric("log_loss" if rows.vocab else "rmse")
    base = (
        np.bincount(train.targs, minlength=len(rows.vocab)) / len(train)
        if rows.vocab
        else train.targs.mean(0)
    )
    constant = metric.score(rows.targs, np.tile(base, (len(rows), 1)))
    assert metric.gain(metric.score(rows.targs, preds), constant) > 0.1 * constant


@pytest.mark.parametrize("columns", [1, 3])
@EVERY
def test_any_number_of_text_columns(name, columns):
    table, rows = make_phrases(n=120, columns=columns), make_phrases(n=100, seed=1, columns=columns)
    preds = make(name).fit(table).predict(rows)
    check(preds, rows)
    assert (columns == 1 and name in PAIRS_ONLY) or np.corrcoef(preds[:, 0], rows.targs)[0, 1] > 0.4


@pytest.mark.parametrize("name", sorted(PAIRS_ONLY))
def test_for_a_single_text_a_pairs_model_predicts_the_mean(name):
    table = make_phrases(columns=1)
    np.testing.assert_allclose(make(name).fit(table).predict(table), table.targs.mean())


@EVERY
def test_columns_are_chosen_by_name(name):
    table = make_phrases(n=60, columns=3)
    model, changed = (
        make(name, columns=("anchor", "target")),
        dataclasses.replace(table, texts=table.texts.assign(more="gear pump")),
    )
    chosen = model.fit(table)
    assert (
        chosen.predict(table).tobytes()
        == chosen.predict(changed).tobytes()
        == model.fit(changed).predict(table).tobytes()
    )
    with pytest.raises(UnknownName, match="anchor"):
        make(name, columns=("anchr", "target")).fit(table)


@EVERY
def test_a_table_without_texts_is_refused(name):
    table = dataclasses.replace(make_phrases(n=20), texts=None)
    with pytest.raises(DataError, match=r"texts.*\[?text"):
        make(name).fit(table)


@EVERY
def test_odd_texts(name):
    """Empty, whitespace, emoji, other scripts, line breaks, very long, and internal markers."""
    texts = pd.DataFrame({"a": ODD * 2, "b": (ODD[1:] + ODD[:1]) * 2})
    table = dataclasses.replace(make_phrases("binary", n=len(texts)), texts=texts)
    model = make(name).fit(table)
    check(model.predict(table), table)
    check(model.predict(table.take(np.arange(1))), table.take(np.arange(1)))


@pytest.mark.parametrize("n", [2, 3, 33])
@EVERY
def test_few_rows(name, n):
    for task in ("binary", "regression"):
        table = make_phrases(task, n=85)
        first = [np.flatnonzero(table.targs == code)[0] for code in range(2)] if table.vocab else []
        check(
            make(name)
            .fit(table.take(np.array([*first, *np.arange(50, 50 + n - len(first))])))
            .predict(table),
            table,
        )


@EVERY
def test_missing_classes_and_constant_targets(name):
    table = make_phrases("multiclass", n=100)
    preds = make(name).fit(table.take(np.flatnonzero(table.targs != 1))).predict(table)
    check(preds, table)
    assert preds[:, 1].max() < 0.2
    one = make(name).fit(table.take(np.flatnonzero(table.targs == 1))).predict(table)
    check(one, table)
    assert one[:, 1].mean() > 0.8
    values = make_phrases("values", n=60)
    values = dataclasses.replace(values, targs=np.full_like(values.targs, 7.0))
    np.testing.assert_allclose(make(name).fit(values).predict(values), 7.0, atol=1e-3)


@EVERY
def test_predictions_repeat_and_do_not_depend_on_other_rows(name, capfd):
    table, rows = make_phrases(n=100), make_phrases(n=60, seed=1)
    texts, targs = table.texts.copy(), table.targs.copy()
    model = make(name).fit(table)
    whole = model.predict(rows)
    assert make(name).fit(table).predict(rows).tobytes() == whole.tobytes()
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(model.predict(rows.take(order)), whole[order], atol=1e-6)
    np.testing.assert_allclose(model.predict(rows.take(np.arange(5))), whole[:5], atol=1e-6)
    pd.testing.assert_frame_equal(table.texts, texts)
    np.testing.assert_array_equal(table.targs, targs)
    assert capfd.readouterr() == ("", "")


@EVERY
def test_values_stay_within_the_training_range(name):
    table = make_phrases(n=80)
    preds = make(name).fit(table).predict(make_phrases(n=100, seed=1))
    assert preds.min() >= table.targs.min() and preds.max() <= table.targs.max()


@EVERY
def test_about_is_plain_data(name):
    about = make(name).about
    assert json.loads(json.dumps(about)) == about


@EVERY
def test_no_rows_give_no_predictions(name):
    train = make_phrases("binary", n=40)
    assert make(name).fit(train).predict(blind(train.take(np.arange(0)))).shape == (0, 2)
