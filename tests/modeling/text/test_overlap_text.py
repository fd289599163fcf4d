"""Baselines for texts: Jaccard's overlap and the untrained transformer's cosine, with a line."""

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from fastkaggle_plus.data import Table
from fastkaggle_plus.exceptions import WeightsMissing
from fastkaggle_plus.modeling import cosine_model, overlap_model, progress
from fastkaggle_plus.modeling.text.overlap_text import SentenceVectors
from fastkaggle_plus.modeling.text.weights import SMALL, fetch_weights

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


def test_the_sentence_vectors_are_the_transformers_masked_mean():
    folder = fetch_weights(SMALL).folder
    tokenizer, net = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    texts = pd.Series(["seed drill", "a machine that sows seeds in rows", "", "seed drill"])
    ours = SentenceVectors(SMALL, bs=2)(texts)
    with torch.no_grad():
        for text, vector in zip(texts, ours, strict=True):
            mean = net(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
            np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)
    assert (
        ours[0] @ ours[1] > 0.5 > SentenceVectors(SMALL)(pd.Series(["jazz festival"]))[0] @ ours[0]
    )


def test_a_text_is_computed_once():
    vectors, events = SentenceVectors(SMALL, bs=4), []
    texts = pd.Series(["gear", "valve", "gear"] * 10)
    with progress.send_to(lambda share, what: events.append((share, what))):
        one = vectors(texts)
    assert events == [(1.0, "text 2/2")] and set(vectors.cache) == {"gear", "valve"}
    vectors._encoder_and_net = None, None  # without them nothing more can be computed
    assert vectors(texts[::-1])[0].tobytes() == one[0].tobytes()


def test_batches_do_not_depend_on_the_hash_of_words(monkeypatch):
    vectors, seen = SentenceVectors(SMALL, bs=2), []
    monkeypatch.setattr(
        vectors, "_means", lambda batch: seen.extend(batch) or np.ones((len(batch), 2))
    )
    words = [f"{a}{b}" for a in "qwertz" for b in "asdfgh"]
    vectors(pd.Series(words))
    assert seen == sorted(words)
