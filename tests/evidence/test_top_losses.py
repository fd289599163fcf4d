"""The worst rows come first, with their image, label and fold, and the confusions are counted."""

import dataclasses
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.data import Data, ImageFiles, Table
from fastkaggle_plus.evidence import most_confused, top_losses
from fastkaggle_plus.exceptions import DataError

from ..making import make_predictions, make_values

VOCAB = ("ant", "bee", "cat")


def data_of(preds, images=None):
    "The data that these predictions are of."
    x = pd.DataFrame({"x": np.zeros(len(preds.ids))})
    train = Table(x, preds.targs, (), ("x",), preds.task, preds.vocab, images)
    test = Table(x.head(len(preds.test_ids)), None, (), ("x",), preds.task, preds.vocab)
    return Data(train, test, preds.ids, preds.test_ids, pd.DataFrame(), x, x)


def four_rows():
    "Targets ant, bee, cat, ant; the third is badly wrong, the first a little, the others right."
    oof = np.array([[0.4, 0.5, 0.1], [0.2, 0.7, 0.1], [0.98, 0.01, 0.01], [0.9, 0.05, 0.05]])
    return dataclasses.replace(
        make_predictions(n=4, vocab=VOCAB, folds=2),
        targs=np.array([0, 1, 2, 0]),
        oof=oof,
        ids=np.array([7, 8, 9, 10]),
    )


def test_worst_first_joined_with_the_images():
    preds = four_rows()
    images = ImageFiles(("d.jpg", "", "a.jpg", "b.jpg"), np.array([2, 3, 1, 0]))
    table = top_losses(preds, data_of(preds, images), 3)
    assert list(table) == [
        "id",
        "file",
        "label",
        "predicted",
        "loss",
        "probability",
        "confidence",
        "fold",
    ]
    assert table["id"].tolist() == [9, 7, 8] and table["file"].tolist() == ["", "a.jpg", "b.jpg"]
    assert table["label"].tolist() == ["cat", "ant", "bee"] and table["predicted"].tolist() == [
        "ant",
        "bee",
        "bee",
    ]
    np.testing.assert_allclose(table["loss"], -np.log([0.01, 0.4, 0.7]))
    assert (
        table["probability"].tolist() == [0.01, 0.4, 0.7]
        and table["confidence"].tolist() == [0.98, 0.5, 0.7]
        and table["fold"].tolist() == [0, 0, 1]
    )
    assert "file" not in top_losses(preds, data_of(preds)) and top_losses(
        preds, data_of(preds), None, largest=False
    )["id"].tolist() == [10, 8, 7, 9]


def test_the_texts_stand_beside_the_rows():
    preds, texts = (
        four_rows(),
        pd.DataFrame({"anchor": ["NA", "", "a\rb", " x "], "label": list("wxyz")}),
    )
    data = data_of(preds)
    table = top_losses(
        preds, dataclasses.replace(data, train=dataclasses.replace(data.train, texts=texts)), 3
    )
    assert list(table) == [
        "id",
        "anchor",
        "label (text)",
        "label",
        "predicted",
        "loss",
        "probability",
        "confidence",
        "fold",
    ]
    assert table["anchor"].tolist() == ["a\rb", "NA", ""] and table["label (text)"].tolist() == [
        "y",
        "w",
        "x",
    ]
    assert table["label"].tolist() == ["cat", "ant", "bee"]


def test_rows_and_classes_are_joined_by_name():
    preds = four_rows()
    rows, columns = [3, 1, 0, 2], [2, 0, 1]
    shuffled = dataclasses.replace(
        preds,
        ids=preds.ids[rows],
        targs=np.argsort(columns)[preds.targs[rows]],
        oof=preds.oof[rows][:, columns],
        folds=preds.folds[rows],
        vocab=tuple(VOCAB[c] for c in columns),
    )
    pd.testing.assert_frame_equal(
        top_losses(shuffled, data_of(preds)), top_losses(preds, data_of(preds))
    )
    pd.testing.assert_frame_equal(
        most_confused(shuffled).sort_values("label", ignore_index=True),
        most_confused(preds).sort_values("label", ignore_index=True),
    )


def test_rows_that_nobody_validated_are_left_out():
    preds = four_rows()
    holdout = dataclasses.replace(preds, folds=np.array([0, -1, -1, 0]))
    assert top_losses(holdout, data_of(preds))["id"].tolist() == [7, 10]


def test_an_impossible_label_has_a_finite_loss():
    preds = dataclasses.replace(four_rows(), oof=np.eye(3)[[1, 1, 2, 0]])
    worst = top_losses(preds, data_of(preds), 1)
    assert (
        worst["id"].tolist() == [7] and np.isfinite(worst["loss"]).all() and worst["loss"][0] > 30
    )


def test_values_have_a_squared_error():
    preds = make_values(n=30)
    table = top_losses(preds, data_of(preds), 5)
    errors = (preds.oof[:, 0] - preds.targs) ** 2
    assert list(table) == ["id", "label", "predicted", "loss", "fold"]
    np.testing.assert_allclose(table["loss"], np.sort(errors)[::-1][:5])
    np.testing.assert_allclose((table["predicted"] - table["label"]) ** 2, table["loss"])
    two = dataclasses.replace(
        preds, targs=np.stack([preds.targs, preds.targs], 1), oof=np.c_[preds.oof, preds.oof + 1]
    )
    assert len(top_losses(two, data_of(two), 1)["label"][0]) == 2
    with pytest.raises(DataError, match="only classes are confused"):
        most_confused(preds)


def test_confusions_are_counted_most_frequent_first():
    targs, guesses = [0] * 5 + [1] * 4 + [2] * 2, [1, 1, 1, 0, 2, 1, 0, 0, 1, 2, 0]
    base = make_predictions(n=11, vocab=VOCAB)
    preds = dataclasses.replace(base, targs=np.array(targs), oof=np.eye(3)[guesses])
    assert most_confused(preds).values.tolist() == [
        ["ant", "bee", 3],
        ["bee", "ant", 2],
        ["ant", "cat", 1],
        ["cat", "ant", 1],
    ]
    assert most_confused(preds, 2)["count"].tolist() == [3, 2] and most_confused(preds, 9).empty


def test_other_rows_or_labels_are_refused():
    preds = make_predictions(n=40)
    with pytest.raises(DataError, match="has other rows"):
        top_losses(preds, data_of(make_predictions(n=39)))
    with pytest.raises(DataError, match=r"other labels than the data.*Cross-validate again"):
        top_losses(preds, data_of(dataclasses.replace(preds, targs=1 - preds.targs)))


def test_no_torch_and_no_widgets_are_loaded():
    code = (
        "from tests.evidence.test_top_losses import *\npreds = four_rows()\nassert len(top_losses(preds, data_of(preds))) == 4\n"
        "import sys; assert not {'torch', 'fastai', 'ipywidgets', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
