"""Baselines for texts: Jaccard's overlap and the untrained transformer's cosine, with a line."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.data import Table
from fastkaggle_plus.exceptions import WeightsMissing
from fastkaggle_plus.modeling import cosine_model, overlap_model
from fastkaggle_plus.modeling.text.sentence_vectors import SentenceVectors
from fastkaggle_plus.modeling.text.weights import SMALL

from ..phrases import make_phrases

PAIRS = [
    ("metal gear", "Metal gear", 1.0),
    ("gear", "valve", 0.0),
    ("gear, pump", "gear", 0.5),
    ("a b c", "b c d", 0.5),
    ("", "", 0.0),
    ("", "gear", 0.0),
]


def table_of(texts, targs):
    return Table(
        pd.DataFrame(index=range(len(texts))), np.asarray(targs), (), (), "regression", texts=texts
    )


def test_the_overlap_is_a_share_of_all_words_in_any_case_or_order():
    texts = pd.DataFrame(PAIRS, columns=["a", "b", "overlap"])[["a", "b"]]
    wanted = np.array([p[2] for p in PAIRS])
    preds = overlap_model().fit(table_of(texts, 3 * wanted - 1)).predict(table_of(texts, wanted))
    np.testing.assert_allclose(preds[:, 0], 3 * wanted - 1, atol=1e-3)


def test_each_pair_of_columns_counts():
    """Only the first and the third column decide."""
    table = make_phrases(n=150)
    texts = pd.DataFrame(
        {"one": table.texts["anchor"], "between": "gear", "two": table.texts["target"]}
    )
    three = table_of(texts, table.targs)
    assert np.corrcoef(overlap_model().fit(three).predict(three)[:, 0], table.targs)[0, 1] > 0.9
    assert (
        np.corrcoef(overlap_model(("one", "between")).fit(three).predict(three)[:, 0], table.targs)[
            0, 1
        ]
        < 0.4
    )


def test_the_cosine_is_that_of_the_first_two_columns():
    table = make_phrases(n=40, columns=3)
    vectors = SentenceVectors(SMALL)
    cosines = (vectors(table.texts["anchor"]) * vectors(table.texts["target"])).sum(1)
    known = table_of(table.texts, 2 * cosines + 5)
    np.testing.assert_allclose(
        cosine_model(SMALL).fit(known).predict(known)[:, 0], 2 * cosines + 5, atol=1e-3
    )


def test_a_missing_model_is_refused():
    with pytest.raises(WeightsMissing, match="nowhere is not there"):
        cosine_model("./nowhere").fit(make_phrases(n=10))
