"""Predictions: saved and read, aligned by id and label, scored on validated rows."""

import numpy as np
import pytest

from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.metrics import get_metric
from fastkaggle_plus.predictions import Predictions, load_predictions

from .making import make_predictions, make_values

FACTS = ("name", "metric", "task", "vocab", "seconds_s", "about", "importances")
ARRAYS = ("ids", "targs", "oof", "folds", "test_ids", "test")


def replaced(preds, **changes):
    return Predictions(**{**{k: getattr(preds, k) for k in (*FACTS, *ARRAYS)}, **changes})


@pytest.mark.parametrize(
    "preds",
    [
        make_predictions(vocab=("cat", "dog", "eel")),
        make_values(),
        replaced(
            make_predictions(vocab=(False, True)),
            about={"seed": 1, "deep": {"list": [1, 2.5, None]}},
            importances={"a": 0.25},
            seconds_s=1.5,
        ),
        replaced(
            make_predictions(), ids=np.array([f"{i:04d}.jpg" for i in range(200)], dtype=object)
        ),
    ],
    ids=["labels", "values", "facts", "words as ids"],
)
def test_round_trip(tmp_path, preds):
    found = load_predictions(preds.save(tmp_path / "p.npz"))
    for fact in FACTS:
        assert getattr(found, fact) == getattr(preds, fact)
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(found, array), getattr(preds, array))
    assert found.oof_score == preds.oof_score and found.oof_score_se == preds.oof_score_se


def test_a_damaged_file_says_so(tmp_path):
    file = make_predictions().save(tmp_path / "p.npz")
    whole = file.read_bytes()
    for content in (
        whole[: len(whole) // 2],
        b"",
        b"not a zip at all",
        whole[:200] + bytes(50) + whole[250:],
    ):
        file.write_bytes(content)
        with pytest.raises(
            DataError, match=r"does not read as predictions.*Delete it and run the trial again"
        ):
            load_predictions(file)
    with pytest.raises(FileNotFoundError):
        load_predictions(tmp_path / "none.npz")


def test_nothing_in_a_file_is_run(tmp_path):
    np.savez(tmp_path / "p.npz", facts=np.array({"a": 1}, dtype=object))
    with pytest.raises(DataError, match="allow_pickle"):
        load_predictions(tmp_path / "p.npz")


def test_scores_are_of_the_validated_rows():
    preds = make_predictions(right=1.0)
    folds, oof = preds.folds.copy(), preds.oof.copy()
    folds[:50], oof[:50] = -1, np.nan
    part = replaced(preds, folds=folds, oof=oof)
    assert part.validated.sum() == 150 and part.oof_score == 1.0 and part.fold_scores == [1.0] * 5
    assert "150 rows" in str(part)
    se = make_predictions(right=0.8)
    hits = get_metric("accuracy").per_row(se.targs, se.oof)
    assert se.oof_score_se == pytest.approx(hits.std(ddof=1) / np.sqrt(200))


def test_rows_and_columns_are_joined_by_id_and_label():
    preds = make_predictions(vocab=("a", "b", "c"))
    rng = np.random.default_rng(5)
    rows, test_rows, columns = rng.permutation(200), rng.permutation(20), np.array([2, 0, 1])
    moved = replaced(
        preds,
        ids=preds.ids[rows],
        oof=preds.oof[rows][:, columns],
        folds=preds.folds[rows],
        targs=np.argsort(columns)[preds.targs[rows]],
        vocab=("c", "a", "b"),
        test_ids=preds.test_ids[test_rows],
        test=preds.test[test_rows][:, columns],
    )
    assert moved.oof_score == preds.oof_score
    back = moved.aligned(preds.ids, preds.test_ids, preds.vocab)
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(back, array), getattr(preds, array))
    assert back.vocab == preds.vocab


def test_other_rows_or_classes_are_refused():
    preds = make_predictions()
    with pytest.raises(DataError, match=r"other rows: 200 ids against 200, without \[1000"):
        preds.aligned(preds.ids + 1000, preds.test_ids, preds.vocab)
    with pytest.raises(DataError, match="200 ids against 199"):
        preds.aligned(preds.ids[:-1], preds.test_ids, preds.vocab)
    with pytest.raises(DataError, match="has the classes"):
        preds.aligned(preds.ids, preds.test_ids, (0, 2))


def test_lengths_must_agree():
    preds = make_predictions()
    with pytest.raises(DataError, match="200, 200, 199, 200"):
        replaced(preds, oof=preds.oof[:-1])
    with pytest.raises(DataError, match="20 test ids and 19 test predictions"):
        replaced(preds, test=preds.test[:-1])
