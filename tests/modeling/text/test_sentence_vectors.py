"""Sentence vectors: an untrained transformer's mean, computed once per text."""

import numpy as np
import pandas as pd
import torch
from transformers import AutoModel, AutoTokenizer

from fastkaggle_plus.modeling import progress
from fastkaggle_plus.modeling.text.overlap_text import SentenceVectors
from fastkaggle_plus.modeling.text.weights import SMALL, fetch_weights


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
    with progress.heard_by(lambda share, what: events.append((share, what))):
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
